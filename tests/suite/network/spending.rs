//! What an owner spends tokens on, and what it is told of those that it did not spend.

use holdfast_engine::possession::record::ObjectRecord;
use holdfast_engine::possession::token::verify_token;
use holdfast_engine::rejection::Class;
use holdfast_service::client::{NotAsked, WholeOutcome};
use holdfast_service::proto::{ChallengeEvent, ChallengeRequest};
use holdfast_service::validator::peers::Peer;
use holdfast_service::wire::status::refusal;
use holdfast_tests::disk::flip_bit;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status, async_trait};

use super::conduct::Answering;
use super::scene::Scene;
use super::station::{Asked, Conduct, Events, Me, listed};
use super::tokens::{OWNER, Owner, accepted, ask, restless, whole_options};

/// Miners answer for settled records only; who asks before would have shown the keys for nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_token_is_spent_before_its_record_is_settled() {
    let scene = Scene::new().await;
    let _miners = [scene.honest("one").await, scene.honest("two").await];
    let owner = Owner::new(&scene, 2).await;
    let early = owner.audit().await;
    assert_eq!(early.len(), 2);
    for audit in &early {
        let WholeOutcome::NotAsked(NotAsked::Early(why)) = &audit.outcome else { panic!("{audit:?}") };
        assert_eq!((why.class, audit.spent, audit.unused), (Class::NotFinal, None, Some(2)), "{why}");
    }
    scene.pass_record_heights();
    let audits = owner.audit().await;
    assert_eq!(accepted(&audits), [true, true], "{audits:?}");
}

/// One bit of a file of tokens on the owner's own disk says nothing of the other piece.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_that_cannot_be_read_keep_no_other_piece_from_being_asked() {
    let scene = Scene::new().await;
    let _miners = [scene.honest("one").await, scene.honest("two").await];
    let owner = Owner::settled(&scene).await;
    let folder = format!("owner.state/files/{}.tokens", hex::encode(owner.file));
    flip_bit(&scene.folder.path().join(folder).join("0-0.tokens"), 100);
    let audits = owner.audit().await;
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
    let owner = Owner::settled(&scene).await;
    assert_eq!(accepted(&owner.audit().await), [true, true]);
    scene.block();
    for audit in owner.audit().await {
        let WholeOutcome::Refused(why) = &audit.outcome else { panic!("{audit:?}") };
        assert!(why.contains("was read a while ago"), "{why}");
        assert_eq!((audit.spent, audit.unused), (Some(1), Some(0)));
    }
}

/// What a miner refuses before it reads costs neither the token nor the hour in which it reads no more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_challenge_that_is_refused_leaves_its_token_unspent_at_the_miner() {
    let scene = Scene::new().await;
    let (one, _two) = (scene.honest("one").await, scene.honest("two").await);
    let owner = Owner::new(&scene, 2).await;
    let (peers, peer) = (scene.peers(OWNER), Peer { account: one.account(), endpoint: one.server.address });
    let tokens = owner.tokens_at(&one);
    let (record, (number, token)) = (&tokens.record.record, tokens.take());
    let refused = async |record: &ObjectRecord, number| {
        let challenge = owner.challenge(record, &scene.block(), (number, &token));
        ask(&peers, peer, &challenge).await.expect("an event")
    };
    let early = refused(record, number).await;
    assert_eq!(early.reason, "not-final", "{early:?}");
    scene.pass_record_heights();
    let other = refused(&ObjectRecord { height: record.height + 1, ..record.clone() }, number).await;
    assert_eq!(other.reason, "wrong-challenge", "{other:?}");
    let beyond = refused(record, 2).await;
    assert_eq!(beyond.reason, "wrong-challenge", "{beyond:?}");
    assert!(beyond.refused.contains("token 2; the record has 2"), "{beyond:?}");

    let challenge = owner.challenge(record, &scene.block(), (number, &token));
    let answered = ask(&peers, peer, &challenge).await.expect("answers");
    let entries = tokens.file.entries().expect("reads");
    assert_eq!(verify_token(record, &entries, &challenge, &answered.body), Ok(()), "{answered:?}");
    // Now both are spent.
    let again = refused(record, number).await;
    assert!(again.refused.contains("was shown before"), "{again:?}");
    let soon = refused(record, 1 - number).await;
    assert_eq!(soon.reason, "busy", "{soon:?}");
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
    let owner = Owner::new(&scene, 3).await;
    scene.pass_record_heights();
    let outcome = async || {
        scene.block();
        let audits = owner.audit().await;
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
    let owner = Owner::settled(&scene).await;
    let audit = async |options| owner.client.audit_whole(&owner.file, options).await.expect("is stopped");
    let options = whole_options(&scene);
    silent.behave(Stopping(options.stop.clone()));
    let audits = audit(options.clone()).await;
    let stopped = audits.iter().find(|audit| audit.miner == Some(silent.account())).expect("was asked");
    assert_eq!((&stopped.outcome, stopped.spent), (&WholeOutcome::Stopped, Some(0)));
    assert_eq!(stopped.unused, Some(1));
    // From the start: nobody is asked, and nothing is spent.
    assert_eq!(audit(options).await.len(), 0);
    let options = whole_options(&scene);
    silent.behave(Stopping(options.stop.clone()));
    let again = audit(options).await;
    let again = again.iter().find(|audit| audit.miner == Some(silent.account())).expect("was asked");
    assert_eq!(again.spent, Some(1), "the next one");
}
