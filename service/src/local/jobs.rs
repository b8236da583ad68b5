//! Jobs over directories, one function each: what commands and services do is the same.

pub mod commit;
pub mod fill;
pub mod resize;
pub mod scrub;
pub mod seal_audit;
