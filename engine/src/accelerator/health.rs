//! When a device that failed may be tried again.

use std::time::{Duration, Instant};

use super::Fault;

/// Rest after the first, the second and every later fault in a row.
const RESTS: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(30)];
/// So many faults…
const FAULTS_MAXIMUM: usize = 3;
/// …within this time, and the device is given up.
const FAULT_SPAN: Duration = Duration::from_secs(600);
/// So many wrong results, whenever they were, and the device is given up: samples that are hit mean others that were not.
const WRONG_MAXIMUM: usize = 2;

/// The faults of one device.
#[derive(Debug, Default)]
pub struct Health {
    /// When each fault was, and what.
    faults: Vec<(Instant, Fault)>,
    given_up_because: Option<String>,
}

impl Health {
    /// Notes a fault. A device that failed too often lately, or computed wrongly twice, is given up.
    pub fn note(&mut self, fault: Fault, now: Instant) {
        self.faults.push((now, fault));
        let recent = self.recent(now);
        if recent >= FAULTS_MAXIMUM {
            let minutes = FAULT_SPAN.as_secs() / 60;
            self.give_up(format!("it failed {recent} times within {minutes} minutes"));
        }
        let is_wrong = |(_, fault): &&(Instant, Fault)| matches!(fault, Fault::Wrong { .. });
        if self.faults.iter().filter(is_wrong).count() >= WRONG_MAXIMUM {
            self.give_up(format!("it computed wrongly {WRONG_MAXIMUM} times"));
        }
    }

    /// Uses the device no more.
    pub fn give_up(&mut self, because: String) {
        self.given_up_because.get_or_insert(because);
    }

    /// When it may be tried again; `None` if never.
    pub fn retry_at(&self, now: Instant) -> Option<Instant> {
        if self.given_up_because.is_some() {
            return None;
        }
        let Some((last, _)) = self.faults.last() else { return Some(now) };
        let rest = RESTS[(self.recent(now).max(1) - 1).min(RESTS.len() - 1)];
        Some(*last + rest)
    }

    /// Why it is not used any more.
    pub fn given_up_because(&self) -> Option<&str> {
        self.given_up_because.as_deref()
    }

    /// Every fault, the oldest first.
    pub fn faults(&self) -> impl Iterator<Item = &Fault> {
        self.faults.iter().map(|(_, fault)| fault)
    }

    fn recent(&self, now: Instant) -> usize {
        self.faults.iter().filter(|(at, _)| now.saturating_duration_since(*at) <= FAULT_SPAN).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost() -> Fault {
        Fault::Lost { why: "test".into() }
    }

    #[test]
    fn rests_grow_and_three_faults_within_ten_minutes_are_the_end() {
        let start = Instant::now();
        let mut health = Health::default();
        assert_eq!(health.retry_at(start), Some(start));
        health.note(lost(), start);
        assert_eq!(health.retry_at(start), Some(start + RESTS[0]));
        let second = start + Duration::from_secs(60);
        health.note(lost(), second);
        assert_eq!(health.retry_at(second), Some(second + RESTS[1]));
        health.note(lost(), start + Duration::from_secs(599));
        assert_eq!(health.retry_at(start + Duration::from_secs(599)), None);
        assert!(health.given_up_because().is_some_and(|why| why.contains("3 times")));
        assert_eq!(health.faults().count(), 3);
    }

    #[test]
    fn wrong_results_are_not_forgiven() {
        let start = Instant::now();
        let mut health = Health::default();
        let wrong = || Fault::Wrong { what: "test".into() };
        health.note(wrong(), start);
        assert!(health.given_up_because().is_none());
        let days_later = start + Duration::from_secs(500_000);
        health.note(wrong(), days_later);
        assert_eq!(health.retry_at(days_later), None);
    }

    #[test]
    fn faults_of_long_ago_are_forgiven_but_not_forgotten() {
        let start = Instant::now();
        let mut health = Health::default();
        let hour = Duration::from_secs(3600);
        for hours in 0..5 {
            let at = start + hours * hour;
            health.note(lost(), at);
            assert_eq!(health.retry_at(at), Some(at + RESTS[0]), "hour {hours}");
        }
        assert_eq!(health.faults().count(), 5);
    }
}
