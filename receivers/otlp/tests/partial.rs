//! Partial success: a component behind looks at the records, and some of them cannot be read.

use super::door::{Door, client, logs};
use crate::otlp::taken::{ExportResponse, PartialSuccess, Taken};
use lanner_engine::{event::Signal, testing::Mood};
use lanner_proto::{
    collector::logs::v1::{ExportLogsPartialSuccess, ExportLogsServiceRequest, logs_service_client::LogsServiceClient},
    common::v1::{AnyValue, ArrayValue, any_value::Value},
};
use prost::Message;
use serde_json::json;
use tonic::Code;

/// So many records, of which those with these numbers are nested too deep.
fn with_unreadable(count: usize, numbers: &[usize]) -> ExportLogsServiceRequest {
    let mut request = logs(count);
    let deep = (0..70).fold(AnyValue::default(), |inner, _| AnyValue {
        value: Some(Value::ArrayValue(ArrayValue { values: vec![inner] })),
    });
    for number in numbers {
        request.resource_logs[0].scope_logs[0].log_records[*number].body = Some(deep.clone());
    }
    request
}

/// The same without those records.
fn without(count: usize, numbers: &[usize]) -> ExportLogsServiceRequest {
    let mut request = logs(count);
    let mut number = 0;
    request.resource_logs[0].scope_logs[0].log_records.retain(|_| {
        number += 1;
        !numbers.contains(&(number - 1))
    });
    request
}

const COUNT: usize = 5000;
const BAD: [usize; 3] = [0, 700, 4999];

/// Scenario: O1: three of 5000 records cannot be read, over gRPC and over HTTP, in a request large enough
/// to be searched beside the connections.
/// Guarantee: success with `rejected` 3 and the reason, so that the sender does not send the others twice; exactly the
/// others are taken; the three are counted; room is given back.
#[tokio::test]
async fn o1_the_readable_records_are_taken() {
    let door = Door::open().await;
    door.capture.set(Mood::Reading);
    let expected = without(COUNT, &BAD);
    let why = "3 log records cannot be read and were left out; not an OTLP logs request: values nested deeper than 64";

    let mut grpc = LogsServiceClient::new(door.channel().await);
    let answer = grpc.export(with_unreadable(COUNT, &BAD)).await.unwrap().into_inner();
    let ExportLogsPartialSuccess { rejected_log_records, error_message } = answer.partial_success.unwrap();
    assert_eq!(rejected_log_records, 3);
    assert!(error_message.starts_with(why), "{error_message}");

    let body = with_unreadable(COUNT, &BAD).encode_to_vec();
    assert!(body.len() > 256 << 10, "{}", body.len());
    let request = client().post(door.url("/v1/logs")).header("content-type", "application/x-protobuf").body(body);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let response = ExportResponse::decode(answer.bytes().await.unwrap()).unwrap();
    let PartialSuccess { rejected, error_message } = response.partial_success.unwrap();
    assert_eq!((rejected, error_message.starts_with(why)), (3, true), "{error_message}");

    for (_, bytes, items) in door.taken() {
        assert_eq!(items, COUNT - 3);
        assert_eq!(ExportLogsServiceRequest::decode(bytes).unwrap(), expected);
    }
    assert_eq!(door.taken().len(), 2);
    assert_eq!(door.capture.failed().get("malformed"), Some(&6));
    assert_eq!((door.capture.admitted(), door.lost("invalid")), (0, 0));

    // Nothing looks at the records: nothing is left out.
    door.capture.set(Mood::Taking);
    let whole = with_unreadable(2, &[0]);
    assert_eq!(grpc.export(whole.clone()).await.unwrap().into_inner(), Default::default());
    assert_eq!(door.taken().last().unwrap(), &(Signal::Logs, whole.encode_to_vec().into(), 2));
}

/// Scenario: partial success in JSON. No JSON that is taken makes a record that cannot be read: its depth and its ids are
/// checked on the way in, so the answer is looked at by itself.
/// Guarantee: `partialSuccess` with the number as text, as OTLP/JSON writes 64-bit integers, and the reason escaped.
#[test]
fn partial_success_in_json() {
    let partly = Taken::Partly { rejected: 3, why: "\"odd\"\n".into() };
    let expected = json!({"partialSuccess": {"rejectedLogRecords": "3", "errorMessage": "\"odd\"\n"}});
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&partly.to_json()).unwrap(), expected);
    assert_eq!((&Taken::All.to_json()[..], &Taken::All.to_protobuf()[..]), (&b"{}"[..], &b""[..]));
}

/// Scenario: no record can be read.
/// Guarantee: INVALID_ARGUMENT, because nothing was taken.
#[tokio::test]
async fn a_request_without_a_readable_record_is_refused() {
    let door = Door::open().await;
    door.capture.set(Mood::Reading);
    let mut grpc = LogsServiceClient::new(door.channel().await);
    let status = grpc.export(with_unreadable(2, &[0, 1])).await.unwrap_err();
    assert_eq!((status.code(), door.lost("invalid")), (Code::InvalidArgument, 1));
    assert!(door.taken().is_empty());
    assert_eq!(door.capture.admitted(), 0);
}
