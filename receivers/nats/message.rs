//! A message as it was fetched: where it stands, how often it came, and the answers it can get.

use bytes::Bytes;
use lanner_nats::Message;

/// What is answered for a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Done.
    Ack,
    /// Deliver it again, after this time.
    Nak(std::time::Duration),
    /// Still at it: begin the time for the answer anew.
    Progress,
    /// Never deliver it again.
    Term,
}

impl Verdict {
    /// As JetStream reads it.
    pub fn payload(self) -> Bytes {
        match self {
            Self::Ack => Bytes::from_static(b"+ACK"),
            Self::Nak(after) if after.is_zero() => Bytes::from_static(b"-NAK"),
            Self::Nak(after) => format!("-NAK {{\"delay\": {}}}", after.as_nanos()).into(),
            Self::Progress => Bytes::from_static(b"+WPI"),
            Self::Term => Bytes::from_static(b"+TERM"),
        }
    }
}

/// A message of the stream.
#[derive(Clone, Debug)]
pub struct Fetched {
    pub subject: String,
    pub payload: Bytes,
    /// Where its answer goes.
    pub reply: String,
    /// Its number in the stream.
    pub sequence: u64,
    /// When the stream stored it, in nanoseconds since 1970.
    pub stored: u64,
    /// How often it was delivered, this time included.
    pub delivered: u64,
}

impl Fetched {
    /// Reads what JetStream wrote into the reply subject; `None` when it is no message of a stream.
    ///
    /// `$JS.ACK.<stream>.<consumer>.<delivered>.<sequence>.<consumer's>.<time>.<pending>`; newer servers put a domain and a hash in
    /// front of the stream, and may add words behind.
    pub fn of(message: Message) -> Option<Self> {
        let reply = message.reply.as_ref()?.as_str();
        let words: Vec<&str> = reply.strip_prefix("$JS.ACK.")?.split('.').collect();
        let at = match words.len() {
            7 => 2,
            9.. => 4,
            _ => return None,
        };
        let number = |at: usize| words.get(at).and_then(|word| word.parse::<u64>().ok());
        let (delivered, sequence, stored) = (number(at)?, number(at + 1)?, number(at + 3)?);
        let (subject, reply) = (message.subject.to_string(), reply.to_owned());
        Some(Self { subject, payload: message.payload, reply, sequence, stored, delivered })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(reply: &str) -> Option<[u64; 3]> {
        let reply = Some(reply.into());
        let (headers, status, description) = (None, None, None);
        let message =
            Message { subject: "a.b".into(), reply, payload: Bytes::new(), headers, status, description, length: 0 };
        Fetched::of(message).map(|fetched| [fetched.delivered, fetched.sequence, fetched.stored])
    }

    /// Scenario: reply subjects of old and new servers, and of somebody else.
    /// Guarantee: deliveries, number and time are found; anything else is no message of a stream.
    #[test]
    fn reply_subjects_are_read() {
        assert_eq!(of("$JS.ACK.FALCO.lanner.3.100.7.1790230470084404000.42"), Some([3, 100, 1790230470084404000]));
        assert_eq!(of("$JS.ACK._.hash.FALCO.lanner.2.50.9.1790230470084404000.0"), Some([2, 50, 1790230470084404000]));
        assert_eq!(
            of("$JS.ACK.hub.hash.FALCO.lanner.2.50.9.1790230470084404000.0.word"),
            Some([2, 50, 1790230470084404000])
        );
        for other in ["_INBOX.x.1", "$JS.ACK.a.b.1.2.3.4", "$JS.ACK.FALCO.lanner.x.100.7.1.42", "$JS.ACK."] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
