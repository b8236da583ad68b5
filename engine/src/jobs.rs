//! Long work over partition files: fill, answer, verify, scrub. Each reports progress, can be paused and cancelled, and
//! resumes after any interruption.

pub mod control;
pub mod progress;
