//! Dividing disks among validators: what each gets, how that differs from what is there, and making it so.

mod apply;
mod propose;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use holdfast_engine::account::{Account, AccountError, AccountSource};
use holdfast_engine::registration::{Profile, WindowShape};
use holdfast_engine::signature::{Signature, Signer};
use holdfast_partition::allocate::StakeTable;

use crate::local::console::Console;
use crate::local::failure::Failure;

pub use apply::{apply, apply_registered, register, resize_partition};
pub use propose::{Action, Proposal, ProposedPartition, propose};

/// What is to be divided, resolved.
#[derive(Debug)]
pub struct Shares {
    /// Who is staked with how much.
    pub stakes: StakeTable,
    /// Share of the free bytes to use.
    pub threshold: f64,
    /// Never more than this on one disk.
    pub max_bytes: Option<u64>,
    /// Bytes of a window, if they were given.
    pub window_bytes: Option<u64>,
    /// Work per window, if it was given.
    pub profile: Option<Profile>,
    /// Part of each share that is kept free of windows beside what objects take, so that objects find room at once. 0 gives
    /// windows everything.
    pub object_reserve: f64,
}

/// An account with the text that it was given as.
#[derive(Clone, Debug)]
pub struct NamedAccount {
    /// As given, for people and the manifest.
    pub name: String,
    /// The 32 bytes.
    pub account: Account,
    signer: Option<Arc<Signer>>,
}

impl NamedAccount {
    /// Reads an account; warns when a development name is probably a mistyped address.
    pub fn parse(name: &str, console: &Console) -> Result<NamedAccount, Failure> {
        let (account, source) =
            Account::parse(name).map_err(|error: AccountError| Failure::Usage(error.to_string()))?;
        if source == (AccountSource::DevelopmentName { looks_like_ss58: true }) {
            console.warn(format!(
                "{name} looks like an SS58 address, but its checksum is wrong. It is taken for a development name, \
                 whose key everybody knows. Was it mistyped?"
            ));
        }
        let signer = match source {
            AccountSource::DevelopmentName { .. } => Some(Arc::new(Signer::development(name))),
            AccountSource::Ss58 | AccountSource::Hex => None,
        };
        Ok(NamedAccount { name: name.to_owned(), account, signer })
    }

    /// An account whose key is at hand, under its address.
    pub fn of_signer(signer: Arc<Signer>) -> NamedAccount {
        let account = signer.account();
        NamedAccount { name: account.to_string(), account, signer: Some(signer) }
    }

    /// The key if it is at hand.
    pub fn signer(&self) -> Option<&Signer> {
        self.signer.as_deref()
    }

    /// Signs if the key is at hand.
    pub fn sign(&self, digest: &[u8; 32]) -> Signature {
        self.signer().map_or(Signature::NONE, |signer| signer.sign(digest))
    }
}

/// Sizes of the file system that a directory is on, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct FileSystem {
    /// Everything.
    pub total_bytes: u64,
    /// What we may still use.
    pub free_bytes: u64,
}

impl FileSystem {
    /// Asks the system.
    pub fn of(directory: &Path) -> Result<FileSystem, Failure> {
        let stat = rustix::fs::statvfs(directory)
            .map_err(|error| Failure::file("ask the file system of", directory, error.into()))?;
        Ok(FileSystem {
            total_bytes: stat.f_blocks.saturating_mul(stat.f_frsize),
            free_bytes: stat.f_bavail.saturating_mul(stat.f_frsize),
        })
    }
}

/// Where a proposal is to be carried out, and for whom.
#[derive(Debug)]
pub struct Site<'a> {
    /// The miner.
    pub miner: &'a NamedAccount,
    /// Number of the subnet.
    pub netuid: u16,
    /// Name of the wallet.
    pub wallet: Option<String>,
    /// Name of the hotkey in it.
    pub hotkey: Option<String>,
    /// The recorder's file.
    pub recorder: PathBuf,
}

/// Windows of less are refused by the default policy.
pub const LOW_MEMORY_WINDOW_BYTES: u64 = 64 << 20;
const STANDARD_WINDOW_BYTES: u64 = 1 << 30;
/// A disk for fewer windows than an audit samples is cut into smaller ones.
const STANDARD_WINDOWS_MINIMUM: u64 = 64;

/// The windows for a disk of so many usable bytes, when nothing else is said.
fn default_window_bytes(threshold_bytes: u64) -> u64 {
    if threshold_bytes / STANDARD_WINDOW_BYTES >= STANDARD_WINDOWS_MINIMUM {
        STANDARD_WINDOW_BYTES
    } else {
        LOW_MEMORY_WINDOW_BYTES
    }
}

fn shape(window_bytes: u64, profile: Profile) -> Result<WindowShape, Failure> {
    WindowShape::of_bytes(window_bytes, profile).map_err(|rejection| Failure::Usage(rejection.detail))
}
