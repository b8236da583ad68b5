//! The store-time check (commitment-v1 §5): whoever holds the bytes checks commitments without computing them.
//!
//! [`Accumulator`] takes the bytes once, as they pass. What is left of them, [`StoreCheck`], waits for the table: 17 KB,
//! whatever the object's size. Bound of the accumulator: eight multiplications of words for 31 bytes of a block
//! ([`super::sums`]), a hundred times less than committing.
//!
//! The coefficients are secret until the check is done: who knew them could make a wrong table that passes.

mod file;

use std::io::{self, Read};

use ark_bls12_381::{Fr, G1Affine, G1Projective};
use ark_ff::AdditiveGroup;
use rayon::prelude::*;
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::Replica;
use super::blinding::BlindingKey;
use super::commitment_table::{CHUNK_POINTS, TableChunk, table_bytes};
use super::encode::BLOCK_SCALARS;
use super::generators::Generators;
use super::group::{is_zero_cofactored, over_generators, over_points_short};
use super::points::decode_point;
use super::scalars::{SCALAR_BYTES, coefficient, decode_scalar, encode_scalar};
use super::sums::BlockSums;
use crate::codec::Reader;
use crate::rejection::{Class, Rejection};
use crate::transcript::{Context, Stream};
use crate::tree::{BLOCK_BYTES, CHUNK_BYTES};

pub use file::{CheckFile, CheckFileError};

/// Bytes of a waiting check, without the hash at the end of its file.
pub const STORE_CHECK_BYTES: usize = 48 + BLOCK_SCALARS * SCALAR_BYTES;
const TAG: &[u8; 4] = b"HFK1";

/// How often one set of coefficients may be asked.
pub const TRIES: u8 = 8;

/// Chunks of the table that are worked on at once: 10,240 points, 1 MiB of table, 2 MB beside it.
const BATCH_CHUNKS: usize = 1024;

/// Secret coefficients γ_0, γ_1, …, of which only the seed is kept.
#[derive(Zeroize, ZeroizeOnDrop)]
struct Coefficients([u8; 32]);

impl Coefficients {
    fn fresh() -> Result<Coefficients, getrandom::Error> {
        let mut randomness = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *randomness)?;
        Ok(Coefficients(*randomness))
    }

    fn stream(&self) -> CoefficientStream {
        CoefficientStream(Context::STORE_CHECK.stream(&[&self.0]))
    }
}

/// The coefficients in order.
struct CoefficientStream(Stream);

impl CoefficientStream {
    fn next(&mut self) -> u128 {
        coefficient(&mut self.0)
    }

    fn take(&mut self, count: usize) -> Zeroizing<Vec<u128>> {
        Zeroizing::new((0..count).map(|_| self.next()).collect())
    }
}

impl Drop for CoefficientStream {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// Takes an object's bytes in order, cut in any way, and keeps Σ γ_i·d_ij.
pub struct Accumulator {
    coefficients: Coefficients,
    stream: CoefficientStream,
    sums: BlockSums,
    /// The begun block; never a whole one.
    begun: Vec<u8>,
    length: u64,
}

impl Accumulator {
    /// With fresh coefficients.
    ///
    /// # Errors
    /// The operating system gives no randomness.
    pub fn new() -> Result<Accumulator, getrandom::Error> {
        let coefficients = Coefficients::fresh()?;
        let stream = coefficients.stream();
        let begun = Vec::with_capacity(BLOCK_BYTES);
        Ok(Accumulator { coefficients, stream, sums: BlockSums::new(), begun, length: 0 })
    }

    /// Takes the next bytes.
    pub fn update(&mut self, mut bytes: &[u8]) {
        self.length += bytes.len() as u64;
        if !self.begun.is_empty() {
            let missing = (BLOCK_BYTES - self.begun.len()).min(bytes.len());
            let (head, rest) = bytes.split_at(missing);
            self.begun.extend_from_slice(head);
            bytes = rest;
            if self.begun.len() < BLOCK_BYTES {
                return;
            }
            self.sums.add(self.stream.next(), &self.begun);
            self.begun.clear();
        }
        let (blocks, rest) = bytes.as_chunks::<BLOCK_BYTES>();
        for block in blocks {
            self.sums.add(self.stream.next(), block);
        }
        self.begun.extend_from_slice(rest);
    }

    /// The bytes are complete: what waits for the table.
    pub fn finish(mut self) -> StoreCheck {
        // An empty object has one block, whose scalars are zero.
        if !self.begun.is_empty() || self.length == 0 {
            self.sums.add(self.stream.next(), &self.begun);
        }
        let values = self.sums.reduce();
        StoreCheck { length: self.length, open: Some((self.coefficients, values)), tries: 0 }
    }
}

/// What is left of an object's bytes until its table has been checked.
pub struct StoreCheck {
    length: u64,
    /// Coefficients and sums; gone once a table has passed or all tries are used.
    open: Option<(Coefficients, Zeroizing<Vec<Fr>>)>,
    tries: u8,
}

/// Why a table did not pass.
#[derive(Debug, Error)]
pub enum CheckFailure {
    /// Its bytes are wrong, or it is not the table of these bytes under this key: no more is said.
    #[error(transparent)]
    Refused(#[from] Rejection),
    /// The table could not be read; the try is used up.
    #[error("the table cannot be read: {0}")]
    Read(#[from] io::Error),
    /// The coefficients were asked often enough, or a table has passed.
    #[error("this check has been used; to check another table, go over the object's bytes again")]
    Used,
}

impl StoreCheck {
    /// Bytes of the object that was taken.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Whether nothing can be asked any more.
    pub fn is_used(&self) -> bool {
        self.open.is_none()
    }

    /// The bytes by which it waits, secret ones (commitment-v1 §5); none if it has been used.
    pub fn encode(&self) -> Option<Zeroizing<Vec<u8>>> {
        self.encode_with(self.tries)
    }

    /// The same with one more try used; none if that is the last one.
    fn encode_tried(&self) -> Option<Zeroizing<Vec<u8>>> {
        let tries = self.tries.saturating_add(1);
        if tries < TRIES { self.encode_with(tries) } else { None }
    }

    fn encode_with(&self, tries: u8) -> Option<Zeroizing<Vec<u8>>> {
        let (coefficients, values) = self.open.as_ref()?;
        // Of the right size from the start: a buffer that grows leaves copies behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(STORE_CHECK_BYTES));
        bytes.extend_from_slice(TAG);
        bytes.extend_from_slice(&[tries, 0, 0, 0]);
        bytes.extend_from_slice(&self.length.to_le_bytes());
        bytes.extend_from_slice(&coefficients.0);
        for value in values.iter() {
            bytes.extend_from_slice(&*Zeroizing::new(encode_scalar(value)));
        }
        Some(bytes)
    }

    /// Reads a check that waits.
    ///
    /// Refused: `wrong-length`, `malformed`.
    pub fn decode(bytes: &[u8]) -> Result<StoreCheck, Rejection> {
        let mut reader = Reader::exactly("store-time check", bytes, STORE_CHECK_BYTES)?;
        reader.tag(TAG)?;
        let tries = reader.byte()?;
        if tries > TRIES {
            return Err(
                Class::Malformed.because(format!("{tries} tries of a store-time check, at most {TRIES}"))
            );
        }
        reader.zeros::<3>()?;
        let length = reader.u64()?;
        let coefficients = Coefficients(reader.array()?);
        let mut values = Zeroizing::new(Vec::with_capacity(BLOCK_SCALARS));
        for _ in 0..BLOCK_SCALARS {
            values.push(decode_scalar(&Zeroizing::new(reader.array()?))?);
        }
        let open = (tries < TRIES).then_some((coefficients, values));
        Ok(StoreCheck { length, open, tries })
    }

    /// Checks that `table` commits to the bytes that were taken, as this replica under this key, and returns its root. That
    /// the replica's root is the root of those bytes is for the caller to see to.
    ///
    /// Every call is a try, of which there are 8. The table is read as a stream, to its end.
    ///
    /// # Errors
    /// Refused: `wrong-record` (another length), `wrong-length`, `malformed`, `wrong-point`, `wrong-proof`. Else reading
    /// fails, or the tries are used up.
    pub fn check(
        &mut self,
        replica: &Replica,
        key: &BlindingKey,
        table: impl Read,
    ) -> Result<[u8; 32], CheckFailure> {
        let Some((coefficients, values)) = &self.open else { return Err(CheckFailure::Used) };
        self.tries += 1;
        let result = if replica.length() == self.length {
            check(coefficients, values, replica, key, table)
        } else {
            let (found, expected) = (replica.length(), self.length);
            Err(Class::WrongRecord
                .because(format!("a replica of {found} bytes; {expected} were taken"))
                .into())
        };
        if result.is_ok() || self.tries == TRIES {
            self.open = None;
        }
        result
    }
}

fn check(
    coefficients: &Coefficients,
    values: &[Fr],
    replica: &Replica,
    key: &BlindingKey,
    mut table: impl Read,
) -> Result<[u8; 32], CheckFailure> {
    let (blocks, mut coefficients) = (replica.blocks(), coefficients.stream());
    let chunks = table_bytes(blocks) / CHUNK_BYTES as u64;
    let mut hasher = blake3::Hasher::new();
    let mut left_side = LeftSide::default();
    for first in (0..chunks).step_by(BATCH_CHUNKS) {
        let bytes = read_chunks(&mut table, (BATCH_CHUNKS as u64).min(chunks - first))?;
        hasher.update(&bytes);
        let points = points_of(first, blocks, &bytes)?;
        let coefficients = coefficients.take(points.len());
        let first_block = first * CHUNK_POINTS as u64;
        let numbered = coefficients.par_iter().enumerate();
        let blinding =
            numbered.map(|(at, gamma)| Fr::from(*gamma) * key.scalar(replica, first_block + at as u64)).sum();
        left_side.add(&points, &coefficients, blinding);
    }
    if table.read(&mut [0])? != 0 {
        let bytes = table_bytes(blocks);
        return Err(Class::WrongLength.because(format!("a table of more than {bytes} bytes")).into());
    }
    if !left_side.vanishes(values) {
        return Err(Class::WrongProof.because("the table does not commit to the object's bytes").into());
    }
    Ok(*hasher.finalize().as_bytes())
}

/// Σ γ_i·C_i and Σ γ_i·r_i so far.
#[derive(Default)]
struct LeftSide {
    points: G1Projective,
    blinding: Fr,
}

impl LeftSide {
    fn add(&mut self, points: &[G1Affine], coefficients: &[u128], blinding: Fr) {
        self.points += over_points_short(points, coefficients);
        self.blinding += blinding;
    }

    /// Whether Σ γ_i·C_i − Σ_j v_j·G_j − (Σ γ_i·r_i)·H is infinity, cofactored.
    fn vanishes(&self, values: &[Fr]) -> bool {
        let mut scalars = Zeroizing::new(values.to_vec());
        scalars.push(self.blinding);
        is_zero_cofactored(&(self.points - over_generators(Generators::standard(), &scalars)))
    }
}

/// Reads so many chunks of a table.
fn read_chunks(table: &mut impl Read, chunks: u64) -> Result<Vec<u8>, CheckFailure> {
    let expected = chunks * CHUNK_BYTES as u64;
    let mut bytes = Vec::new();
    table.by_ref().take(expected).read_to_end(&mut bytes)?;
    if bytes.len() as u64 != expected {
        return Err(Class::WrongLength.because("the table ends early").into());
    }
    Ok(bytes)
}

/// The points of the chunks from `first` on.
fn points_of(first: u64, blocks: u64, bytes: &[u8]) -> Result<Vec<G1Affine>, Rejection> {
    let mut encoded = Vec::with_capacity(bytes.len() / CHUNK_BYTES * CHUNK_POINTS);
    for (chunk, bytes) in (first..).zip(bytes.chunks(CHUNK_BYTES)) {
        encoded.extend_from_slice(TableChunk::read(chunk, blocks, bytes)?.points());
    }
    let decoded: Vec<Result<G1Affine, Rejection>> = encoded.par_iter().map(decode_point).collect();
    let numbered = (first * CHUNK_POINTS as u64..).zip(decoded);
    let named = |(block, point): (u64, Result<_, Rejection>)| {
        point.map_err(|refused| refused.class.because(format!("commitment {block}: {}", refused.detail)))
    };
    numbered.map(named).collect()
}

/// Checks commitments that somebody else computed, an accelerator or a prover, against the blocks and blindings that they
/// are said to be of, with fresh coefficients: whether each of them is right, up to a chance of 2^-127 and to points of
/// small order.
///
/// Panics unless there are as many of all three.
///
/// # Errors
/// The operating system gives no randomness.
pub fn gate(blocks: &[&[u8]], blindings: &[Fr], points: &[G1Affine]) -> Result<bool, getrandom::Error> {
    assert!(
        blocks.len() == blindings.len() && blocks.len() == points.len(),
        "a blinding and a point a block"
    );
    let coefficients = Coefficients::fresh()?.stream().take(blocks.len());
    let blinding =
        coefficients.iter().zip(blindings).map(|(gamma, blinding)| Fr::from(*gamma) * blinding).sum();
    let mut left_side = LeftSide::default();
    left_side.add(points, &coefficients, blinding);
    Ok(left_side.vanishes(&combine(&coefficients, blocks)))
}

/// Σ γ_i·d_ij for each j, on all cores.
fn combine(coefficients: &[u128], blocks: &[&[u8]]) -> Zeroizing<Vec<Fr>> {
    const BLOCKS: usize = 256;
    let parts =
        blocks.par_chunks(BLOCKS).zip(coefficients.par_chunks(BLOCKS)).map(|(blocks, coefficients)| {
            let mut sums = BlockSums::new();
            coefficients.iter().zip(blocks).for_each(|(coefficient, block)| sums.add(*coefficient, block));
            sums.reduce().to_vec()
        });
    let zero = || vec![Fr::ZERO; BLOCK_SCALARS];
    let add = |sums: Vec<Fr>, part: Vec<Fr>| sums.iter().zip(&part).map(|(sum, part)| *sum + part).collect();
    Zeroizing::new(parts.reduce(zero, add))
}

#[cfg(test)]
mod tests;
