//! `holdfast.v1.Validator`: what this validator tells and signs for others. The care of files is another's, and may be absent.

use std::fmt::Debug;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use holdfast_engine::account::Account;
use holdfast_engine::receipt::Receipt;
use holdfast_engine::rejection::{Class, Rejection};
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt};
use tonic::{Code, Request, Response, Status};

use super::ValidatorError;
use super::node::Node;
use super::witness::witness;
use crate::proto::validator_server::Validator;
use crate::proto::{
    AuditRequest, AuditResponse, Block, HistoryEvent, HistoryRequest, ListRequest, ListResponse,
    LocateRequest, LocateResponse, PingRequest, PingResponse, PlaceRequest, PlaceResponse, RegisterRequest,
    RegisterResponse, ReleaseRequest, ReleaseResponse, StatusRequest, StatusResponse, WitnessRequest,
    WitnessResponse,
};
use crate::wire::canonical::{Sealed, methods};
use crate::wire::status::{of_rejection, refusal};
use crate::wire::{Caller, bytes32};

/// The name of the service in health checks.
pub const SERVICE: &str = "holdfast.v1.Validator";
/// Receipts of one history that wait for a reader.
const RECEIPTS_WAITING: usize = 256;
/// Histories that are read at the same time; more are refused.
const HISTORIES_MAX: usize = 8;

/// The care of owners' files. Requests come from the account that signed them, once; answers are signed here.
#[async_trait]
pub trait Care: Send + Sync + Debug {
    /// See `Validator.Place`.
    async fn place(&self, caller: Account, request: PlaceRequest) -> Result<PlaceResponse, Status>;
    /// See `Validator.Register`.
    async fn register(&self, caller: Account, request: RegisterRequest) -> Result<RegisterResponse, Status>;
    /// See `Validator.Locate`.
    async fn locate(&self, caller: Account, request: LocateRequest) -> Result<LocateResponse, Status>;
    /// See `Validator.List`.
    async fn list(&self, caller: Account, request: ListRequest) -> Result<ListResponse, Status>;
    /// See `Validator.Release`.
    async fn release(&self, caller: Account, request: ReleaseRequest) -> Result<ReleaseResponse, Status>;
    /// See `Validator.Audit`.
    async fn audit(&self, caller: Account, request: AuditRequest) -> Result<AuditResponse, Status>;
}

/// Serves a validator.
#[derive(Clone, Debug)]
pub struct Service {
    node: Arc<Node>,
    care: Option<Arc<dyn Care>>,
    histories: Arc<Semaphore>,
}

impl Service {
    /// Of this node, with or without the care of files.
    pub fn new(node: Arc<Node>, care: Option<Arc<dyn Care>>) -> Service {
        Service { node, care, histories: Arc::new(Semaphore::new(HISTORIES_MAX)) }
    }

    fn heard<M: Sealed>(&self, method: &'static str, request: Request<M>) -> Result<(Caller, M), Status> {
        let message = request.into_inner();
        let caller =
            self.node.correspondent().hear(method, &message).map_err(|refused| of_rejection(&refused))?;
        Ok((caller, message))
    }

    fn answer<M: Sealed>(&self, caller: &Caller, message: M) -> Result<Response<M>, Status> {
        Ok(Response::new(self.node.correspondent().answer(caller, message)))
    }

    fn care(&self) -> Result<&dyn Care, Status> {
        let absent = || {
            let advice = "ask a validator that keeps files, or set [care] in this one's configuration";
            refusal(Code::Unimplemented, "this validator does not care for files", "no-care", advice)
        };
        self.care.as_deref().ok_or_else(absent)
    }

    /// Only who takes part is a validator whose rounds can be witnessed.
    async fn check_permit(&self, account: &Account) -> Result<(), Status> {
        let metagraph = self.node.chain().metagraph().await.map_err(|error| failed(error.into()))?;
        if metagraph.neuron_of(account).is_some_and(|neuron| neuron.validator_permit) {
            return Ok(());
        }
        Err(of_rejection(&Class::Policy.because(format!("{account} has no validator permit"))))
    }
}

/// We failed.
fn failed(error: ValidatorError) -> Status {
    tracing::error!(%error, "a request failed");
    refusal(
        Code::Internal,
        error.to_string(),
        "validator",
        "try again; if it goes on, see the validator's log",
    )
}

fn refused(rejection: Rejection) -> Status {
    of_rejection(&rejection)
}

/// A method that is the care's.
macro_rules! cared {
    ($self:ident, $request:ident, $method:ident, $call:ident) => {{
        let (caller, request) = $self.heard(methods::$method, $request)?;
        let response = $self.care()?.$call(caller.account, request).await?;
        $self.answer(&caller, response)
    }};
}

#[async_trait]
impl Validator for Service {
    type HistoryStream = Pin<Box<dyn Stream<Item = Result<HistoryEvent, Status>> + Send>>;

    async fn ping(&self, request: Request<PingRequest>) -> Result<Response<PingResponse>, Status> {
        let (caller, _) = self.heard(methods::VALIDATOR_PING, request)?;
        let head = self.node.chain().head().await.map_err(|error| failed(error.into()))?;
        let response = PingResponse {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            head: Some(Block { height: head.height, hash: head.hash.to_vec().into() }),
            time_ms: self.node.correspondent().clock().now_ms(),
            seal: None,
        };
        self.answer(&caller, response)
    }

    async fn status(&self, request: Request<StatusRequest>) -> Result<Response<StatusResponse>, Status> {
        let (caller, _) = self.heard(methods::VALIDATOR_STATUS, request)?;
        let status = self.node.status().await.map_err(failed)?;
        let json = serde_json::to_string(&status).map_err(|error| {
            failed(ValidatorError::Ended { doing: "writing the status", detail: error.to_string() })
        })?;
        self.answer(&caller, StatusResponse { json, seal: None })
    }

    async fn history(
        &self,
        request: Request<HistoryRequest>,
    ) -> Result<Response<Self::HistoryStream>, Status> {
        let (_, request) = self.heard(methods::VALIDATOR_HISTORY, request)?;
        let miner = match request.miner.is_empty() {
            true => None,
            false => Some(Account(bytes32("miner", &request.miner).map_err(refused)?)),
        };
        let busy = || {
            let message = format!("{HISTORIES_MAX} histories are being read");
            refusal(Code::ResourceExhausted, message, "busy", "ask again in a while")
        };
        let reading = Arc::clone(&self.histories).try_acquire_owned().map_err(|_| busy())?;
        let heights = request.first_height..request.end_height;
        let (sender, receiver) = mpsc::channel(RECEIPTS_WAITING);
        let node = Arc::clone(&self.node);
        tokio::spawn(async move {
            if let Err(error) = node.chains().history(miner, heights, &sender).await {
                // A reader that has gone away has heard enough.
                let _ = sender.send(Err(error)).await;
            }
            drop(reading);
        });
        let event = |receipt: Result<Receipt, ValidatorError>| {
            let receipt = receipt.map_err(failed)?;
            Ok(HistoryEvent { receipt: receipt.encode().to_vec().into() })
        };
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver).map(event))))
    }

    async fn witness(&self, request: Request<WitnessRequest>) -> Result<Response<WitnessResponse>, Status> {
        let (caller, request) = self.heard(methods::VALIDATOR_WITNESS, request)?;
        self.check_permit(&caller.account).await?;
        let head = self.node.chain().head().await.map_err(|error| failed(error.into()))?;
        let correspondent = Arc::clone(self.node.correspondent());
        let (asker, newest) = (caller.account, head.height);
        let signed = tokio::task::spawn_blocking(move || {
            witness(&request, &correspondent.network(), &asker, newest, correspondent.signer())
        });
        let ended = |error: tokio::task::JoinError| {
            failed(ValidatorError::Ended { doing: "witnessing", detail: error.to_string() })
        };
        let signature = signed.await.map_err(ended)?.map_err(refused)?;
        let signature = signature.0.to_vec().into();
        self.answer(&caller, WitnessResponse { signature, arrived_at_height: newest, seal: None })
    }

    async fn place(&self, request: Request<PlaceRequest>) -> Result<Response<PlaceResponse>, Status> {
        cared!(self, request, VALIDATOR_PLACE, place)
    }

    async fn register(
        &self,
        request: Request<RegisterRequest>,
    ) -> Result<Response<RegisterResponse>, Status> {
        cared!(self, request, VALIDATOR_REGISTER, register)
    }

    async fn locate(&self, request: Request<LocateRequest>) -> Result<Response<LocateResponse>, Status> {
        cared!(self, request, VALIDATOR_LOCATE, locate)
    }

    async fn list(&self, request: Request<ListRequest>) -> Result<Response<ListResponse>, Status> {
        cared!(self, request, VALIDATOR_LIST, list)
    }

    async fn release(&self, request: Request<ReleaseRequest>) -> Result<Response<ReleaseResponse>, Status> {
        cared!(self, request, VALIDATOR_RELEASE, release)
    }

    async fn audit(&self, request: Request<AuditRequest>) -> Result<Response<AuditResponse>, Status> {
        cared!(self, request, VALIDATOR_AUDIT, audit)
    }
}
