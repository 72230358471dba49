//! Configuration: from files, environment and flags to checked plans, every mistake with its place and remedy.

mod delivery;
mod diagnostic;
mod node;
mod plan_cx;
mod types;

pub use delivery::{BatchConfig, DeliveryConfig, DeliveryDefaults, QueueConfig, RetryConfig, Sizer};
pub use diagnostic::{Diagnostic, Level};
pub use node::{Node, NodeKey, NodeValue, Origin};
pub use plan_cx::PlanCx;
pub use types::{Duration, InvalidDuration, InvalidListenAddress, InvalidPattern, ListenAddress, Pattern, Secret};
