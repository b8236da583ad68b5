//! WGSL kernels of holdfast and their CPU twins.
//!
//! A kernel, its WGSL file, its entry point and its twin have one name. This crate knows no GPU API and no files. The
//! build assembles each variant's module from the pieces that its import lines name, has naga parse and validate it, and
//! compares what naga reflects with [`catalogue`] and [`layout`]: a broken shader or a layout that differs does not build.
//!
//! | kernel | WGSL | twin |
//! | --- | --- | --- |
//! | `label_first_layer` | `wgsl/label_first_layer.wgsl` | [`twin::label_first_layer`] |

pub mod catalogue;
pub mod layout;
pub mod limits;
pub mod registry;
pub mod twin;
