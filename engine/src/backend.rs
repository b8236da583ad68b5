//! Which back ends exist on this machine and why the others do not; the only place that dispatches.

use crate::space::label::Layer;

/// The kernels a back end provides. All back ends give byte-equal results (invariant 3).
///
/// Lengths are preconditions of the caller, not untrusted input.
pub trait Backend: Send + Sync + std::fmt::Debug {
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
}
