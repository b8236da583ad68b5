//! One equation for the possession responses of many cases.

use holdfast_engine::possession::batch::{Collector, Limits};
use holdfast_engine::possession::generators::Generators;
use holdfast_engine::possession::verify::CheckedResponse;
use holdfast_engine::rejection::Rejection;

use crate::local::failure::Failure;

/// A caller's position, and the verdict on the response there.
pub type Settled = (usize, Result<(), Rejection>);

/// Possession responses that wait for the equation that they share, within limits of memory.
#[derive(Debug)]
pub struct SharedEquation {
    collector: Collector,
    /// Whose they are: the caller's positions.
    waiting: Vec<usize>,
}

impl Default for SharedEquation {
    fn default() -> SharedEquation {
        SharedEquation { collector: Collector::new(Limits::default()), waiting: Vec::new() }
    }
}

impl SharedEquation {
    /// Nobody waits yet.
    pub fn new() -> SharedEquation {
        SharedEquation::default()
    }

    /// Whether this one may wait, too; if not, settle those before it first.
    pub fn has_room_for(&self, response: &CheckedResponse) -> bool {
        let limits = Limits::default();
        let held_bytes = self.collector.held_bytes().saturating_add(response.held_bytes());
        self.collector.len() < limits.responses && held_bytes <= limits.held_bytes
    }

    /// Lets a response wait, under the caller's position for it.
    ///
    /// # Errors
    /// There is no room for it.
    pub fn add(&mut self, position: usize, response: CheckedResponse) -> Result<(), Failure> {
        self.collector.add(response).map_err(|error| Failure::work("state", "the batch", error))?;
        self.waiting.push(position);
        Ok(())
    }

    /// The verdicts of those that wait, with their positions; nobody waits then.
    ///
    /// # Errors
    /// The operating system gives no randomness.
    pub fn settle(&mut self) -> Result<Vec<Settled>, Failure> {
        let SharedEquation { collector, waiting } = std::mem::take(self);
        if waiting.is_empty() {
            return Ok(Vec::new());
        }
        let verdicts = collector
            .conclude(Generators::standard())
            .map_err(|error| Failure::Absent(format!("no randomness from the system: {error}")))?;
        Ok(waiting.into_iter().zip(verdicts).collect())
    }
}
