//! x86-64 with AVX2: eight lanes.
#![allow(unsafe_code)]

mod label;
mod tree;
mod vector;

use vector::Avx2Proof;

use super::check;
use super::lanes::vector_backend;
use crate::space::label::Layer;

vector_backend!("avx2", Avx2Proof);
