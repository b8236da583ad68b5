//! The service: every request is heard (who asks, once, in time), let in, and handed to what does it.

mod audits;
mod objects;
mod outlet;
mod retrieve;
mod store;
mod tell;

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

use holdfast_engine::account::Account;
use holdfast_engine::message::Header;
use holdfast_engine::rejection::{Class, Rejection};
use holdfast_partition::objects::ObjectName;
use tokio::time::Instant;
use tokio_stream::Stream;
use tonic::{Request, Response, Status, Streaming, async_trait};

use super::limits::Slot;
use super::{Miner, MinerError};
use crate::proto::{self, miner_server};
use crate::wire::canonical::{Sealed, methods};
use crate::wire::{Caller, bytes32};
use outlet::Outflow;

/// One rao is a billionth of a token.
const RAO: u64 = 1_000_000_000;

/// A stream of answers.
type Outgoing<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Serves a miner.
#[derive(Clone, Debug)]
pub(super) struct Service(Arc<Miner>);

impl Service {
    pub(super) fn new(miner: Arc<Miner>) -> Service {
        Service(miner)
    }

    /// Hears a request, and gives what it says.
    fn heard<M: Sealed>(&self, method: &'static str, request: Request<M>) -> Result<(Caller, M), MinerError> {
        let from = request.remote_addr().map(|address| address.ip());
        let message = request.into_inner();
        let caller = self.0.hear(method, &message, from)?;
        Ok((caller, message))
    }

    fn answer<M: Sealed>(&self, caller: &Caller, message: M) -> Result<Response<M>, Status> {
        Ok(Response::new(self.0.correspondent.answer(caller, message)))
    }
}

impl Miner {
    /// Hears a request: callers that cannot be served are refused before their signatures are looked at.
    fn hear<M: Sealed>(
        &self,
        method: &'static str,
        message: &M,
        from: Option<IpAddr>,
    ) -> Result<Caller, MinerError> {
        let said = sender(message)?;
        let known = said == self.account()
            || self.validators.stake_rao(&said).is_some()
            || self.catalogue.has_owner(&said)
            || self.limits.allow.contains(&said);
        self.gate.look(&said, known, from, Instant::now())?;
        let caller = self.correspondent.hear_from(known, method, message);
        if let Err(Rejection { class: Class::BadSignature, .. }) = caller {
            self.gate.bad_signature(from, Instant::now());
        }
        let caller = caller?;
        self.gate.admit(&caller.account, Instant::now())?;
        Ok(caller)
    }

    /// Waits for a turn in the name of a validator, by its stake.
    async fn turn(&self, validator: Account) -> Result<Slot, MinerError> {
        let tokens = self.validators.stake_rao(&validator).unwrap_or_default() / RAO;
        self.slots.turn(validator, tokens.saturating_add(1)).await
    }
}

fn outgoing<T: Send + 'static>(answers: Outflow<T>) -> Response<Outgoing<T>> {
    Response::new(Box::pin(answers))
}

/// Who a message says that it is from.
fn sender(message: &impl Sealed) -> Result<Account, Rejection> {
    let seal = message.seal().ok_or_else(|| Class::BadSignature.because("a message without a seal"))?;
    Header::decode(&seal.header).map(|header| header.sender)
}

/// The name and the length of an object that somebody asks for.
fn object_name(object: Option<&proto::ObjectName>) -> Result<(ObjectName, u64), Rejection> {
    let object = object.ok_or_else(|| Class::Malformed.because("no object is named"))?;
    Ok((ObjectName(bytes32("object root", &object.root)?), object.length_bytes))
}

#[async_trait]
impl miner_server::Miner for Service {
    type CommitmentStream = Outgoing<proto::Part>;
    type ChallengeStream = Outgoing<proto::ChallengeEvent>;
    type RetrieveStream = Outgoing<proto::RetrieveEvent>;
    type TableStream = Outgoing<proto::Part>;

    async fn ping(
        &self,
        request: Request<proto::PingRequest>,
    ) -> Result<Response<proto::PingResponse>, Status> {
        let (caller, _) = self.heard(methods::MINER_PING, request)?;
        self.answer(&caller, self.0.ping().await?)
    }

    async fn allocation(
        &self,
        request: Request<proto::AllocationRequest>,
    ) -> Result<Response<proto::AllocationResponse>, Status> {
        let (caller, _) = self.heard(methods::MINER_ALLOCATION, request)?;
        self.answer(&caller, self.0.allocation(caller.account).await?)
    }

    async fn commitment(
        &self,
        request: Request<proto::CommitmentRequest>,
    ) -> Result<Response<Self::CommitmentStream>, Status> {
        let (caller, request) = self.heard(methods::MINER_COMMITMENT, request)?;
        Ok(outgoing(audits::commitment(&self.0, caller.account, request.partition_id).await?))
    }

    async fn challenge(
        &self,
        request: Request<proto::ChallengeRequest>,
    ) -> Result<Response<Self::ChallengeStream>, Status> {
        let (caller, request) = self.heard(methods::MINER_CHALLENGE, request)?;
        Ok(outgoing(audits::challenge(&self.0, caller.account, &request).await?))
    }

    async fn countersign(
        &self,
        request: Request<proto::CountersignRequest>,
    ) -> Result<Response<proto::CountersignResponse>, Status> {
        let (caller, request) = self.heard(methods::MINER_COUNTERSIGN, request)?;
        self.answer(&caller, audits::countersign(&self.0, caller.account, &request).await?)
    }

    async fn store(
        &self,
        request: Request<Streaming<proto::StoreRequest>>,
    ) -> Result<Response<proto::StoreResponse>, Status> {
        let from = request.remote_addr().map(|address| address.ip());
        let (caller, response) = store::store(&self.0, request.into_inner(), from).await?;
        self.answer(&caller, response)
    }

    async fn store_progress(
        &self,
        request: Request<proto::StoreProgressRequest>,
    ) -> Result<Response<proto::StoreProgressResponse>, Status> {
        let (caller, request) = self.heard(methods::MINER_STORE_PROGRESS, request)?;
        self.answer(&caller, store::progress(&self.0, caller.account, request.ticket.as_ref())?)
    }

    async fn retrieve(
        &self,
        request: Request<proto::RetrieveRequest>,
    ) -> Result<Response<Self::RetrieveStream>, Status> {
        let (caller, request) = self.heard(methods::MINER_RETRIEVE, request)?;
        Ok(outgoing(retrieve::retrieve(&self.0, caller.account, &request).await?))
    }

    async fn table(
        &self,
        request: Request<proto::TableRequest>,
    ) -> Result<Response<Self::TableStream>, Status> {
        let (caller, request) = self.heard(methods::MINER_TABLE, request)?;
        Ok(outgoing(objects::table(&self.0, caller.account, request.object.as_ref()).await?))
    }

    async fn keep_record(
        &self,
        request: Request<proto::KeepRecordRequest>,
    ) -> Result<Response<proto::KeepRecordResponse>, Status> {
        let (caller, request) = self.heard(methods::MINER_KEEP_RECORD, request)?;
        objects::keep_record(&self.0, caller.account, &request.record).await?;
        self.answer(&caller, proto::KeepRecordResponse { seal: None })
    }

    async fn record(
        &self,
        request: Request<proto::RecordRequest>,
    ) -> Result<Response<proto::RecordResponse>, Status> {
        let (caller, request) = self.heard(methods::MINER_RECORD, request)?;
        let record = objects::record(&self.0, caller.account, request.object.as_ref()).await?;
        self.answer(&caller, proto::RecordResponse { record: record.encode().to_vec().into(), seal: None })
    }

    async fn delete(
        &self,
        request: Request<proto::DeleteRequest>,
    ) -> Result<Response<proto::DeleteResponse>, Status> {
        let (caller, request) = self.heard(methods::MINER_DELETE, request)?;
        let freed_bytes = objects::delete(&self.0, caller.account, request.object.as_ref()).await?;
        self.answer(&caller, proto::DeleteResponse { freed_bytes, seal: None })
    }

    async fn status(
        &self,
        request: Request<proto::StatusRequest>,
    ) -> Result<Response<proto::StatusResponse>, Status> {
        let (caller, _) = self.heard(methods::MINER_STATUS, request)?;
        self.answer(&caller, self.0.status(caller.account).await?)
    }
}
