//! Which Falco answers.

use lanner_engine::net::client::peer_text;
use lanner_proto::falco::version::Response;

/// A version that a server told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Fit for showing.
    pub text: String,
    major: u32,
    minor: u32,
}

impl Version {
    /// What the answer says.
    pub fn of(answer: &Response) -> Self {
        let text = match answer.version.as_str() {
            "" => format!("{}.{}.{}", answer.major, answer.minor, answer.patch),
            text => peer_text(text.as_bytes()),
        };
        Self { text, major: answer.major, minor: answer.minor }
    }

    /// Whether Falco has removed its gRPC output by then: 0.44.
    pub fn has_no_grpc(&self) -> bool {
        (self.major, self.minor) >= (0, 44)
    }
}
