//! stub
#[derive(Clone, Default)]
pub struct Health;
impl Health {
    pub fn ready(&self) {}
    pub fn stopping(&self) {}
}
