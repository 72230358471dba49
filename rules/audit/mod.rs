//! Kubernetes audit events.

use crate::schema::Catalog;

/// The name of the source.
pub const SOURCE: &str = "k8s_audit";

/// x
pub fn schema() -> Catalog {
    Catalog::new([])
}
