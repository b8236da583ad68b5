//! The kernels over vectors, written once for all instruction sets.
//!
//! A vector has one 32-bit word of each of N independent hashes ("lanes"), so BLAKE3's state is sixteen vectors and a
//! compression advances N hashes. An instruction set gives its vector ([`Lanes`]), and its `label` and `tree` instantiate
//! the kernels in functions with that target feature; everything between is inlined into them.
//!
//! A batch of N labels of a layer j > 1:
//!
//! 1. The parents of the *next* batch are computed in lanes and stored (8 · N words).
//! 2. Four times: the halves of this batch's blocks are loaded from where their parents lie, straight into registers, and
//!    transposed there; then they are compressed. After every round N / 4 lines of the next batch are prefetched, so that
//!    the misses are spread evenly over the arithmetic, a whole batch ahead of their use.
//! 3. The values are transposed and stored.
//!
//! Budget with AVX-512: 16 registers of state and 16 of message are all 32; the two batches of parents take 1 KiB, the
//! lines underway 7 KiB of first-level cache. AVX2 has 16 registers, so half of that lives on the stack.
//!
//! Two bounds on a Zen 5 class core at 3.7 GHz: arithmetic, a chain of 12 dependent operations of two cycles in each half
//! of a round and so 336 cycles for 16 compressions, gives 44 million labels a second; random lines out of 1 GiB, 3.9 ns
//! each (measured) and seven a label, give 36 million. What was reached and what did not help: decision 0003.

pub(super) mod compress;
pub(super) mod label;
pub(super) mod tree;

/// Makes a back end of the functions in an instruction set's `label` and `tree`. Its only value holds the proof that
/// the instruction set exists, which is what makes the calls sound. Further methods of the back end may follow.
macro_rules! vector_backend {
    ($name:literal, $proof:ty $(, $method:item)*) => {
        /// Exists only where the instruction set does.
        #[derive(Debug)]
        pub(super) struct Vectors($proof);

        impl Vectors {
            pub(super) fn detect() -> Option<Vectors> {
                <$proof>::detect().map(Vectors)
            }
        }

        impl $crate::backend::Backend for Vectors {
            fn name(&self) -> &'static str {
                $name
            }

            fn first_layer(&self, layer: &Layer, first: u32, out: &mut [u8]) {
                check::range(layer, first, out);
                // SAFETY: the proof says that the instruction set exists.
                unsafe { label::first_layer(self.0, layer, first, out) }
            }

            fn next_layer(&self, layer: &Layer, previous: &[u8], first: u32, out: &mut [u8]) {
                check::range(layer, first, out);
                check::previous(layer, previous);
                // SAFETY: the proof says that the instruction set exists, and the layer before is whole.
                unsafe { label::next_layer(self.0, layer, previous, first, out) }
            }

            fn chunk_values(&self, chunks: &[&[u8; 1024]], counters: &[u64], out: &mut [[u8; 32]]) {
                check::same_count(chunks.len(), counters.len());
                check::same_count(chunks.len(), out.len());
                // SAFETY: the proof says that the instruction set exists.
                unsafe { tree::chunk_values(self.0, chunks, counters, out) }
            }

            fn parent_values(&self, pairs: &[[u8; 64]], root: bool, out: &mut [[u8; 32]]) {
                check::same_count(pairs.len(), out.len());
                // SAFETY: the proof says that the instruction set exists.
                unsafe { tree::parent_values(self.0, pairs, root, out) }
            }

            $($method)*
        }
    };
}
pub(super) use vector_backend;

/// N words, one a lane. A value exists only where its instruction set does, which is what makes the methods safe.
pub(super) trait Lanes<const N: usize>: Copy {
    /// Evidence that the instruction set exists.
    type Proof: Copy;

    /// The same word in every lane.
    fn splat(proof: Self::Proof, word: u32) -> Self;
    /// One word a lane.
    fn load(proof: Self::Proof, words: &[u32; N]) -> Self;
    /// One word a lane.
    fn store(self, words: &mut [u32; N]);

    /// Sum modulo 2^32.
    fn add(self, other: Self) -> Self;
    /// Product modulo 2^32.
    fn mul(self, other: Self) -> Self;
    /// Exclusive or.
    fn xor(self, other: Self) -> Self;
    /// And.
    fn and(self, other: Self) -> Self;
    /// Shift right by a number of bits below 32 that is only known at run time.
    fn shift_right(self, bits: u32) -> Self;
    /// Rotations right by BLAKE3's four distances.
    fn rotate_16(self, proof: Self::Proof) -> Self;
    /// By 12.
    fn rotate_12(self, proof: Self::Proof) -> Self;
    /// By 8.
    fn rotate_8(self, proof: Self::Proof) -> Self;
    /// By 7.
    fn rotate_7(self, proof: Self::Proof) -> Self;

    /// The sixteen words of a 64-byte block of every lane, from its two halves: `low(lane)` and `high(lane)`.
    fn load_blocks<'a>(
        proof: Self::Proof,
        low: impl Fn(usize) -> &'a [u8; 32],
        high: impl Fn(usize) -> &'a [u8; 32],
    ) -> [Self; 16];
    /// The chaining value of every lane.
    fn store_values(words: [Self; 8], values: &mut [[u8; 32]; N]);

    /// Asks for the cache line at `address`, which need not be mapped.
    fn prefetch(proof: Self::Proof, address: *const u8);
}

/// Stores the values of the first lanes, as many as `out` holds (at most N).
#[inline(always)]
fn store_values<const N: usize, V: Lanes<N>>(values: [V; 8], out: &mut [[u8; 32]]) {
    if let Ok(out) = <&mut [[u8; 32]; N]>::try_from(&mut *out) {
        V::store_values(values, out);
    } else {
        let mut all = [[0; 32]; N];
        V::store_values(values, &mut all);
        out.copy_from_slice(&all[..out.len()]);
    }
}
