//! What an owner spends tokens on, and what it is told of those that it did not spend.

use std::time::Duration;

use holdfast_engine::rejection::Class;
use holdfast_service::client::{
    Client, ClientError, NotAsked, PutOptions, Stored, WholeAudit, WholeOptions, WholeOutcome,
};
use holdfast_service::miner::limits::Limits;
use holdfast_service::proto::{ChallengeEvent, ChallengeRequest};
use holdfast_service::wire::status::refusal;
use holdfast_tests::disk::flip_bit;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status, async_trait};

use super::conduct::Answering;
use super::disk::RealMiner;
use super::files::{SEGMENT_BYTES, options, try_put};
use super::scene::{Scene, bytes_of};
use super::station::{Asked, Conduct, Events, Me, listed};

pub(crate) const FILE_BYTES: usize = 300_000;
const TOKENS: u32 = 2;
/// Long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whoever passed, by miner.
pub(crate) fn accepted(audits: &[WholeAudit]) -> Vec<bool> {
    audits.iter().map(|audit| matches!(audit.outcome, WholeOutcome::Accepted { .. })).collect()
}

/// A file with tokens, in two pieces.
async fn put_with_tokens(scene: &Scene, tokens: u32) -> Stored {
    let with_tokens = PutOptions { tokens, ..options("replicate-2", SEGMENT_BYTES) };
    try_put(&scene.owner("owner"), &bytes_of(FILE_BYTES, 1), with_tokens).await.expect("stores")
}

/// The same, with records that are settled.
pub(crate) async fn stored(scene: &Scene) -> Stored {
    let stored = put_with_tokens(scene, TOKENS).await;
    scene.pass_record_heights();
    stored
}

/// Miners that rest no time between two reads.
pub(crate) async fn restless(scene: &Scene, name: &str) -> RealMiner {
    let miner = RealMiner::start(scene, name, Limits { whole_pause_ms: 0, ..Limits::default() }).await;
    scene.register(miner.account(), miner.server.address);
    miner
}

fn whole_options(scene: &Scene) -> WholeOptions {
    let (policy, stop) = (scene.policy.clone(), CancellationToken::new());
    WholeOptions { policy, patience: PATIENCE, stop }
}

pub(crate) async fn audit(
    scene: &Scene,
    owner: &Client,
    file: &[u8; 32],
) -> Result<Vec<WholeAudit>, ClientError> {
    owner.audit_whole(file, whole_options(scene)).await
}

/// Miners answer for settled records only; who asks before would have shown the keys for nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_token_is_spent_before_its_record_is_settled() {
    let scene = Scene::new().await;
    let _miners = [scene.honest("one").await, scene.honest("two").await];
    scene.step().await;
    let stored = put_with_tokens(&scene, TOKENS).await;
    let owner = scene.owner("owner");
    let early = audit(&scene, &owner, &stored.root).await.expect("asks");
    assert_eq!(early.len(), 2);
    for audit in &early {
        let WholeOutcome::NotAsked(NotAsked::Early(why)) = &audit.outcome else { panic!("{audit:?}") };
        assert_eq!((why.class, audit.spent, audit.unused), (Class::NotFinal, None, Some(2)), "{why}");
    }
    scene.pass_record_heights();
    let audits = audit(&scene, &owner, &stored.root).await.expect("asks");
    assert_eq!(accepted(&audits), [true, true], "{audits:?}");
}

/// One bit of a file of tokens on the owner's own disk says nothing of the other piece.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_that_cannot_be_read_keep_no_other_piece_from_being_asked() {
    let scene = Scene::new().await;
    let _miners = [scene.honest("one").await, scene.honest("two").await];
    scene.step().await;
    let stored = stored(&scene).await;
    let folder = format!("owner.state/files/{}.tokens", hex::encode(stored.root));
    flip_bit(&scene.folder.path().join(folder).join("0-0.tokens"), 100);
    let audits = audit(&scene, &scene.owner("owner"), &stored.root).await.expect("asks the other one");
    assert_eq!(accepted(&audits), [false, true], "{audits:?}");
    let WholeOutcome::NotAsked(NotAsked::Unusable(why)) = &audits[0].outcome else { panic!("{audits:?}") };
    assert!(why.contains("0-0.tokens"), "{why}");
    assert_eq!((audits[0].spent, audits[0].unused), (None, None));
}

/// Who was read for a while ago is refused: that is no sign of lost bytes, and is not told as one. The token is gone all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_is_no_failure() {
    let scene = Scene::new().await;
    let _miners = [scene.honest("one").await, scene.honest("two").await];
    scene.step().await;
    let stored = stored(&scene).await;
    let owner = scene.owner("owner");
    assert_eq!(accepted(&audit(&scene, &owner, &stored.root).await.expect("asks")), [true, true]);
    scene.block();
    for audit in audit(&scene, &owner, &stored.root).await.expect("asks again") {
        let WholeOutcome::Refused(why) = &audit.outcome else { panic!("{audit:?}") };
        assert!(why.contains("was read a while ago"), "{why}");
        assert_eq!((audit.spent, audit.unused), (Some(1), Some(0)));
    }
}

/// Answers with a status, and nothing else.
struct Saying(Status);

#[async_trait]
impl Conduct for Saying {
    async fn challenge(&self, _: &Me, _: ChallengeRequest) -> Result<Events<ChallengeEvent>, Status> {
        Err(self.0.clone())
    }
}

/// Promises something, and then would rather not.
fn promise_and_refuse() -> impl Conduct + 'static {
    Answering(|me: &Me, asked: Vec<Asked>| {
        let promise = me.promise(&asked[0], b"a digest");
        listed(vec![promise, ChallengeEvent { refused: "I am busy".to_owned(), ..Default::default() }])
    })
}

/// What a miner says of itself is a refusal; what others make of a connection is none, nor what it says when it has promised an answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_a_miner_that_says_so_beforehand_refuses() {
    let scene = Scene::new().await;
    let (station, _other) = (scene.hostile("one").await, restless(&scene, "two").await);
    scene.step().await;
    let stored = put_with_tokens(&scene, 3).await;
    scene.pass_record_heights();
    let owner = scene.owner("owner");
    let outcome = async || {
        scene.block();
        let audits = audit(&scene, &owner, &stored.root).await.expect("asks");
        let audit =
            audits.into_iter().find(|audit| audit.miner == Some(station.account())).expect("was asked");
        assert!(audit.spent.is_some(), "{audit:?}");
        audit.outcome
    };
    station.behave(Saying(refusal(Code::ResourceExhausted, "too much at once", "busy", "come later")));
    let WholeOutcome::Refused(why) = outcome().await else { panic!("its own word") };
    assert!(why.contains("too much at once"), "{why}");
    station.behave(Saying(Status::unavailable("somebody on the way")));
    let broken = outcome().await;
    assert!(matches!(&broken, WholeOutcome::Failed(fault) if fault.class == Class::Late), "{broken:?}");
    station.behave(promise_and_refuse());
    let broken = outcome().await;
    assert!(matches!(&broken, WholeOutcome::Failed(fault) if fault.class == Class::Late), "{broken:?}");
}

/// Has the owner stop when the key is shown, and never answers.
struct Stopping(CancellationToken);

#[async_trait]
impl Conduct for Stopping {
    async fn challenge(&self, _: &Me, _: ChallengeRequest) -> Result<Events<ChallengeEvent>, Status> {
        self.0.cancel();
        Ok(Box::pin(tokio_stream::pending()))
    }
}

/// Reading takes hours; who does not want to wait learns which tokens are gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_audit_that_is_stopped_tells_what_is_spent() {
    let scene = Scene::new().await;
    let (silent, _honest) = (scene.hostile("silent").await, scene.honest("honest").await);
    scene.step().await;
    let stored = stored(&scene).await;
    let (owner, options) = (scene.owner("owner"), whole_options(&scene));
    silent.behave(Stopping(options.stop.clone()));
    let audits = owner.audit_whole(&stored.root, options.clone()).await.expect("is stopped");
    let stopped = audits.iter().find(|audit| audit.miner == Some(silent.account())).expect("was asked");
    assert_eq!((&stopped.outcome, stopped.spent), (&WholeOutcome::Stopped, Some(0)));
    assert_eq!(stopped.unused, Some(1));
    // From the start: nobody is asked, and nothing is spent.
    assert_eq!(owner.audit_whole(&stored.root, options).await.expect("is stopped").len(), 0);
    let options = whole_options(&scene);
    silent.behave(Stopping(options.stop.clone()));
    let again = owner.audit_whole(&stored.root, options).await.expect("is stopped");
    let again = again.iter().find(|audit| audit.miner == Some(silent.account())).expect("was asked");
    assert_eq!(again.spent, Some(1), "the next one");
}
