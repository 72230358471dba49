//! The tests of the log, by what can go wrong.

mod budget;
mod crash;
mod damage;
mod directory;
mod disk;
mod log;
mod model;
mod process;
mod random;
mod stopped;
mod support;
