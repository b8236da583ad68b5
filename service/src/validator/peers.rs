//! Talking to miners and to other validators: signed requests, checked answers, limits on everything that comes back.

mod care;
mod channels;
mod objects;

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use holdfast_engine::account::Account;
use holdfast_engine::receipt::Receipt;
use holdfast_engine::rejection::{Class, Rejection};
use holdfast_engine::signature::Signature;
use tokio_stream::StreamExt;
use tonic::transport::Channel;
use tonic::{Status, Streaming};

use super::collect::{Asker, Events, PART_BYTES_MAX};
use super::receipts::Countersigned;
use crate::connect::Connector;
use crate::proto::miner_client::MinerClient;
use crate::proto::validator_client::ValidatorClient;
use crate::proto::{
    ChallengeRequest, CommitmentRequest, CountersignRequest, HistoryRequest, Part, PingRequest, PingResponse,
    StatusRequest, WitnessRequest, WitnessResponse,
};
use crate::wire::canonical::{Sealed, methods};
use crate::wire::{Asked, Correspondent};
use channels::Channels;

pub use objects::{NOT_COMMITTED, UPLOAD_PART_BYTES, check_acknowledgement, parts, transfer_limit};

/// Most bytes of one message that a peer sends: a part, and what stands around it.
const MESSAGE_BYTES_MAX: usize = PART_BYTES_MAX + (64 << 10);
/// An answer of one message takes no longer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
/// A commitment takes no longer, nor longer than its bytes take at a slow pace: whoever stalls keeps others waiting.
const COMMITMENT_TIMEOUT: Duration = Duration::from_secs(120);
const COMMITMENT_BYTES_PER_SECOND: u64 = 256 << 10;
const COMMITMENT_LATENCY: Duration = Duration::from_secs(10);
/// A history takes no longer.
const HISTORY_TIMEOUT: Duration = Duration::from_secs(60);
/// Most bytes of a status.
const STATUS_BYTES_MAX: usize = 16 << 20;

/// Why a peer gave no answer that can be used.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// It cannot be reached, or says no.
    #[error("{miner} at {endpoint} answers {code:?}: {message}", code = status.code(), message = status.message())]
    Status {
        /// Who.
        miner: Account,
        /// Where.
        endpoint: SocketAddr,
        /// What it says.
        status: Box<Status>,
    },
    /// What it says is wrong.
    #[error("{miner} at {endpoint}: {rejection}")]
    Rejected {
        /// Who.
        miner: Account,
        /// Where.
        endpoint: SocketAddr,
        /// What is wrong with it.
        rejection: Rejection,
    },
}

/// Somebody and where it can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Peer {
    /// Who.
    pub account: Account,
    /// Where.
    pub endpoint: SocketAddr,
}

/// One node's connections to others.
#[derive(Debug)]
pub struct Peers {
    correspondent: Arc<Correspondent>,
    channels: Channels,
}

impl Peers {
    /// Of this node, which connects so.
    pub fn new(correspondent: Arc<Correspondent>, connector: Connector) -> Peers {
        Peers { correspondent, channels: Channels::new(connector) }
    }

    /// Who answers there. Gives what it says and how long it took in milliseconds.
    ///
    /// # Errors
    /// [`PeerError`].
    pub async fn ping(&self, peer: Peer) -> Result<(PingResponse, u32), PeerError> {
        let started = tokio::time::Instant::now();
        let mut request = PingRequest::default();
        let asked = self.correspondent.ask(methods::MINER_PING, peer.account, &mut request);
        let response = self.within(peer, ANSWER_TIMEOUT, self.miner(peer).ping(request)).await?.into_inner();
        self.heard(peer, &asked, &response)?;
        Ok((response, u32::try_from(started.elapsed().as_millis()).unwrap_or(u32::MAX)))
    }

    /// The signed commitment of one of our partitions, of exactly so many bytes. What it says is for the caller to check.
    ///
    /// # Errors
    /// [`PeerError`].
    pub async fn commitment(
        &self,
        peer: Peer,
        partition_id: u64,
        length_bytes: usize,
    ) -> Result<Vec<u8>, PeerError> {
        let mut request = CommitmentRequest { partition_id, seal: None };
        self.correspondent.ask(methods::MINER_COMMITMENT, peer.account, &mut request);
        let mut client = self.miner(peer);
        let reading = async {
            let opened = in_time(ANSWER_TIMEOUT, client.commitment(request)).await?;
            read_parts(opened.into_inner(), length_bytes).await
        };
        let pace = Duration::from_secs(length_bytes as u64 / COMMITMENT_BYTES_PER_SECOND);
        let read = self.within(peer, COMMITMENT_TIMEOUT.min(COMMITMENT_LATENCY + pace), reading).await?;
        read.map_err(|rejection| rejected(peer, rejection))
    }

    /// Shows receipts to their miner; for each its signature, or why there is none.
    ///
    /// # Errors
    /// [`PeerError`].
    pub async fn countersign(
        &self,
        peer: Peer,
        receipts: &[(u64, Receipt)],
    ) -> Result<Vec<(u64, Countersigned)>, PeerError> {
        let encoded = receipts.iter().map(|(_, receipt)| receipt.encode().to_vec().into()).collect();
        let mut request = CountersignRequest { receipts: encoded, seal: None };
        let asked = self.correspondent.ask(methods::MINER_COUNTERSIGN, peer.account, &mut request);
        let mut client = self.miner(peer);
        let answering = self.within(peer, ANSWER_TIMEOUT, client.countersign(request));
        let response = answering.await?.into_inner();
        self.heard(peer, &asked, &response)?;
        if response.receipts.len() != receipts.len() {
            let (found, expected) = (response.receipts.len(), receipts.len());
            let detail = format!("{found} signatures for {expected} receipts");
            return Err(rejected(peer, Class::WrongLength.because(detail)));
        }
        let said = |(shown, said): (&(u64, Receipt), crate::proto::CountersignedReceipt)| {
            let signature = <[u8; 64]>::try_from(&said.signature[..]).map(Signature);
            let said = match signature {
                Ok(signature) => Countersigned::Signature(signature),
                Err(_) => Countersigned::Withheld(said.refused),
            };
            (shown.0, said)
        };
        Ok(receipts.iter().zip(response.receipts).map(said).collect())
    }

    /// Asks another validator to co-sign that promises have arrived.
    ///
    /// # Errors
    /// [`PeerError`].
    pub async fn witness(
        &self,
        peer: Peer,
        mut request: WitnessRequest,
    ) -> Result<WitnessResponse, PeerError> {
        let asked = self.correspondent.ask(methods::VALIDATOR_WITNESS, peer.account, &mut request);
        let mut client = self.validator(peer);
        let response = self.within(peer, ANSWER_TIMEOUT, client.witness(request)).await?.into_inner();
        self.heard(peer, &asked, &response)?;
        Ok(response)
    }

    /// Goes through the receipts of another validator's rounds of these heights, each chain's in its order, until `each` has enough, within a
    /// minute. Their signatures and links are for the caller to check.
    ///
    /// # Errors
    /// [`PeerError`].
    pub async fn history(
        &self,
        peer: Peer,
        heights: Range<u64>,
        mut each: impl FnMut(Receipt) -> bool,
    ) -> Result<(), PeerError> {
        let Range { start: first_height, end: end_height } = heights;
        let mut request = HistoryRequest { first_height, end_height, miner: Bytes::new(), seal: None };
        self.correspondent.ask(methods::VALIDATOR_HISTORY, peer.account, &mut request);
        let mut client = self.validator(peer);
        let reading = async {
            let mut events = client.history(request).await?.into_inner();
            while let Some(event) = events.next().await.transpose()? {
                match Receipt::decode(&event.receipt) {
                    Ok(receipt) if each(receipt) => {}
                    Ok(_) => break,
                    Err(rejection) => return Ok(Err(rejection)),
                }
            }
            Ok(Ok(()))
        };
        let read = self.within(peer, HISTORY_TIMEOUT, reading).await?;
        read.map_err(|rejection| rejected(peer, rejection))
    }

    /// What a validator tells of itself, as JSON.
    ///
    /// # Errors
    /// [`PeerError`].
    pub async fn validator_status(&self, peer: Peer) -> Result<String, PeerError> {
        let mut request = StatusRequest::default();
        let asked = self.correspondent.ask(methods::VALIDATOR_STATUS, peer.account, &mut request);
        let mut client = self.validator(peer).max_decoding_message_size(STATUS_BYTES_MAX);
        let response = self.within(peer, ANSWER_TIMEOUT, client.status(request)).await?.into_inner();
        self.heard(peer, &asked, &response)?;
        Ok(response.json)
    }

    /// What a miner tells of itself, as JSON: all of it if we are its operator.
    ///
    /// # Errors
    /// [`PeerError`].
    pub async fn miner_status(&self, peer: Peer) -> Result<String, PeerError> {
        let mut request = StatusRequest::default();
        let asked = self.correspondent.ask(methods::MINER_STATUS, peer.account, &mut request);
        let mut client = self.miner(peer).max_decoding_message_size(STATUS_BYTES_MAX);
        let response = self.within(peer, ANSWER_TIMEOUT, client.status(request)).await?.into_inner();
        self.heard(peer, &asked, &response)?;
        Ok(response.json)
    }

    fn validator(&self, peer: Peer) -> ValidatorClient<Channel> {
        ValidatorClient::new(self.channels.to(peer.endpoint)).max_decoding_message_size(MESSAGE_BYTES_MAX)
    }

    /// A client for what is not done here.
    pub fn miner(&self, peer: Peer) -> MinerClient<Channel> {
        MinerClient::new(self.channels.to(peer.endpoint)).max_decoding_message_size(MESSAGE_BYTES_MAX)
    }

    /// Who this node is.
    pub fn correspondent(&self) -> &Arc<Correspondent> {
        &self.correspondent
    }

    fn heard<M: Sealed>(&self, peer: Peer, asked: &Asked, response: &M) -> Result<(), PeerError> {
        self.correspondent.hear_answer(asked, response).map_err(|rejection| rejected(peer, rejection))
    }

    async fn within<T>(
        &self,
        peer: Peer,
        limit: Duration,
        answering: impl Future<Output = Result<T, Status>>,
    ) -> Result<T, PeerError> {
        self.answered(peer, in_time(limit, answering).await)
    }

    /// What a peer answers, or that it cannot be reached or says no.
    fn answered<T>(&self, peer: Peer, answer: Result<T, Status>) -> Result<T, PeerError> {
        let Peer { account: miner, endpoint } = peer;
        let refused = |status| PeerError::Status { miner, endpoint, status: Box::new(status) };
        self.channels.note(endpoint, answer).map_err(refused)
    }
}

/// What is answered within this time.
async fn in_time<T>(
    limit: Duration,
    answering: impl Future<Output = Result<T, Status>>,
) -> Result<T, Status> {
    let late = |_| Status::deadline_exceeded(format!("no answer within {} s", limit.as_secs()));
    tokio::time::timeout(limit, answering).await.map_err(late)?
}

/// A byte string of at most so many bytes from its parts, none of which takes long to come.
async fn read_parts(
    mut parts: Streaming<Part>,
    length_bytes: usize,
) -> Result<Result<Vec<u8>, Rejection>, Status> {
    let mut bytes = Vec::new();
    while let Some(part) = in_time(ANSWER_TIMEOUT, parts.message()).await? {
        let (found, expected) = (bytes.len(), length_bytes);
        // Parts of nothing could come for ever.
        let fits = (1..=expected - found).contains(&part.bytes.len());
        if part.offset_bytes != found as u64 || !fits {
            return Ok(Err(Class::WrongLength.because(format!(
                "a part of {} bytes from byte {} on, after {found} of {expected} bytes",
                part.bytes.len(),
                part.offset_bytes
            ))));
        }
        bytes.extend_from_slice(&part.bytes);
    }
    Ok(Ok(bytes))
}

fn rejected(Peer { account: miner, endpoint }: Peer, rejection: Rejection) -> PeerError {
    PeerError::Rejected { miner, endpoint, rejection }
}

#[async_trait]
impl Asker for Peers {
    async fn challenge(
        &self,
        miner: &Account,
        endpoint: SocketAddr,
        height: u64,
        challenges: Vec<Bytes>,
    ) -> Result<Events, Status> {
        let mut request = ChallengeRequest { height, challenges, seal: None };
        self.correspondent.ask(methods::MINER_CHALLENGE, *miner, &mut request);
        let mut client = self.miner(Peer { account: *miner, endpoint });
        let opened = client.challenge(request).await;
        Ok(Box::pin(self.channels.note(endpoint, opened)?.into_inner()))
    }
}
