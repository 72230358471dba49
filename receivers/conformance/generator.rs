//! `generator`: makes its items itself.

use crate::generator::Generator;
use async_trait::async_trait;
use lanner_engine::{
    component::Factory,
    testing::receiver::{
        Place,
        pull::{PullSubject, Source, Supply},
    },
};

struct Nothing;

#[async_trait]
impl Source for Nothing {
    fn config(&self, _: &Place) -> String {
        "{rate: 500, scenario: mixed}".to_owned()
    }

    async fn add(&mut self, _: usize) {}
}

pub fn subject() -> PullSubject {
    PullSubject {
        title: "`generator`",
        factory: Factory::receiver::<Generator>(),
        source: || Box::new(Nothing),
        supply: Supply::Endless,
        invalid: None,
        oversized: None,
        leaves: false,
    }
}
