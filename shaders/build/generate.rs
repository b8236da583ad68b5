//! Pieces of WGSL that a program writes better than a person: unrolled, with every index resolved.

#[path = "generate/blake3.rs"]
mod blake3;
#[path = "generate/carried.rs"]
mod carried;
#[path = "generate/columns.rs"]
mod columns;
#[path = "generate/field.rs"]
mod field;

use crate::catalogue::VariantDeclaration;

/// The piece `generated/name` for a variant; `None` if no generator has that name.
pub(crate) fn piece(name: &str, variant: &VariantDeclaration) -> Option<String> {
    match name {
        "blake3_rounds.wgsl" => Some(blake3::rounds()),
        "carried.wgsl" => carried::functions(variant),
        "columns.wgsl" => columns::functions(variant),
        "reduce.wgsl" => Some(field::reduce()),
        _ => None,
    }
}
