//! The GPU back end on every adapter that may be used.
//!
//! | file | what it shows |
//! | --- | --- |
//! | `adapters.rs` | ids, reasons, and that software is never picked silently |
//! | `kernels_blake3.rs` | kernels of labels and trees equal their twins, every variant |
//! | `kernels_curve.rs` | kernels of the field, the curve and commitments equal their twins, every variant; whole blocks equal arkworks |
//! | `windows.rs` | windows of a device, of the processor and of both together are byte-equal |
//! | `commitments.rs` | commitments of a device, of the processor and of both are equal, and checked |
//! | `faults.rs` | lost, hung, exhausted and lying devices: the job ends with the right bytes |
//!
//! `HOLDFAST_REQUIRE=gpu` makes the absence of an adapter a failure.
#![cfg(feature = "gpu")]

mod adapters;
mod commitments;
// Shared with the tests of the twins, which use all of it.
#[allow(dead_code)]
#[path = "../../../shaders/tests/suite/fixture/curve.rs"]
mod curve_fixture;
#[path = "../support/examiner.rs"]
mod examiner;
mod faults;
mod kernels_blake3;
mod kernels_curve;
#[path = "../support/partition.rs"]
mod partition;
mod support;
mod windows;
