//! What is asked of miners about objects: for owners, and for validators that keep owners' files whole.

use std::future::Future;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use holdfast_engine::account::Account;
use holdfast_engine::message::{Header, body_digest};
use holdfast_engine::possession::Replica;
use holdfast_engine::possession::commitment_table::table_bytes;
use holdfast_engine::possession::points_file::POINTS_HEADER_BYTES;
use holdfast_engine::possession::record::SignedRecord;
use holdfast_engine::rejection::{Class, Rejection};
use holdfast_engine::signature::{Signature, verify};
use holdfast_engine::tree::{BLOCK_BYTES, PAGE_BLOCKS};
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use tonic::transport::Channel;
use zeroize::Zeroizing;

use super::{ANSWER_TIMEOUT, Peer, PeerError, Peers, read_parts, rejected};
use crate::pieces::Content;
use crate::proto::miner_client::MinerClient;
use crate::proto::{
    AllocationRequest, AllocationResponse, DeleteRequest, KeepRecordRequest, ObjectName, Part, RecordRequest,
    RetrieveRequest, StoreOpen, StoreProgressRequest, StoreProgressResponse, StoreRequest, StoreResponse,
    TableRequest, Ticket,
};
use crate::validator::retrieval::check_blocks;
use crate::wire::canonical::{Encoder, methods};
use crate::wire::status::reason_of;

/// Bytes of the parts of an upload.
pub const UPLOAD_PART_BYTES: usize = 256 << 10;
/// A group of blocks with its page, and what stands around it.
const GROUP_MESSAGE_BYTES_MAX: usize = PAGE_BLOCKS * BLOCK_BYTES + (64 << 10);
/// A stream on which nothing moves for so long is given up.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// What a transfer must come to on average, counting only the time that the miner takes, in bytes a second. Whoever hands out a block now
/// and then would hold up whatever waits for the whole.
const TRANSFER_BYTES_PER_SECOND: u64 = 256 << 10;
/// A table takes no longer to come: 6 MiB a GiB of object.
const POINTS_TIMEOUT: Duration = Duration::from_secs(120);
/// Why there is no table yet.
pub const NOT_COMMITTED: &str = "not-committed";
/// Parts of an upload that wait to be sent: a miner takes as many at once.
const PARTS_WAITING: usize = 4;

impl Peers {
    /// What the miner keeps for this account, and what more it may take.
    ///
    /// # Errors
    /// [`PeerError`].
    pub async fn allocation(&self, peer: Peer, limit: Duration) -> Result<AllocationResponse, PeerError> {
        let mut request = AllocationRequest::default();
        let asked = self.correspondent.ask(methods::MINER_ALLOCATION, peer.account, &mut request);
        let response = self.within(peer, limit, self.miner(peer).allocation(request)).await?.into_inner();
        self.heard(peer, &asked, &response)?;
        Ok(response)
    }

    /// Stores an object under a ticket, from `offset_bytes` on; `parts` gives its bytes from there, in parts of at most 1 MiB. It ends
    /// early if the miner has the object already. The answer has the miner's seal, which anybody can check
    /// ([`check_acknowledgement`]).
    ///
    /// # Errors
    /// [`PeerError`]. What the miner has of it, [`Peers::store_progress`] tells.
    pub async fn store(
        &self,
        peer: Peer,
        ticket: &Ticket,
        offset_bytes: u64,
        parts: mpsc::Receiver<Bytes>,
    ) -> Result<StoreResponse, PeerError> {
        let mut open = StoreOpen { ticket: Some(ticket.clone()), offset_bytes, seal: None };
        let asked = self.correspondent.ask(methods::MINER_STORE, peer.account, &mut open);
        let sent = Arc::new(AtomicU64::new(offset_bytes));
        let counted = Arc::clone(&sent);
        let part = move |bytes: Bytes| {
            let offset_bytes = counted.fetch_add(bytes.len() as u64, Ordering::Relaxed);
            StoreRequest { open: None, part: Some(Part { offset_bytes, bytes }) }
        };
        let first = tokio_stream::once(StoreRequest { open: Some(open), part: None });
        let messages = first.chain(ReceiverStream::new(parts).map(part));
        let mut client = self.miner(peer);
        let response = self.while_moving(peer, &sent, client.store(messages)).await?.into_inner();
        self.heard(peer, &asked, &response)?;
        Ok(response)
    }

    /// How far an upload under a ticket came.
    ///
    /// # Errors
    /// [`PeerError`].
    pub async fn store_progress(
        &self,
        peer: Peer,
        ticket: &Ticket,
    ) -> Result<StoreProgressResponse, PeerError> {
        let mut request = StoreProgressRequest { ticket: Some(ticket.clone()), seal: None };
        let asked = self.correspondent.ask(methods::MINER_STORE_PROGRESS, peer.account, &mut request);
        let answering = async { self.miner(peer).store_progress(request).await };
        let response = self.within(peer, ANSWER_TIMEOUT, answering).await?.into_inner();
        self.heard(peer, &asked, &response)?;
        Ok(response)
    }

    /// Bytes of an object, each block checked against its root.
    ///
    /// # Errors
    /// [`PeerError`], also for a range that the object does not have.
    pub async fn retrieve(
        &self,
        peer: Peer,
        object: Content,
        range: Range<u64>,
    ) -> Result<Vec<u8>, PeerError> {
        if range.is_empty() {
            return Ok(Vec::new());
        }
        let length = usize::try_from(range.end - range.start);
        let too_long = |_| rejected(peer, Class::WrongLength.because("more bytes than memory has"));
        let mut bytes = Vec::with_capacity(length.map_err(too_long)?);
        self.retrieve_into(peer, object, range, |part| {
            bytes.extend_from_slice(&part);
            std::future::ready(true)
        })
        .await?;
        Ok(bytes)
    }

    /// The same, handed on piece by piece; whoever takes them may end it with `false`.
    ///
    /// # Errors
    /// As [`Peers::retrieve`].
    pub async fn retrieve_into<F: Future<Output = bool>>(
        &self,
        peer: Peer,
        object: Content,
        range: Range<u64>,
        mut take: impl FnMut(Bytes) -> F,
    ) -> Result<(), PeerError> {
        let mut request = RetrieveRequest {
            object: Some(name_of(object)),
            offset_bytes: range.start,
            length_bytes: range.end.saturating_sub(range.start),
            seal: None,
        };
        self.correspondent.ask(methods::MINER_RETRIEVE, peer.account, &mut request);
        let mut client = self.groups(peer);
        let mut events = self.within(peer, IDLE_TIMEOUT, client.retrieve(request)).await?.into_inner();
        let (mut waited, mut came_bytes) = (Duration::ZERO, 0);
        for blocks in groups_over(&range) {
            let (begun, limit) = (Instant::now(), transfer_limit(came_bytes).saturating_sub(waited));
            let next = self.within(peer, limit.min(IDLE_TIMEOUT), events.message()).await?;
            waited += begun.elapsed();
            let event = next.ok_or_else(|| {
                rejected(peer, Class::WrongLength.because("the miner ended before all blocks came"))
            })?;
            check_blocks(&event, &object.root, object.length_bytes, &blocks)
                .map_err(|rejection| rejected(peer, rejection))?;
            came_bytes += event.blocks.len() as u64;
            let first = event.offset_bytes;
            let within = |byte: u64| {
                usize::try_from(byte.saturating_sub(first)).unwrap_or(usize::MAX).min(event.blocks.len())
            };
            if !take(event.blocks.slice(within(range.start)..within(range.end))).await {
                break;
            }
        }
        Ok(())
    }

    /// Deletes an object; `false` if there was none.
    ///
    /// # Errors
    /// [`PeerError`].
    pub async fn delete(&self, peer: Peer, object: Content) -> Result<bool, PeerError> {
        let mut request = DeleteRequest { object: Some(name_of(object)), seal: None };
        let asked = self.correspondent.ask(methods::MINER_DELETE, peer.account, &mut request);
        let answering = async { self.miner(peer).delete(request).await };
        match self.within(peer, ANSWER_TIMEOUT, answering).await {
            Ok(response) => {
                self.heard(peer, &asked, response.get_ref())?;
                Ok(true)
            }
            Err(PeerError::Status { status, .. }) if status.code() == tonic::Code::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Has a miner keep the record that audits of an object refer to.
    ///
    /// # Errors
    /// [`PeerError`].
    pub async fn keep_record(&self, peer: Peer, record: &SignedRecord) -> Result<(), PeerError> {
        let mut request = KeepRecordRequest { record: record.encode().to_vec().into(), seal: None };
        let asked = self.correspondent.ask(methods::MINER_KEEP_RECORD, peer.account, &mut request);
        let answering = async { self.miner(peer).keep_record(request).await };
        let response = self.within(peer, ANSWER_TIMEOUT, answering).await?.into_inner();
        self.heard(peer, &asked, &response)
    }

    /// The record that a miner keeps beside an object of this account. Whether it is one that was given to it, the caller has to check.
    ///
    /// # Errors
    /// [`PeerError`].
    pub async fn record(&self, peer: Peer, object: Content) -> Result<SignedRecord, PeerError> {
        let mut request = RecordRequest { object: Some(name_of(object)), seal: None };
        let asked = self.correspondent.ask(methods::MINER_RECORD, peer.account, &mut request);
        let answering = async { self.miner(peer).record(request).await };
        let response = self.within(peer, ANSWER_TIMEOUT, answering).await?.into_inner();
        self.heard(peer, &asked, &response)?;
        SignedRecord::decode(&response.record).map_err(|rejection| rejected(peer, rejection))
    }

    /// The points file (commitment-v1 §4) of an object of this account, for the store-time check; `None` while the miner computes it.
    /// That it is one, and of which bytes, is for the caller to check. It holds a secret of the miner's.
    ///
    /// # Errors
    /// [`PeerError`].
    pub async fn points(&self, peer: Peer, object: Content) -> Result<Option<Zeroizing<Vec<u8>>>, PeerError> {
        let replica = Replica::new(object.root, object.length_bytes, 0);
        let blocks = replica.map_err(|rejection| rejected(peer, rejection))?.blocks();
        let length = usize::try_from(table_bytes(blocks)).ok();
        let length = length.and_then(|bytes| bytes.checked_add(POINTS_HEADER_BYTES));
        let too_long = || rejected(peer, Class::WrongLength.because("a table larger than memory"));
        let length = length.ok_or_else(too_long)?;
        let mut request = TableRequest { object: Some(name_of(object)), seal: None };
        self.correspondent.ask(methods::MINER_TABLE, peer.account, &mut request);
        let mut client = self.miner(peer);
        let reading = async { read_parts(client.table(request).await?.into_inner(), length).await };
        match self.within(peer, POINTS_TIMEOUT, reading).await {
            Ok(read) => read.map(|bytes| Some(Zeroizing::new(bytes))).map_err(|wrong| rejected(peer, wrong)),
            Err(PeerError::Status { status, .. }) if reason_of(&status).as_deref() == Some(NOT_COMMITTED) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn groups(&self, peer: Peer) -> MinerClient<Channel> {
        self.miner(peer).max_decoding_message_size(GROUP_MESSAGE_BYTES_MAX)
    }

    /// Waits for an answer as long as bytes are sent.
    async fn while_moving<T>(
        &self,
        peer: Peer,
        sent: &AtomicU64,
        answering: impl Future<Output = Result<T, Status>>,
    ) -> Result<T, PeerError> {
        tokio::pin!(answering);
        loop {
            let before = sent.load(Ordering::Relaxed);
            tokio::select! {
                answered = &mut answering => return self.answered(peer, answered),
                () = tokio::time::sleep(IDLE_TIMEOUT) => {}
            }
            if sent.load(Ordering::Relaxed) == before {
                let seconds = IDLE_TIMEOUT.as_secs();
                let message = format!("nothing moved for {seconds} s");
                return self.answered(peer, Err(Status::deadline_exceeded(message)));
            }
        }
    }
}

/// A way to hand on parts of an upload from a thread that may block; the other end is for [`Peers::store`].
pub fn parts() -> (mpsc::Sender<Bytes>, mpsc::Receiver<Bytes>) {
    mpsc::channel(PARTS_WAITING)
}

/// That `miner` told `owner` in this network that it keeps an object, and until when at least: for those who were not there.
///
/// Refused: `malformed`, `wrong-length`, `wrong-receiver`, `wrong-challenge` (the seal is of other fields), `wrong-record` (another
/// object, or kept for less long), `bad-signature`.
pub fn check_acknowledgement(
    response: &StoreResponse,
    network: &[u8; 32],
    (miner, owner): (&Account, &Account),
    object: Content,
    keep_until: u64,
) -> Result<(), Rejection> {
    let seal = response
        .seal
        .as_ref()
        .ok_or_else(|| Class::BadSignature.because("an acknowledgement without a seal"))?;
    let header = Header::decode(&seal.header)?;
    if header.network != *network || header.receiver != *owner {
        let found = header.receiver;
        let detail = format!("an acknowledgement for {found}, or of another network; this is of {owner}");
        return Err(Class::WrongReceiver.because(detail));
    }
    if header.body_digest != body_digest(methods::MINER_STORE, &Encoder::of(response)) {
        return Err(Class::WrongChallenge.because("the seal of the acknowledgement is of other fields"));
    }
    if header.sender != *miner {
        let found = header.sender;
        return Err(Class::BadSignature.because(format!("{found} acknowledges what {miner} is to keep")));
    }
    let root = hex::encode(object.root);
    let named = response.object.as_ref();
    if !named.is_some_and(|named| named.root == object.root[..] && named.length_bytes == object.length_bytes)
    {
        return Err(Class::WrongRecord.because(format!("the acknowledgement is not of object {root}")));
    }
    if response.expires_at < keep_until {
        let found = response.expires_at;
        let detail =
            format!("{miner} keeps {root} until {found}, and the file is to be kept until {keep_until}");
        return Err(Class::WrongRecord.because(detail));
    }
    let signature = Signature(seal.signature[..].try_into().map_err(|_| {
        Class::WrongLength.because(format!("a signature of {} bytes, not 64", seal.signature.len()))
    })?);
    verify(miner, &header.signing_digest(), &signature)
}

/// How long a miner may take for so many bytes in all.
pub fn transfer_limit(bytes: u64) -> Duration {
    IDLE_TIMEOUT + Duration::from_secs(bytes / TRANSFER_BYTES_PER_SECOND)
}

/// The blocks under each outboard page that hold bytes of a range.
fn groups_over(range: &Range<u64>) -> impl Iterator<Item = Range<u64>> + use<> {
    let group_blocks = PAGE_BLOCKS as u64;
    let blocks = range.start / BLOCK_BYTES as u64..range.end.div_ceil(BLOCK_BYTES as u64);
    let groups = blocks.start / group_blocks..blocks.end.div_ceil(group_blocks);
    groups
        .map(move |group| blocks.start.max(group * group_blocks)..blocks.end.min((group + 1) * group_blocks))
}

fn name_of(object: Content) -> ObjectName {
    ObjectName { root: object.root.to_vec().into(), length_bytes: object.length_bytes }
}
