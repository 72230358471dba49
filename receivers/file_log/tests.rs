//! The whole receiver on real files. Where only this test writes, the clock is paused; where another thread writes, it is
//! not.

mod bounds;
mod configuration;
mod reading;
mod restart;
mod rig;
mod rotation;
