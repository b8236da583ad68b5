//! Which back ends of the processor exist on this machine and why the others do not; the only place that dispatches. Graphics
//! processors ([`gpu`]) keep what they work on in their own memory, so they are no [`Backend`] but an
//! [`crate::accelerator::Accelerator`].

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod check;
mod constants;
#[cfg(feature = "gpu")]
pub mod gpu;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod lanes;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use portable::Portable;

use crate::curve::{Fr, G1Affine, G1Projective, Table};
use crate::space::label::Layer;

/// The kernels a back end provides. All back ends give byte-equal results (invariant 3).
///
/// Lengths are preconditions of the caller, not untrusted input: a wrong one panics. Sums of points are the portable ones where a
/// back end has nothing better.
pub trait Backend: Send + Sync + fmt::Debug {
    /// `portable`, `avx2`, `avx512`, `neon`.
    fn name(&self) -> &'static str;

    /// Labels of layer 1 for nodes `first …`, as many as `out` holds (a multiple of 32 bytes).
    fn first_layer(&self, layer: &Layer, first: u32, out: &mut [u8]);

    /// Labels of layer j > 1 for nodes `first …`, from all labels of the layer before (32·2^k bytes).
    fn next_layer(&self, layer: &Layer, previous: &[u8], first: u32, out: &mut [u8]);

    /// Chaining values (unkeyed, non-root) of whole 1 KiB chunks with the given chunk counters.
    fn chunk_values(&self, chunks: &[&[u8; 1024]], counters: &[u64], out: &mut [[u8; 32]]);

    /// Parent nodes (unkeyed) of pairs of chaining values; `root` computes them with ROOT.
    fn parent_values(&self, pairs: &[[u8; 64]], root: bool, out: &mut [[u8; 32]]);

    /// Commitments to blocks (commitment-v1 §4): the 31-byte little-endian limbs of block i, as long as it goes, on the bases of
    /// the table but the last, which takes `blindings[i]`. With all threads of the pool that the caller is in.
    ///
    /// A block is at most 31 bytes a base long; one call should have at least 128 blocks for each thread.
    fn commit(&self, table: &Table, blocks: &[&[u8]], blindings: &[Fr]) -> Vec<G1Projective> {
        Portable.commit(table, blocks, blindings)
    }

    /// Σ `scalars[i]`·G_i over all bases of the table, any scalars. With all threads of the caller's pool.
    fn fixed_base(&self, table: &Table, scalars: &[Fr]) -> G1Projective {
        Portable.fixed_base(table, scalars)
    }

    /// Σ `scalars[i]`·`points[i]` of scalars below 2^`scalar_bits` (1 … 255: fewer bits, less work), any points of the curve, in
    /// G1 or not, equal, opposite or infinity. With all threads of the caller's pool.
    fn msm(&self, points: &[G1Affine], scalars: &[Fr], scalar_bits: u32) -> G1Projective {
        Portable.msm(points, scalars, scalar_bits)
    }
}

/// Which back end to use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// The fastest one present.
    #[default]
    Auto,
    /// Plain Rust.
    Portable,
    /// x86-64 with AVX2, 8 lanes.
    Avx2,
    /// x86-64 with AVX-512F, 16 lanes.
    Avx512,
    /// AArch64 with NEON, 4 lanes.
    Neon,
}

impl Choice {
    /// Every single back end, the fastest last.
    pub const BACKENDS: [Choice; 4] = [Choice::Portable, Choice::Neon, Choice::Avx2, Choice::Avx512];

    /// The name on the command line and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Choice::Auto => "auto",
            Choice::Portable => "portable",
            Choice::Avx2 => "avx2",
            Choice::Avx512 => "avx512",
            Choice::Neon => "neon",
        }
    }

    /// The back end, or why this machine or build has none.
    fn detect(self) -> Result<&'static dyn Backend, &'static str> {
        match self {
            Choice::Auto => fastest(),
            Choice::Portable => Ok(&Portable),
            Choice::Avx2 => vectors::avx2(),
            Choice::Avx512 => vectors::avx512(),
            Choice::Neon => vectors::neon(),
        }
    }
}

impl FromStr for Choice {
    type Err = BackendError;

    fn from_str(name: &str) -> Result<Choice, BackendError> {
        std::iter::once(Choice::Auto)
            .chain(Choice::BACKENDS)
            .find(|choice| choice.name() == name)
            .ok_or_else(|| BackendError::Unknown { name: name.to_owned() })
    }
}

/// Why no back end was selected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BackendError {
    /// No back end has this name.
    #[error("there is no back end {name:?}; choose auto, portable, neon, avx2 or avx512")]
    Unknown {
        /// What was asked for.
        name: String,
    },
    /// The back end exists, but not here.
    #[error("back end {name} is absent: {why}; choose auto, or see `holdfast devices`")]
    Absent {
        /// Its name.
        name: &'static str,
        /// What is missing.
        why: &'static str,
    },
}

/// One back end that holdfast has, and whether this machine can run it.
#[derive(Clone, Copy, Debug)]
pub struct Presence {
    /// As in [`Choice::name`].
    pub name: &'static str,
    /// Present, or why not.
    pub state: State,
}

/// Whether a back end can run here.
#[derive(Clone, Copy, Debug)]
pub enum State {
    /// It can.
    Present(&'static dyn Backend),
    /// It cannot, for this reason.
    Absent(&'static str),
}

/// Every back end, present or not, the fastest last.
pub fn survey() -> Vec<Presence> {
    let state = |choice: Choice| choice.detect().map_or_else(State::Absent, State::Present);
    Choice::BACKENDS
        .into_iter()
        .map(|choice| Presence { name: choice.name(), state: state(choice) })
        .collect()
}

/// The back end of this choice.
pub fn select(choice: Choice) -> Result<&'static dyn Backend, BackendError> {
    choice.detect().map_err(|why| BackendError::Absent { name: choice.name(), why })
}

fn fastest() -> Result<&'static dyn Backend, &'static str> {
    Choice::BACKENDS.into_iter().rev().find_map(|choice| choice.detect().ok()).ok_or("none is present")
}

/// The vector back ends of x86-64, detected once.
#[cfg(target_arch = "x86_64")]
mod vectors {
    use super::{Backend, LazyLock, avx2, avx512};

    pub(super) fn avx2() -> Result<&'static dyn Backend, &'static str> {
        static AVX2: LazyLock<Option<avx2::Vectors>> = LazyLock::new(avx2::Vectors::detect);
        AVX2.as_ref().map(|backend| backend as _).ok_or("the processor or the system lacks AVX2")
    }

    pub(super) fn avx512() -> Result<&'static dyn Backend, &'static str> {
        static AVX512: LazyLock<Option<avx512::Vectors>> = LazyLock::new(avx512::Vectors::detect);
        AVX512.as_ref().map(|backend| backend as _).ok_or("the processor or the system lacks AVX-512F")
    }

    pub(super) fn neon() -> Result<&'static dyn Backend, &'static str> {
        Err("NEON needs AArch64, this is x86-64")
    }
}

/// The vector back ends of AArch64, detected once.
#[cfg(target_arch = "aarch64")]
mod vectors {
    use super::{Backend, LazyLock, neon};

    pub(super) fn avx2() -> Result<&'static dyn Backend, &'static str> {
        Err("AVX2 needs x86-64, this is AArch64")
    }

    pub(super) fn avx512() -> Result<&'static dyn Backend, &'static str> {
        Err("AVX-512F needs x86-64, this is AArch64")
    }

    pub(super) fn neon() -> Result<&'static dyn Backend, &'static str> {
        static NEON: LazyLock<Option<neon::Vectors>> = LazyLock::new(neon::Vectors::detect);
        NEON.as_ref().map(|backend| backend as _).ok_or("the processor or the system lacks NEON")
    }
}

/// Other architectures have no vector back ends.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
mod vectors {
    use super::Backend;

    pub(super) fn avx2() -> Result<&'static dyn Backend, &'static str> {
        Err("AVX2 needs x86-64")
    }

    pub(super) fn avx512() -> Result<&'static dyn Backend, &'static str> {
        Err("AVX-512F needs x86-64")
    }

    pub(super) fn neon() -> Result<&'static dyn Backend, &'static str> {
        Err("NEON needs AArch64")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_parsed_and_unknown_ones_refused() {
        for choice in Choice::BACKENDS {
            assert_eq!(choice.name().parse(), Ok(choice));
        }
        assert_eq!("auto".parse(), Ok(Choice::Auto));
        assert_eq!("AVX2".parse::<Choice>(), Err(BackendError::Unknown { name: "AVX2".into() }));
    }

    #[test]
    fn survey_and_select_agree() {
        for (presence, choice) in survey().iter().zip(Choice::BACKENDS) {
            match (presence.state, select(choice)) {
                (State::Present(backend), Ok(selected)) => {
                    assert_eq!((backend.name(), selected.name()), (presence.name, presence.name));
                }
                (State::Absent(why), Err(BackendError::Absent { name, why: also })) => {
                    assert_eq!((presence.name, why), (name, also));
                }
                other => panic!("{}: {other:?}", presence.name),
            }
        }
    }

    #[test]
    fn auto_selects_the_last_one_present() {
        let present = |presence: &Presence| matches!(presence.state, State::Present(_));
        let fastest = survey().into_iter().rfind(present).map(|presence| presence.name);
        assert_eq!(select(Choice::Auto).ok().map(|backend| backend.name()), fastest);
    }
}
