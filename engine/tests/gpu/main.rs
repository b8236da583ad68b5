//! The GPU back end on every adapter that may be used.
//!
//! | file | what it shows |
//! | --- | --- |
//! | `adapters.rs` | ids, reasons, and that software is never picked silently |
//! | `kernels_blake3.rs` | kernels of labels and trees equal their twins, every variant |
//! | `windows.rs` | windows of a device, of the processor and of both together are byte-equal |
//! | `commitments.rs` | commitments of a device, of the processor and of both are equal, and checked |
//! | `faults.rs` | lost, hung, exhausted and lying devices: the job ends with the right bytes |
//!
//! `HOLDFAST_REQUIRE=gpu` makes the absence of an adapter a failure.
#![cfg(feature = "gpu")]

mod adapters;
mod commitments;
mod faults;
mod kernels_blake3;
#[path = "../support/partition.rs"]
mod partition;
mod support;
mod windows;
