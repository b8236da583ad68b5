//! x86-64 with AVX2: eight lanes; with FMA the curve too, four points at a time.
#![allow(unsafe_code)]

mod additions;
mod curve;
mod field;
mod label;
mod points;
mod tree;
mod vector;

use curve::Fma;
use field::FmaProof;
use vector::Avx2Proof;

use super::lanes::vector_backend;
use super::portable::Portable;
use super::{Backend, check};
use crate::curve::{Fr, G1Affine, G1Projective, Table, buckets, sums};
use crate::space::label::Layer;

vector_backend!(
    "avx2",
    Avx2Proof,
    fn commit(&self, table: &Table, blocks: &[&[u8]], blindings: &[Fr]) -> Vec<G1Projective> {
        check::blocks(table, blocks, blindings);
        commit(table, blocks, blindings)
    },
    fn fixed_base(&self, table: &Table, scalars: &[Fr]) -> G1Projective {
        check::same_count(table.base_count(), scalars.len());
        fixed_base(table, scalars)
    },
    fn msm(&self, points: &[G1Affine], scalars: &[Fr], scalar_bits: u32) -> G1Projective {
        check::scalars(points, scalars, scalar_bits);
        msm(points, scalars, scalar_bits)
    }
);

/// With FMA, or as plain Rust does it.
pub(super) fn commit(table: &Table, blocks: &[&[u8]], blindings: &[Fr]) -> Vec<G1Projective> {
    match FmaProof::detect() {
        Some(proof) => curve::commit(proof, table, blocks, blindings),
        None => Portable.commit(table, blocks, blindings),
    }
}

/// The same.
pub(super) fn fixed_base(table: &Table, scalars: &[Fr]) -> G1Projective {
    match FmaProof::detect() {
        Some(proof) => sums::fixed_base(Fma(proof), table, scalars),
        None => Portable.fixed_base(table, scalars),
    }
}

/// The same.
pub(super) fn msm(points: &[G1Affine], scalars: &[Fr], scalar_bits: u32) -> G1Projective {
    match FmaProof::detect() {
        Some(proof) => buckets::msm(Fma(proof), points, scalars, scalar_bits),
        None => Portable.msm(points, scalars, scalar_bits),
    }
}
