package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	posts         = 300
	eventsPerPost = 400
	// A hang is longer; a debug build on a busy machine is not. What is printed is the figure.
	slowest = 120 * time.Second
)

// takesThreeHundredAtOnce posts batches at once over one connection of Go's HTTP/2 client, as many as an API server has in
// flight when answers take 30 s, and prints how long the answers take.
func takesThreeHundredAtOnce(w *world) error {
	roots := x509.NewCertPool()
	roots.AddCert(w.authority.certificate)
	transport := &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: roots, ServerName: "localhost"},
		ForceAttemptHTTP2: true,
	}
	client := &http.Client{Transport: transport}
	defer transport.CloseIdleConnections()
	post := func(body []byte) (time.Duration, error) {
		start := time.Now()
		request, err := http.NewRequest("POST", fmt.Sprintf("https://127.0.0.1:%d/k8s-audit/prod-1", w.lanner.port), bytes.NewReader(body))
		if err != nil {
			return 0, err
		}
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("Authorization", "Bearer "+token)
		for {
			answer, err := client.Do(request)
			if err != nil {
				return 0, err
			}
			_, err = io.Copy(io.Discard, answer.Body)
			answer.Body.Close()
			switch {
			case err != nil:
				return 0, err
			case answer.ProtoMajor != 2:
				return 0, fmt.Errorf("%s, not HTTP/2", answer.Proto)
			case answer.StatusCode == http.StatusOK:
				return time.Since(start), nil
			case answer.StatusCode != http.StatusTooManyRequests:
				return 0, fmt.Errorf("answered %s", answer.Status)
			}
			time.Sleep(100 * time.Millisecond)
			if request.Body, err = request.GetBody(); err != nil {
				return 0, err
			}
		}
	}
	// The connection is there before they all want one.
	if _, err := post(w.batch("first", 1)); err != nil {
		return err
	}
	bodies := make([][]byte, posts)
	for number := range bodies {
		bodies[number] = w.batch(fmt.Sprintf("parallel%d", number), eventsPerPost)
	}
	took, failures := make([]time.Duration, posts), make([]error, posts)
	var all sync.WaitGroup
	for number, body := range bodies {
		all.Add(1)
		go func() {
			defer all.Done()
			took[number], failures[number] = post(body)
		}()
	}
	all.Wait()
	for _, failure := range failures {
		if failure != nil {
			return failure
		}
	}
	slices.Sort(took)
	p99 := took[posts*99/100]
	fmt.Printf("     %d posts of %d events at once on one connection: p50 %v, p99 %v\n", posts, eventsPerPost,
		took[posts/2].Round(time.Millisecond), p99.Round(time.Millisecond))
	if p99 > slowest {
		return fmt.Errorf("p99 is %v", p99)
	}
	return w.check()
}

// batch is an EventList as the API server writes it.
func (w *world) batch(name string, count int) []byte {
	items := make([]string, count)
	for number := range items {
		id := fmt.Sprintf("%s-%d", name, number)
		w.audited = append(w.audited, id)
		items[number] = fmt.Sprintf(`{"level":"Metadata","auditID":%q,"stage":"ResponseComplete","requestURI":"/api/v1/namespaces/web/pods/x","verb":"get","user":{"username":"jane","groups":["dev","system:authenticated"]},"sourceIPs":["10.0.0.1"],"userAgent":"kubelet/v1.34.1","objectRef":{"resource":"pods","namespace":"web","name":"x","apiVersion":"v1"},"responseStatus":{"metadata":{},"code":200},"requestReceivedTimestamp":"2026-01-01T00:00:00.000001Z","stageTimestamp":"2026-01-01T00:00:00.250001Z","annotations":{"authorization.k8s.io/decision":"allow"}}`, id)
	}
	return []byte(`{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":[` + strings.Join(items, ",") + `]}`)
}
