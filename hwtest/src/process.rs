//! The processor time of this process.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// A wall clock and a clock of processor time, started together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clocks {
    wall: Instant,
    processor: Duration,
}

impl Clocks {
    pub(crate) fn start() -> Clocks {
        Clocks { wall: Instant::now(), processor: processor_time() }
    }

    /// Processor time of all threads over wall time: 1 is one core at work all the time.
    pub(crate) fn cores_used(&self) -> f64 {
        let processor = processor_time().saturating_sub(self.processor);
        processor.as_secs_f64() / self.wall.elapsed().as_secs_f64().max(1e-9)
    }
}

fn processor_time() -> Duration {
    clock_gettime(ClockId::ProcessCPUTime).try_into().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_loop_takes_processor_time_and_waiting_takes_less() {
        let busy = processor_time();
        let mut number = 1_u64;
        while processor_time() < busy + Duration::from_millis(5) {
            number = std::hint::black_box(number.wrapping_mul(3));
        }
        assert!(Clocks { wall: Instant::now(), processor: busy }.cores_used() > 1.0, "{number}");
    }
}
