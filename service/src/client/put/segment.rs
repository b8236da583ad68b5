//! Storing the pieces of one segment: all at once, each with its miner, until every piece is acknowledged.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use holdfast_engine::account::Account;
use holdfast_engine::rejection::{Class, Rejection};
use tokio::task::JoinSet;
use tonic::Code;

use super::journal::{Acknowledged, Journal, Placed};
use super::{PutDirectory, ciphertext_path};
use crate::client::spool::Plan;
use crate::client::upload::{check_segment, send_segment};
use crate::client::{Client, ClientError, Fault, Watch, blocking};
use crate::pieces::{Content, PieceId};
use crate::proto::{ObjectName, PlaceRequest, PlacedPiece, StoreResponse};
use crate::validator::peers::{Peer, PeerError, check_acknowledgement, parts};
use crate::wire::bytes32;
use crate::wire::status::class_of;

/// Uploads of one piece that may fail before the put does.
pub(super) const FAULTS_MAX: usize = 8;
/// Of them, those that broke off with one miner and may go on with it.
const BREAKS_MAX: usize = 2;
/// What the validator is asked to have it kept longer, in seconds: clocks differ.
const KEEP_MORE_SECONDS: u64 = 120;

/// What came of one upload.
struct Uploaded {
    shard: u8,
    peer: Peer,
    result: Result<StoreResponse, PeerError>,
}

/// What went wrong so far with the pieces of a segment.
#[derive(Default)]
struct Troubles {
    faults: BTreeMap<u8, Vec<Fault>>,
    breaks: BTreeMap<(u8, Account), usize>,
    avoid: BTreeSet<Account>,
}

impl Client {
    pub(super) async fn put_segment(
        &self,
        put: &PutDirectory,
        plan: &Arc<Plan>,
        segment: u32,
        journal: &mut Journal,
        watch: &Arc<dyn Watch>,
    ) -> Result<(), ClientError> {
        let mut troubles = Troubles { avoid: journal.refused_of(segment).collect(), ..Troubles::default() };
        loop {
            let shards = 0..plan.manifest.policy().shards();
            let missing: Vec<u8> = shards.filter(|shard| journal.holder(segment, *shard).is_none()).collect();
            if missing.is_empty() {
                return Ok(());
            }
            self.place_missing(plan, segment, &missing, journal, &troubles).await?;
            for uploaded in self.upload(put, plan, segment, &missing, journal, watch).await? {
                let Uploaded { shard, peer, result } = uploaded;
                let checked = result.and_then(|response| {
                    let checked = self.check(plan, segment, shard, &peer, &response);
                    let Peer { account: miner, endpoint } = peer;
                    let rejected = |rejection| PeerError::Rejected { miner, endpoint, rejection };
                    checked.map(|()| response).map_err(rejected)
                });
                match checked {
                    Ok(response) => {
                        journal
                            .acknowledge((segment, shard), Acknowledged { miner: peer.account, response })?;
                    }
                    Err(error) => {
                        if is_other_piece(&error) {
                            let (path, plan) = (ciphertext_path(put), Arc::clone(plan));
                            blocking("looking at what was sent", move || {
                                check_segment(&path, &plan, segment)
                            })
                            .await?;
                        }
                        let piece = PieceId { segment, shard, generation: 0 };
                        let fault = Fault::new(piece, peer.account, &error);
                        watch.fault(&fault);
                        if troubles.note(shard, peer.account, fault, &error)? {
                            journal.forget_ticket((segment, shard));
                        }
                    }
                }
            }
        }
    }

    /// Tickets for all missing pieces that have none.
    async fn place_missing(
        &self,
        plan: &Plan,
        segment: u32,
        missing: &[u8],
        journal: &mut Journal,
        troubles: &Troubles,
    ) -> Result<(), ClientError> {
        let without = missing.iter().copied().filter(|shard| journal.placed((segment, *shard)).is_none());
        let shards: Vec<u8> = without.collect();
        if shards.is_empty() {
            return Ok(());
        }
        let pieces: Vec<PlacedPiece> =
            shards.iter().map(|shard| placed_piece(plan, segment, *shard)).collect();
        let avoid: BTreeSet<Account> =
            journal.miners_of(segment).into_iter().chain(troubles.avoid.iter().copied()).collect();
        let expires_at = plan.manifest.expires_at().unwrap_or(u64::MAX);
        let request = PlaceRequest {
            file_root: plan.manifest.ciphertext().root.to_vec().into(),
            pieces: pieces.clone(),
            keep_seconds: expires_at.saturating_sub(self.now_seconds()).saturating_add(KEEP_MORE_SECONDS),
            avoid: avoid.iter().map(|miner| miner.0.to_vec().into()).collect(),
            seal: None,
        };
        let placements = self.peers.place(self.validator, request).await?.placements;
        if placements.len() != pieces.len() {
            let (found, expected) = (placements.len(), pieces.len());
            return Err(Class::WrongLength.because(format!("{found} places for {expected} pieces")).into());
        }
        for placement in placements {
            let piece = placement.piece.as_ref();
            let at = pieces.iter().position(|wanted| Some(wanted) == piece);
            let at =
                at.ok_or_else(|| Class::Malformed.because("a place for a piece that is not to be placed"))?;
            let endpoint: SocketAddr = placement.endpoint.parse().map_err(|_| {
                Class::Malformed.because(format!("a miner at \"{}\"", placement.endpoint.escape_debug()))
            })?;
            let peer = Peer { account: Account(bytes32("miner", &placement.miner)?), endpoint };
            let ticket =
                placement.ticket.ok_or_else(|| Class::Malformed.because("a place without a ticket"))?;
            journal.place((segment, shards[at]), Placed { peer, ticket, is_begun: false })?;
        }
        Ok(())
    }

    /// Makes all pieces, and sends those that are missing from where their miners stopped.
    async fn upload(
        &self,
        put: &PutDirectory,
        plan: &Arc<Plan>,
        segment: u32,
        missing: &[u8],
        journal: &mut Journal,
        watch: &Arc<dyn Watch>,
    ) -> Result<Vec<Uploaded>, ClientError> {
        let (mut uploading, mut sinks) = (JoinSet::new(), BTreeMap::new());
        for &shard in missing {
            let Some(placed) = journal.placed((segment, shard)).cloned() else { continue };
            let Placed { peer, ticket, is_begun } = placed;
            let kept_bytes = match is_begun {
                // Whoever cannot say how far it came begins anew, or cannot be reached, which the upload will tell.
                true => {
                    self.peers.store_progress(peer, &ticket).await.map_or(0, |progress| progress.kept_bytes)
                }
                false => 0,
            };
            journal.begin((segment, shard));
            let (sender, receiver) = parts();
            sinks.insert(shard, (kept_bytes, sender));
            let (peers, watch) = (Arc::clone(&self.peers), Arc::clone(watch));
            let length_bytes = content(plan, segment, shard).length_bytes;
            uploading.spawn(async move {
                let result = peers.store(peer, &ticket, kept_bytes, receiver).await;
                if result.is_ok() {
                    watch.moved(length_bytes);
                }
                Uploaded { shard, peer, result }
            });
        }
        let (path, plan) = (ciphertext_path(put), Arc::clone(plan));
        let sending = blocking("making pieces", move || send_segment(&path, &plan, segment, sinks));
        let sent = sending.await;
        let mut uploads = Vec::with_capacity(missing.len());
        while let Some(uploaded) = uploading.join_next().await {
            let ended = |error: tokio::task::JoinError| ClientError::Ended {
                doing: "an upload",
                detail: error.to_string(),
            };
            uploads.push(uploaded.map_err(ended)?);
        }
        sent.map(|()| uploads)
    }

    /// That the miner acknowledged this piece, in a way that the validator and others will believe.
    fn check(
        &self,
        plan: &Plan,
        segment: u32,
        shard: u8,
        peer: &Peer,
        response: &StoreResponse,
    ) -> Result<(), Rejection> {
        let network = self.peers.correspondent().network();
        let keep_until = plan.manifest.expires_at().unwrap_or(0);
        let object = content(plan, segment, shard);
        check_acknowledgement(response, &network, (&peer.account, &self.account()), object, keep_until)
    }
}

impl Troubles {
    /// Notes a failed upload. Returns whether another miner is to have the piece.
    fn note(
        &mut self,
        shard: u8,
        miner: Account,
        fault: Fault,
        error: &PeerError,
    ) -> Result<bool, ClientError> {
        let piece = fault.piece;
        let faults = self.faults.entry(shard).or_default();
        faults.push(fault);
        if faults.len() >= FAULTS_MAX {
            return Err(ClientError::NotTaken { piece, faults: faults.clone() });
        }
        let breaks = self.breaks.entry((shard, miner)).or_default();
        *breaks += 1;
        let may_go_on = *breaks <= BREAKS_MAX && has_broken_off(error);
        if !may_go_on {
            self.avoid.insert(miner);
        }
        Ok(!may_go_on)
    }
}

/// Whether the same miner may take the rest: it says so, or the connection broke in the middle, perhaps on our side.
fn has_broken_off(error: &PeerError) -> bool {
    let PeerError::Status { status, .. } = error else { return false };
    matches!(status.code(), Code::Aborted | Code::FailedPrecondition | Code::Unknown)
}

/// Whether a miner got other bytes than it was to keep, as it says.
fn is_other_piece(error: &PeerError) -> bool {
    matches!(error, PeerError::Status { status, .. } if class_of(status) == Some(Class::WrongRoot))
}

pub(super) fn content(plan: &Plan, segment: u32, shard: u8) -> Content {
    let layout = plan.manifest.layout().segment(segment.into());
    let length_bytes = layout.map_or(0, |segment| segment.shard_bytes());
    let root = plan.roots.get(segment as usize).and_then(|roots| roots.get(usize::from(shard)));
    Content { root: root.copied().unwrap_or_default(), length_bytes }
}

fn placed_piece(plan: &Plan, segment: u32, shard: u8) -> PlacedPiece {
    let Content { root, length_bytes } = content(plan, segment, shard);
    let object = Some(ObjectName { root: root.to_vec().into(), length_bytes });
    PlacedPiece { segment: segment.into(), shard: shard.into(), generation: 0, object }
}
