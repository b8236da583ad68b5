//! Owners that ask for every byte by sealed tokens, and others who would like miners to read for them.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use holdfast_engine::possession::challenge::{ObjectChallenge, ObjectTerms};
use holdfast_engine::possession::token::TokenChallenge;
use holdfast_engine::rejection::Class;
use holdfast_service::client::{NotAsked, WholeOutcome};
use holdfast_service::proto::*;
use holdfast_service::validator::peers::{Peer, Peers};
use holdfast_tests::disk::{damage_object, data_file};
use tonic::{Code, Status, async_trait};

use super::conduct::bodies;
use super::files::{get, put};
use super::scene::{Scene, VALIDATOR, bytes_of};
use super::station::{Conduct, Events, Me, Station};
use super::tokens::{Answered, FILE_BYTES, OWNER, Owner, PATIENCE, accepted, ask, restless, whole_options};
use crate::pipe::Pipe;

/// Every byte counts, a token is spent once, and what came of it is between owner and miner.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_finds_one_wrong_bit_and_is_spent() {
    let scene = Scene::new().await;
    let miners = [restless(&scene, "one").await, restless(&scene, "two").await];
    let owner = Owner::settled(&scene).await;
    let audits = owner.audit().await;
    assert_eq!(accepted(&audits), [true, true], "{audits:?}");
    assert!(audits.iter().all(|audit| audit.spent == Some(0) && audit.unused == Some(1)), "{audits:?}");

    damage_object(&miners[1].directory, 123_456);
    scene.block();
    let audits = owner.audit().await;
    for audit in &audits {
        let is_honest = audit.miner == Some(miners[0].account());
        assert_eq!(matches!(audit.outcome, WholeOutcome::Accepted { .. }), is_honest, "{audit:?}");
        let says = |why: &str| why.contains("damaged");
        assert!(is_honest || matches!(&audit.outcome, WholeOutcome::Damaged(why) if says(why)), "{audit:?}");
        assert_eq!(audit.spent, Some(1), "{audit:?}");
    }
    let audits = owner.audit().await;
    let none_left = WholeOutcome::NotAsked(NotAsked::Exhausted);
    assert!(audits.iter().all(|audit| audit.outcome == none_left && audit.unused == Some(0)), "{audits:?}");

    scene.settle().await;
    for miner in &miners {
        let receipts = scene.receipts(miner.account()).await;
        assert!(!receipts.is_empty());
        assert!(receipts.iter().all(|row| row.body().expect("a body").kind.name() != "whole"));
    }
    assert!(get(&owner.client, &owner.file).await.0.expect("comes back") == bytes_of(FILE_BYTES, 1));
}

/// What is secret about tokens is for the owner's eyes, and goes with the file.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_are_kept_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let scene = Scene::new().await;
    let _miners = [scene.honest("one").await, scene.honest("two").await];
    let owner = Owner::settled(&scene).await;
    let folder =
        scene.folder.path().join("owner.state/files").join(format!("{}.tokens", hex::encode(owner.file)));
    let mode = |path: &Path| std::fs::metadata(path).expect("is there").permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    let files: Vec<_> =
        std::fs::read_dir(&folder).expect("reads").map(|entry| entry.expect("reads").path()).collect();
    let of_kind =
        |kind: &str| files.iter().filter(|path| path.extension().is_some_and(|found| found == kind)).count();
    assert_eq!((of_kind("tokens"), of_kind("record")), (2, 2), "{files:?}");
    assert!(files.iter().all(|path| mode(path) == 0o600), "{files:?}");
    let plain = put(&owner.client, &bytes_of(1_000, 2), "replicate-2").await;
    let refused = owner.client.audit_whole(&plain.root, whole_options(&scene)).await.expect_err("has none");
    assert!(refused.to_string().contains("--tokens"), "{refused}");
    owner.client.remove(&owner.file).await.expect("is released");
    assert!(!folder.exists());
}

/// Remembers what it is asked; answers as the real miner does.
#[derive(Default)]
struct Listening(Arc<Mutex<Vec<Bytes>>>);

#[async_trait]
impl Conduct for Listening {
    async fn challenge(&self, me: &Me, request: ChallengeRequest) -> Result<Events<ChallengeEvent>, Status> {
        self.0.lock().expect("no panic").extend(request.challenges.clone());
        Ok(Box::pin(me.behind.clone().challenge(request).await?.into_inner()))
    }
}

/// How the real miner behind a station answers a challenge of somebody's.
async fn answered(peers: &Peers, station: &Station, challenge: &TokenChallenge) -> Result<Answered, Status> {
    let real = station.real.as_ref().expect("has a disk");
    ask(peers, Peer { account: real.account(), endpoint: real.server.address }, challenge).await
}

/// The same token at another block, from somebody.
fn again(
    of: &TokenChallenge,
    peers: &Peers,
    token: u64,
    (height, beacon): (u64, [u8; 32]),
) -> TokenChallenge {
    let terms = ObjectTerms {
        height,
        beacon,
        validator: peers.correspondent().account(),
        ..ObjectTerms::clone(of.challenge())
    };
    let key = of.encode()[of.encode().len() - 32..].try_into().expect("32 bytes");
    TokenChallenge::new(ObjectChallenge::new(terms).expect("in range"), token, key).expect("of kind whole")
}

/// Whatever the key is, a miner reads for nobody but the owner and the validator of an object, for each a token once, and not often.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_miner_reads_for_nobody_else_and_not_twice() {
    let scene = Scene::new().await;
    let (station, _other) = (scene.hostile("one").await, restless(&scene, "two").await);
    let heard = Listening::default();
    let asked = Arc::clone(&heard.0);
    station.behave(heard);
    let owner = Owner::settled(&scene).await;
    // Somebody who has other objects here.
    put(&scene.owner("neighbour"), &bytes_of(1_000, 3), "replicate-2").await;
    assert_eq!(accepted(&owner.audit().await), [true, true]);
    let shown = asked.lock().expect("no panic").last().cloned().expect("was asked");
    let shown = TokenChallenge::decode(&shown).expect("a token's");

    let head = scene.block();
    let at = (head.height, head.hash);
    let (stranger, neighbour) = (scene.peers("stranger"), scene.peers("neighbour"));
    for token in 0..20 {
        let asked = again(&shown, &stranger, token, at);
        let refused = answered(&stranger, &station, &asked).await.expect_err("a stranger");
        assert_eq!(refused.code(), Code::PermissionDenied, "{refused}");
        let asked = again(&shown, &neighbour, token, at);
        let refused = answered(&neighbour, &station, &asked).await.expect("an event");
        assert_eq!(refused.reason, "not-found", "{refused:?}");
    }
    let mine = scene.peers(OWNER);
    // The same question gets the same answer; the same token in another one none, nor another token so soon.
    assert_eq!(answered(&mine, &station, &shown).await.expect("answers").refused, "");
    let reused = answered(&mine, &station, &again(&shown, &mine, shown.token(), at)).await.expect("an event");
    assert!(reused.refused.contains("was shown before"), "{reused:?}");
    let head = scene.block();
    let soon = again(&shown, &mine, 1 - shown.token(), (head.height, head.hash));
    let refused = answered(&mine, &station, &soon).await.expect("an event");
    assert!(refused.refused.contains("was read a while ago"), "{refused:?}");
    // The validator has an allowance of its own, which the owner has not used up.
    let validator = scene.peers(VALIDATOR);
    let theirs = again(&shown, &validator, shown.token(), (head.height, head.hash));
    assert_eq!(answered(&validator, &station, &theirs).await.expect("answers").refused, "");
}

/// A miner that gives a digest of something else is found out, and nobody else is told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_digest_is_not_that_of_the_token() {
    let scene = Scene::new().await;
    let (honest, cheat) = (scene.honest("honest").await, scene.hostile("cheat").await);
    let owner = Owner::settled(&scene).await;
    cheat.behave(bodies(|_, honest| {
        let mut bytes = honest.to_vec();
        *bytes.last_mut()? ^= 1;
        Some(bytes)
    }));
    for audit in owner.audit().await {
        match audit.outcome {
            WholeOutcome::Accepted { .. } => assert_eq!(audit.miner, Some(honest.account())),
            WholeOutcome::Failed(rejection) => {
                assert_eq!((audit.miner, rejection.class), (Some(cheat.account()), Class::WrongProof));
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Reading takes hours, so whoever has left must not keep others from it, nor the disk from everybody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_ends_when_its_caller_has_left_and_not_before() {
    let scene = Scene::new().await;
    let (one, _two) = (scene.honest("one").await, scene.honest("two").await);
    let owner = Owner::settled(&scene).await;
    let tokens = owner.tokens_at(&one);
    let (number, token) = tokens.take();
    let challenge = owner.challenge(&tokens.record.record, &scene.block(), (number, &token));
    let (peers, peer) = (scene.peers(OWNER), Peer { account: one.account(), endpoint: one.server.address });
    let pipe = Pipe::in_place_of(&data_file(&one.directory));
    let caller = tokio::spawn(async move { ask(&peers, peer, &challenge).await });
    let mut read = until("the read begins", || pipe.read()).await;
    until("it goes on", || (read.give() && read.goes_on()).then_some(())).await;
    assert!(!caller.is_finished(), "an answer before the end");
    caller.abort();
    until("it ends", || (!read.give()).then_some(())).await;
}

/// Waits until there is something to find.
async fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let looking = async {
        loop {
            if let Some(found) = look() {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.unwrap_or_else(|_| panic!("{what}: it does not"))
}
