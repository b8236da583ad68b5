//! Assembles the module of every variant in the catalogue, checks it, and writes it for `registry.rs` to include.
//!
//! | file | what it does |
//! | --- | --- |
//! | `build/assemble.rs` | import lines, constants, options |
//! | `build/generate.rs` | pieces that a program writes better than a person |
//! | `build/check.rs` | naga: valid, and with the bindings and layouts that the host code assumes |
//! | `build/rules.rs` | what naga does not know: private memory, loops, subgroups, workgroup memory |
//! | `build/emit.rs` | the Rust text of the registry |

// The crate's own declarations, read at build time; not everything in them is used here.
#[allow(dead_code, unreachable_pub)]
#[path = "src/catalogue.rs"]
mod catalogue;
#[allow(dead_code, unreachable_pub)]
#[path = "src/layout.rs"]
mod layout;
#[allow(dead_code, unreachable_pub)]
#[path = "src/limits.rs"]
mod limits;

#[path = "build/assemble.rs"]
mod assemble;
#[path = "build/check.rs"]
mod check;
#[path = "build/emit.rs"]
mod emit;
#[path = "build/generate.rs"]
mod generate;
#[path = "build/rules.rs"]
mod rules;

use catalogue::{CATALOGUE, Declaration, VariantDeclaration};
use std::path::Path;
use std::{env, fs, process};

// Cargo's own protocol is lines on standard output.
#[allow(clippy::print_stdout)]
fn main() {
    for path in ["build.rs", "build", "src/catalogue.rs", "src/layout.rs", "src/limits.rs", "wgsl"] {
        println!("cargo::rerun-if-changed={path}");
    }
    let out = env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
    let mut broken = false;
    for kernel in CATALOGUE {
        for variant in kernel.variants {
            if let Err(why) = build(kernel, variant, Path::new(&out)) {
                eprintln!("{}, variant {}: {why}", kernel.name, variant.name);
                broken = true;
            }
        }
    }
    if broken {
        process::exit(1);
    }
    fs::write(Path::new(&out).join("registry.rs"), emit::registry(CATALOGUE)).expect("OUT_DIR is writable");
}

/// Writes the module of one variant.
fn build(
    kernel: &Declaration,
    variant: &VariantDeclaration,
    out: &Path,
) -> Result<(), Box<dyn std::error::Error>> {
    let wgsl = assemble::module(kernel, variant, &assemble::read)?;
    let (module, info) = check::check(kernel, variant, &wgsl)?;
    rules::all(&module, &info)?;
    fs::write(out.join(emit::file_name(kernel, variant)), wgsl)?;
    Ok(())
}
