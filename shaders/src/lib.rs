//! WGSL kernels of holdfast and their CPU twins.
//!
//! A kernel, its WGSL file, its entry point and its twin have one name. This crate knows no GPU API and no files. The
//! build assembles each variant's module from the pieces that its import lines name, has naga parse and validate it,
//! compares what naga reflects with [`catalogue`] and [`layout`], and holds it to rules that naga does not know: a broken
//! shader, a layout that differs or a loop without a bound does not build.
//!
//! | kernel | what it computes | WGSL | twin |
//! | --- | --- | --- | --- |
//! | `label_first_layer` | labels of layer 1 | `wgsl/label_first_layer.wgsl` | [`twin::label_first_layer`] |
//! | `label` | labels of layers 2 … ℓ | `wgsl/label.wgsl` | [`twin::label`] |
//! | `subtree` | blocks of 16 or 64 KiB to chaining values | `wgsl/subtree.wgsl` | [`twin::subtree`] |
//! | `tree_fold` | one level of a BLAKE3 tree | `wgsl/tree_fold.wgsl` | [`twin::tree_fold`] |
//! | `pick` | digests by a list of places | `wgsl/pick.wgsl` | [`twin::pick`] |
//! | `copy` | a copy in order: a bound to measure against | `wgsl/copy.wgsl` | [`twin::copy`] |
//! | `gather` | the loads of `label` alone: another bound | `wgsl/gather.wgsl` | [`twin::gather`] |
//! | `commit` | sums of table entries for commitments of blocks | `wgsl/commit.wgsl` | [`twin::commit`] |
//! | `commit_fold` | those sums to one point a block | `wgsl/commit_fold.wgsl` | [`twin::commit_fold`] |
//! | `field_test` | the field alone | `wgsl/field_test.wgsl` | [`twin::field_test`] |
//! | `curve_test` | the additions alone | `wgsl/curve_test.wgsl` | [`twin::curve_test`] |
//!
//! `docs/kernels.md` has the algorithms, budgets and operation counts.

pub mod catalogue;
pub mod commitment;
pub mod layout;
pub mod limits;
pub mod registry;
pub mod twin;
