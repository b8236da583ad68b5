//! The Rust text of the registry: one constant a kernel, and the list of all.

use crate::catalogue::{Declaration, VariantDeclaration};
use std::fmt::Write as _;

/// File of a variant's module in `OUT_DIR`.
pub(crate) fn file_name(kernel: &Declaration, variant: &VariantDeclaration) -> String {
    format!("{}.{}.wgsl", kernel.name, variant.name)
}

/// The text that `src/registry.rs` includes.
pub(crate) fn registry(catalogue: &[Declaration]) -> String {
    let mut text = String::new();
    let mut names = Vec::new();
    for (i, kernel) in catalogue.iter().enumerate() {
        let name = kernel.name.to_uppercase();
        let variants: String = kernel.variants.iter().map(|v| variant(kernel, v)).collect();
        let Declaration { name: kernel_name, summary, .. } = kernel;
        write!(
            text,
            "/// {summary}\npub const {name}: Kernel = Kernel {{ name: {kernel_name:?}, bindings: \
             crate::catalogue::CATALOGUE[{i}].bindings, variants: &[{variants}] }};\n\n"
        )
        .expect("a String takes everything");
        names.push(name);
    }
    text + &format!("/// All kernels.\npub const KERNELS: &[Kernel] = &[{}];\n", names.join(", "))
}

fn variant(kernel: &Declaration, variant: &VariantDeclaration) -> String {
    let VariantDeclaration { name, workgroup, lanes, needs_int64, .. } = variant;
    let file = format!("/{}", file_name(kernel, variant));
    format!(
        "Variant {{ name: {name:?}, wgsl: include_str!(concat!(env!(\"OUT_DIR\"), {file:?})), \
         workgroup: [{workgroup}, 1, 1], lanes: {lanes}, needs_int64: {needs_int64} }}, "
    )
}
