//! A hostile miner: a server with a miner's key before the real miner, which does whatever its conduct does not do otherwise.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use holdfast_engine::account::Account;
use holdfast_engine::signature::Signer;
use holdfast_engine::space::response::{response_digest, response_signing_digest};
use holdfast_service::local::audits::AnyChallenge;
use holdfast_service::proto::miner_client::MinerClient;
use holdfast_service::proto::miner_server::{Miner, MinerServer};
use holdfast_service::proto::*;
use holdfast_service::wire::Correspondent;
use tokio_stream::{Stream, StreamExt};
use tonic::service::Routes;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Response, Status, Streaming, async_trait};

use super::disk::RealMiner;
use super::scene::Scene;
use super::server::Server;

/// Bytes of the parts of bodies.
const PART_BYTES: usize = 2_000;

pub(crate) type Events<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;
pub(crate) type Uploaded = Streaming<StoreRequest>;

/// The hostile miner with all that it has.
pub(crate) struct Station {
    pub(crate) me: Arc<Me>,
    pub(crate) real: Option<RealMiner>,
    server: Server,
}

/// What a conduct can use: the key, and the real miner.
pub(crate) struct Me {
    pub(crate) signer: Arc<Signer>,
    pub(crate) correspondent: Correspondent,
    pub(crate) behind: MinerClient<Channel>,
    conduct: Mutex<Arc<dyn Conduct>>,
}

/// A challenge, and what the real miner answers.
pub(crate) struct Asked {
    pub(crate) place: u32,
    pub(crate) challenge: AnyChallenge,
    pub(crate) honest: Option<Vec<u8>>,
}

impl Station {
    /// Stands before a real miner, and is as honest as it until it is told otherwise.
    pub(crate) async fn before(scene: &Scene, real: RealMiner) -> Station {
        let (signer, behind) = (Arc::clone(&real.signer), real.server.address);
        Station { real: Some(real), ..Station::alone(scene, signer, behind, Honest).await }
    }

    /// Has a key and no disk; what its conduct does not do is asked of the miner at an address.
    pub(crate) async fn alone(
        scene: &Scene,
        signer: Arc<Signer>,
        behind: SocketAddr,
        conduct: impl Conduct + 'static,
    ) -> Station {
        let endpoint = Endpoint::from_shared(format!("http://{behind}")).expect("an address");
        let correspondent =
            Correspondent::new(scene.network, Arc::clone(&signer), Arc::clone(&scene.clock) as _);
        let me = Arc::new(Me {
            signer,
            correspondent,
            behind: MinerClient::new(endpoint.connect_lazy()),
            conduct: Mutex::new(Arc::new(conduct)),
        });
        let server = Server::start(Routes::new(MinerServer::new(Served(Arc::clone(&me))))).await;
        Station { me, real: None, server }
    }

    pub(crate) fn account(&self) -> Account {
        self.me.signer.account()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.address
    }

    pub(crate) fn behave(&self, conduct: impl Conduct + 'static) {
        *self.me.conduct.lock().expect("no panic") = Arc::new(conduct);
    }
}

impl Me {
    fn conduct(&self) -> Arc<dyn Conduct> {
        Arc::clone(&self.conduct.lock().expect("no panic"))
    }

    /// What is asked, with the real miner's answers.
    pub(crate) async fn honest(&self, request: ChallengeRequest) -> Result<Vec<Asked>, Status> {
        let decoded = |(place, bytes): (u32, &bytes::Bytes)| Asked {
            place,
            challenge: AnyChallenge::decode(bytes).expect("validators send challenges"),
            honest: None,
        };
        let mut asked: Vec<Asked> = (0..).zip(&request.challenges).map(decoded).collect();
        let mut events = self.behind.clone().challenge(request).await?.into_inner();
        while let Some(event) = events.message().await? {
            if let Some(part) = event.part {
                asked[event.place as usize].honest.get_or_insert_default().extend_from_slice(&part.bytes);
            }
        }
        Ok(asked)
    }

    /// A promise of a response.
    pub(crate) fn promise(&self, asked: &Asked, response: &[u8]) -> ChallengeEvent {
        let digest = response_digest(response);
        let signature = self.signer.sign(&response_signing_digest(&asked.challenge.digest(), &digest));
        ChallengeEvent {
            place: asked.place,
            response_digest: digest.to_vec().into(),
            signature: signature.0.to_vec().into(),
            ..ChallengeEvent::default()
        }
    }
}

/// A body in parts; an empty one has one, too.
pub(crate) fn body(place: u32, response: &[u8]) -> Vec<ChallengeEvent> {
    let mut parts: Vec<&[u8]> = response.chunks(PART_BYTES).collect();
    if parts.is_empty() {
        parts.push(&[]);
    }
    let count = parts.len();
    let event = |(number, bytes): (usize, &[u8])| ChallengeEvent {
        place,
        part: Some(Part { offset_bytes: (number * PART_BYTES) as u64, bytes: bytes.to_vec().into() }),
        last: number + 1 == count,
        ..ChallengeEvent::default()
    };
    parts.into_iter().enumerate().map(event).collect()
}

pub(crate) fn listed<T: Send + 'static>(items: Vec<T>) -> Events<T> {
    Box::pin(tokio_stream::iter(items.into_iter().map(Ok)))
}

/// Whatever the real miner does.
pub(crate) struct Honest;

impl Conduct for Honest {}

struct Served(Arc<Me>);

macro_rules! miner_methods {
    (
        one { $($method:ident($request:ty) -> $response:ty;)* }
        many { $($stream:ident: $streamed:ident($asked:ty) -> $event:ty;)* }
    ) => {
        /// What a hostile miner does when it is asked.
        #[async_trait]
        pub(crate) trait Conduct: Send + Sync {
            $(async fn $method(&self, me: &Me, request: $request) -> Result<$response, Status> {
                Ok(me.behind.clone().$method(request).await?.into_inner())
            })*

            $(async fn $streamed(&self, me: &Me, request: $asked) -> Result<Events<$event>, Status> {
                Ok(Box::pin(me.behind.clone().$streamed(request).await?.into_inner()))
            })*

            async fn store(&self, me: &Me, messages: Uploaded) -> Result<StoreResponse, Status> {
                // A stream that fails ends here; the real miner then lacks its end and keeps nothing.
                Ok(me.behind.clone().store(messages.map_while(Result::ok)).await?.into_inner())
            }
        }

        #[async_trait]
        impl Miner for Served {
            $(type $stream = Events<$event>;)*

            $(async fn $method(&self, request: Request<$request>) -> Result<Response<$response>, Status> {
                let conduct = self.0.conduct();
                conduct.$method(&self.0, request.into_inner()).await.map(Response::new)
            })*

            $(async fn $streamed(&self, request: Request<$asked>) -> Result<Response<Events<$event>>, Status> {
                let conduct = self.0.conduct();
                conduct.$streamed(&self.0, request.into_inner()).await.map(Response::new)
            })*

            async fn store(
                &self,
                request: Request<Streaming<StoreRequest>>,
            ) -> Result<Response<StoreResponse>, Status> {
                let conduct = self.0.conduct();
                conduct.store(&self.0, request.into_inner()).await.map(Response::new)
            }
        }
    };
}

miner_methods! {
    one {
        ping(PingRequest) -> PingResponse;
        allocation(AllocationRequest) -> AllocationResponse;
        countersign(CountersignRequest) -> CountersignResponse;
        store_progress(StoreProgressRequest) -> StoreProgressResponse;
        keep_record(KeepRecordRequest) -> KeepRecordResponse;
        record(RecordRequest) -> RecordResponse;
        delete(DeleteRequest) -> DeleteResponse;
        status(StatusRequest) -> StatusResponse;
    }
    many {
        CommitmentStream: commitment(CommitmentRequest) -> Part;
        ChallengeStream: challenge(ChallengeRequest) -> ChallengeEvent;
        RetrieveStream: retrieve(RetrieveRequest) -> RetrieveEvent;
        TableStream: table(TableRequest) -> Part;
    }
}
