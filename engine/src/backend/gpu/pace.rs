//! How much to ask of a device at once: dispatches long enough to fill it, and short enough that a desktop stays usable, a
//! watchdog stays quiet and a pause takes effect.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// A submission should take about this long.
const TARGET: Duration = Duration::from_millis(50);
/// No estimate changes by more than this factor at once: one hiccup says little.
const STEP: f64 = 2.0;

/// Items for one submission, learned from those before.
#[derive(Debug)]
pub struct Pace {
    items: Mutex<f64>,
    least: u32,
    most: u32,
}

impl Pace {
    /// Begins with `least` items, and never asks for fewer, or for more than `most`.
    pub fn new(least: u32, most: u32) -> Pace {
        Pace { items: Mutex::new(f64::from(least)), least, most }
    }

    /// Items of the next submission: a multiple of the least number.
    pub fn items(&self) -> u32 {
        let items = *self.items.lock().unwrap_or_else(PoisonError::into_inner);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // within least … most
        let whole = items as u32 / self.least * self.least;
        whole.clamp(self.least, self.most)
    }

    /// A submission of so many items took so long.
    pub fn took(&self, items: u32, duration: Duration) {
        let mut current = self.items.lock().unwrap_or_else(PoisonError::into_inner);
        let ideal = f64::from(items) * TARGET.as_secs_f64() / duration.as_secs_f64().max(1e-6);
        *current =
            ideal.clamp(*current / STEP, *current * STEP).clamp(f64::from(self.least), f64::from(self.most));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A device of one million items a second: 50,000 items fill the target.
    #[test]
    fn pieces_come_to_take_the_target_and_stay_there() {
        let pace = Pace::new(512, 1 << 25);
        assert_eq!(pace.items(), 512);
        for _ in 0..20 {
            let items = pace.items();
            pace.took(items, Duration::from_secs_f64(f64::from(items) / 1e6));
        }
        assert!((45_000..=50_000).contains(&pace.items()), "{}", pace.items());
        assert_eq!(pace.items() % 512, 0);
    }

    #[test]
    fn one_hiccup_halves_at_most_and_limits_hold() {
        let pace = Pace::new(1000, 8000);
        for _ in 0..10 {
            pace.took(1000, Duration::from_nanos(1));
        }
        assert_eq!(pace.items(), 8000);
        pace.took(8000, Duration::from_secs(100));
        assert_eq!(pace.items(), 4000);
        for _ in 0..10 {
            pace.took(8000, Duration::from_secs(100));
        }
        assert_eq!(pace.items(), 1000);
    }
}
