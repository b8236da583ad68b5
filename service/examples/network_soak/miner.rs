//! An honest miner on a real socket that answers from memory.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use holdfast_engine::challenge::{Challenge, Kind};
use holdfast_engine::receipt::{ChainKey, ChainTip, Outcome, Receipt};
use holdfast_engine::rejection::Rejection;
use holdfast_engine::space::response::{response_digest, response_signing_digest};
use holdfast_service::listen::{ListenError, Listener, Settings};
use holdfast_service::local::audits::AnyChallenge;
use holdfast_service::proto::miner_server::{Miner, MinerServer};
use holdfast_service::proto::{
    AllocationRequest, AllocationResponse, ChallengeEvent, ChallengeRequest, CommitmentRequest,
    CountersignRequest, CountersignResponse, CountersignedReceipt, DeleteRequest, DeleteResponse,
    KeepRecordRequest, KeepRecordResponse, Part, PingRequest, PingResponse, RecordRequest, RecordResponse,
    RetrieveEvent, RetrieveRequest, StatusRequest, StatusResponse, StoreProgressRequest,
    StoreProgressResponse, StoreRequest, StoreResponse, TableRequest,
};
use holdfast_service::wire::Correspondent;
use holdfast_service::wire::canonical::methods;
use holdfast_service::wire::clock::SystemClock;
use holdfast_service::wire::status::of_rejection;
use tokio_stream::Stream;
use tonic::service::Routes;
use tonic::{Request, Response, Status, Streaming, async_trait};

use crate::world::Held;

/// Bytes of the parts of what is sent.
const PART_BYTES: usize = 128 << 10;

struct HonestMiner {
    held: Held,
    network: [u8; 32],
    correspondent: Correspondent,
    tips: Mutex<HashMap<ChainKey, ChainTip>>,
}

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Serves until the process ends; gives where.
pub(crate) async fn serve(held: Held, network: [u8; 32]) -> Result<SocketAddr, ListenError> {
    let correspondent = Correspondent::new(network, Arc::clone(&held.signer), Arc::new(SystemClock));
    let listener = Listener::bind(&Settings::at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))).await?;
    let address = listener.address();
    let miner = HonestMiner { held, network, correspondent, tips: Mutex::default() };
    let routes = Routes::new(MinerServer::new(miner));
    tokio::spawn(async move { listener.serve(routes, &[], std::future::pending()).await });
    Ok(address)
}

impl HonestMiner {
    fn answer(&self, challenge: &Challenge) -> Option<Vec<u8>> {
        let partition = self.held.partitions.get(&challenge.partition_id)?;
        Some(match challenge.kind {
            Kind::Space => partition.answer_space(challenge),
            Kind::Seal => partition.answer_seal(challenge),
        })
    }

    /// The promise and the parts of an answer.
    fn events(&self, place: u32, challenge: &[u8]) -> Result<Vec<ChallengeEvent>, Status> {
        let decoded = AnyChallenge::decode(challenge).map_err(refused)?;
        let AnyChallenge::Partition(challenge) = &decoded else {
            return Err(Status::invalid_argument("only windows are held here"));
        };
        let body = self.answer(challenge).ok_or_else(|| Status::not_found("no such partition"))?;
        let digest = response_digest(&body);
        let signature = self.held.signer.sign(&response_signing_digest(&decoded.digest(), &digest));
        let promise = ChallengeEvent {
            place,
            response_digest: digest.to_vec().into(),
            signature: signature.0.to_vec().into(),
            ..ChallengeEvent::default()
        };
        let mut events = vec![promise];
        let last = body.len().saturating_sub(1) / PART_BYTES;
        events.extend(parts(&body).enumerate().map(|(number, part)| ChallengeEvent {
            place,
            part: Some(part),
            last: number == last,
            ..ChallengeEvent::default()
        }));
        Ok(events)
    }

    fn countersigned(&self, receipt: &[u8]) -> Result<CountersignedReceipt, Status> {
        let receipt = Receipt::decode(receipt).map_err(refused)?;
        let key = receipt.body.key;
        let mut tips = self.tips.lock().unwrap_or_else(PoisonError::into_inner);
        let tip = tips.entry(key).or_insert_with(|| ChainTip::new(self.network, key));
        Ok(match tip.countersign(&receipt, &self.held.signer) {
            Ok(signed) if signed.body.outcome == Outcome::Missed => CountersignedReceipt::default(),
            Ok(signed) => CountersignedReceipt {
                signature: signed.miner_signature.0.to_vec().into(),
                refused: String::new(),
            },
            Err(why) => CountersignedReceipt { refused: why.to_string(), ..CountersignedReceipt::default() },
        })
    }
}

fn parts(bytes: &[u8]) -> impl Iterator<Item = Part> + '_ {
    bytes.chunks(PART_BYTES).enumerate().map(|(number, part)| Part {
        offset_bytes: (number * PART_BYTES) as u64,
        bytes: part.to_vec().into(),
    })
}

fn listed<T: Send + 'static>(items: Vec<T>) -> Response<Answers<T>> {
    Response::new(Box::pin(tokio_stream::iter(items.into_iter().map(Ok))))
}

fn refused(rejection: Rejection) -> Status {
    of_rejection(&rejection)
}

/// Methods that a validator without owners does not call, as `async_trait` writes them.
macro_rules! not_here {
    ($($method:ident: $request:ty => $response:ty;)*) => {
        $(fn $method<'life, 'async_trait>(
            &'life self,
            _: Request<$request>,
        ) -> Pin<Box<dyn Future<Output = Result<Response<$response>, Status>> + Send + 'async_trait>>
        where
            'life: 'async_trait,
            Self: 'async_trait,
        {
            let absent = Status::unimplemented(concat!("a soak has no ", stringify!($method)));
            Box::pin(std::future::ready(Err(absent)))
        })*
    };
}

#[async_trait]
impl Miner for HonestMiner {
    type CommitmentStream = Answers<Part>;
    type ChallengeStream = Answers<ChallengeEvent>;
    type RetrieveStream = Answers<RetrieveEvent>;
    type TableStream = Answers<Part>;

    async fn ping(&self, request: Request<PingRequest>) -> Result<Response<PingResponse>, Status> {
        let caller = self.correspondent.hear(methods::MINER_PING, request.get_ref()).map_err(refused)?;
        Ok(Response::new(self.correspondent.answer(&caller, PingResponse::default())))
    }

    async fn commitment(
        &self,
        request: Request<CommitmentRequest>,
    ) -> Result<Response<Self::CommitmentStream>, Status> {
        self.correspondent.hear(methods::MINER_COMMITMENT, request.get_ref()).map_err(refused)?;
        let partition = self.held.partitions.get(&request.get_ref().partition_id);
        let partition = partition.ok_or_else(|| Status::not_found("no such partition"))?;
        Ok(listed(parts(&partition.commitment.encode()).collect()))
    }

    async fn challenge(
        &self,
        request: Request<ChallengeRequest>,
    ) -> Result<Response<Self::ChallengeStream>, Status> {
        self.correspondent.hear(methods::MINER_CHALLENGE, request.get_ref()).map_err(refused)?;
        let challenges = (0..).zip(&request.get_ref().challenges);
        let events = challenges.map(|(place, challenge)| self.events(place, challenge));
        Ok(listed(events.collect::<Result<Vec<_>, _>>()?.concat()))
    }

    async fn countersign(
        &self,
        request: Request<CountersignRequest>,
    ) -> Result<Response<CountersignResponse>, Status> {
        let caller =
            self.correspondent.hear(methods::MINER_COUNTERSIGN, request.get_ref()).map_err(refused)?;
        let receipts = request.get_ref().receipts.iter().map(|receipt| self.countersigned(receipt));
        let response = CountersignResponse { receipts: receipts.collect::<Result<_, _>>()?, seal: None };
        Ok(Response::new(self.correspondent.answer(&caller, response)))
    }

    not_here! {
        allocation: AllocationRequest => AllocationResponse;
        store: Streaming<StoreRequest> => StoreResponse;
        store_progress: StoreProgressRequest => StoreProgressResponse;
        retrieve: RetrieveRequest => Self::RetrieveStream;
        table: TableRequest => Self::TableStream;
        keep_record: KeepRecordRequest => KeepRecordResponse;
        record: RecordRequest => RecordResponse;
        delete: DeleteRequest => DeleteResponse;
        status: StatusRequest => StatusResponse;
    }
}
