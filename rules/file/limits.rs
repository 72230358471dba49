//! How large rule files may be.

/// Most bytes of one file.
pub const FILE_BYTES: usize = 4 << 20;
/// Most bytes of all files of a loader together.
pub const TOTAL_BYTES: usize = 32 << 20;
/// Deepest nesting of the YAML.
pub const DEPTH: usize = 32;
/// Most values in one file, aliases expanded.
pub const NODES: usize = 400_000;
/// Most keys of one map.
pub const KEYS: usize = 1000;
/// Most lists, macros and rules, each.
pub const ITEMS: usize = 20_000;
/// Most bytes of one condition after its lists are put in.
pub const CONDITION: usize = 1 << 20;
/// Most bytes of all conditions together after their lists are put in.
pub const CONDITIONS: usize = 64 << 20;
/// Most findings that are reported for one file.
pub const FINDINGS: usize = 1000;
/// Most bytes of one condition that is kept with everything put in, to be shown.
pub const SHOWN: usize = 256 << 10;
/// Most bytes of all such conditions together.
pub const ALL_SHOWN: usize = 32 << 20;
