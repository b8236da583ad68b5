//! Running it: metrics, logs, and what is wrong with a machine.

pub(crate) mod calls;
pub mod counted;
pub mod doctor;
pub mod logging;
pub mod metrics;
pub mod page;
