//! Rounds: challenges answered and refused, receipts signed once.

use holdfast_engine::challenge::Challenge;
use holdfast_engine::policy::Policy;
use holdfast_engine::possession::Replica;
use holdfast_engine::possession::challenge::{Ask, AuditKind, Form, ObjectChallenge};
use holdfast_engine::possession::chunks::verify_chunks;
use holdfast_engine::possession::record::ObjectRecord;
use holdfast_engine::receipt::{Body, Receipt, Timeliness};
use holdfast_engine::recorder::{Recorder, Simulation};
use holdfast_engine::rejection::Class;
use holdfast_engine::signature::{Signature, verify};
use holdfast_engine::space::verify::verify_space;
use tonic::Code;

use super::scene::{Got, Ground, Peer, bytes_of, newest};
use crate::operation::metrics::{AnswerLabels, RoundLabels};
use crate::pieces::REPLICA_ID;
use crate::proto;
use crate::wire::canonical::methods;
use crate::wire::status::class_of;

async fn space(peer: &mut Peer, at: (u64, [u8; 32]), policy: &Policy) -> Challenge {
    let commitment = peer.commitment().await.expect("a commitment");
    commitment.check_signature().expect("is the miner's");
    Challenge::space(&commitment, at.1, at.0, 4, policy.deadline_ms)
}

/// A receipt of the validator's for what came of a challenge.
fn receipt(peer: &Peer, challenge: &Challenge, got: &Got, previous: [u8; 32]) -> Receipt {
    let mut round = Timeliness::start(challenge, 0);
    if got.refused.is_empty() {
        let digest = got.digest.as_slice().try_into().expect("32 bytes");
        let signature = Signature(got.signature.as_slice().try_into().expect("64 bytes"));
        round.digest_came(&digest, &signature, 0).expect("is the miner's promise");
        round.body_came(&got.body, 0).expect("is what was promised");
    }
    let body = round.conclude(true, previous);
    Receipt::issue(body, &peer.speaker.network(), peer.speaker.signer())
}

#[tokio::test]
async fn a_round_of_windows_is_answered_once_and_signed_once() {
    let ground = Ground::new();
    let running = ground.start().await;
    let recorder = ground.recorder();
    let mut alice = running.peer(&ground, "alice").await;
    let at = newest(&recorder);
    let challenge = space(&mut alice, at, &ground.policy).await;
    let commitment = alice.commitment().await.expect("a commitment");
    let got = alice.challenge(at.0, &[challenge.encode().to_vec()]).await.expect("answers");
    assert!(got[0].complete, "{:?}", got[0].refused);
    let backend = holdfast_engine::backend::select(Default::default()).expect("a back end");
    verify_space(backend, &commitment, &challenge, &got[0].body).expect("is right");
    // The same question gets the same answer; another one of the same round none.
    assert_eq!(alice.challenge(at.0, &[challenge.encode().to_vec()]).await.expect("answers"), got);
    let other = Challenge::space(&commitment, at.1, at.0, 5, ground.policy.deadline_ms);
    let refused = alice.challenge(at.0, &[other.encode().to_vec()]).await.expect("an event");
    assert!(refused[0].refused.contains("another challenge"), "{}", refused[0].refused);

    let first = receipt(&alice, &challenge, &got[0], [0; 32]);
    let early = alice.countersign(&[first.encode().to_vec()]).await.expect("answers");
    assert!(early[0].refused.starts_with("not-final"), "{}", early[0].refused);
    recorder.advance(ground.policy.finality_blocks).expect("advances");
    let signed = alice.countersign(&[first.encode().to_vec()]).await.expect("answers");
    let signature = Signature(signed[0].signature.as_ref().try_into().expect("64 bytes"));
    let network = alice.speaker.network();
    verify(&alice.miner, &first.body.signing_digest(&network), &signature).expect("is the miner's");
    // Again the same link, but never another one in its place.
    assert!(alice.countersign(&[first.encode().to_vec()]).await.expect("answers")[0].refused.is_empty());
    let mut twin = first.body;
    twin.outcome = holdfast_engine::receipt::Outcome::Rejected;
    let twin = Receipt::issue(twin, &network, alice.speaker.signer());
    let refused = alice.countersign(&[twin.encode().to_vec()]).await.expect("answers");
    assert!(refused[0].refused.starts_with("broken-chain"), "{}", refused[0].refused);

    // Two answers and a refusal; one link, signed twice, and two that were not signed.
    let metrics = running.miner.stats.metrics();
    let challenges = |answer| metrics.challenges.get_or_create(&AnswerLabels { answer }).get();
    assert_eq!((challenges("answered"), challenges("refused")), (2, 1));
    let accepted = RoundLabels { kind: "space", outcome: "accepted" };
    assert_eq!(metrics.rounds.get_or_create(&accepted).get(), 2);
    assert_eq!((metrics.receipts_signed.get(), metrics.receipts_withheld.get()), (2, 2));
}

/// A chain may begin with a missed round, so anybody could begin as many as fill the disk.
#[tokio::test]
async fn chains_are_begun_by_validators_only() {
    let ground = Ground::new();
    let running = ground.start().await;
    let recorder = ground.recorder();
    let mut alice = running.peer(&ground, "alice").await;
    let mut stranger = running.peer(&ground, "stranger").await;
    let challenge = space(&mut alice, newest(&recorder), &ground.policy).await;
    recorder.advance(ground.policy.finality_blocks).expect("advances");
    let missed = Got { refused: "nobody was there".to_owned(), ..Got::default() };
    let ours = receipt(&alice, &challenge, &missed, [0; 32]);
    let mut body = ours.body;
    body.key.validator = stranger.speaker.account();
    let theirs = Receipt::issue(body, &stranger.speaker.network(), stranger.speaker.signer());
    let refused = stranger.countersign(&[theirs.encode().to_vec()]).await.expect_err("a stranger");
    assert_eq!(refused.code(), Code::PermissionDenied);
    let refused = stranger.challenge(1 << 40, &[challenge.encode().to_vec()]).await.expect_err("a stranger");
    assert_eq!(refused.code(), Code::PermissionDenied, "before anybody waits for that block");
    let followed = alice.countersign(&[ours.encode().to_vec()]).await.expect("answers");
    assert!(followed[0].refused.is_empty(), "{}", followed[0].refused);
}

/// A miner that forgot where a chain stands could be made to sign two links in one place.
#[tokio::test]
async fn chains_go_on_after_a_restart() {
    let ground = Ground::new();
    let recorder = ground.recorder();
    let (first, network) = {
        let running = ground.start().await;
        let mut alice = running.peer(&ground, "alice").await;
        let at = newest(&recorder);
        let challenge = space(&mut alice, at, &ground.policy).await;
        let got = alice.challenge(at.0, &[challenge.encode().to_vec()]).await.expect("answers");
        recorder.advance(ground.policy.finality_blocks).expect("advances");
        let first = receipt(&alice, &challenge, &got[0], [0; 32]);
        let signed = alice.countersign(&[first.encode().to_vec()]).await.expect("answers");
        assert!(signed[0].refused.is_empty(), "{}", signed[0].refused);
        let network = alice.speaker.network();
        drop(alice);
        running.end().await;
        (first, network)
    };
    let running = ground.start().await;
    let mut alice = running.peer(&ground, "alice").await;
    let forked =
        Receipt::issue(Body { height: first.body.height, ..first.body }, &network, alice.speaker.signer());
    // Equal bodies are one link, whoever signed them when.
    assert!(alice.countersign(&[forked.encode().to_vec()]).await.expect("answers")[0].refused.is_empty());
    let at = newest(&recorder);
    let challenge = space(&mut alice, at, &ground.policy).await;
    let got = alice.challenge(at.0, &[challenge.encode().to_vec()]).await.expect("answers");
    recorder.advance(ground.policy.finality_blocks).expect("advances");
    let anew = receipt(&alice, &challenge, &got[0], [0; 32]);
    let next = receipt(&alice, &challenge, &got[0], first.body.digest(&network));
    let signed = alice.countersign(&[anew.encode().to_vec(), next.encode().to_vec()]).await.expect("answers");
    assert!(signed[0].refused.starts_with("broken-chain"), "{}", signed[0].refused);
    assert!(signed[1].refused.is_empty(), "{}", signed[1].refused);
}

#[tokio::test]
async fn challenges_that_are_not_for_us_get_no_answer() {
    let ground = Ground::new();
    let running = ground.start().await;
    let recorder = ground.recorder();
    let mut alice = running.peer(&ground, "alice").await;
    let mut bob = running.peer(&ground, "bob").await;
    let at = newest(&recorder);
    let good = space(&mut alice, at, &ground.policy).await;
    let commitment = alice.commitment().await.expect("a commitment");
    let changed = |change: &dyn Fn(&mut holdfast_engine::challenge::Terms)| {
        let mut terms = (*good).clone();
        change(&mut terms);
        Challenge::new(terms).expect("in range").encode().to_vec()
    };
    let refused = [
        (changed(&|terms| terms.beacon = [1; 32]), "beacon"),
        (changed(&|terms| terms.height += 1), "height"),
        (changed(&|terms| terms.network = [1; 32]), "network"),
        (changed(&|terms| terms.miner = terms.validator), "wrong-receiver"),
        (changed(&|terms| terms.validator = terms.miner), "validator"),
        (changed(&|terms| terms.partition_id += 100), "no partition"),
        (changed(&|terms| terms.partition_root = [1; 32]), "in force"),
        (changed(&|terms| terms.deadline_ms = 1), "policy"),
        (b"HFQ1 and nothing".to_vec(), "wrong-length"),
    ];
    let challenges: Vec<Vec<u8>> = refused.iter().map(|(bytes, _)| bytes.clone()).collect();
    let got = alice.challenge(at.0, &challenges).await.expect("answers");
    for (got, (_, why)) in got.iter().zip(&refused) {
        assert!(got.refused.contains(why), "{why}: {:?}", got.refused);
        assert!(got.digest.is_empty() && got.body.is_empty(), "{why}");
    }
    // Another validator's partition is none of bob's business.
    let got = bob.challenge(at.0, &[good.encode().to_vec()]).await.expect("an event");
    assert!(got[0].refused.contains("another validator"), "{}", got[0].refused);
    let mut request =
        proto::CommitmentRequest { partition_id: commitment.registration.partition_id, seal: None };
    bob.speaker.ask(methods::MINER_COMMITMENT, bob.miner, &mut request);
    assert_eq!(bob.client.commitment(request).await.expect_err("not bob's").code(), Code::NotFound);
    // Blocks of the far past and of the future.
    let future = alice.challenge(at.0 + 1, &[good.encode().to_vec()]).await.expect_err("no such block");
    assert_eq!(future.code(), Code::FailedPrecondition);
    recorder.advance(ground.limits.round_age_blocks + 1).expect("advances");
    let past = alice.challenge(at.0, &[good.encode().to_vec()]).await.expect_err("too old");
    assert_eq!(past.code(), Code::FailedPrecondition);
}

#[tokio::test]
async fn an_object_is_audited_under_the_record_that_is_kept() {
    let ground = Ground::new();
    let running = ground.start().await;
    let recorder = ground.recorder();
    let mut alice = running.peer(&ground, "alice").await;
    let mut owner = running.peer(&ground, "owner").await;
    let other = running.peer(&ground, "other").await;
    let bytes = bytes_of(200_000, 1);
    let ticket = alice.sign(&alice.ticket(&owner, &bytes));
    owner.store(&ticket, &bytes).await.expect("stores");
    let record = owner.record(&bytes, recorder.height().expect("a height"));
    let strange = ObjectRecord { checker: other.speaker.account(), ..record.clone() };
    let strange = alice.keep_record(&strange.sign(other.speaker.signer())).await.expect_err("a stranger");
    assert_eq!(strange.code(), Code::PermissionDenied);
    let forged = alice.keep_record(&record.clone().sign(other.speaker.signer())).await.expect_err("forged");
    assert_eq!(class_of(&forged), Some(Class::BadSignature));
    alice.keep_record(&record.clone().sign(owner.speaker.signer())).await.expect("keeps");
    recorder.advance(ground.policy.finality_blocks).expect("advances");
    let at = newest(&recorder);
    let ask = |kind| Ask {
        kind,
        samples: 3,
        deadline_ms: ground.policy.objects.deadline_ms(kind),
        form: Form::Plain,
    };
    let validator = alice.speaker.account();
    let challenge =
        ObjectChallenge::of(&record, validator, (at.1, at.0), ask(AuditKind::Chunks)).expect("a challenge");
    let got = alice.challenge(at.0, &[challenge.encode().to_vec()]).await.expect("answers");
    assert!(got[0].complete, "{}", got[0].refused);
    verify_chunks(&record, &challenge, &got[0].body).expect("is right");
    // A challenge under another record is about something that was never agreed on.
    let unknown = ObjectRecord { height: 0, ..record };
    let challenge =
        ObjectChallenge::of(&unknown, validator, (at.1, at.0), ask(AuditKind::Chunks)).expect("a challenge");
    let got = alice.challenge(at.0, &[challenge.encode().to_vec()]).await.expect("an event");
    assert!(!got[0].refused.is_empty() && got[0].digest.is_empty());
}

/// Blinding follows from the replica: under a record of another one every answer would be wrong, and the miner would be to blame.
#[tokio::test]
async fn a_record_of_another_replica_is_not_kept() {
    let ground = Ground::new();
    let running = ground.start().await;
    let mut alice = running.peer(&ground, "alice").await;
    let mut owner = running.peer(&ground, "owner").await;
    let bytes = bytes_of(200_000, 1);
    let ticket = alice.sign(&alice.ticket(&owner, &bytes));
    owner.store(&ticket, &bytes).await.expect("stores");
    let record = owner.record(&bytes, ground.recorder().height().expect("a height"));
    let (root, length) = (*record.replica.object_root(), record.replica.length());
    let replica = Replica::new(root, length, REPLICA_ID + 1).expect("a replica");
    let other = ObjectRecord { replica, ..record.clone() }.sign(owner.speaker.signer());
    let refused = alice.keep_record(&other).await.expect_err("another replica");
    assert_eq!(class_of(&refused), Some(Class::WrongRecord), "{refused}");
    assert!(refused.message().contains("of replica 1"), "{refused}");
    alice.keep_record(&record.sign(owner.speaker.signer())).await.expect("the replica of networks");
}
