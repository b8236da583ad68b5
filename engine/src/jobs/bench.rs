//! What this machine gives: labels, disk, audits, and from them how long a fill will take. Every measurement takes a
//! bounded time and uses the code that the jobs use.

mod accelerators;
mod audits;
mod disk;
mod labels;
mod possession;

pub use accelerators::{
    AcceleratorRate, make_window, measure_accelerator, measure_accelerator_commits,
    measure_accelerator_windows, measure_processor_commits,
};
pub use audits::{VerifyRate, measure_verifying};
pub use disk::{DiskRate, measure_disk, measure_writes};
pub use labels::{KernelRate, WindowRate, blake3_compressions_per_second, measure_kernel, measure_windows};
pub use possession::{
    AnswerRate, AuditCosts, Audits, BenchError, BenchObject, CheckRow, CommitRow, CostKind, VerifyRow,
};

/// Bytes, counts and labels as numbers to divide: all far below 2^52.
#[allow(clippy::cast_precision_loss)]
pub(crate) fn real(count: u64) -> f64 {
    count as f64
}
