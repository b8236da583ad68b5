//! Where every byte of a file lies: segments, stripes, parts (pieces-v1 §2, §3).

use std::ops::Range;

use holdfast_engine::tree::BLOCK_BYTES;

use super::Policy;

/// Bytes of a shard's part of a whole stripe: a block of tree-v1, what whoever reads a piece verifies at once.
pub const PART_BYTES: u64 = BLOCK_BYTES as u64;
/// Parts of a short stripe are multiples of this: what the code works on.
const PART_UNIT_BYTES: u64 = 64;

/// How a ciphertext of so many bytes is cut into segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileLayout {
    length_bytes: u64,
    policy: Policy,
}

impl FileLayout {
    /// Of a ciphertext of any length.
    pub fn new(length_bytes: u64, policy: Policy) -> FileLayout {
        FileLayout { length_bytes, policy }
    }

    /// Number of segments: none if the ciphertext is empty.
    pub fn segment_count(&self) -> u64 {
        self.length_bytes.div_ceil(self.policy.segment_bytes())
    }

    /// Layout of a segment; `None` if the file has no such segment.
    pub fn segment(&self, segment: u64) -> Option<SegmentLayout> {
        let start = segment.checked_mul(self.policy.segment_bytes())?;
        let left = self.length_bytes.checked_sub(start).filter(|&left| left > 0)?;
        Some(SegmentLayout::new(left.min(self.policy.segment_bytes()), self.policy.data_shards()))
    }

    /// The segments that hold the bytes of `range`, in order, each with the range of its own bytes.
    pub fn segments_over(&self, range: &Range<u64>) -> impl Iterator<Item = (u64, Range<u64>)> + use<> {
        let segment_bytes = self.policy.segment_bytes();
        let (start, end) = (range.start, range.end.min(self.length_bytes));
        let segments = if start < end { start / segment_bytes..end.div_ceil(segment_bytes) } else { 0..0 };
        segments.map(move |segment| {
            let first = segment * segment_bytes;
            (segment, start.max(first) - first..end.min(first.saturating_add(segment_bytes)) - first)
        })
    }
}

/// How the bytes of one segment lie in its shards.
///
/// A stripe is k parts of 16 KiB, one for each data shard, in the order of the segment; the last stripe may be shorter. A
/// shard is the parts of all stripes, joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentLayout {
    length_bytes: u64,
    data_shards: u64,
}

/// One stripe of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stripe {
    /// Where its bytes begin in the segment.
    pub(super) start: u64,
    /// How many bytes of the segment it has: at most k parts.
    pub(super) data_bytes: u64,
    /// Bytes of each of its parts; k of them are at least its bytes, and what is over is zero.
    pub(super) part_bytes: u64,
}

impl SegmentLayout {
    /// Of a segment of 1 to 64 GiB in `data_shards` ≥ 1.
    pub(super) fn new(length_bytes: u64, data_shards: u8) -> SegmentLayout {
        SegmentLayout { length_bytes, data_shards: data_shards.into() }
    }

    /// Bytes of the segment.
    pub fn length_bytes(&self) -> u64 {
        self.length_bytes
    }

    /// Bytes of the segment in a whole stripe.
    pub(super) fn stripe_bytes(&self) -> u64 {
        self.data_shards * PART_BYTES
    }

    pub(super) fn stripe_count(&self) -> u64 {
        self.length_bytes.div_ceil(self.stripe_bytes())
    }

    /// Stripe number `stripe`, below [`SegmentLayout::stripe_count`].
    pub(super) fn stripe(&self, stripe: u64) -> Stripe {
        let start = stripe * self.stripe_bytes();
        let data_bytes = self.stripe_bytes().min(self.length_bytes - start);
        let part_bytes = data_bytes.div_ceil(self.data_shards).next_multiple_of(PART_UNIT_BYTES);
        Stripe { start, data_bytes, part_bytes }
    }

    /// Bytes of each shard, and so of each piece.
    pub fn shard_bytes(&self) -> u64 {
        let last = self.stripe_count() - 1;
        last * PART_BYTES + self.stripe(last).part_bytes
    }

    /// The stripes that hold the bytes of `range`, which is not empty and within the segment.
    pub(super) fn stripes_over(&self, range: &Range<u64>) -> Range<u64> {
        range.start / self.stripe_bytes()..range.end.div_ceil(self.stripe_bytes())
    }

    /// The bytes of each piece that are needed for the bytes of `range` of the segment, which is within the segment.
    pub fn piece_range(&self, range: &Range<u64>) -> Range<u64> {
        if range.is_empty() {
            return 0..0;
        }
        let stripes = self.stripes_over(range);
        stripes.start * PART_BYTES..(stripes.end * PART_BYTES).min(self.shard_bytes())
    }
}

/// A position as an index of memory.
pub(super) fn at(position: u64) -> usize {
    usize::try_from(position).expect("what is in memory has positions that fit")
}
