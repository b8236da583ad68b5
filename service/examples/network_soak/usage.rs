//! What a process takes, as `/proc` tells.

use std::time::Duration;

use rustix::param::{clock_ticks_per_second, page_size};

/// Memory that a process has, in bytes.
pub(crate) fn resident_bytes(process: u32) -> u64 {
    let statm = std::fs::read_to_string(format!("/proc/{process}/statm")).unwrap_or_default();
    let pages: Option<u64> = statm.split_whitespace().nth(1).and_then(|pages| pages.parse().ok());
    pages.unwrap_or_default() * page_size() as u64
}

/// Time that all threads of a process have computed, those that ended included.
#[allow(dead_code, reason = "the test of memory does not ask")]
pub(crate) fn processor_time(process: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // Behind the name, which may have anything in it, utime and stime are the 12th and the 13th.
    let numbers = stat.rsplit_once(')').map_or("", |(_, numbers)| numbers);
    let ticks = numbers.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok());
    let milliseconds = ticks.sum::<u64>() * 1_000 / clock_ticks_per_second();
    Duration::from_millis(milliseconds)
}
