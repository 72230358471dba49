//! What is shown: a table of the targets, a picture of the scaling, and the page that has both.

mod page;
mod plot;
mod table;

pub use page::write;
pub use table::{figures, targets};
