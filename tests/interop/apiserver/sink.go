package main

import (
	"io"
	"net"
	"net/http"
	"strings"
	"sync"

	collogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	"google.golang.org/protobuf/proto"
)

// An OTLP/HTTP backend that remembers which ids each auditID came with.
type sink struct {
	address  string
	lock     sync.Mutex
	refusing bool
	ids      map[string]map[string]int
}

func newSink() (*sink, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &sink{address: listener.Addr().String(), ids: map[string]map[string]int{}}
	go http.Serve(listener, s)
	return s, nil
}

func (s *sink) ServeHTTP(answer http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	logs := &collogs.ExportLogsServiceRequest{}
	if err != nil || proto.Unmarshal(body, logs) != nil {
		answer.WriteHeader(http.StatusBadRequest)
		return
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	if s.refusing {
		answer.Header().Set("Retry-After", "1")
		answer.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	for _, resource := range logs.ResourceLogs {
		for _, scope := range resource.ScopeLogs {
			for _, record := range scope.LogRecords {
				var event, uid string
				for _, attribute := range record.Attributes {
					switch attribute.Key {
					case "k8s.audit.event.id":
						event = attribute.Value.GetStringValue()
					case "log.record.uid":
						uid = attribute.Value.GetStringValue()
					}
				}
				if s.ids[event] == nil {
					s.ids[event] = map[string]int{}
				}
				s.ids[event][uid]++
			}
		}
	}
	answer.Header().Set("Content-Type", "application/x-protobuf")
	answer.WriteHeader(http.StatusOK)
}

func (s *sink) refuse(refusing bool) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.refusing = refusing
}

// missing tells which of these events have not come.
func (s *sink) missing(events []string) []string {
	s.lock.Lock()
	defer s.lock.Unlock()
	var missing []string
	for _, event := range events {
		if s.ids[event] == nil {
			missing = append(missing, event)
		}
	}
	return missing
}

// ambiguous tells which events came with several ids, or with one that is not theirs.
func (s *sink) ambiguous() []string {
	s.lock.Lock()
	defer s.lock.Unlock()
	var found []string
	for event, ids := range s.ids {
		for id := range ids {
			if len(ids) != 1 || !strings.HasPrefix(id, event+"/ResponseComplete/") {
				found = append(found, event)
				break
			}
		}
	}
	return found
}
