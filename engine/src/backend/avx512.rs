//! x86-64 with AVX-512F: sixteen lanes; with AVX-512 IFMA the curve too, eight points at a time, else as with AVX2.
#![allow(unsafe_code)]

mod additions;
mod curve;
mod field;
mod label;
mod points;
mod tree;
mod vector;

use curve::Ifma;
use field::IfmaProof;
use vector::Avx512Proof;

use super::lanes::vector_backend;
use super::{avx2, check};
use crate::curve::{Fr, G1Affine, G1Projective, Table, buckets, sums};
use crate::space::label::Layer;

vector_backend!(
    "avx512",
    Avx512Proof,
    fn commit(&self, table: &Table, blocks: &[&[u8]], blindings: &[Fr]) -> Vec<G1Projective> {
        check::blocks(table, blocks, blindings);
        match IfmaProof::detect() {
            Some(proof) => curve::commit(proof, table, blocks, blindings),
            None => avx2::commit(table, blocks, blindings),
        }
    },
    fn fixed_base(&self, table: &Table, scalars: &[Fr]) -> G1Projective {
        check::same_count(table.base_count(), scalars.len());
        match IfmaProof::detect() {
            Some(proof) => sums::fixed_base(Ifma(proof), table, scalars),
            None => avx2::fixed_base(table, scalars),
        }
    },
    fn msm(&self, points: &[G1Affine], scalars: &[Fr], scalar_bits: u32) -> G1Projective {
        check::scalars(points, scalars, scalar_bits);
        match IfmaProof::detect() {
            Some(proof) => buckets::msm(Ifma(proof), points, scalars, scalar_bits),
            None => avx2::msm(points, scalars, scalar_bits),
        }
    }
);
