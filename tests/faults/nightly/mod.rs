//! Scenarios of which time is a part, of machines within the machine, and long ones: `make test-faults` runs them, and
//! `make test` leaves them out.

mod disk;
mod labels;
mod names;
mod network;
mod pressure;
mod rights;
mod soak;
