//! How the work of a commitment is cut for kernels `commit` and `commit_fold`, and what that costs an invocation.

use crate::layout::{AffinePoint, Commit, CommitFold};

/// Bits of a limb of a block.
pub const LIMB_BITS: u32 = 248;

/// Bits of a blinding scalar.
pub const BLINDING_BITS: u32 = 255;

/// Widths of windows that the kernels take: a digit spans at most two words.
pub const WIDTHS: std::ops::RangeInclusive<u32> = 4..=14;

/// Iterations of the loop over the limbs in one product, in the variant that has most.
const PRODUCT_ITERATIONS: u32 = 12;

/// Loop iterations of one base in kernel `commit`: five products and three sums of products, and the loop over the bases.
const BASE_ITERATIONS: u32 = 8 * PRODUCT_ITERATIONS + 1;

/// Loop iterations of one step of kernel `commit_fold`: six products and three sums of products, and the loop over the steps.
const STEP_ITERATIONS: u32 = 9 * PRODUCT_ITERATIONS + 1;

/// Sizes that all dispatches over one table and one kind of blocks share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommitShape {
    /// w, one of [`WIDTHS`].
    pub width_bits: u32,
    /// Bases, at least 1; the last belongs to the blinding.
    pub bases: u32,
    /// Parts into which the bases are cut, 1 … bases.
    pub segments: u32,
    /// Words from one block to the next; what lies beyond is read as zero.
    pub block_words: u32,
}

impl CommitShape {
    /// Windows of a blinding scalar.
    pub const fn windows(self) -> u32 {
        BLINDING_BITS.div_ceil(self.width_bits)
    }

    /// Windows of a limb.
    pub const fn limb_windows(self) -> u32 {
        LIMB_BITS.div_ceil(self.width_bits)
    }

    /// Bases of a segment; the last segments may have fewer or none.
    pub const fn segment_bases(self) -> u32 {
        self.bases.div_ceil(self.segments)
    }

    /// Sums, which are invocations of `commit`, that a block has.
    pub const fn sums_per_block(self) -> u32 {
        self.segments * self.windows()
    }

    /// Parameters of `commit` for `count` invocations from number `first` on.
    pub const fn commit(self, first: u32, count: u32) -> Commit {
        Commit {
            first,
            count,
            windows: self.windows(),
            limb_windows: self.limb_windows(),
            width_bits: self.width_bits,
            bases: self.bases,
            segments: self.segments,
            segment_bases: self.segment_bases(),
            block_words: self.block_words,
            reserved_word: 0,
            reserved: [0; 2],
        }
    }

    /// Parameters of `commit_fold` for `count` blocks from number `first` on.
    pub const fn commit_fold(self, first: u32, count: u32, correction: AffinePoint) -> CommitFold {
        CommitFold {
            first,
            count,
            windows: self.windows(),
            segments: self.segments,
            width_bits: self.width_bits,
            steps: self.steps(),
            reserved: [0; 2],
            correction,
        }
    }

    /// Additions of `commit_fold`: w doublings below every window but the lowest, every sum, and the correction.
    const fn steps(self) -> u32 {
        (self.windows() - 1) * self.width_bits + self.sums_per_block() + 1
    }

    /// Loop iterations of one invocation of `commit`, at most, whatever the variant: 97 for every base of a segment. To be kept
    /// below [`crate::limits::LOOP_ITERATIONS_MAX`].
    pub const fn commit_loop_iterations(self) -> u32 {
        self.segment_bases() * BASE_ITERATIONS
    }

    /// Loop iterations of one invocation of `commit_fold`, at most, whatever the variant: 109 for every doubling, every sum and
    /// the correction. To be kept below [`crate::limits::LOOP_ITERATIONS_MAX`].
    pub const fn fold_loop_iterations(self) -> u32 {
        self.steps() * STEP_ITERATIONS
    }

    /// The same shape with as many segments as keep both kernels within [`crate::limits::LOOP_ITERATIONS_MAX`], from `wanted`
    /// downwards or upwards: more segments shorten `commit` and lengthen `commit_fold`. `None` if there is no such number.
    pub fn with_segments_near(self, wanted: u32) -> Option<CommitShape> {
        let fits = |segments: &u32| {
            let shape = CommitShape { segments: *segments, ..self };
            shape.commit_loop_iterations().max(shape.fold_loop_iterations())
                <= crate::limits::LOOP_ITERATIONS_MAX
        };
        let nearest = (1..=self.bases).filter(fits).min_by_key(|segments| segments.abs_diff(wanted));
        nearest.map(|segments| CommitShape { segments, ..self })
    }
}
