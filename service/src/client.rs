//! An owner's side: files are encrypted, cut into pieces and stored with miners that a validator chooses, and come back verified.
//!
//! Bytes go from the owner to miners and back; the validator gives tickets and takes care of what is stored. Nobody is believed: miners
//! show every block against a root that the owner made, and the whole file has the root by which it is called.
//!
//! ```text
//! put   source ─► age ─► spool (one pass: roots of all pieces) ─► Place ─► Store on miners ─► records ─► Register
//! get   Locate ─► windows of k pieces, in parallel, each block checked ─► decoded ─► root checked, decrypted ─► file
//! ```

mod ahead;
mod error;
mod fetch;
mod get;
mod library;
mod put;
mod spool;
mod tokens;
mod upload;
mod whole;

#[cfg(test)]
pub(crate) mod fixture;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use holdfast_engine::account::Account;

use crate::connect::Connector;
use crate::pieces::{Manifest, PieceId};
use crate::proto::{AuditRequest, AuditedPiece, FileSummary, ListRequest, ReleaseRequest, ReleaseResponse};
use crate::validator::peers::{Peer, PeerError, Peers};
use crate::wire::Correspondent;
use library::Library;

pub use error::ClientError;
pub use get::{GetOptions, Got};
pub use put::{CommitCost, PutOptions, Stored};
pub use whole::{NotAsked, WholeAudit, WholeOptions, WholeOutcome};

/// Files that are asked for at once.
const LISTED_AT_ONCE: u32 = 256;

/// Who wants to know how far a transfer is. Called from several threads.
pub trait Watch: Send + Sync {
    /// So many bytes are to be moved in all.
    fn expect(&self, _total_bytes: u64) {}
    /// More bytes were moved.
    fn moved(&self, _bytes: u64) {}
    /// A miner failed, and another one is taken.
    fn fault(&self, _fault: &Fault) {}
}

/// For callers that do not watch.
impl Watch for () {}

/// What a miner did wrong with a piece, or failed to do.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Which piece.
    pub piece: PieceId,
    /// Who.
    pub miner: Account,
    /// What happened, in a sentence that names the miner.
    pub what: String,
    /// Whether it sent wrong bytes, rather than none.
    pub is_wrong: bool,
}

impl Fault {
    fn new(piece: PieceId, miner: Account, error: &PeerError) -> Fault {
        let is_wrong = matches!(error, PeerError::Rejected { .. });
        Fault { piece, miner, what: error.to_string(), is_wrong }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "piece of {}: {}", self.piece, self.what)
    }
}

/// A file of this owner, as the validator has it and as it is known here.
#[derive(Clone, Debug)]
pub struct OwnedFile {
    /// What the validator says.
    pub summary: FileSummary,
    /// The file's name, if this machine knows it.
    pub name: Option<String>,
}

/// An owner who talks to one validator.
#[derive(Debug)]
pub struct Client {
    peers: Arc<Peers>,
    validator: Peer,
    library: Library,
}

impl Client {
    /// Of the account of `correspondent`, which connects by `connector`. `state` is a directory that is made if there is none: what is known of the owner's files
    /// (secrets among it), and puts that were interrupted.
    ///
    /// # Errors
    /// [`ClientError::File`].
    pub fn new(
        correspondent: Arc<Correspondent>,
        connector: Connector,
        validator: Peer,
        state: &Path,
    ) -> Result<Client, ClientError> {
        let library = Library::open(state)?;
        Ok(Client { peers: Arc::new(Peers::new(correspondent, connector)), validator, library })
    }

    /// The owner.
    pub fn account(&self) -> Account {
        self.peers.correspondent().account()
    }

    /// All files that the validator has in care for this owner.
    ///
    /// # Errors
    /// [`ClientError::Peer`], [`ClientError::File`].
    pub async fn list(&self) -> Result<Vec<OwnedFile>, ClientError> {
        let mut files: Vec<OwnedFile> = Vec::new();
        loop {
            let after = files.last().map(|file| file.summary.file_root.clone()).unwrap_or_default();
            let request = ListRequest { after, limit: LISTED_AT_ONCE, seal: None };
            let page = self.peers.list(self.validator, request).await?.files;
            if page.is_empty() {
                return Ok(files);
            }
            for summary in page {
                let root = <[u8; 32]>::try_from(&summary.file_root[..]).ok();
                let manifest = root.map(|root| self.library.manifest(&root)).transpose()?.flatten();
                let private = manifest.as_ref().and_then(Manifest::private);
                let name = private.map(|private| private.name.clone());
                files.push(OwnedFile { summary, name });
            }
        }
    }

    /// Ends the care of a file, and has its pieces deleted.
    ///
    /// # Errors
    /// [`ClientError::Peer`], [`ClientError::File`].
    pub async fn remove(&self, file: &[u8; 32]) -> Result<ReleaseResponse, ClientError> {
        let request = ReleaseRequest { file_root: file.to_vec().into(), seal: None };
        let released = self.peers.release(self.validator, request).await?;
        self.library.forget(file)?;
        Ok(released)
    }

    /// What the validator tells of itself, as JSON: what `holdfast validator status --json` shows.
    ///
    /// # Errors
    /// [`ClientError::Peer`].
    pub async fn validator_status(&self) -> Result<String, ClientError> {
        Ok(self.peers.validator_status(self.validator).await?)
    }

    /// Has the validator fetch some blocks of every piece of a file.
    ///
    /// # Errors
    /// [`ClientError::Peer`].
    pub async fn audit(&self, file: &[u8; 32]) -> Result<Vec<AuditedPiece>, ClientError> {
        let request = AuditRequest { file_root: file.to_vec().into(), seal: None };
        Ok(self.peers.audit_file(self.validator, request).await?.pieces)
    }
}

/// Runs work that waits for disks or computes on a thread where that holds up nobody.
async fn blocking<T: Send + 'static>(
    doing: &'static str,
    work: impl FnOnce() -> Result<T, ClientError> + Send + 'static,
) -> Result<T, ClientError> {
    let ended = |error: tokio::task::JoinError| ClientError::Ended { doing, detail: error.to_string() };
    tokio::task::spawn_blocking(work).await.map_err(ended)?
}

#[cfg(test)]
mod tests;
