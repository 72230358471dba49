package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	authnv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	auditinternal "k8s.io/apiserver/pkg/apis/audit"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	"k8s.io/apiserver/pkg/audit"
	utilwebhook "k8s.io/apiserver/pkg/util/webhook"
	"k8s.io/apiserver/plugin/pkg/audit/buffered"
	"k8s.io/apiserver/plugin/pkg/audit/truncate"
	"k8s.io/apiserver/plugin/pkg/audit/webhook"
	"k8s.io/component-base/metrics/legacyregistry"
)

const token = "a-long-random-text"

// Sooner than the default of 10 s, so that the scenarios take seconds; the factor and the number of attempts stay.
const initialBackoff = 2 * time.Second

// What kube-apiserver makes of --audit-webhook-*.
type apiServer struct {
	backend audit.Backend
}

func newAPIServer(folder string, port int) (*apiServer, error) {
	kubeconfig := filepath.Join(folder, "kubeconfig")
	text := fmt.Sprintf(`apiVersion: v1
kind: Config
clusters:
  - name: lanner
    cluster: {server: "https://localhost:%d/k8s-audit/prod-1", certificate-authority: %s}
users:
  - name: apiserver
    user: {token: %q}
contexts:
  - name: default
    context: {cluster: lanner, user: apiserver}
current-context: default
`, port, filepath.Join(folder, "ca.pem"), token)
	if err := os.WriteFile(kubeconfig, []byte(text), 0o600); err != nil {
		return nil, err
	}
	backoff := utilwebhook.DefaultRetryBackoffWithInitialDelay(initialBackoff)
	hook, err := webhook.NewBackend(kubeconfig, auditv1.SchemeGroupVersion, backoff, nil)
	if err != nil {
		return nil, err
	}
	// The defaults of kube-apiserver, but for the wait: 30 s on a quiet cluster.
	batched := buffered.NewBackend(hook, buffered.BatchConfig{
		BufferSize:     10000,
		MaxBatchSize:   400,
		MaxBatchWait:   500 * time.Millisecond,
		ThrottleEnable: true,
		ThrottleQPS:    10,
		ThrottleBurst:  15,
		AsyncDelegate:  true,
	})
	limits := truncate.Config{MaxBatchSize: 10 << 20, MaxEventSize: 100 << 10}
	backend := truncate.NewBackend(batched, limits, auditv1.SchemeGroupVersion)
	if err := backend.Run(make(chan struct{})); err != nil {
		return nil, err
	}
	return &apiServer{backend}, nil
}

// audit records an event with a request object of about `size` bytes, if any.
func (s *apiServer) audit(id string, size int) {
	now := metav1.NewMicroTime(time.Now())
	event := &auditinternal.Event{
		Level:                    auditinternal.LevelMetadata,
		AuditID:                  types.UID(id),
		Stage:                    auditinternal.StageResponseComplete,
		RequestURI:               "/api/v1/namespaces/web/configmaps/" + id,
		Verb:                     "create",
		User:                     authnv1.UserInfo{Username: "jane", Groups: []string{"dev", "system:authenticated"}},
		SourceIPs:                []string{"10.0.0.1"},
		UserAgent:                "kubectl/v1.34.1",
		ObjectRef:                &auditinternal.ObjectReference{Resource: "configmaps", Namespace: "web", Name: id, APIVersion: "v1"},
		ResponseStatus:           &metav1.Status{Code: 201},
		RequestReceivedTimestamp: now,
		StageTimestamp:           now,
		Annotations:              map[string]string{"authorization.k8s.io/decision": "allow"},
	}
	if size > 0 {
		event.Level = auditinternal.LevelRequest
		object := fmt.Sprintf(`{"kind":"ConfigMap","data":{"a":%q}}`, strings.Repeat("x", size))
		event.RequestObject = &runtime.Unknown{Raw: []byte(object), ContentType: runtime.ContentTypeJSON}
	}
	s.backend.ProcessEvents(event)
}

// lost is what apiserver_audit_error_total says, of all plugins.
func (s *apiServer) lost() float64 {
	families, err := legacyregistry.DefaultGatherer.Gather()
	if err != nil {
		return -1
	}
	sum := 0.0
	for _, family := range families {
		if family.GetName() == "apiserver_audit_error_total" {
			for _, metric := range family.GetMetric() {
				sum += metric.GetCounter().GetValue()
			}
		}
	}
	return sum
}
