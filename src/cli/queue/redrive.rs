//! `lanner queue redrive`: dead letters back into their queue.

use super::{failed, place::PlaceArgs};
use crate::cli::{Outcome, print};
use lanner_engine::{
    component::{ComponentId, Registry},
    delivery::entry::QueueName,
};
use std::{fmt::Write as _, process::ExitCode};

/// Moves the dead letters of an exporter behind what waits for it; the next `run` sends them again
#[derive(clap::Args)]
pub struct Args {
    /// The exporter, for example otlp_grpc/tempo
    exporter: ComponentId,
    #[command(flatten)]
    place: PlaceArgs,
}

impl Args {
    pub fn run(&self, registry: &Registry) -> Outcome {
        let mut stopped = match self.place.find(registry).map(|place| place.open()) {
            Ok(Ok(stopped)) => stopped,
            Ok(Err(error)) => return failed(error),
            Err(error) => return failed(error),
        };
        let names = stopped.list().into_iter().filter(|queue| queue.entries > 0).map(|queue| queue.name);
        let dead: Vec<QueueName> = names
            .filter_map(|name| name.parse().ok())
            .filter(|name: &QueueName| name.dead && name.exporter == self.exporter)
            .collect();
        if dead.is_empty() {
            return failed(format!("`{}` has no dead letters; `lanner queue list` shows who has", self.exporter));
        }
        let mut moved = String::new();
        for name in dead {
            let living = name.living().to_string();
            match stopped.redrive(&name.to_string(), &living) {
                // Writing to a String cannot fail.
                Ok(count) => drop(writeln!(moved, "{count} dead letters are in `{living}` again")),
                Err(error) => {
                    print(&moved)?;
                    return failed(error);
                }
            }
        }
        print(&moved)?;
        Ok(ExitCode::SUCCESS)
    }
}
