//! WGSL kernels of holdfast and their CPU twins.
//!
//! A kernel, its WGSL file, its entry point and its twin have one name. This crate knows no GPU API and no files, and
//! **no GPU back end exists yet**: nothing here has run on a GPU. What the tests show is that the modules are valid
//! WGSL with the layouts that [`layout`] states, that the twins equal the official `blake3` crate, and that the WGSL,
//! evaluated step by step from naga's representation, equals the twins.
//!
//! | kernel | WGSL | twin |
//! | --- | --- | --- |
//! | `label_first_layer` | `wgsl/label_first_layer.wgsl` | [`twin::label_first_layer`] |

pub mod layout;
pub mod registry;
pub mod twin;
