//! The configuration that runs when none is named.

/// Shown in findings in place of a file name.
pub const NAME: &str = "pipelines/quickstart.yaml (built in)";

/// `pipelines/quickstart.yaml`, as it was when this program was built.
pub const TEXT: &str = include_str!("../pipelines/quickstart.yaml");
