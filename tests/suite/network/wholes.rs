//! Owners that ask for every byte by sealed tokens, and others who would like miners to read for them.

use std::path::Path;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use holdfast_engine::possession::challenge::{ObjectChallenge, ObjectTerms};
use holdfast_engine::possession::token::TokenChallenge;
use holdfast_engine::rejection::Class;
use holdfast_service::client::{NotAsked, WholeOutcome};
use holdfast_service::proto::*;
use holdfast_service::validator::collect::Asker;
use holdfast_service::validator::peers::Peers;
use holdfast_tests::disk::damage_object;
use tokio_stream::StreamExt;
use tonic::{Code, Status, async_trait};

use super::conduct::bodies;
use super::files::{get, put};
use super::scene::{Scene, VALIDATOR, bytes_of};
use super::spending::{FILE_BYTES, accepted, audit, restless, stored};
use super::station::{Conduct, Events, Me, Station};

/// Every byte counts, a token is spent once, and what came of it is between owner and miner.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_finds_one_wrong_bit_and_is_spent() {
    let scene = Scene::new().await;
    let miners = [restless(&scene, "one").await, restless(&scene, "two").await];
    scene.step().await;
    let stored = stored(&scene).await;
    let owner = scene.owner("owner");
    let audits = audit(&scene, &owner, &stored.root).await.expect("asks");
    assert_eq!(accepted(&audits), [true, true], "{audits:?}");
    assert!(audits.iter().all(|audit| audit.spent == Some(0) && audit.unused == Some(1)), "{audits:?}");

    damage_object(&miners[1].directory, 123_456);
    scene.block();
    let audits = audit(&scene, &owner, &stored.root).await.expect("asks");
    for audit in &audits {
        let is_honest = audit.miner == Some(miners[0].account());
        assert_eq!(matches!(audit.outcome, WholeOutcome::Accepted { .. }), is_honest, "{audit:?}");
        let says = |why: &str| why.contains("damaged");
        assert!(is_honest || matches!(&audit.outcome, WholeOutcome::Refused(why) if says(why)), "{audit:?}");
        assert_eq!(audit.spent, Some(1), "{audit:?}");
    }
    let audits = audit(&scene, &owner, &stored.root).await.expect("has none left");
    let none_left = WholeOutcome::NotAsked(NotAsked::Exhausted);
    assert!(audits.iter().all(|audit| audit.outcome == none_left && audit.unused == Some(0)), "{audits:?}");

    scene.settle().await;
    for miner in &miners {
        let receipts = scene.receipts(miner.account()).await;
        assert!(!receipts.is_empty());
        assert!(receipts.iter().all(|row| row.body().expect("a body").kind.name() != "whole"));
    }
    assert!(get(&owner, &stored.root).await.0.expect("comes back") == bytes_of(FILE_BYTES, 1));
}

/// What is secret about tokens is for the owner's eyes, and goes with the file.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_are_kept_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let scene = Scene::new().await;
    let _miners = [scene.honest("one").await, scene.honest("two").await];
    scene.step().await;
    let stored = stored(&scene).await;
    let folder =
        scene.folder.path().join("owner.state/files").join(format!("{}.tokens", hex::encode(stored.root)));
    let mode = |path: &Path| std::fs::metadata(path).expect("is there").permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    let files: Vec<_> =
        std::fs::read_dir(&folder).expect("reads").map(|entry| entry.expect("reads").path()).collect();
    let of_kind =
        |kind: &str| files.iter().filter(|path| path.extension().is_some_and(|found| found == kind)).count();
    assert_eq!((of_kind("tokens"), of_kind("record")), (2, 2), "{files:?}");
    assert!(files.iter().all(|path| mode(path) == 0o600), "{files:?}");
    let plain = put(&scene.owner("owner"), &bytes_of(1_000, 2), "replicate-2").await;
    let refused = audit(&scene, &scene.owner("owner"), &plain.root).await.expect_err("has none");
    assert!(refused.to_string().contains("--tokens"), "{refused}");
    scene.owner("owner").remove(&stored.root).await.expect("is released");
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

/// How a real miner answers a challenge of somebody's: why it refuses, or nothing.
async fn refusal(peers: &Peers, station: &Station, challenge: &TokenChallenge) -> Result<String, Status> {
    let real = station.real.as_ref().expect("has a disk");
    let (height, bytes) = (challenge.challenge().height, challenge.encode().to_vec().into());
    let mut events = peers.challenge(&real.account(), real.server.address, height, vec![bytes]).await?;
    let mut refused = String::new();
    while let Some(event) = events.next().await {
        refused.push_str(&event?.refused);
    }
    Ok(refused)
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
    scene.step().await;
    let heard = Listening::default();
    let asked = Arc::clone(&heard.0);
    station.behave(heard);
    let stored = stored(&scene).await;
    // Somebody who has other objects here.
    put(&scene.owner("neighbour"), &bytes_of(1_000, 3), "replicate-2").await;
    let owner = scene.owner("owner");
    assert_eq!(accepted(&audit(&scene, &owner, &stored.root).await.expect("asks")), [true, true]);
    let shown = asked.lock().expect("no panic").last().cloned().expect("was asked");
    let shown = TokenChallenge::decode(&shown).expect("a token's");

    let head = scene.block();
    let at = (head.height, head.hash);
    let (stranger, neighbour) = (scene.peers("stranger"), scene.peers("neighbour"));
    for token in 0..20 {
        let asked = again(&shown, &stranger, token, at);
        let refused = refusal(&stranger, &station, &asked).await.expect_err("a stranger");
        assert_eq!(refused.code(), Code::PermissionDenied, "{refused}");
        let asked = again(&shown, &neighbour, token, at);
        let refused = refusal(&neighbour, &station, &asked).await.expect("an event");
        assert!(refused.contains("not-found") || refused.contains("no object"), "{refused}");
    }
    let mine = scene.peers("owner");
    // The same question gets the same answer; the same token in another one none, nor another token so soon.
    assert_eq!(refusal(&mine, &station, &shown).await.expect("answers"), "");
    let reused = refusal(&mine, &station, &again(&shown, &mine, shown.token(), at)).await.expect("an event");
    assert!(reused.contains("was shown before"), "{reused}");
    let head = scene.block();
    let soon = again(&shown, &mine, 1 - shown.token(), (head.height, head.hash));
    let refused = refusal(&mine, &station, &soon).await.expect("an event");
    assert!(refused.contains("was read a while ago"), "{refused}");
    // The validator has an allowance of its own, which the owner has not used up.
    let validator = scene.peers(VALIDATOR);
    let theirs = again(&shown, &validator, shown.token(), (head.height, head.hash));
    assert_eq!(refusal(&validator, &station, &theirs).await.expect("answers"), "");
}

/// A miner that gives a digest of something else is found out, and nobody else is told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_digest_is_not_that_of_the_token() {
    let scene = Scene::new().await;
    let (honest, cheat) = (scene.honest("honest").await, scene.hostile("cheat").await);
    scene.step().await;
    let stored = stored(&scene).await;
    cheat.behave(bodies(|_, honest| {
        let mut bytes = honest.to_vec();
        *bytes.last_mut()? ^= 1;
        Some(bytes)
    }));
    for audit in audit(&scene, &scene.owner("owner"), &stored.root).await.expect("asks") {
        match audit.outcome {
            WholeOutcome::Accepted { .. } => assert_eq!(audit.miner, Some(honest.account())),
            WholeOutcome::Failed(rejection) => {
                assert_eq!((audit.miner, rejection.class), (Some(cheat.account()), Class::WrongProof));
            }
            other => panic!("{other:?}"),
        }
    }
}
