//! Attacks on space proofs and challenges that must be refused, by name, each with the class that refuses it.
//!
//! Those on the record, receipts and deadlines are in `chain_attacks`.

#![allow(clippy::cast_possible_truncation, reason = "figures of tests are small")]

#[path = "attacks/hostile.rs"]
mod hostile;
#[path = "attacks/policy.rs"]
mod policy;
#[path = "attacks/registration.rs"]
mod registration;
#[path = "attacks/round.rs"]
mod round;
#[path = "attacks/seal.rs"]
mod seal;
#[path = "attacks/space.rs"]
mod space;

use holdfast_engine::backend::{self, Backend, Choice};
use holdfast_engine::rejection::{Class, Rejection};

fn backend() -> &'static dyn Backend {
    backend::select(Choice::Auto).expect("the portable back end is always there")
}

fn class<T>(verdict: Result<T, Rejection>) -> Option<Class> {
    verdict.err().map(|rejection| rejection.class)
}
