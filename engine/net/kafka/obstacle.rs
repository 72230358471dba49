//! What keeps a client from the brokers, in words that name the key to look at.
//!
//! Promises: a problem is news once, until another one comes or it is over; what the client says after everything else as
//! well, such as that all brokers are down, never takes the place of the reason.

use parking_lot::Mutex;
use std::fmt;

/// What stands between a client and the brokers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// No connection, for no reason that is known.
    Unreachable,
    Other,
    /// No TLS, for example because the certificate is not trusted.
    Tls,
    /// The user is not known, or the password is wrong.
    Login,
    /// The user may not do this.
    Right,
}

impl Kind {
    /// By the number of an error of librdkafka (`rd_kafka_resp_err_t`).
    fn of(code: i32) -> Self {
        match code {
            // TRANSPORT, RESOLVE, ALL_BROKERS_DOWN, TIMED_OUT.
            -195 | -193 | -187 | -185 => Self::Unreachable,
            // SSL.
            -181 => Self::Tls,
            // AUTHENTICATION, UNSUPPORTED_SASL_MECHANISM, ILLEGAL_SASL_STATE, SASL_AUTHENTICATION_FAILED.
            -169 | 33 | 34 | 58 => Self::Login,
            // Of topics, groups, the cluster.
            29..=31 => Self::Right,
            _ => Self::Other,
        }
    }

    /// Whether somebody who was told of this need not be told of `next`.
    fn covers(self, next: Self) -> bool {
        match next {
            Self::Unreachable => true,
            Self::Other => self != Self::Unreachable,
            Self::Tls | Self::Login | Self::Right => self == next,
        }
    }
}

/// A problem, as the client told it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    kind: Kind,
    text: String,
}

impl Obstacle {
    /// Whether it stays until somebody changes something.
    pub fn is_permanent(&self) -> bool {
        matches!(self.kind, Kind::Tls | Kind::Login | Kind::Right)
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        f.write_str(match self.kind {
            Kind::Unreachable => "; check `brokers`, and whether they are up",
            Kind::Tls => "; check `tls`: the CA must have signed the brokers' certificates, and they must name the host in `brokers`",
            Kind::Login => "; check `auth.sasl`: the mechanism, the user and the password",
            Kind::Right => "; grant this user the right, or choose another topic or group",
            Kind::Other => "",
        })
    }
}

/// What is in the way now.
#[derive(Debug, Default)]
pub struct Obstacles(Mutex<Option<Obstacle>>);

impl Obstacles {
    /// The client told of an error, by librdkafka's number and in its words, which were made safe to show. The problem when
    /// that is news.
    pub fn meet(&self, code: i32, text: String) -> Option<Obstacle> {
        let kind = Kind::of(code);
        let mut now = self.0.lock();
        if now.as_ref().is_some_and(|now| now.kind.covers(kind)) {
            return None;
        }
        let obstacle = Obstacle { kind, text };
        *now = Some(obstacle.clone());
        Some(obstacle)
    }

    /// What is in the way, if anything is.
    pub fn now(&self) -> Option<Obstacle> {
        self.0.lock().clone()
    }

    /// Something got through. What was in the way, if anything was.
    pub fn pass(&self) -> Option<Obstacle> {
        self.0.lock().take()
    }
}
