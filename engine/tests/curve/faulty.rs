//! A back end with mistakes, for the negative control.

use ark_ec::AffineRepr;
use holdfast_engine::backend::Backend;
use holdfast_engine::curve::{Fr, G1Affine, G1Projective, Table};
use holdfast_engine::space::label::Layer;

use crate::points::truncated;

/// A mistake that is easily made, or one wrong result.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// The last commitment of a call is another point.
    LastCommitment,
    /// The blinding is left out.
    NoBlinding,
    /// The last byte of a block is left out.
    ShortBlock,
    /// Sums on fixed bases are off by the first base.
    FixedBase,
    /// Equal points are added as if they were different.
    NoDoubling,
    /// The top bit of scalars is dropped.
    ShortScalars,
    /// Points are taken for points of G1.
    OnlyG1,
}

impl Fault {
    pub(crate) const ALL: [Fault; 7] = [
        Fault::LastCommitment,
        Fault::NoBlinding,
        Fault::ShortBlock,
        Fault::FixedBase,
        Fault::NoDoubling,
        Fault::ShortScalars,
        Fault::OnlyG1,
    ];
}

/// The back end below with a fault.
#[derive(Debug)]
pub(crate) struct Faulty {
    pub(crate) inner: &'static dyn Backend,
    pub(crate) fault: Fault,
}

impl Backend for Faulty {
    fn name(&self) -> &'static str {
        "faulty"
    }

    fn first_layer(&self, layer: &Layer, first: u32, out: &mut [u8]) {
        self.inner.first_layer(layer, first, out);
    }

    fn next_layer(&self, layer: &Layer, previous: &[u8], first: u32, out: &mut [u8]) {
        self.inner.next_layer(layer, previous, first, out);
    }

    fn chunk_values(&self, chunks: &[&[u8; 1024]], counters: &[u64], out: &mut [[u8; 32]]) {
        self.inner.chunk_values(chunks, counters, out);
    }

    fn parent_values(&self, pairs: &[[u8; 64]], root: bool, out: &mut [[u8; 32]]) {
        self.inner.parent_values(pairs, root, out);
    }

    fn commit(&self, table: &Table, blocks: &[&[u8]], blindings: &[Fr]) -> Vec<G1Projective> {
        let mut blocks = blocks.to_vec();
        let mut blindings = blindings.to_vec();
        if let Fault::ShortBlock = self.fault {
            for block in &mut blocks {
                *block = &block[..block.len().saturating_sub(1)];
            }
        }
        if let Fault::NoBlinding = self.fault {
            blindings.fill(Fr::from(0u8));
        }
        let mut points = self.inner.commit(table, &blocks, &blindings);
        if let (Fault::LastCommitment, Some(last)) = (self.fault, points.last_mut()) {
            *last += G1Affine::generator();
        }
        points
    }

    fn fixed_base(&self, table: &Table, scalars: &[Fr]) -> G1Projective {
        let mut scalars = scalars.to_vec();
        if let Fault::FixedBase = self.fault {
            scalars[0] += Fr::from(1u8);
        }
        self.inner.fixed_base(table, &scalars)
    }

    fn msm(&self, points: &[G1Affine], scalars: &[Fr], scalar_bits: u32) -> G1Projective {
        let mut points = points.to_vec();
        let mut scalars = scalars.to_vec();
        match self.fault {
            Fault::NoDoubling => {
                for i in 1..points.len() {
                    if points[i] == points[i - 1] && scalars[i] == scalars[i - 1] {
                        points[i] = G1Affine::identity();
                    }
                }
            }
            Fault::ShortScalars => {
                for scalar in &mut scalars {
                    *scalar = truncated(scalar, 254);
                }
            }
            Fault::OnlyG1 => {
                for point in &mut points {
                    if !point.is_in_correct_subgroup_assuming_on_curve() {
                        *point = G1Affine::identity();
                    }
                }
            }
            _ => {}
        }
        self.inner.msm(&points, &scalars, scalar_bits)
    }
}
