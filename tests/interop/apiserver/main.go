// The audit backend of a real kube-apiserver in front of a real Lanner.
//
// Nothing of the client is ours: buffering, truncation, the webhook with its retries, TLS and bearer token are the packages
// that kube-apiserver is built from, put together as it does. Each scenario then asks two parties that know nothing of
// each other: the API server's own counter of events it has lost, and the OTLP sink behind Lanner.
package main

import (
	"fmt"
	"os"
	"strings"
	"time"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "FAILED:", err)
		os.Exit(1)
	}
}

func run() error {
	binary := os.Getenv("LANNER_BINARY")
	if binary == "" {
		return fmt.Errorf("LANNER_BINARY names no program")
	}
	folder, err := os.MkdirTemp("", "lanner-apiserver")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	sink, err := newSink()
	if err != nil {
		return err
	}
	authority, err := newAuthority(folder)
	if err != nil {
		return err
	}
	if err := authority.issue(); err != nil {
		return err
	}
	lanner, err := newLanner(binary, folder, sink.address)
	if err != nil {
		return err
	}
	defer lanner.kill()
	server, err := newAPIServer(folder, lanner.port)
	if err != nil {
		return err
	}
	w := &world{sink: sink, authority: authority, lanner: lanner, server: server}
	for _, scenario := range []struct {
		name string
		run  func(*world) error
	}{
		{"batches of 400 are taken", takesBatches},
		{"events over the limit are truncated by the API server and counted by Lanner", countsTruncated},
		{"300 batches at once on one connection are answered", takesThreeHundredAtOnce},
		{"a full pipeline is 429, and nothing is lost", waitsOutOverload},
		{"a restart loses nothing", survivesRestart},
		{"a renewed certificate is used", renewsCertificate},
		{"a wrong token is refused, a rotated one taken", rotatesToken},
	} {
		start := time.Now()
		if err := scenario.run(w); err != nil {
			return fmt.Errorf("%s: %w\n%s", scenario.name, err, lanner.log())
		}
		fmt.Printf("ok   %s (%.1f s)\n", scenario.name, time.Since(start).Seconds())
	}
	return w.check()
}

// Everything that takes part, and what was audited so far.
type world struct {
	sink      *sink
	authority *authority
	lanner    *lanner
	server    *apiServer
	audited   []string
}

// audit lets the API server audit so many events.
func (w *world) audit(name string, count int, size int) {
	for number := range count {
		id := fmt.Sprintf("%s-%d", name, number)
		w.audited = append(w.audited, id)
		w.server.audit(id, size)
	}
}

// check asks both parties whether everything that was audited so far has arrived, waiting for it.
func (w *world) check() error {
	arrived := func() error {
		missing := w.sink.missing(w.audited)
		if len(missing) > 0 {
			return fmt.Errorf("%d of %d events are missing, for example %s", len(missing), len(w.audited), missing[0])
		}
		return nil
	}
	if err := eventually(90*time.Second, arrived); err != nil {
		return err
	}
	if ambiguous := w.sink.ambiguous(); len(ambiguous) > 0 {
		return fmt.Errorf("events with more than one id: %s", strings.Join(ambiguous, ", "))
	}
	if lost := w.server.lost(); lost != 0 {
		return fmt.Errorf("the API server says that it has lost %v events", lost)
	}
	return nil
}

func takesBatches(w *world) error {
	w.audit("plain", 4000, 0)
	return w.check()
}

func countsTruncated(w *world) error {
	w.audit("large", 3, 300<<10)
	if err := w.check(); err != nil {
		return err
	}
	return w.lanner.expect(`lanner_receiver_degraded{reason="truncated_by_api_server"`, 3)
}

func waitsOutOverload(w *world) error {
	w.sink.refuse(true)
	w.audit("overload", 8000, 0)
	counted := func() error { return w.lanner.expect(`lanner_receiver_lost_requests{reason="held_too_long"`, 3) }
	if err := eventually(60*time.Second, counted); err != nil {
		return fmt.Errorf("it was no overload: %w", err)
	}
	w.sink.refuse(false)
	return w.check()
}

func survivesRestart(w *world) error {
	w.audit("before", 400, 0)
	if err := w.lanner.stop(); err != nil {
		return err
	}
	w.audit("between", 1200, 0)
	time.Sleep(3 * time.Second)
	if err := w.lanner.start(); err != nil {
		return err
	}
	return w.check()
}

func renewsCertificate(w *world) error {
	before, err := w.authority.shown(w.lanner.port)
	if err != nil {
		return err
	}
	if err := w.authority.issue(); err != nil {
		return err
	}
	renewed := func() error {
		now, err := w.authority.shown(w.lanner.port)
		if err == nil && now == before {
			err = fmt.Errorf("the old certificate is shown")
		}
		return err
	}
	if err := eventually(20*time.Second, renewed); err != nil {
		return err
	}
	// On the connection from before, and on a new one.
	w.audit("renewed", 400, 0)
	return w.check()
}

func rotatesToken(w *world) error {
	if err := w.lanner.setToken("rotated"); err != nil {
		return err
	}
	counted := func() error { return w.lanner.expect(`lanner_receiver_token_reloads{outcome="loaded"`, 1) }
	if err := eventually(30*time.Second, counted); err != nil {
		return err
	}
	w.audit("rotated", 10, 0)
	refused := func() error { return w.lanner.expect(`lanner_receiver_lost_requests{reason="unauthorized"`, 1) }
	if err := eventually(30*time.Second, refused); err != nil {
		return err
	}
	if err := w.lanner.setToken(token); err != nil {
		return err
	}
	return w.check()
}

// eventually repeats a question until it has no objection.
func eventually(bound time.Duration, ask func() error) error {
	deadline := time.Now().Add(bound)
	for {
		err := ask()
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
}
