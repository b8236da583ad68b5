//! Kernels from outside.
//!
//! | file | what it shows |
//! | --- | --- |
//! | `modules.rs` | modules are valid, keep the rules, and have the layout that the host code states |
//! | `twins.rs` | twins equal the official crate, the WGSL equals its twin |
//! | `rules.rs` | no dynamically indexed private memory, no unbounded loop |
//! | `evaluate.rs` | the meaning of a module, step by step |

mod evaluate;
mod modules;
mod rules;
mod twins;

use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};

/// Parses and validates with no optional capability: no subgroups, no 64-bit integers, no atomics on them.
pub(crate) fn module(wgsl: &str) -> Result<(naga::Module, ModuleInfo), String> {
    let module = naga::front::wgsl::parse_str(wgsl).map_err(|error| error.emit_to_string(wgsl))?;
    let info = Validator::new(ValidationFlags::all(), Capabilities::empty())
        .validate(&module)
        .map_err(|error| error.emit_to_string(wgsl))?;
    Ok((module, info))
}
