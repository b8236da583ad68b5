//! Criterion benches of holdfast over every back end present.
