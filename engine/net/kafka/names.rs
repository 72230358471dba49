//! What Kafka calls brokers and topics.

/// A broker that is not written as `host:port`.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no broker; write `host:port`, for example `localhost:9092`, without a scheme")]
pub struct InvalidBroker(String);

/// A name that Kafka does not allow.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no topic; write 1 to 249 letters, digits, dots, dashes and underscores, for example `otlp_logs`")]
pub struct InvalidTopic(String);

pub(super) fn check_broker(text: &str) -> Result<(), InvalidBroker> {
    let sound = text.rsplit_once(':').is_some_and(|(host, port)| {
        let plain = !host.contains([':', '/', ',']) || (host.starts_with('[') && host.ends_with(']'));
        let printable = !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_graphic());
        plain && printable && port.parse::<u16>().is_ok_and(|port| port > 0)
    });
    if sound { Ok(()) } else { Err(InvalidBroker(text.to_owned())) }
}

/// Checks the name of a topic.
///
/// # Errors
/// Kafka would refuse it.
pub fn check_topic(name: &str) -> Result<(), InvalidTopic> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let sound = (1..=249).contains(&name.len()) && name.bytes().all(allowed) && !matches!(name, "." | "..");
    if sound { Ok(()) } else { Err(InvalidTopic(name.to_owned())) }
}
