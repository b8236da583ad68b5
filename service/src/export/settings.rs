//! `export.json`: whose export a directory holds.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::num::{NonZeroU32, NonZeroU64};
use std::path::{Path, PathBuf};

use holdfast_engine::account::Account;
use holdfast_engine::policy::Policy;
use holdfast_engine::rejection::Class;
use serde::{Deserialize, Serialize};

use super::ExportError;
use super::parts::sync_directory;

/// The file that makes a directory an export.
pub const SETTINGS_FILE: &str = "export.json";
/// What is being written; of no use to anybody.
pub(super) const NEW_SUFFIX: &str = ".new";
const FORMAT: &str = "holdfast-export";
const VERSION: u32 = 1;
/// No such file is longer.
const BYTES_MAX: u64 = 1 << 16;

/// Whose export it is. None of this ever changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportSettings {
    /// The network, in hex.
    #[serde(with = "hex::serde")]
    pub network: [u8; 32],
    /// Whose rounds these are.
    pub validator: Account,
    /// F: a block is final when this many blocks stand on it.
    pub finality_blocks: NonZeroU64,
    /// How often the validator asks, if it says so: then rounds without a receipt are found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audits: Option<AuditRates>,
}

/// The two numbers of a policy that say which rounds there were.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditRates {
    /// One block in this many is an audit height, on average.
    pub one_in_blocks: NonZeroU32,
    /// One object in this many is audited at an audit height, on average and for each kind; absent where objects are not drawn
    /// by lot but share in a miner's samples, so that nobody can tell which had to be audited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub one_in_objects: Option<NonZeroU32>,
}

impl AuditRates {
    /// Of a policy; `None` if one of its numbers is zero.
    pub fn of(policy: &Policy) -> Option<AuditRates> {
        let one_in_blocks = NonZeroU32::new(policy.audit_one_in_blocks)?;
        Some(AuditRates { one_in_blocks, one_in_objects: Some(policy.objects.one_in) })
    }

    /// The same for a validator whose objects share in the samples of its rounds (object-v1 §6).
    pub fn without_lottery(self) -> AuditRates {
        AuditRates { one_in_objects: None, ..self }
    }
}

/// What is read before anything else, whatever else a later version may hold.
#[derive(Deserialize)]
struct Head {
    format: String,
    version: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    format: String,
    version: u32,
    export: ExportSettings,
}

impl ExportSettings {
    /// Reads the settings of an export.
    ///
    /// # Errors
    /// `Rejected` as `malformed` if the file is not of this version; `File`.
    pub(super) fn read(root: &Path) -> Result<ExportSettings, ExportError> {
        let path = root.join(SETTINGS_FILE);
        let mut bytes = Vec::new();
        let file = File::open(&path).map_err(ExportError::file("read", &path))?;
        file.take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(ExportError::file("read", &path))?;
        parse(&bytes).map_err(|detail| ExportError::rejected(path, Class::Malformed.because(detail)))
    }

    /// Reads the settings, which must be these; writes them where there are none.
    pub(super) fn settle(&self, root: &Path) -> Result<(), ExportError> {
        match ExportSettings::read(root) {
            Ok(found) => self.compare(&found, root.join(SETTINGS_FILE)),
            Err(ExportError::File { source, .. }) if source.kind() == ErrorKind::NotFound => self.write(root),
            Err(error) => Err(error),
        }
    }

    fn compare(&self, found: &ExportSettings, path: PathBuf) -> Result<(), ExportError> {
        let text = |settings: &ExportSettings| {
            [
                ("network", hex::encode(settings.network)),
                ("validator", settings.validator.to_string()),
                ("finality depth", settings.finality_blocks.to_string()),
                ("audit rates", format!("{:?}", settings.audits)),
            ]
        };
        for ((field, found), (_, expected)) in text(found).into_iter().zip(text(self)) {
            if found != expected {
                return Err(ExportError::OtherExport { path, field, found, expected });
            }
        }
        Ok(())
    }

    fn write(&self, root: &Path) -> Result<(), ExportError> {
        let (path, new) = (root.join(SETTINGS_FILE), root.join(format!("{SETTINGS_FILE}{NEW_SUFFIX}")));
        let document = Document { format: FORMAT.to_owned(), version: VERSION, export: *self };
        let failed = |source| ExportError::File { doing: "write", path: path.clone(), source };
        let mut bytes = serde_json::to_vec_pretty(&document).map_err(|error| failed(error.into()))?;
        bytes.push(b'\n');
        let mut file = File::create(&new).map_err(failed)?;
        file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(failed)?;
        fs::rename(&new, &path).map_err(failed)?;
        sync_directory(root)
    }
}

/// Whether a directory holds an export.
pub fn is_export(path: &Path) -> bool {
    path.join(SETTINGS_FILE).is_file()
}

fn parse(bytes: &[u8]) -> Result<ExportSettings, String> {
    if bytes.len() as u64 > BYTES_MAX {
        return Err(format!("it is longer than {BYTES_MAX} bytes"));
    }
    let head: Head = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if head.format != FORMAT {
        return Err(format!("its format is \"{}\", not \"{FORMAT}\"", head.format.escape_default()));
    }
    if head.version != VERSION {
        return Err(format!("its version is {}; this program knows {VERSION}", head.version));
    }
    let document: Document = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    Ok(document.export)
}
