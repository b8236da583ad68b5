//! Miners that do not sign what they answered, and a pair that signs two histories.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use holdfast_engine::challenge::Kind;
use holdfast_engine::receipt::{Body, ChainKey, ChainVerifier, Receipt, Round, RoundKind, Subject};
use holdfast_engine::signature::{Signature, Signer};
use holdfast_service::chain::Chain;
use holdfast_service::proto::validator_server::{Validator, ValidatorServer};
use holdfast_service::proto::*;
use holdfast_service::validator::store::ReceiptRow;
use holdfast_service::wire::canonical::methods;
use tonic::service::Routes;
use tonic::{Request, Response, Status, async_trait};

use super::scene::{ACCEPTED, STAKE_RAO, Scene, VALIDATOR, account};
use super::server::Server;
use super::station::{Conduct, Events, Me, listed};

const RIVAL: &str = "rival";
/// Blocks after a round within which its promises are anchored.
const ANCHOR_BLOCKS: u64 = 10;

/// Says this in place of each signature.
struct Signing(Sign);

type Sign = fn(&Me, &Receipt) -> CountersignedReceipt;

#[async_trait]
impl Conduct for Signing {
    async fn countersign(&self, me: &Me, request: CountersignRequest) -> Result<CountersignResponse, Status> {
        let caller = me.correspondent.hear(methods::MINER_COUNTERSIGN, &request).expect("the validator's");
        let receipt = |bytes: &Bytes| (self.0)(me, &Receipt::decode(bytes).expect("a receipt"));
        let receipts = request.receipts.iter().map(receipt).collect();
        Ok(me.correspondent.answer(&caller, CountersignResponse { receipts, seal: None }))
    }
}

fn signed(signature: &[u8]) -> CountersignedReceipt {
    CountersignedReceipt { signature: signature.to_vec().into(), refused: String::new() }
}

/// Whoever answers rightly and does not sign is believed by nobody else, and keeps no round from being closed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_round_is_closed_whether_or_not_the_miner_signs_it() {
    let scene = Scene::new().await;
    let (honest, cheat) = (scene.honest("honest").await, scene.hostile("cheat").await);
    scene.settle().await;
    let conducts: [(&str, Sign); 5] = [
        ("does not want to", |_, _| CountersignedReceipt {
            signature: Bytes::new(),
            refused: "\u{1b}no".repeat(10_000),
        }),
        ("half a signature", |_, _| signed(&[1; 32])),
        ("no point", |_, _| signed(&[0xff; 64])),
        ("zeros", |_, _| signed(&[0; 64])),
        ("somebody else's", |me, receipt| {
            let digest = receipt.body.signing_digest(&me.correspondent.network());
            signed(&Signer::development("another").sign(&digest).0)
        }),
    ];
    let mut heights = Vec::new();
    for (_, conduct) in conducts {
        cheat.behave(Signing(conduct));
        heights.push(scene.step().await);
        scene.close_all().await;
    }
    for ((what, _), height) in conducts.into_iter().zip(heights) {
        assert_eq!(scene.found(cheat.account(), height).await["space"], [ACCEPTED], "{what}");
        let of_height = async |miner| -> Vec<ReceiptRow> {
            let rows = scene.receipts(miner).await.into_iter();
            rows.filter(|row| row.body().expect("a body").height == height).collect()
        };
        for row in of_height(cheat.account()).await {
            assert!(row.miner_signature.is_none(), "{what}");
            assert!(row.withheld.as_ref().is_some_and(|why| why.len() < 1_000), "{what}");
        }
        assert!(of_height(honest.account()).await.iter().all(|row| row.miner_signature.is_some()), "{what}");
    }
    // A third party sees the same, from the receipts alone.
    let recorder = scene.driver.chain().recorder();
    for (miner, signs) in [(honest.account(), true), (cheat.account(), false)] {
        let mut verifier = ChainVerifier::new(scene.network).with_recorder(&*recorder, ANCHOR_BLOCKS);
        let rows = scene.receipts(miner).await;
        for row in &rows {
            verifier.push(&row.encode().expect("a receipt").expect("signed")).expect("follows");
        }
        let report = verifier.finish().expect("whole");
        assert_eq!((report.receipts, report.void.len()), (rows.len() as u64, 0));
        let signed_by_both: u64 = report.chains.iter().map(|chain| chain.accepted_signed_by_both).sum();
        let accepted: u64 = report.chains.iter().map(|chain| chain.accepted).sum();
        assert_eq!(signed_by_both == accepted, signs);
    }
}

/// A validator that shows one history now and another one then, both signed by a miner that is in league with it.
struct TwoFaced {
    network: [u8; 32],
    shown: AtomicU64,
}

impl TwoFaced {
    /// The receipt of a round that never was, which came out in one of two ways.
    fn receipt(&self, way: u8) -> Receipt {
        let (validator, miner) = (Signer::development(RIVAL), Signer::development("friend"));
        let round = Round {
            key: ChainKey {
                validator: validator.account(),
                miner: miner.account(),
                subject: Subject::Partition(1),
            },
            kind: RoundKind::Partition(Kind::Space),
            height: 1,
            challenge_seed: [7; 32],
            challenge_digest: [8; 32],
            deadline_ms: 1,
        };
        let body = Body::of(round, Some(([1 + way; 32], true)), [0; 32]);
        Receipt::issue(body, &self.network, &validator).countersign(&self.network, &miner)
    }
}

macro_rules! absent {
    ($($method:ident($request:ty) -> $response:ty;)*) => {
        #[async_trait]
        impl Validator for TwoFaced {
            type HistoryStream = Events<HistoryEvent>;

            async fn history(&self, _: Request<HistoryRequest>) -> Result<Response<Self::HistoryStream>, Status> {
                let way = u8::from(self.shown.fetch_add(1, Ordering::SeqCst) % 2 == 1);
                let receipt = self.receipt(way).encode().to_vec().into();
                Ok(Response::new(listed(vec![HistoryEvent { receipt }])))
            }

            $(async fn $method(&self, _: Request<$request>) -> Result<Response<$response>, Status> {
                Err(Status::unimplemented("not here"))
            })*
        }
    };
}

absent! {
    ping(PingRequest) -> PingResponse;
    place(PlaceRequest) -> PlaceResponse;
    register(RegisterRequest) -> RegisterResponse;
    locate(LocateRequest) -> LocateResponse;
    list(ListRequest) -> ListResponse;
    release(ReleaseRequest) -> ReleaseResponse;
    audit(AuditRequest) -> AuditResponse;
    status(StatusRequest) -> StatusResponse;
    witness(WitnessRequest) -> WitnessResponse;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_histories_are_evidence_against_whoever_signed_both() {
    let scene = Scene::of(&[(VALIDATOR, STAKE_RAO), (RIVAL, STAKE_RAO)]).await;
    let rival = Arc::new(TwoFaced { network: scene.network, shown: AtomicU64::new(0) });
    let server = Server::start(Routes::new(ValidatorServer::from_arc(rival))).await;
    scene.move_to(account(RIVAL), server.address);
    scene.settle().await;
    let evidence = scene.node.status().await.expect("reads").evidence;
    let culprits: Vec<_> = evidence.iter().map(|row| (row.validator, row.miner)).collect();
    assert!(culprits.contains(&(Some(account(RIVAL)), Some(account("friend")))), "{culprits:?}");
    for row in evidence {
        let bytes = hex::decode(&row.evidence).expect("hex");
        let shown = holdfast_engine::receipt::Evidence::decode(&bytes).expect("evidence");
        shown.verify().expect("anybody can check it");
        assert_ne!(shown.receipts[0].validator_signature, Signature::NONE);
    }
}
