package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const config = `receivers:
  k8s_audit:
    endpoint: 127.0.0.1:%[1]d
    hold: 200ms
    tls:
      cert_file: %[2]s/tls.crt
      key_file: %[2]s/tls.key
      reload_interval: 1s
    tokens:
      - token_file: %[2]s/token
        cluster: prod-1

exporters:
  otlp_http:
    endpoint: http://%[3]s
    compression: none
    sending_queue:
      queue_size: 4
    retry_on_failure:
      initial_interval: 500ms
      max_interval: 1s

service:
  telemetry:
    metrics:
      readers:
        - pull:
            exporter:
              prometheus: {host: 127.0.0.1, port: %[4]d}
  pipelines:
    logs:
      receivers: [k8s_audit]
      exporters: [otlp_http]
`

// The program under test.
type lanner struct {
	binary, folder string
	port, metrics  int
	process        *exec.Cmd
	output         lockedBuffer
}

type lockedBuffer struct {
	lock   sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(text []byte) (int, error) {
	b.lock.Lock()
	defer b.lock.Unlock()
	return b.buffer.Write(text)
}

func newLanner(binary, folder, sink string) (*lanner, error) {
	l := &lanner{binary: binary, folder: folder}
	for _, port := range []*int{&l.port, &l.metrics} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		*port = listener.Addr().(*net.TCPAddr).Port
		listener.Close()
	}
	text := fmt.Sprintf(config, l.port, folder, sink, l.metrics)
	if err := os.WriteFile(filepath.Join(folder, "lanner.yaml"), []byte(text), 0o600); err != nil {
		return nil, err
	}
	if err := l.setToken(token); err != nil {
		return nil, err
	}
	return l, l.start()
}

func (l *lanner) setToken(token string) error {
	return os.WriteFile(filepath.Join(l.folder, "token"), []byte(token+"\n"), 0o600)
}

func (l *lanner) start() error {
	l.process = exec.Command(l.binary, "run", "--config", filepath.Join(l.folder, "lanner.yaml"))
	l.process.Stdout, l.process.Stderr = &l.output, &l.output
	if err := l.process.Start(); err != nil {
		return err
	}
	return eventually(20*time.Second, func() error {
		connection, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", l.port))
		if err == nil {
			connection.Close()
		}
		return err
	})
}

// stop lets it drain.
func (l *lanner) stop() error {
	if err := l.process.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return l.process.Wait()
}

func (l *lanner) kill() {
	l.process.Process.Kill()
}

func (l *lanner) log() string {
	l.output.lock.Lock()
	defer l.output.lock.Unlock()
	return l.output.buffer.String()
}

// expect objects unless the series of own metrics that begin so sum up to at least `least`.
func (l *lanner) expect(series string, least float64) error {
	answer, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/metrics", l.metrics))
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	page, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	sum := 0.0
	name, label, _ := strings.Cut(series, "{")
	for _, line := range strings.Split(string(page), "\n") {
		if strings.HasPrefix(line, name+"{") && strings.Contains(line, label) {
			value, err := strconv.ParseFloat(line[strings.LastIndex(line, " ")+1:], 64)
			if err != nil {
				return err
			}
			sum += value
		}
	}
	if sum < least {
		return fmt.Errorf("%s is %v, not at least %v", series, sum, least)
	}
	return nil
}
