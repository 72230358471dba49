//! A Lanner with one more processor: everything that ships with it, and `stamp`.

mod stamp;

use lanner_engine::component::Factory;
use std::process::ExitCode;

const OWN: &[Factory] = &[Factory::transform::<stamp::Stamp>()];

fn main() -> ExitCode {
    let mut components = lanner::components::BUILT_IN.to_vec();
    components.push(OWN);
    lanner::main(&components)
}
