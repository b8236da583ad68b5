use std::path::PathBuf;

/// Why a `partition.json` could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The file cannot be read.
    #[error("{}: {source}{}", path.display(), if source.kind() == std::io::ErrorKind::NotFound { ": allocate space in this directory first" } else { "" })]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file cannot be written; the old one, if any, is still there.
    #[error("{}: cannot be written: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file was read, but says something it must not.
    #[error("{}: {problem}", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: Box<ManifestError>,
    },
    /// Not JSON, or not these fields; the message has line and column.
    #[error("not a manifest of this version: {0}")]
    Json(#[from] serde_json::Error),
    /// Written by another version of holdfast.
    #[error(
        "manifest version {found}, this program reads version {supported}: use the release that wrote it"
    )]
    UnknownVersion {
        /// The version in the file.
        found: u32,
        /// The only one this code reads.
        supported: u32,
    },
    /// A field that contradicts another, or that cannot be.
    #[error("{field} is {found}, expected {expected}")]
    Field {
        /// The field, with its place.
        field: String,
        /// What it must be.
        expected: String,
        /// What it is.
        found: String,
    },
}

impl ManifestError {
    /// Whether there is simply no manifest.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Read { source, .. } if source.kind() == std::io::ErrorKind::NotFound)
    }
}
