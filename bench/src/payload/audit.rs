//! EventLists as a kube-apiserver posts them: 400 events of 0.9 to 2.7 kB, 1.7 kB on average, of which no two
//! have the same id.

use super::Request;
use crate::Error;

/// Distinct requests.
const DISTINCT: usize = 8;
/// The most events of a batch, as the API server has it by default.
pub const EVENTS: usize = 400;
/// Nine digits of an id follow this.
const MARK: &str = "-4c1f-8d2a-abc";

/// What a cluster logs most are its own controllers: leases of nodes, events of pods, lists. One event in 16 is a pod that a
/// controller makes, one a command that somebody runs in a container.
const TURNS: [&str; 16] = [
    LEASE, LIST, EVENT, LEASE, CONFIG_MAP, EVENT, LEASE, LIST, EXEC, LEASE, EVENT, POD, LIST, LEASE, EVENT, CONFIG_MAP,
];

/// Requests of 400 events each. `arrives` says whether an event is to arrive.
pub fn lists(mut arrives: impl FnMut(&str) -> Result<bool, Error>) -> Result<Vec<Request>, Error> {
    let mut requests = Vec::with_capacity(DISTINCT);
    for list in 0..DISTINCT {
        let events: Vec<String> = (0..EVENTS).map(|index| event(list * EVENTS + index)).collect();
        let mut arrivals = 0;
        for event in &events {
            arrivals += u64::from(arrives(event)?);
        }
        let body = format!(
            r#"{{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{{}},"items":[{}]}}"#,
            events.join(",")
        );
        let request = Request::post("/k8s-audit/bench", &body, EVENTS as u64).numbered(MARK);
        requests.push(Request { arrivals, ..request });
    }
    Ok(requests)
}

fn event(number: usize) -> String {
    let template = TURNS[number % TURNS.len()];
    let time = format!("2026-11-22T10:{:02}:{:02}", number / 60 % 60, number % 60);
    let text = HEAD.to_owned() + template + TAIL;
    text.replace("$ID", &format!("{number:08x}-9b1d{MARK}{number:09}"))
        .replace("$NODE", &format!("node-{:02}", number % 40))
        .replace("$POD", &format!("payments-api-7c9d5b8f6-{number:05x}"))
        .replace("$TIME", &time)
}

const HEAD: &str = r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"$ID","stage":"ResponseComplete","sourceIPs":["10.0.12.7"],"requestReceivedTimestamp":"$TIME.104233Z","stageTimestamp":"$TIME.109871Z","annotations":{"authorization.k8s.io/decision":"allow","authorization.k8s.io/reason":"RBAC: allowed by ClusterRoleBinding \"system:node-workload\" of ClusterRole \"system:node-workload\" to Group \"system:nodes\""},"#;

const TAIL: &str = "}";

const LEASE: &str = r#""level":"RequestResponse","requestURI":"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/$NODE?timeout=10s","verb":"update","user":{"username":"system:node:$NODE","groups":["system:nodes","system:authenticated"]},"userAgent":"kubelet/v1.34.1 (linux/amd64) kubernetes/93248f9","objectRef":{"resource":"leases","namespace":"kube-node-lease","name":"$NODE","uid":"d1a5ad26-1b5c-4b6f-9d5f-3f5d4c8e2a10","apiGroup":"coordination.k8s.io","apiVersion":"v1","resourceVersion":"48211734"},"responseStatus":{"metadata":{},"code":200},"requestObject":{"kind":"Lease","apiVersion":"coordination.k8s.io/v1","metadata":{"name":"$NODE","namespace":"kube-node-lease","uid":"d1a5ad26-1b5c-4b6f-9d5f-3f5d4c8e2a10","resourceVersion":"48211734","creationTimestamp":"2026-05-02T08:11:40Z","ownerReferences":[{"apiVersion":"v1","kind":"Node","name":"$NODE","uid":"0d9b6c1e-55e0-4f6c-8a4d-1f7b2f1c9e55"}],"managedFields":[{"manager":"kubelet","operation":"Update","apiVersion":"coordination.k8s.io/v1","time":"$TIMEZ","fieldsType":"FieldsV1","fieldsV1":{"f:metadata":{"f:ownerReferences":{".":{}}},"f:spec":{"f:holderIdentity":{},"f:leaseDurationSeconds":{},"f:renewTime":{}}}}]},"spec":{"holderIdentity":"$NODE","leaseDurationSeconds":40,"renewTime":"$TIME.104012Z"}},"responseObject":{"kind":"Lease","apiVersion":"coordination.k8s.io/v1","metadata":{"name":"$NODE","namespace":"kube-node-lease","uid":"d1a5ad26-1b5c-4b6f-9d5f-3f5d4c8e2a10","resourceVersion":"48211801","creationTimestamp":"2026-05-02T08:11:40Z","ownerReferences":[{"apiVersion":"v1","kind":"Node","name":"$NODE","uid":"0d9b6c1e-55e0-4f6c-8a4d-1f7b2f1c9e55"}]},"spec":{"holderIdentity":"$NODE","leaseDurationSeconds":40,"renewTime":"$TIME.104012Z"}}"#;

const EVENT: &str = r#""level":"Request","requestURI":"/api/v1/namespaces/payments/events","verb":"create","user":{"username":"system:node:$NODE","groups":["system:nodes","system:authenticated"]},"userAgent":"kubelet/v1.34.1 (linux/amd64) kubernetes/93248f9","objectRef":{"resource":"events","namespace":"payments","name":"$POD.187a5f3c2d1e0b94","apiVersion":"v1"},"responseStatus":{"metadata":{},"code":201},"requestObject":{"kind":"Event","apiVersion":"v1","metadata":{"name":"$POD.187a5f3c2d1e0b94","namespace":"payments","creationTimestamp":null},"involvedObject":{"kind":"Pod","namespace":"payments","name":"$POD","uid":"5f0d5c61-0e3c-4f5e-b0ab-5a4f1f4c7d21","apiVersion":"v1","resourceVersion":"48209981","fieldPath":"spec.containers{api}"},"reason":"Unhealthy","message":"Readiness probe failed: Get \"http://10.42.3.17:8080/ready\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)","source":{"component":"kubelet","host":"$NODE"},"firstTimestamp":"$TIMEZ","lastTimestamp":"$TIMEZ","count":1,"type":"Warning","eventTime":null,"reportingComponent":"kubelet","reportingInstance":"$NODE"}"#;

const LIST: &str = r#""level":"Metadata","requestURI":"/api/v1/namespaces/payments/pods?labelSelector=app%3Dpayments-api&limit=500","verb":"list","user":{"username":"system:serviceaccount:monitoring:kube-state-metrics","uid":"3c9c7c5d-5a0b-4a0b-9a43-3e2b6f1f1a77","groups":["system:serviceaccounts","system:serviceaccounts:monitoring","system:authenticated"],"extra":{"authentication.kubernetes.io/node-name":["$NODE"],"authentication.kubernetes.io/pod-name":["kube-state-metrics-6d7f8c9b5-x2x7q"]}},"userAgent":"kube-state-metrics/v2.16.0 (linux/amd64)","objectRef":{"resource":"pods","namespace":"payments","apiVersion":"v1"},"responseStatus":{"metadata":{},"code":200}"#;

const CONFIG_MAP: &str = r#""level":"Metadata","requestURI":"/api/v1/namespaces/payments/configmaps/payments-api-settings","verb":"get","user":{"username":"system:node:$NODE","groups":["system:nodes","system:authenticated"]},"userAgent":"kubelet/v1.34.1 (linux/amd64) kubernetes/93248f9","objectRef":{"resource":"configmaps","namespace":"payments","name":"payments-api-settings","apiVersion":"v1"},"responseStatus":{"metadata":{},"code":200}"#;

const EXEC: &str = r#""level":"Request","requestURI":"/api/v1/namespaces/payments/pods/$POD/exec?command=sh&command=-c&command=id&container=api&stdin=true&stdout=true&tty=true","verb":"create","user":{"username":"admin","groups":["system:masters","system:authenticated"]},"userAgent":"kubectl/v1.34.1 (linux/amd64) kubernetes/93248f9","objectRef":{"resource":"pods","namespace":"payments","name":"$POD","apiVersion":"v1","subresource":"exec"},"responseStatus":{"metadata":{},"code":101}"#;

const POD: &str = r#""level":"RequestResponse","requestURI":"/api/v1/namespaces/payments/pods","verb":"create","user":{"username":"system:serviceaccount:kube-system:replicaset-controller","uid":"7d3b1e5a-65a1-4c7d-8d54-0c7f1b7a2b11","groups":["system:serviceaccounts","system:serviceaccounts:kube-system","system:authenticated"]},"userAgent":"kube-controller-manager/v1.34.1 (linux/amd64) kubernetes/93248f9/system:serviceaccount:kube-system:replicaset-controller","objectRef":{"resource":"pods","namespace":"payments","name":"$POD","apiVersion":"v1"},"responseStatus":{"metadata":{},"code":201},"requestObject":{"kind":"Pod","apiVersion":"v1","metadata":{"generateName":"payments-api-7c9d5b8f6-","creationTimestamp":null,"labels":{"app":"payments-api","pod-template-hash":"7c9d5b8f6"},"ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"payments-api-7c9d5b8f6","uid":"22a5bd9c-d87f-41e8-a473-080027728ac4","controller":true,"blockOwnerDeletion":true}]},"spec":{"containers":[{"name":"api","image":"registry.example.com/shop/payments-api:4.2.0","ports":[{"containerPort":8080,"protocol":"TCP"}],"env":[{"name":"LOG_LEVEL","value":"info"}],"resources":{"limits":{"cpu":"500m","memory":"256Mi"},"requests":{"cpu":"100m","memory":"128Mi"}},"terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File","imagePullPolicy":"IfNotPresent","securityContext":{"runAsNonRoot":true,"allowPrivilegeEscalation":false,"readOnlyRootFilesystem":true}}],"restartPolicy":"Always","terminationGracePeriodSeconds":30,"dnsPolicy":"ClusterFirst","serviceAccountName":"payments","securityContext":{},"schedulerName":"default-scheduler"},"status":{}},"responseObject":{"kind":"Pod","apiVersion":"v1","metadata":{"name":"$POD","generateName":"payments-api-7c9d5b8f6-","namespace":"payments","uid":"5f0d5c61-0e3c-4f5e-b0ab-5a4f1f4c7d21","resourceVersion":"48211802","creationTimestamp":"$TIMEZ","labels":{"app":"payments-api","pod-template-hash":"7c9d5b8f6"}},"spec":{"containers":[{"name":"api","image":"registry.example.com/shop/payments-api:4.2.0","resources":{"limits":{"cpu":"500m","memory":"256Mi"}}}],"nodeName":"$NODE"},"status":{"phase":"Pending","qosClass":"Burstable"}}"#;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::collections::HashSet;

    /// Scenario: all lists, each sent twice.
    /// Guarantee: each is an EventList of 400 events of 1.6 to 2.5 kB on average, and no id comes twice.
    #[test]
    fn lists_are_like_those_of_an_api_server() {
        let mut ids = HashSet::new();
        let requests = lists(|_| Ok(true)).unwrap();
        for request in requests.iter().flat_map(|request| [request.next(), request.next()]) {
            let start = memchr::memmem::find(&request, b"\r\n\r\n").unwrap() + 4;
            let average = (request.len() - start) / EVENTS;
            assert!((1600..2500).contains(&average), "{average}");
            let list: Value = serde_json::from_slice(&request[start..]).unwrap();
            let items = list["items"].as_array().unwrap();
            assert_eq!(items.len(), EVENTS);
            assert!(items.iter().all(|item| ids.insert(item["auditID"].to_string())));
        }
        assert!(requests.iter().all(|request| (request.events, request.arrivals) == (400, 400)));
    }
}
