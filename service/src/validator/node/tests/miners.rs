//! Miners on real sockets that do what a test tells them.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use holdfast_engine::account::Account;
use holdfast_engine::receipt::{ChainKey, ChainTip, Outcome, Receipt};
use holdfast_engine::space::response::{response_digest, response_signing_digest};
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tokio_stream::{Stream, StreamExt};
use tonic::{Request, Response, Status, Streaming};

use crate::local::audits::AnyChallenge;
use crate::proto::miner_server::{Miner, MinerServer};
use crate::proto::*;
use crate::validator::fixture::{self, World};
use crate::wire::Correspondent;
use crate::wire::canonical::methods;
use crate::wire::clock::SystemClock;

/// What a miner does when it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Behaviour {
    Honest,
    /// Changes a byte of each response, and promises that.
    Wrong,
    /// Gives its first digest after τ.
    Late,
    /// Keeps the stream open and says nothing.
    Silent,
    /// Sends events without end.
    Flooding,
    /// Gives the responses of an earlier round.
    Replaying,
    /// Gives the responses to its own challenges with another's name in them: another miner's answer.
    Borrowing,
    /// Sends digests of the wrong length for challenges that there are not.
    Garbage,
    /// Has no endpoint.
    Unreachable,
}

#[derive(Debug)]
pub(super) struct FakeMiner {
    held: fixture::Miner,
    network: [u8; 32],
    correspondent: Correspondent,
    endpoint: Option<SocketAddr>,
    behaviour: Mutex<Behaviour>,
    tips: Mutex<HashMap<ChainKey, ChainTip>>,
    seen: Mutex<Vec<Receipt>>,
    /// Responses of the last honest round, by what they are about.
    earlier: Mutex<HashMap<[u8; 32], Vec<u8>>>,
    rounds: AtomicUsize,
}

impl FakeMiner {
    pub(super) async fn serve(world: &World, held: fixture::Miner, behaviour: Behaviour) -> Arc<FakeMiner> {
        let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = socket.local_addr().unwrap();
        let correspondent =
            Correspondent::new(world.network, Arc::clone(&held.signer), Arc::new(SystemClock));
        let miner = Arc::new(FakeMiner {
            held,
            network: world.network,
            correspondent,
            endpoint: (behaviour != Behaviour::Unreachable).then_some(endpoint),
            behaviour: Mutex::new(behaviour),
            tips: Mutex::default(),
            seen: Mutex::default(),
            earlier: Mutex::default(),
            rounds: AtomicUsize::new(0),
        });
        let service = MinerServer::new(Served(Arc::clone(&miner)));
        let server = tonic::transport::Server::builder().add_service(service);
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(socket)));
        miner
    }

    pub(super) fn account(&self) -> Account {
        self.held.account()
    }

    pub(super) fn endpoint(&self) -> Option<SocketAddr> {
        self.endpoint
    }

    pub(super) fn behave(&self, behaviour: Behaviour) {
        *self.behaviour.lock().unwrap() = behaviour;
    }

    pub(super) fn sign(&self, digest: &[u8; 32]) -> holdfast_engine::signature::Signature {
        self.held.signer.sign(digest)
    }

    /// All receipts that it was shown.
    pub(super) fn seen(&self) -> Vec<Receipt> {
        self.seen.lock().unwrap().clone()
    }

    /// Streams of challenges that were opened.
    pub(super) fn rounds_asked(&self) -> usize {
        self.rounds.load(Ordering::SeqCst)
    }

    /// Its response, as it behaves.
    fn response(&self, challenge: &AnyChallenge, behaviour: Behaviour) -> Option<Vec<u8>> {
        let mut honest = self.held.answer(challenge)?;
        match behaviour {
            Behaviour::Replaying => self.earlier.lock().unwrap().get(&challenge.subject()).cloned(),
            Behaviour::Wrong => {
                *honest.last_mut()? ^= 1;
                Some(honest)
            }
            Behaviour::Borrowing => {
                // The header names the challenge of somebody else.
                honest[16..48].copy_from_slice(&blake3::hash(&challenge.digest()).as_bytes()[..]);
                Some(honest)
            }
            _ => {
                self.earlier.lock().unwrap().insert(challenge.subject(), honest.clone());
                Some(honest)
            }
        }
    }

    fn promise(&self, place: u32, challenge: &AnyChallenge, response: &[u8]) -> ChallengeEvent {
        let digest = response_digest(response);
        let signature = self.held.signer.sign(&response_signing_digest(&challenge.digest(), &digest));
        ChallengeEvent {
            place,
            response_digest: digest.to_vec().into(),
            signature: signature.0.to_vec().into(),
            ..ChallengeEvent::default()
        }
    }

    fn events(&self, challenges: &[AnyChallenge], behaviour: Behaviour) -> Vec<ChallengeEvent> {
        let (mut promises, mut bodies) = (Vec::new(), Vec::new());
        for (place, challenge) in (0..).zip(challenges) {
            let Some(response) = self.response(challenge, behaviour) else { continue };
            promises.push(self.promise(place, challenge, &response));
            let count = response.chunks(2_000).count();
            for (number, part) in response.chunks(2_000).enumerate() {
                let part = Part { offset_bytes: number as u64 * 2_000, bytes: part.to_vec().into() };
                let last = number + 1 == count;
                bodies.push(ChallengeEvent { place, part: Some(part), last, ..ChallengeEvent::default() });
            }
        }
        promises.append(&mut bodies);
        promises
    }
}

#[derive(Debug)]
struct Served(Arc<FakeMiner>);

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

fn listed<T: Send + 'static>(items: Vec<T>) -> Response<Answers<T>> {
    Response::new(Box::pin(tokio_stream::iter(items.into_iter().map(Ok))))
}

fn refused(rejection: holdfast_engine::rejection::Rejection) -> Status {
    crate::wire::status::of_rejection(&rejection)
}

#[tonic::async_trait]
impl Miner for Served {
    type CommitmentStream = Answers<Part>;
    type ChallengeStream = Answers<ChallengeEvent>;
    type RetrieveStream = Answers<RetrieveEvent>;
    type TableStream = Answers<Part>;

    async fn ping(&self, request: Request<PingRequest>) -> Result<Response<PingResponse>, Status> {
        let caller = self.0.correspondent.hear(methods::MINER_PING, request.get_ref()).map_err(refused)?;
        let response = PingResponse { version: "test".to_owned(), ..PingResponse::default() };
        Ok(Response::new(self.0.correspondent.answer(&caller, response)))
    }

    async fn commitment(
        &self,
        request: Request<CommitmentRequest>,
    ) -> Result<Response<Self::CommitmentStream>, Status> {
        self.0.correspondent.hear(methods::MINER_COMMITMENT, request.get_ref()).map_err(refused)?;
        let bytes = self.0.held.commitment.encode();
        let part = |(number, part): (usize, &[u8])| Part {
            offset_bytes: number as u64 * 1_000,
            bytes: part.to_vec().into(),
        };
        Ok(listed(bytes.chunks(1_000).enumerate().map(part).collect()))
    }

    async fn challenge(
        &self,
        request: Request<ChallengeRequest>,
    ) -> Result<Response<Self::ChallengeStream>, Status> {
        let miner = Arc::clone(&self.0);
        miner.correspondent.hear(methods::MINER_CHALLENGE, request.get_ref()).map_err(refused)?;
        miner.rounds.fetch_add(1, Ordering::SeqCst);
        let challenges: Vec<AnyChallenge> = request
            .get_ref()
            .challenges
            .iter()
            .map(|challenge| AnyChallenge::decode(challenge).map_err(refused))
            .collect::<Result<_, _>>()?;
        let behaviour = *miner.behaviour.lock().unwrap();
        let honest = miner.events(&challenges, behaviour);
        let forever = || tokio_stream::pending::<Result<ChallengeEvent, Status>>();
        Ok(match behaviour {
            Behaviour::Silent => Response::new(Box::pin(forever())),
            Behaviour::Flooding => {
                Response::new(Box::pin(tokio_stream::iter(std::iter::repeat_with(|| {
                    Ok(ChallengeEvent::default())
                }))))
            }
            Behaviour::Garbage => listed(vec![ChallengeEvent {
                place: 77,
                response_digest: vec![1; 31].into(),
                ..ChallengeEvent::default()
            }]),
            Behaviour::Late => {
                let (sender, receiver) = tokio::sync::mpsc::channel(honest.len().max(1));
                tokio::spawn(async move {
                    // This is what the miner does: it answers after τ, which is 4 s here.
                    tokio::time::sleep(Duration::from_millis(4_200)).await;
                    for event in honest {
                        let _ = sender.send(Ok(event)).await;
                    }
                });
                Response::new(Box::pin(ReceiverStream::new(receiver)))
            }
            // It stays to see that what it sent was enough.
            _ => Response::new(Box::pin(tokio_stream::iter(honest.into_iter().map(Ok)).chain(forever()))),
        })
    }

    async fn countersign(
        &self,
        request: Request<CountersignRequest>,
    ) -> Result<Response<CountersignResponse>, Status> {
        let miner = &self.0;
        let caller =
            miner.correspondent.hear(methods::MINER_COUNTERSIGN, request.get_ref()).map_err(refused)?;
        let mut tips = miner.tips.lock().unwrap();
        let mut receipts = Vec::new();
        for bytes in &request.get_ref().receipts {
            let receipt = Receipt::decode(bytes).map_err(refused)?;
            miner.seen.lock().unwrap().push(receipt);
            let key = receipt.body.key;
            let tip = tips.entry(key).or_insert_with(|| ChainTip::new(miner.network, key));
            receipts.push(match tip.countersign(&receipt, &miner.held.signer) {
                Ok(signed) if signed.body.outcome == Outcome::Missed => CountersignedReceipt::default(),
                Ok(signed) => CountersignedReceipt {
                    signature: signed.miner_signature.0.to_vec().into(),
                    refused: String::new(),
                },
                Err(why) => CountersignedReceipt { signature: Default::default(), refused: why.to_string() },
            });
        }
        let response = CountersignResponse { receipts, seal: None };
        Ok(Response::new(miner.correspondent.answer(&caller, response)))
    }

    async fn allocation(
        &self,
        _: Request<AllocationRequest>,
    ) -> Result<Response<AllocationResponse>, Status> {
        Err(Status::unimplemented("not in these tests"))
    }

    async fn store(&self, _: Request<Streaming<StoreRequest>>) -> Result<Response<StoreResponse>, Status> {
        Err(Status::unimplemented("not in these tests"))
    }

    async fn store_progress(
        &self,
        _: Request<StoreProgressRequest>,
    ) -> Result<Response<StoreProgressResponse>, Status> {
        Err(Status::unimplemented("not in these tests"))
    }

    async fn retrieve(&self, _: Request<RetrieveRequest>) -> Result<Response<Self::RetrieveStream>, Status> {
        Err(Status::unimplemented("not in these tests"))
    }

    async fn table(&self, _: Request<TableRequest>) -> Result<Response<Self::TableStream>, Status> {
        Err(Status::unimplemented("not in these tests"))
    }

    async fn keep_record(
        &self,
        _: Request<KeepRecordRequest>,
    ) -> Result<Response<KeepRecordResponse>, Status> {
        Err(Status::unimplemented("not in these tests"))
    }

    async fn record(&self, _: Request<RecordRequest>) -> Result<Response<RecordResponse>, Status> {
        Err(Status::unimplemented("not in these tests"))
    }

    async fn delete(&self, _: Request<DeleteRequest>) -> Result<Response<DeleteResponse>, Status> {
        Err(Status::unimplemented("not in these tests"))
    }

    async fn status(&self, _: Request<StatusRequest>) -> Result<Response<StatusResponse>, Status> {
        Err(Status::unimplemented("not in these tests"))
    }
}
