//! The text of a module: the variant's constants, then every imported piece once, then the kernel.
//!
//! A line `// import shared/blake3.wgsl` asks for a piece. `{product}` in it stands for the variant's option of that name.
//! Pieces may import others. Names under `generated/` are written by `build/generate.rs`, all others are files of `wgsl/`.

use crate::catalogue::{Declaration, VariantDeclaration};
use crate::generate;
use std::error::Error;
use std::fmt::{self, Display, Formatter};
use std::path::Path;

const IMPORT: &str = "// import ";
const GENERATED: &str = "generated/";

/// Why a module cannot be put together.
#[derive(Debug)]
pub(crate) enum AssembleError {
    /// No such file or generator.
    NoPiece { name: String, imported_by: String },
    /// An import line names an option that the variant does not have.
    NoOption { import: String, imported_by: String },
}

impl Display for AssembleError {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPiece { name, imported_by } => {
                write!(out, "{imported_by} imports {name}, which there is not")
            }
            Self::NoOption { import, imported_by } => {
                write!(out, "{imported_by} imports {import}, but the variant has no such option")
            }
        }
    }
}

impl Error for AssembleError {}

/// Reads a piece of `wgsl/`.
pub(crate) fn read(name: &str) -> Option<String> {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("wgsl").join(name)).ok()
}

/// The whole text of one variant. `read` gives the text of a file of `wgsl/`.
pub(crate) fn module(
    kernel: &Declaration,
    variant: &VariantDeclaration,
    read: &dyn Fn(&str) -> Option<String>,
) -> Result<String, AssembleError> {
    let mut assembly = Assembly { variant, read, seen: Vec::new(), text: head(kernel, variant) };
    assembly.add(&format!("{}.wgsl", kernel.name), "the catalogue")?;
    Ok(assembly.text)
}

/// Title and constants.
fn head(kernel: &Declaration, variant: &VariantDeclaration) -> String {
    let title = format!("// Kernel {}, variant {}: assembled by the build.\n\n", kernel.name, variant.name);
    let constants = [("WORKGROUP", variant.workgroup)].into_iter().chain(variant.constants.iter().copied());
    title + &constants.map(|(name, value)| format!("const {name}: u32 = {value}u;\n")).collect::<String>()
}

struct Assembly<'a> {
    variant: &'a VariantDeclaration,
    read: &'a dyn Fn(&str) -> Option<String>,
    seen: Vec<String>,
    text: String,
}

impl Assembly<'_> {
    /// Adds a piece after everything that it imports, unless it is there already.
    fn add(&mut self, name: &str, imported_by: &str) -> Result<(), AssembleError> {
        if self.seen.iter().any(|seen| seen == name) {
            return Ok(());
        }
        // Before its imports, so that two pieces that import each other end.
        self.seen.push(name.to_owned());
        let piece = match name.strip_prefix(GENERATED) {
            Some(name) => generate::piece(name, self.variant),
            None => (self.read)(name),
        };
        let piece =
            piece.ok_or(AssembleError::NoPiece { name: name.into(), imported_by: imported_by.into() })?;
        let mut own = String::new();
        for line in piece.lines() {
            match line.strip_prefix(IMPORT) {
                Some(import) => self.add(&self.resolved(import.trim(), name)?, name)?,
                None => own += &format!("{line}\n"),
            }
        }
        self.text += &format!("\n// ---- {name}\n\n{}\n", own.trim().replace("\n\n\n", "\n\n"));
        Ok(())
    }

    /// `import` with its options filled in.
    fn resolved(&self, import: &str, imported_by: &str) -> Result<String, AssembleError> {
        let filled =
            self.variant.options.iter().fold(import.to_owned(), |text, (option, value)| {
                text.replace(&format!("{{{option}}}"), value)
            });
        if filled.contains('{') {
            return Err(AssembleError::NoOption { import: filled, imported_by: imported_by.into() });
        }
        Ok(filled)
    }
}
