//! AArch64 with NEON: four lanes.
#![allow(unsafe_code)]

mod label;
mod tree;
mod vector;

use vector::NeonProof;

use super::check;
use super::lanes::vector_backend;
use crate::space::label::Layer;

vector_backend!("neon", NeonProof);
