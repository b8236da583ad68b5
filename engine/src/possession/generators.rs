//! The generators (commitment-v1 §3): hashed to the curve, so nobody knows a relation between them.
//!
//! Their bytes are kept beside this file, because hashing them takes longer than answering an audit. They are refused
//! unless their digest is the specification's, and the tests derive them anew.

use std::path::Path;
use std::sync::OnceLock;

use ark_bls12_381::{G1Affine, G1Projective, g1};
use ark_ec::hashing::HashToCurve;
use ark_ec::hashing::curve_maps::wb::WBMap;
use ark_ec::hashing::map_to_curve_hasher::MapToCurveBasedHasher;
use ark_ff::field_hashers::DefaultFieldHasher;
use sha2::Sha256;

use super::encode::BLOCK_SCALARS;
use super::points::{POINT_BYTES, decode_points, encode_point};
use crate::curve::{Table, TableError};
use crate::transcript::{Context, HASH_TO_CURVE_TAG};

/// G_1 … G_529 and H.
pub const GENERATORS: usize = BLOCK_SCALARS + 1;

/// `derive(generators, G_1 ‖ … ‖ G_529 ‖ H)`, as the specification states it.
pub const GENERATORS_DIGEST: [u8; 32] = [
    0xa2, 0x34, 0x32, 0x7b, 0x09, 0x6c, 0x61, 0x99, 0x77, 0x5c, 0x70, 0xb2, 0xfc, 0x52, 0x02, 0x84, 0x1e,
    0xae, 0x50, 0xe2, 0x1c, 0xb6, 0xed, 0x1a, 0xd0, 0x58, 0x23, 0xb3, 0xcd, 0x9d, 0x5c, 0xf3,
];

static BYTES: &[u8; GENERATORS * POINT_BYTES] = include_bytes!("generators.bin");

/// The generators of all commitments.
#[derive(Debug)]
pub struct Generators {
    points: Vec<G1Affine>,
    table: OnceLock<Table>,
}

/// The points alone: a table does not change what a sum is.
impl PartialEq for Generators {
    fn eq(&self, other: &Generators) -> bool {
        self.points == other.points
    }
}

impl Generators {
    /// The generators of commitment-v1, read once.
    pub fn standard() -> &'static Generators {
        static STANDARD: OnceLock<Generators> = OnceLock::new();
        STANDARD.get_or_init(|| {
            assert_eq!(digest(BYTES), GENERATORS_DIGEST, "the generators that are built in");
            Generators::of(decode_points(BYTES.as_chunks().0).expect("points, as their digest says"))
        })
    }

    /// The same, hashed to the curve; tenths of a second of work.
    pub fn derive() -> Generators {
        let hash_to_curve = Hasher::new(HASH_TO_CURVE_TAG.as_bytes()).expect("the suite's parameters");
        let hash = |message: &[u8]| hash_to_curve.hash(message).expect("the map takes every field element");
        let numbered =
            (1u32..).take(BLOCK_SCALARS).map(|j| hash(&[b"generator", &j.to_le_bytes()[..]].concat()));
        Generators::of(numbered.chain([hash(b"blinding")]).collect())
    }

    fn of(points: Vec<G1Affine>) -> Generators {
        Generators { points, table: OnceLock::new() }
    }

    /// Precomputes multiples, so that sums over the generators are several times faster from now on; keeps them in the file at
    /// `cache`, if one is given. Worth it for a process that makes or checks more than a few sums. The first table stays.
    ///
    /// # Errors
    /// As [`Table::build`] and [`Table::open_or_build`].
    pub fn prepare(&self, width_bits: u32, cache: Option<&Path>) -> Result<&Table, TableError> {
        if let Some(table) = self.table.get() {
            return Ok(table);
        }
        let table = match cache {
            Some(path) => Table::open_or_build(path, &self.points, width_bits)?,
            None => Table::build(&self.points, width_bits)?,
        };
        Ok(self.table.get_or_init(|| table))
    }

    /// The precomputed multiples, if there are any.
    pub fn table(&self) -> Option<&Table> {
        self.table.get()
    }

    /// G_1 … G_529, H.
    pub fn all(&self) -> &[G1Affine] {
        &self.points
    }

    /// G_1 … G_529.
    pub fn of_limbs(&self) -> &[G1Affine] {
        &self.points[..BLOCK_SCALARS]
    }

    /// H.
    pub fn blinding(&self) -> &G1Affine {
        &self.points[BLOCK_SCALARS]
    }

    /// `derive(generators, G_1 ‖ … ‖ G_529 ‖ H)`.
    pub fn digest(&self) -> [u8; 32] {
        digest(self.bytes().as_flattened())
    }

    fn bytes(&self) -> Vec<[u8; POINT_BYTES]> {
        self.points.iter().map(encode_point).collect()
    }
}

/// RFC 9380, `BLS12381G1_XMD:SHA-256_SSWU_RO_`.
type Hasher = MapToCurveBasedHasher<G1Projective, DefaultFieldHasher<Sha256, 128>, WBMap<g1::Config>>;

fn digest(bytes: &[u8]) -> [u8; 32] {
    Context::GENERATORS.derive(&[bytes])
}

#[cfg(test)]
mod tests;
