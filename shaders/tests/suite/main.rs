//! Kernels from outside.
//!
//! | file | what it shows |
//! | --- | --- |
//! | `build.rs` | the build refuses modules that are invalid or differ from the catalogue and the host structs |
//! | `golden.rs` | the generated text changes only with the golden files |
//! | `modules.rs` | the rules that validation does not know refuse what they should; sizes stay within the limits |
//! | `twins.rs`, `fixture.rs` | twins equal the official crate and plain code, on the edges |
//! | `meaning.rs`, `evaluate.rs` | the WGSL, evaluated step by step from naga's representation, equals its twin |

// What the build script is made of.
#[path = "../../build/assemble.rs"]
mod assemble;
#[path = "../../build/check.rs"]
mod check;
#[path = "../../build/generate.rs"]
mod generate;
#[path = "../../build/rules.rs"]
mod rules;
use holdfast_shaders::{catalogue, layout, limits};

mod build;
mod evaluate;
mod fixture;
mod golden;
mod meaning;
mod modules;
mod twins;

use holdfast_shaders::registry::{KERNELS, Kernel, Variant};

/// All variants of all kernels.
pub(crate) fn variants() -> impl Iterator<Item = (&'static Kernel, &'static Variant)> {
    KERNELS.iter().flat_map(|kernel| kernel.variants.iter().map(move |variant| (kernel, variant)))
}

/// Parses and validates a module with the optional capabilities that it declares, and no others.
pub(crate) fn module(wgsl: &str, needs_int64: bool) -> (naga::Module, naga::valid::ModuleInfo) {
    check::validate(wgsl, check::capabilities(needs_int64)).unwrap_or_else(|error| panic!("{error}"))
}
