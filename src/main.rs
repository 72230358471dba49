//! The command `lanner`, with the components that ship with it.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    lanner::main(lanner::components::BUILT_IN)
}
