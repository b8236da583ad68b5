//! Long work over partition files: fill, answer, scrub. Each reports progress, can be paused and cancelled, and resumes
//! after any interruption.

pub mod answer;
pub mod bench;
pub mod commit;
pub mod control;
pub mod fill;
pub mod progress;
pub mod scrub;
pub mod tune;
