//! For which record a miner answers an owner's tokens: the one that its validator gave it, whatever the owner was told.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use holdfast_engine::account::Account;
use holdfast_engine::possession::record::ObjectRecord;
use holdfast_engine::rejection::Class;
use holdfast_engine::signature::Signer;
use holdfast_service::client::{Client, NotAsked, WholeOutcome};
use holdfast_service::connect::Connector;
use holdfast_service::pieces::Content;
use holdfast_service::proto::validator_server::ValidatorServer;
use holdfast_service::proto::*;
use holdfast_service::validator::care::Keeper;
use holdfast_service::validator::peers::Peer;
use holdfast_service::validator::serve::{Care, Service};
use holdfast_service::wire::canonical::methods;
use holdfast_service::wire::status::{of_rejection, refusal};
use tonic::service::Routes;
use tonic::{Code, Status, async_trait};

use super::disk::RealMiner;
use super::scene::{Scene, VALIDATOR};
use super::server::Server;
use super::station::{Conduct, Me};
use super::tokens::{OWNER, Owner, accepted};

/// Takes a file into care, lets a block pass, and says that its records came too late.
struct Denying {
    keeper: Arc<Keeper>,
    block: Box<dyn Fn() + Send + Sync>,
    has_denied: AtomicBool,
}

impl fmt::Debug for Denying {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Denying")
    }
}

#[async_trait]
impl Care for Denying {
    async fn place(&self, caller: Account, request: PlaceRequest) -> Result<PlaceResponse, Status> {
        self.keeper.place(caller, request).await
    }

    async fn register(&self, caller: Account, request: RegisterRequest) -> Result<RegisterResponse, Status> {
        let registered = self.keeper.register(caller, request).await?;
        if self.has_denied.swap(true, Ordering::Relaxed) {
            return Ok(registered);
        }
        tokio::task::block_in_place(&self.block);
        Err(of_rejection(&Class::WrongRecord.because("blocks came faster")))
    }

    async fn locate(&self, caller: Account, request: LocateRequest) -> Result<LocateResponse, Status> {
        self.keeper.locate(caller, request).await
    }

    async fn list(&self, caller: Account, request: ListRequest) -> Result<ListResponse, Status> {
        self.keeper.list(caller, request).await
    }

    async fn release(&self, caller: Account, request: ReleaseRequest) -> Result<ReleaseResponse, Status> {
        self.keeper.release(caller, request).await
    }

    async fn audit(&self, caller: Account, request: AuditRequest) -> Result<AuditResponse, Status> {
        self.keeper.audit(caller, request).await
    }
}

fn peer(miner: &RealMiner) -> Peer {
    Peer { account: miner.account(), endpoint: miner.server.address }
}

fn object(record: &ObjectRecord) -> Content {
    Content { root: *record.replica.object_root(), length_bytes: record.replica.length() }
}

/// An owner that could only ask with the record that it signed last would have lost every token.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_validator_that_denies_the_records_that_it_handed_out_spoils_no_tokens() {
    let scene = Scene::new().await;
    let miners = [scene.honest("one").await, scene.honest("two").await];
    let driver = Arc::clone(&scene.driver);
    let block = Box::new(move || {
        driver.step().expect("a block");
    });
    let denying = Denying { keeper: Arc::clone(&scene.keeper), block, has_denied: AtomicBool::new(false) };
    let service = Service::new(Arc::clone(&scene.node), Some(Arc::new(denying)));
    let server = Server::start(Routes::new(ValidatorServer::new(service))).await;
    let validator = Peer { endpoint: server.address, ..scene.validator() };
    let state = scene.folder.path().join(format!("{OWNER}.state"));
    let client = Client::new(Arc::new(scene.correspondent(OWNER)), Connector::plain(), validator, &state);
    let owner = Owner::at(&scene, client.expect("a directory"), 1).await;
    for miner in &miners {
        let last = owner.tokens_at(miner).record;
        let kept = scene.peers(OWNER).record(peer(miner), object(&last.record)).await.expect("is told");
        assert_eq!(kept.record, ObjectRecord { height: last.record.height - 1, ..last.record });
    }
    scene.pass_record_heights();
    let audits = owner.audit().await;
    assert_eq!(accepted(&audits), [true, true], "{audits:?}");
}

/// Says something else about its record.
struct Telling(Result<Vec<u8>, Status>);

#[async_trait]
impl Conduct for Telling {
    async fn record(&self, me: &Me, request: RecordRequest) -> Result<RecordResponse, Status> {
        let real = me.behind.clone().record(request.clone()).await?.into_inner();
        let caller = me.correspondent.hear(methods::MINER_RECORD, &request).expect("is for us");
        let record = self.0.clone()?.into();
        Ok(me.correspondent.answer(&caller, RecordResponse { record, ..real }))
    }
}

/// A key under a record that the miner does not have would be shown for nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_token_is_spent_on_a_miner_that_has_no_record_of_it() {
    let scene = Scene::new().await;
    let (one, station) = (scene.honest("one").await, scene.hostile("two").await);
    let owner = Owner::settled(&scene).await;
    // The validator gives it another one, which only the validator has signed.
    let ours = owner.tokens_at(&one).record.record;
    let validator = Signer::development(VALIDATOR);
    let theirs = ObjectRecord { checker: validator.account(), tokens: None, ..ours }.sign(&validator);
    scene.peers(VALIDATOR).keep_record(peer(&one), &theirs).await.expect("is kept");
    let outcomes = async || {
        let audits = owner.audit().await;
        assert!(audits.iter().all(|audit| audit.spent.is_none() && audit.unused == Some(2)), "{audits:?}");
        let of = |miner| audits.iter().find(|audit| audit.miner == Some(miner)).expect("is asked");
        [of(one.account()).outcome.clone(), of(station.account()).outcome.clone()]
    };
    let says_not_here = refusal(Code::NotFound, "no record here", "not-found", "ask another");
    station.behave(Telling(Err(says_not_here)));
    let [swapped, absent] = outcomes().await;
    let WholeOutcome::Refused(why) = &swapped else { panic!("{swapped:?}") };
    assert!(why.contains("wrong-record") && why.contains(&validator.account().to_string()), "{why}");
    let WholeOutcome::Refused(why) = &absent else { panic!("{absent:?}") };
    assert!(why.contains("no record here"), "{why}");
    // What makes no sense is no answer; what says that the record is damaged is no refusal.
    station.behave(Telling(Ok(vec![7; 296])));
    let [_, nonsense] = outcomes().await;
    assert_eq!(nonsense, WholeOutcome::NotAsked(NotAsked::Unreachable));
    station.behave(Telling(Err(refusal(Code::Internal, "could not do it", "damaged", "ask another"))));
    let [_, damaged] = outcomes().await;
    assert!(matches!(damaged, WholeOutcome::Damaged(_)), "{damaged:?}");
}
