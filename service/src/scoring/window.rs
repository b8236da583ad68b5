//! How many rounds a miner passed lately: a sliding window in steps, of bounded size.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::config::{MILLION, WilsonConfig};
use super::wilson::Interval;

/// More than a change of configuration leaves: steps of the old length lie beside those of the new one for a while.
const STEPS_MAXIMUM: usize = 1 << 16;

/// Passed rounds by step, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Window {
    steps: VecDeque<Step>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    /// First height of the step.
    from_height: u64,
    rounds: u32,
    /// Sum of the shares that were passed.
    passed_millionths: u64,
}

/// What lies in a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Passed {
    pub(super) rounds: u64,
    pub(super) millionths: u64,
}

impl Passed {
    pub(super) fn interval(self, z: f64) -> Interval {
        Interval::of(self.millionths as f64 / MILLION as f64, self.rounds as f64, z)
    }
}

impl Window {
    /// Adds a round at a height that is not below that of the last.
    pub(super) fn add(&mut self, height: u64, passed_millionths: u64, config: &WilsonConfig) {
        let step_blocks = (config.window_blocks / u64::from(config.window_steps.max(1))).max(1);
        self.steps.retain(|step| in_window(step, height, config));
        let from_height = height - height % step_blocks;
        match self.steps.back_mut() {
            Some(step) if step.from_height >= from_height => {
                step.rounds = step.rounds.saturating_add(1);
                step.passed_millionths = step.passed_millionths.saturating_add(passed_millionths);
            }
            _ => self.steps.push_back(Step { from_height, rounds: 1, passed_millionths }),
        }
    }

    /// What lies in the window that ends at a height.
    pub(super) fn passed(&self, height: u64, config: &WilsonConfig) -> Passed {
        let mut passed = Passed { rounds: 0, millionths: 0 };
        for step in self.steps.iter().filter(|step| in_window(step, height, config)) {
            passed.rounds += u64::from(step.rounds);
            passed.millionths = passed.millionths.saturating_add(step.passed_millionths);
        }
        passed
    }

    /// What is wrong with a window that was read from somewhere.
    pub(super) fn fault(&self) -> Option<String> {
        let steps = self.steps.len();
        if steps > STEPS_MAXIMUM {
            return Some(format!("{steps} steps, at most {STEPS_MAXIMUM}"));
        }
        let rising =
            self.steps.iter().zip(self.steps.iter().skip(1)).all(|(a, b)| a.from_height < b.from_height);
        let too_many = |step: &&Step| step.passed_millionths > u64::from(step.rounds) * MILLION;
        match self.steps.iter().find(too_many) {
            _ if !rising => Some("steps that are not in order".to_owned()),
            Some(Step { rounds, passed_millionths, .. }) => {
                Some(format!("{passed_millionths} millionths passed of {rounds} rounds"))
            }
            None => None,
        }
    }
}

fn in_window(step: &Step, height: u64, config: &WilsonConfig) -> bool {
    step.from_height.saturating_add(config.window_blocks) > height
}
