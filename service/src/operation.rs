//! Running it: metrics, logs, and what is wrong with a machine.

pub mod logging;
pub mod metrics;
pub mod page;
