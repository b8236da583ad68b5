//! What the project wants of a real device, and what this run measured.

use super::Subject;
use crate::report::{Figure, Outcome, Row, Section};

/// What the sections before found.
#[derive(Debug, Default)]
pub(crate) struct Reached {
    pub(crate) label_share_of_gather: Option<f64>,
    pub(crate) commit_cores: Option<f64>,
    pub(crate) opening_seconds: Option<f64>,
    windows: Option<Windows>,
}

/// The best number of slots.
#[derive(Clone, Copy, Debug)]
struct Windows {
    rate: f64,
    cores: f64,
    busy: Option<f64>,
}

impl Reached {
    /// Windows at a rate in bytes a second, with so many cores at work and the device busy for this share.
    pub(crate) fn windows(&mut self, rate: f64, cores: f64, busy: Option<f64>) {
        if self.windows.is_none_or(|best| best.rate < rate) {
            self.windows = Some(Windows { rate, cores, busy });
        }
    }
}

/// A row for each figure: what is wanted and what was measured. A figure that is missed is no failure of the machine.
pub(crate) fn section(subject: &Subject, reached: &Reached) -> Section {
    let windows = reached.windows;
    let rows = [
        ("label kernel over gather (wanted: 50 or more)", reached.label_share_of_gather, "%"),
        ("commitments over one core (wanted: 100 or more)", reached.commit_cores, "times"),
        (
            "windows to memory (wanted of a datacentre device: 3 or more)",
            windows.map(|w| w.rate * 1e-9),
            "GB/s",
        ),
        (
            "device idle while windows are made (wanted: below 10; estimated from kernels timed alone)",
            windows.and_then(|w| w.busy).map(|busy| 100.0 * (1.0 - busy)),
            "%",
        ),
        (
            "processor while windows are made (wanted: below 5)",
            windows.map(|w| 100.0 * w.cores),
            "% of one core",
        ),
        ("opening with a kept table (wanted: below 3)", reached.opening_seconds, "s"),
    ];
    let row = |(name, value, unit): (&str, Option<f64>, &'static str)| match value {
        _ if subject.is_software() => Row::absent(name, "a software adapter shows correctness only"),
        None => Row::absent(name, "not measured, see above"),
        Some(value) => Row {
            name: name.into(),
            outcome: Outcome::Ran { figures: vec![Figure::new("measured", value, unit)] },
        },
    };
    subject.section("figures to reach", rows.map(row).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_number_of_slots_counts() {
        let mut reached = Reached::default();
        for (rate, cores) in [(1e9, 0.1), (3e9, 0.2), (2e9, 0.3)] {
            reached.windows(rate, cores, None);
        }
        assert_eq!(reached.windows.map(|windows| windows.cores), Some(0.2));
    }
}
