//! The care of owners' files: pieces are placed, audited, and made anew when they are lost, until the owner releases the file or it
//! expires.
//!
//! What was acknowledged is in the index before; what has to be done about it follows from the index alone, so a process that is
//! killed goes on from there. Several processes may serve owners with one index; one of them tends to the files at a time.

mod candidates;
mod error;
mod locate;
mod place;
mod rebuild;
mod register;
mod release;
mod rows;
mod settings;
mod tend;

use std::fmt;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use holdfast_engine::account::Account;
use holdfast_engine::receipt::Outcome;
use tokio::sync::Semaphore;
use tonic::Status;

use super::ValidatorError;
use super::events::{Event, Events};
use super::holdings::{Held, Holdings};
use super::peers::{Peer, Peers};
use super::serve::Care;
use crate::chain::Chain;
use crate::connect::Connector;
use crate::export::EventKind;
use crate::index::lease::Lease;
use crate::index::{Index, KeyRange, transact};
use crate::operation::metrics::Metrics;
use crate::pieces::PieceId;
use crate::proto::{
    AuditRequest, AuditResponse, ListRequest, ListResponse, LocateRequest, LocateResponse, PlaceRequest,
    PlaceResponse, RegisterRequest, RegisterResponse, ReleaseRequest, ReleaseResponse,
};
use crate::wire::Correspondent;
use candidates::Miners;
use rows::{BY_DIGEST, FAILED_LINKS, FailedLinkRow, FileKey, HELD, PIECES, failed_by, held_by};

pub use error::CareError;
pub use settings::CareSettings;
pub use tend::Tended;

/// Files of a page of rows at once.
const PAGE_ROWS: usize = 1024;

/// A piece is not audited in its last seconds: before an answer came, it could be expired by its miner's clock.
const LAST_SECONDS: u64 = 180;
/// Files that are audited for their owners at the same time; more are refused.
const AUDITS_MAX: usize = 4;

/// Cares for files.
pub struct Keeper {
    settings: CareSettings,
    chain: Arc<dyn Chain>,
    index: Arc<dyn Index>,
    peers: Arc<Peers>,
    miners: Miners,
    /// For files that owners have audited: each takes up to 256 KiB of each of its pieces.
    audits: Semaphore,
    events: Events,
    /// Of the process that tends to files.
    lease: Mutex<Option<Lease>>,
    metrics: Arc<Metrics>,
}

impl fmt::Debug for Keeper {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Keeper({})", self.peers.correspondent().account())
    }
}

impl Keeper {
    /// Of a validator with this index. It is both the [`Holdings`] of its rounds and the [`Care`] of its service.
    pub fn new(
        settings: CareSettings,
        chain: Arc<dyn Chain>,
        index: Arc<dyn Index>,
        correspondent: Arc<Correspondent>,
        connector: Connector,
        metrics: Arc<Metrics>,
    ) -> Arc<Keeper> {
        let events = Events::new(Arc::clone(&index), Arc::clone(correspondent.clock()));
        let peers = Arc::new(Peers::new(correspondent, connector));
        Arc::new(Keeper {
            settings,
            chain,
            index,
            peers,
            miners: Miners::default(),
            audits: Semaphore::new(AUDITS_MAX),
            events,
            lease: Mutex::default(),
            metrics,
        })
    }

    /// Writes down what happened to pieces of a file, each with its miner.
    async fn note_pieces(&self, kind: EventKind, (_, file): FileKey, pieces: Vec<(PieceId, Account)>) {
        let height = self.chain.heads().borrow().height;
        let event = |(id, miner): (PieceId, Account)| {
            let event =
                Event::new(kind, height, format!("the piece of {id}")).of_miner(miner).of_object(file);
            event.with("segment", id.segment).with("shard", id.shard).with("generation", id.generation)
        };
        self.events.note(pieces.into_iter().map(event)).await;
    }

    fn account(&self) -> Account {
        self.peers.correspondent().account()
    }

    fn now_seconds(&self) -> u64 {
        self.peers.correspondent().clock().now_seconds()
    }

    /// Where a miner can be reached, if it takes part.
    async fn peer(&self, miner: &Account) -> Result<Option<Peer>, CareError> {
        let metagraph = self.chain.metagraph().await?;
        let endpoint = metagraph.neuron_of(miner).and_then(|neuron| neuron.endpoint);
        Ok(endpoint.map(|endpoint| Peer { account: *miner, endpoint }))
    }
}

/// Runs work that computes or waits for the chain on a thread where that holds up nobody.
async fn blocking<T: Send + 'static>(
    doing: &'static str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, CareError> {
    let ended = |error: tokio::task::JoinError| ValidatorError::Ended { doing, detail: error.to_string() };
    Ok(tokio::task::spawn_blocking(work).await.map_err(ended)?)
}

#[async_trait]
impl Care for Keeper {
    async fn place(&self, caller: Account, request: PlaceRequest) -> Result<PlaceResponse, Status> {
        Ok(self.place_pieces(caller, &request).await?)
    }

    async fn register(&self, caller: Account, request: RegisterRequest) -> Result<RegisterResponse, Status> {
        self.register_file(caller, request).await?;
        Ok(RegisterResponse { seal: None })
    }

    async fn locate(&self, caller: Account, request: LocateRequest) -> Result<LocateResponse, Status> {
        Ok(self.locate_file(caller, &request).await?)
    }

    async fn list(&self, caller: Account, request: ListRequest) -> Result<ListResponse, Status> {
        Ok(self.list_files(caller, &request).await?)
    }

    async fn release(&self, caller: Account, request: ReleaseRequest) -> Result<ReleaseResponse, Status> {
        Ok(self.release_file(caller, &request).await?)
    }

    async fn audit(&self, caller: Account, request: AuditRequest) -> Result<AuditResponse, Status> {
        Ok(self.audit_file(caller, &request).await?)
    }
}

#[async_trait]
impl Holdings for Keeper {
    async fn held(&self, miner: &Account) -> Result<Held, ValidatorError> {
        let mut pages = HELD.pages(&*self.index, HELD.prefix(&held_by(miner)), PAGE_ROWS);
        let (mut held, ends) = (Held::default(), self.now_seconds().saturating_add(LAST_SECONDS));
        while let Some(page) = pages.next().await? {
            for row in HELD.rows(&page)?.iter().filter(|row| row.value.expires_at > ends) {
                let (_, digest) = row.key;
                if row.value.is_doubted {
                    held.doubted.insert(digest);
                }
                held.records.push(row.value.signed_record()?);
            }
        }
        Ok(held)
    }

    async fn miners(&self) -> Result<Vec<Account>, ValidatorError> {
        let mut miners = Vec::new();
        let mut range =
            HELD.between(&(held_by(&Account([0; 32])), [0; 32]), &((1, Account([0; 32])), [0; 32]));
        // Each miner has many rows: from one to the next.
        while let [row] = &HELD.scan(&*self.index, &range, 1).await?[..] {
            let (_, miner) = row.key.0;
            miners.push(miner);
            let last_of_miner = crate::index::Key::to_bytes(&(held_by(&miner), [u8::MAX; 32]));
            range = KeyRange::beyond(range, &last_of_miner);
        }
        Ok(miners)
    }

    async fn audited(
        &self,
        record_digest: &[u8; 32],
        height: u64,
        outcome: Outcome,
    ) -> Result<(), ValidatorError> {
        // What was released or made anew meanwhile is nobody's business.
        let Some(held) = BY_DIGEST.get(&*self.index, &(1, *record_digest)).await? else { return Ok(()) };
        let key = &held.piece_key();
        transact(&*self.index, |work| async move {
            let Some(mut piece) = PIECES.read(&work, key).await? else { return Ok(()) };
            let PieceId { generation, .. } = held.piece;
            if piece.generation != generation || piece.audited_at.is_some_and(|before| before >= height) {
                return Ok(());
            }
            piece.audited_at = Some(height);
            match outcome {
                // Commitments of other bytes pass all audits but links: only a link makes up for one.
                Outcome::Accepted if held.failed_link => {}
                Outcome::Accepted => (piece.failed_audits, piece.missed_audits) = (0, 0),
                Outcome::Missed => piece.missed_audits = piece.missed_audits.saturating_add(1),
                _ => piece.failed_audits = piece.failed_audits.saturating_add(1),
            }
            PIECES.write(&work, key, &piece)?;
            Ok::<_, ValidatorError>(())
        })
        .await
    }

    async fn linked(
        &self,
        (miner, record_digest): (&Account, &[u8; 32]),
        height: u64,
        passed: bool,
    ) -> Result<(), ValidatorError> {
        let (by_digest, failed) = (&(1, *record_digest), &(failed_by(miner), *record_digest));
        transact(&*self.index, |work| async move {
            match passed {
                true => FAILED_LINKS.remove(&work, failed),
                false => FAILED_LINKS.write(&work, failed, &FailedLinkRow { height })?,
            }
            let Some(mut held) = BY_DIGEST.read(&work, by_digest).await? else { return Ok(()) };
            (held.is_doubted, held.failed_link) = (!passed, !passed);
            held.write(&work)
        })
        .await
    }
}

#[cfg(test)]
mod tests;
