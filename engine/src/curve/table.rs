//! Odd multiples of half of each base.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{AdditiveGroup, Field, Zero};
use rayon::prelude::*;

use super::affine::{Point, Scratch, Stored, add_assign};
use super::{Fr, G1Affine, G1Projective, LIMB_BITS, SCALAR_BITS, file};
use crate::memory::LayerBuffer;

/// Bytes of an entry.
pub(super) const ENTRY_BYTES: usize = size_of::<Stored>();

/// Bases whose multiples are made side by side, so that they share inversions.
const BASES_AT_ONCE: usize = 4;

/// Precomputed multiples of n fixed bases: n·2^(w−1)·96 bytes for windows of w bits. Of 530 bases: 6.5 MB for w = 8, 26 MB
/// for w = 10, 104 MB for w = 12, 417 MB for w = 14. The module says what stands in it.
pub struct Table {
    width_bits: u32,
    base_count: usize,
    entries: LayerBuffer,
    corrections: Corrections,
}

/// Σ (2^(wW) − 1)·H_i, which the digits leave out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Corrections {
    /// For limbs of blocks on all bases but the last, and any scalar on the last.
    pub(crate) block: G1Affine,
    /// For any scalar on every base.
    pub(crate) scalars: G1Affine,
}

impl Table {
    /// Widths of windows that a table may have.
    pub const WIDTHS: std::ops::RangeInclusive<u32> = 2..=16;

    /// Computes the table, on all threads of the pool that the caller is in.
    ///
    /// Fails on a width outside [`Table::WIDTHS`], on a base that is infinity or not in G1 (there would be no half of it), and if
    /// there is not enough memory.
    pub fn build(bases: &[G1Affine], width_bits: u32) -> Result<Table, TableError> {
        let mut entries = Table::reserve(bases, width_bits)?;
        let row_bytes = row_bytes(width_bits);
        entries
            .par_chunks_mut(row_bytes * BASES_AT_ONCE)
            .zip(bases.par_chunks(BASES_AT_ONCE))
            .for_each(|(rows, bases)| fill_rows(rows.as_chunks_mut().0, bases, width_bits));
        Ok(Table::new(bases, width_bits, entries))
    }

    /// The table kept in the file at `path`; built and kept there if the file is missing, damaged or made for other bases or
    /// another width. A file replaces its predecessor whole or not at all.
    ///
    /// The file is a cache of this program on its own disk: its checksum finds damage, not an attacker who may write there.
    ///
    /// Fails as [`Table::build`] does, and if the file cannot be written.
    pub fn open_or_build(path: &Path, bases: &[G1Affine], width_bits: u32) -> Result<Table, TableError> {
        let mut entries = Table::reserve(bases, width_bits)?;
        if file::read(path, bases, width_bits, &mut entries).is_ok() {
            return Ok(Table::new(bases, width_bits, entries));
        }
        drop(entries);
        let table = Table::build(bases, width_bits)?;
        file::write(path, bases, width_bits, &table.entries)
            .map_err(|source| TableError::Write { path: path.to_owned(), source })?;
        Ok(table)
    }

    /// Memory for the entries, once the arguments are known to be right.
    fn reserve(bases: &[G1Affine], width_bits: u32) -> Result<LayerBuffer, TableError> {
        if !Table::WIDTHS.contains(&width_bits) {
            return Err(TableError::Width { width_bits });
        }
        let in_group = |base: &G1Affine| !base.is_zero() && base.is_in_correct_subgroup_assuming_on_curve();
        if let Some(index) = bases.iter().position(|base| !in_group(base)) {
            return Err(TableError::Base { index });
        }
        let bytes = bases.len() * row_bytes(width_bits);
        LayerBuffer::new(bytes).map_err(|source| TableError::Memory { bytes, source })
    }

    fn new(bases: &[G1Affine], width_bits: u32, entries: LayerBuffer) -> Table {
        let half = half();
        let factor =
            |bits| (Fr::from(2u8).pow([u64::from(windows(bits, width_bits) * width_bits)]) - Fr::ONE) * half;
        let sum: G1Projective = bases.iter().sum();
        let last = bases.last().map_or(G1Projective::zero(), |last| last.into_group());
        let corrections = Corrections {
            block: ((sum - last) * factor(LIMB_BITS) + last * factor(SCALAR_BITS)).into_affine(),
            scalars: (sum * factor(SCALAR_BITS)).into_affine(),
        };
        Table { width_bits, base_count: bases.len(), entries, corrections }
    }

    /// Bits of a window.
    pub fn width_bits(&self) -> u32 {
        self.width_bits
    }

    /// How many bases it is for.
    pub fn base_count(&self) -> usize {
        self.base_count
    }

    /// Memory of the entries.
    pub fn bytes(&self) -> usize {
        self.entries.len()
    }

    /// Affine additions for one block under a blinding scalar, without the doublings at the end.
    pub fn additions_per_block(&self) -> usize {
        let limbs = self.base_count.saturating_sub(1);
        limbs * self.windows(LIMB_BITS) as usize
    }

    /// Windows of a scalar below 2^`scalar_bits`.
    pub(crate) fn windows(&self, scalar_bits: u32) -> u32 {
        windows(scalar_bits, self.width_bits)
    }

    /// The entries of all bases as they lie in memory.
    #[cfg(feature = "gpu")]
    pub(crate) fn entries(&self) -> &[u8] {
        &self.entries
    }

    /// Entries of one base, the multiples 1, 3, 5, … of its half.
    pub(crate) fn row(&self, base: usize) -> &[Stored] {
        let row_bytes = row_bytes(self.width_bits);
        self.entries[base * row_bytes..][..row_bytes].as_chunks().0
    }

    pub(crate) fn corrections(&self) -> &Corrections {
        &self.corrections
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Table { width_bits, base_count, .. } = self;
        write!(formatter, "Table {{ {base_count} bases, {width_bits} bits, {} bytes }}", self.bytes())
    }
}

/// Why there is no table.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The width is outside [`Table::WIDTHS`].
    #[error("windows of {width_bits} bits: a table takes {} to {}", Table::WIDTHS.start(), Table::WIDTHS.end())]
    Width {
        /// What was asked for.
        width_bits: u32,
    },
    /// The base is no element of G1 other than infinity.
    #[error("base {index} is infinity or lies outside G1")]
    Base {
        /// Its number, from zero.
        index: usize,
    },
    /// Not enough memory.
    #[error("{bytes} bytes for a table of multiples: {source}")]
    Memory {
        /// What it takes.
        bytes: usize,
        /// What the system said.
        source: io::Error,
    },
    /// The file could not be written.
    #[error("table of multiples {path}: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

fn windows(scalar_bits: u32, width_bits: u32) -> u32 {
    scalar_bits.div_ceil(width_bits)
}

fn row_bytes(width_bits: u32) -> usize {
    ENTRY_BYTES << (width_bits - 1)
}

/// 1/2 mod r.
fn half() -> Fr {
    Fr::from(2u8).inverse().unwrap_or(Fr::ZERO)
}

/// The rows of a few bases, each twice as long as the step before: (2k + 1 + 2m)·H = (2k + 1)·H + m·G.
fn fill_rows(entries: &mut [Stored], bases: &[G1Affine], width_bits: u32) {
    let row_entries = 1 << (width_bits - 1);
    let half = half();
    let halves: Vec<G1Projective> = bases.iter().map(|base| *base * half).collect();
    let mut sums: Vec<Point> = G1Projective::normalize_batch(&halves).iter().map(Point::from).collect();
    let mut steps: Vec<G1Projective> = bases.iter().map(|base| base.into_group()).collect();
    let mut scratch = Scratch::default();
    let mut done = 0;
    let mut next = 1;
    loop {
        // `sums` holds entries done … next of every row.
        for (row, sums) in entries.chunks_mut(row_entries).zip(sums.chunks(next - done)) {
            for (entry, sum) in row[done..next].iter_mut().zip(sums) {
                *entry = sum.store();
            }
        }
        if next == row_entries {
            return;
        }
        done = next;
        next *= 2;
        let rows = entries.chunks(row_entries);
        sums = rows.flat_map(|row| row[..done].iter().map(Point::load)).collect();
        let affine_steps: Vec<Point> =
            G1Projective::normalize_batch(&steps).iter().map(Point::from).collect();
        add_assign(&mut sums, |i| affine_steps[i / done], &mut scratch);
        for step in &mut steps {
            step.double_in_place();
        }
    }
}
