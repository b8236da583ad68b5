//! The care of owners' files: pieces are placed, audited, and made anew when they are lost, until the owner releases the file or it
//! expires.
//!
//! What was acknowledged is in the index before; what has to be done about it follows from the index alone, so a process that is
//! killed goes on from there. Several processes may serve owners with one index; one of them tends to the files at a time.

mod audits;
mod candidates;
mod claims;
mod delete;
mod error;
mod hand_out;
mod held;
mod locate;
mod place;
mod proof;
mod rebuild;
mod register;
mod release;
mod rows;
mod settings;
mod stored;
mod tend;
mod transfer;

use std::fmt;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use holdfast_engine::account::Account;
use tokio::sync::Semaphore;
use tonic::Status;

use super::ValidatorError;
use super::events::{Event, Events};
use super::peers::{Peer, Peers};
use super::serve::Care;
use crate::chain::Chain;
use crate::connect::Connector;
use crate::export::EventKind;
use crate::index::Index;
use crate::index::lease::Lease;
use crate::operation::metrics::Metrics;
use crate::pieces::PieceId;
use crate::proto::{
    AuditRequest, AuditResponse, ListRequest, ListResponse, LocateRequest, LocateResponse, PlaceRequest,
    PlaceResponse, RegisterRequest, RegisterResponse, ReleaseRequest, ReleaseResponse,
};
use crate::wire::Correspondent;
use candidates::Miners;
use rows::FileKey;

pub use error::CareError;
pub use settings::CareSettings;
pub use tend::Tended;

/// Files of a page of rows at once.
const PAGE_ROWS: usize = 1024;

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
    /// Of a validator with this index. It is both the [`Holdings`](super::holdings::Holdings) of its rounds and the [`Care`] of its service.
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

#[cfg(test)]
mod tests;
