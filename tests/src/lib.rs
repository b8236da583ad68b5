//! Tests of holdfast from outside: vectors, attacks, crashes, command line. This library is what they share.

pub mod disk;
pub mod object_rounds;
pub mod partition;
pub mod possession;
pub mod rounds;
pub mod tokens;
