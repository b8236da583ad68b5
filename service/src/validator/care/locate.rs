//! What owners are told of their files, and auditing one of them at once.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use holdfast_engine::account::Account;
use holdfast_engine::receipt::Outcome;
use tokio::task::JoinSet;
use tonic::Code;

use super::rows::{FILES, FileKey, HeldPiece};
use super::stored::StoredFile;
use super::{AUDITS_MAX, CareError, Keeper};
use crate::index::{Key, KeyRange};
use crate::pieces::PieceId;
use crate::proto::{
    AuditRequest, AuditResponse, AuditedPiece, FileSummary, Holder, ListRequest, ListResponse, LocateRequest,
    LocateResponse, ObjectName, PlacedPiece,
};
use crate::validator::ValidatorError;
use crate::validator::peers::Peer;
use crate::validator::retrieval::{self, Retrieval, draw_blocks};
use crate::wire::bytes32;

/// Files of one page of a list, at most.
const LISTED_MAX: usize = 256;
/// Pieces that are audited at the same time.
const AUDITED_AT_ONCE: usize = 16;

impl Keeper {
    pub(super) async fn locate_file(
        &self,
        owner: Account,
        request: &LocateRequest,
    ) -> Result<LocateResponse, CareError> {
        let file = self.file_of(owner, &request.file_root).await?;
        let endpoints = self.endpoints().await?;
        let mut holders: Vec<(bool, Holder)> = Vec::new();
        for (id, row) in file.ids() {
            let Some(held) = &row.held else { continue };
            let endpoint = endpoints.get(&held.miner);
            let holder = Holder {
                piece: Some(placed(&file, id, held)?),
                miner: held.miner.0.to_vec().into(),
                endpoint: endpoint.map(ToString::to_string).unwrap_or_default(),
                healthy: row.is_healthy(),
            };
            holders.push((endpoint.is_some(), holder));
        }
        holders.sort_by_key(|(reachable, holder)| (!reachable, !holder.healthy));
        let holders = holders.into_iter().map(|(_, holder)| holder).collect();
        let manifest = file.manifest()?.encode().to_vec().into();
        Ok(LocateResponse { manifest, holders, seal: None })
    }

    pub(super) async fn list_files(
        &self,
        owner: Account,
        request: &ListRequest,
    ) -> Result<ListResponse, CareError> {
        let mut range = FILES.prefix(&owner);
        if !request.after.is_empty() {
            let after: FileKey = (owner, bytes32("file root", &request.after)?);
            range = KeyRange::beyond(range, &after.to_bytes());
        }
        let limit = usize::try_from(request.limit).unwrap_or(LISTED_MAX).clamp(1, LISTED_MAX);
        let mut files = Vec::new();
        for row in FILES.scan(&*self.index, &range, limit).await? {
            match StoredFile::read(&*self.index, row.key).await {
                Ok(file) if !file.row.releasing => files.push(summary(&file)?),
                // It is going, or went between the two reads.
                Ok(_) | Err(CareError::NoSuchFile { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(ListResponse { files, seal: None })
    }

    /// Fetches some blocks of every piece as their owner would.
    pub(super) async fn audit_file(
        &self,
        owner: Account,
        request: &AuditRequest,
    ) -> Result<AuditResponse, CareError> {
        let _audit = self.audits.try_acquire().map_err(|_| CareError::Refused {
            code: Code::ResourceExhausted,
            reason: "busy",
            message: format!("{AUDITS_MAX} files are being audited"),
            advice: "ask again in a while",
        })?;
        let file = self.file_of(owner, &request.file_root).await?;
        let endpoints = self.endpoints().await?;
        let mut pieces = Vec::new();
        let mut auditing = JoinSet::new();
        for (id, row) in file.ids() {
            let Some(held) = row.held.clone() else { continue };
            if auditing.len() >= AUDITED_AT_ONCE {
                pieces.extend(auditing.join_next().await.transpose().map_err(ended)?);
            }
            let (piece, record) = (placed(&file, id, &held)?, held.signed_record()?.record);
            let endpoint = endpoints.get(&held.miner).copied();
            let peers = Arc::clone(&self.peers);
            auditing.spawn(async move {
                let Some(endpoint) = endpoint else { return unreachable(piece, held.miner) };
                let peer = Peer { account: held.miner, endpoint };
                // Without randomness the first blocks are fetched.
                let blocks = draw_blocks(record.replica.length(), getrandom::u64().unwrap_or_default());
                audited(piece, held.miner, retrieval::audit(&peers, peer, &record, blocks).await)
            });
        }
        while let Some(done) = auditing.join_next().await {
            pieces.push(done.map_err(ended)?);
        }
        pieces.sort_by_key(|audited| audited.piece.as_ref().map(|piece| (piece.segment, piece.shard)));
        Ok(AuditResponse { pieces, seal: None })
    }

    /// A file of the caller that is not being deleted.
    pub(super) async fn file_of(&self, owner: Account, root: &[u8]) -> Result<StoredFile, CareError> {
        let file = bytes32("file root", root)?;
        let stored = StoredFile::read(&*self.index, (owner, file)).await?;
        if stored.row.releasing { Err(CareError::NoSuchFile { owner, file }) } else { Ok(stored) }
    }

    async fn endpoints(&self) -> Result<HashMap<Account, SocketAddr>, CareError> {
        let neurons = self.chain.metagraph().await?.neurons;
        Ok(neurons.into_iter().filter_map(|neuron| Some((neuron.hotkey, neuron.endpoint?))).collect())
    }
}

fn placed(file: &StoredFile, id: PieceId, held: &HeldPiece) -> Result<PlacedPiece, CareError> {
    let content = file.content(id, held)?;
    let object = ObjectName { root: content.root.to_vec().into(), length_bytes: content.length_bytes };
    let PieceId { segment, shard, generation } = id;
    Ok(PlacedPiece { segment: segment.into(), shard: shard.into(), generation, object: Some(object) })
}

fn summary(file: &StoredFile) -> Result<FileSummary, ValidatorError> {
    let (_, root) = file.key;
    let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let healthy = |pieces: &[super::rows::PieceRow]| pieces.iter().filter(|piece| piece.is_healthy()).count();
    let (needed, shards) = file.row.needed_and_shards();
    let spare = file.pieces.chunks(shards.into()).map(healthy).min().unwrap_or(usize::from(shards));
    let spare = i32::try_from(spare).unwrap_or(i32::MAX) - i32::from(needed);
    let held = file.pieces.iter().filter_map(|piece| piece.held.as_ref());
    let mut uncommitted_pieces = 0;
    for piece in held {
        uncommitted_pieces += u32::from(piece.signed_record()?.record.table_root.is_none());
    }
    Ok(FileSummary {
        file_root: root.to_vec().into(),
        length_bytes: file.row.length_bytes,
        stored_at: file.row.stored_at,
        expires_at: file.row.expires_at,
        pieces: count(file.pieces.len()),
        healthy_pieces: count(healthy(&file.pieces)),
        spare_pieces: spare,
        uncommitted_pieces,
    })
}

fn audited(piece: PlacedPiece, miner: Account, retrieval: Retrieval) -> AuditedPiece {
    let class = retrieval.fault.as_ref().map_or("", |fault| fault.class.name());
    AuditedPiece {
        piece: Some(piece),
        miner: miner.0.to_vec().into(),
        accepted: retrieval.outcome == Outcome::Accepted,
        class: class.to_owned(),
        message: retrieval.fault.map(|fault| fault.detail).unwrap_or_default(),
        latency_ms: retrieval.latency_ms.map_or(0, u64::from),
    }
}

fn unreachable(piece: PlacedPiece, miner: Account) -> AuditedPiece {
    AuditedPiece {
        piece: Some(piece),
        miner: miner.0.to_vec().into(),
        accepted: false,
        class: "late".to_owned(),
        message: "the miner has no endpoint in the network any more".to_owned(),
        latency_ms: 0,
    }
}

fn ended(error: tokio::task::JoinError) -> CareError {
    ValidatorError::Ended { doing: "auditing a file", detail: error.to_string() }.into()
}
