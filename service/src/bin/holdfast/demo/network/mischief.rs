//! What stands between a miner and the validators: nothing, delays, or a liar with the miner's key. Seals go through it untouched.

use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use holdfast_engine::signature::Signer;
use holdfast_engine::space::response::{response_digest, response_signing_digest};
use holdfast_service::connect::Connector;
use holdfast_service::listen::{Listener, Settings};
use holdfast_service::proto::miner_client::MinerClient;
use holdfast_service::proto::miner_server::{Miner, MinerServer};
use holdfast_service::proto::{
    AllocationRequest, AllocationResponse, ChallengeEvent, ChallengeRequest, CommitmentRequest,
    CountersignRequest, CountersignResponse, DeleteRequest, DeleteResponse, KeepRecordRequest,
    KeepRecordResponse, Part, PingRequest, PingResponse, RecordRequest, RecordResponse, RetrieveEvent,
    RetrieveRequest, StatusRequest, StatusResponse, StoreProgressRequest, StoreProgressResponse,
    StoreRequest, StoreResponse, TableRequest,
};
use tokio_stream::{Stream, StreamExt};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::transport::Channel;
use tonic::{Request, Response, Status, Streaming, async_trait};

use crate::audits::AnyChallenge;
use crate::failure::Failure;

/// Bytes of what a miner without data sends in place of an answer.
const LIE_BYTES: usize = 4096;

type Events<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// How answers to challenges are treated.
#[derive(Clone, Debug)]
pub(super) enum Mischief {
    /// They are held back for so long.
    Late(Duration),
    /// There are none: random bytes are promised with the miner's key, and sent. Objects are taken, and not there when they are asked for.
    Lies(Arc<Signer>),
}

/// A miner's place in the network, with the real one behind it.
pub(super) struct Proxy {
    mischief: Mischief,
    behind: MinerClient<Channel>,
}

/// A proxy that serves until it is told to end.
pub(super) struct Running {
    pub(super) address: SocketAddr,
    end: CancellationToken,
}

impl Proxy {
    /// Stands before the miner at an address.
    pub(super) async fn before(miner: SocketAddr, mischief: Mischief) -> Result<Running, Failure> {
        let failed =
            |error: Box<dyn std::error::Error + Send + Sync>| Failure::work("network", "the demo", error);
        let behind = MinerClient::new(Connector::plain().channel(miner));
        let settings = Settings::at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let listener = Listener::bind(&settings).await.map_err(|error| failed(error.into()))?;
        let (address, end) = (listener.address(), CancellationToken::new());
        let ended = end.clone().cancelled_owned();
        let routes = Routes::new(MinerServer::new(Proxy { mischief, behind }));
        tokio::spawn(async move { listener.serve(routes, &[], ended).await });
        Ok(Running { address, end })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end.cancel();
    }
}

/// A promise of random bytes, and the bytes.
fn lie(challenge: &[u8], place: u32, signer: &Signer) -> Result<[ChallengeEvent; 2], Status> {
    let challenge = AnyChallenge::decode(challenge)
        .map_err(|rejection| Status::invalid_argument(rejection.to_string()))?;
    let mut body = vec![0; LIE_BYTES];
    getrandom::fill(&mut body).map_err(|error| Status::internal(error.to_string()))?;
    let digest = response_digest(&body);
    let signature = signer.sign(&response_signing_digest(&challenge.digest(), &digest));
    let promise = ChallengeEvent {
        place,
        response_digest: digest.to_vec().into(),
        signature: signature.0.to_vec().into(),
        ..ChallengeEvent::default()
    };
    let part = Part { offset_bytes: 0, bytes: body.into() };
    Ok([promise, ChallengeEvent { place, part: Some(part), last: true, ..ChallengeEvent::default() }])
}

#[async_trait]
impl Miner for Proxy {
    type CommitmentStream = Streaming<Part>;
    type ChallengeStream = Events<ChallengeEvent>;
    type RetrieveStream = Streaming<RetrieveEvent>;
    type TableStream = Streaming<Part>;

    async fn challenge(
        &self,
        request: Request<ChallengeRequest>,
    ) -> Result<Response<Self::ChallengeStream>, Status> {
        match self.mischief.clone() {
            Mischief::Late(by) => {
                let events = self.behind.clone().challenge(request).await?.into_inner();
                // All of it comes so much later, and not each part again.
                let held = tokio_stream::once(()).then(move |()| tokio::time::sleep(by));
                let later = held.map(|()| None).chain(events.map(Some)).filter_map(|event| event);
                Ok(Response::new(Box::pin(later)))
            }
            Mischief::Lies(signer) => {
                let challenges = request.into_inner().challenges;
                let lies = (0..).zip(&challenges).map(|(place, challenge)| lie(challenge, place, &signer));
                let events: Vec<_> =
                    lies.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().map(Ok).collect();
                Ok(Response::new(Box::pin(tokio_stream::iter(events))))
            }
        }
    }

    async fn ping(&self, request: Request<PingRequest>) -> Result<Response<PingResponse>, Status> {
        self.behind.clone().ping(request).await
    }

    async fn allocation(
        &self,
        request: Request<AllocationRequest>,
    ) -> Result<Response<AllocationResponse>, Status> {
        self.behind.clone().allocation(request).await
    }

    async fn commitment(
        &self,
        request: Request<CommitmentRequest>,
    ) -> Result<Response<Self::CommitmentStream>, Status> {
        self.behind.clone().commitment(request).await
    }

    async fn countersign(
        &self,
        request: Request<CountersignRequest>,
    ) -> Result<Response<CountersignResponse>, Status> {
        self.behind.clone().countersign(request).await
    }

    async fn store(
        &self,
        request: Request<Streaming<StoreRequest>>,
    ) -> Result<Response<StoreResponse>, Status> {
        // A stream that fails ends here; the miner behind then lacks its end and keeps nothing.
        let messages = request.into_inner().map_while(Result::ok);
        self.behind.clone().store(messages).await
    }

    async fn store_progress(
        &self,
        request: Request<StoreProgressRequest>,
    ) -> Result<Response<StoreProgressResponse>, Status> {
        self.behind.clone().store_progress(request).await
    }

    async fn retrieve(
        &self,
        request: Request<RetrieveRequest>,
    ) -> Result<Response<Self::RetrieveStream>, Status> {
        if let Mischief::Lies(_) = self.mischief {
            return Err(Status::not_found("no such object"));
        }
        self.behind.clone().retrieve(request).await
    }

    async fn table(&self, request: Request<TableRequest>) -> Result<Response<Self::TableStream>, Status> {
        self.behind.clone().table(request).await
    }

    async fn keep_record(
        &self,
        request: Request<KeepRecordRequest>,
    ) -> Result<Response<KeepRecordResponse>, Status> {
        self.behind.clone().keep_record(request).await
    }

    async fn record(&self, request: Request<RecordRequest>) -> Result<Response<RecordResponse>, Status> {
        self.behind.clone().record(request).await
    }

    async fn delete(&self, request: Request<DeleteRequest>) -> Result<Response<DeleteResponse>, Status> {
        self.behind.clone().delete(request).await
    }

    async fn status(&self, request: Request<StatusRequest>) -> Result<Response<StatusResponse>, Status> {
        self.behind.clone().status(request).await
    }
}
