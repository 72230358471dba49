//! `lanner queue drop`: away with a queue's requests.

use super::{failed, place::PlaceArgs};
use crate::cli::{Outcome, print};
use lanner_engine::component::Registry;
use std::process::ExitCode;

/// Drops all requests of a queue, for good
#[derive(clap::Args)]
pub struct Args {
    /// A queue as `list` shows it, with `/dead` behind it for its dead letters
    #[arg(value_name = "QUEUE")]
    queue: String,
    /// Really
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    place: PlaceArgs,
}

impl Args {
    pub fn run(&self, registry: &Registry) -> Outcome {
        let place = match self.place.find(registry) {
            Ok(place) => place,
            Err(error) => return failed(error),
        };
        if !self.yes {
            let waiting = place.look().map(|stopped| stopped.list());
            return match waiting {
                Ok(list) => {
                    let entries = list.iter().find(|queue| *queue.name == *self.queue).map_or(0, |queue| queue.entries);
                    failed(format!("this would drop {entries} requests of `{}`; write --yes to do it", self.queue))
                }
                Err(error) => failed(error),
            };
        }
        let dropped = match place.open() {
            Ok(mut stopped) => stopped.drop_queue(&self.queue),
            Err(error) => return failed(error),
        };
        match dropped {
            Ok(dropped) => print(&format!("{dropped} requests dropped"))?,
            Err(error) => return failed(error),
        }
        Ok(ExitCode::SUCCESS)
    }
}
