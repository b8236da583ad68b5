//! A validator that cheats: what it may not have of a miner it does not get, and other validators do not notice.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use holdfast_engine::account::Account;
use holdfast_engine::challenge::{Challenge, Terms};
use holdfast_engine::commitment::Commitment;
use holdfast_engine::receipt::{Body, Receipt};
use holdfast_engine::rejection::Class;
use holdfast_service::chain::Chain;
use holdfast_service::local::commit;
use holdfast_service::miner::limits::Limits;
use holdfast_service::pieces::Content;
use holdfast_service::proto::miner_client::MinerClient;
use holdfast_service::proto::*;
use holdfast_service::validator::holdings::Holdings;
use holdfast_service::wire::Correspondent;
use holdfast_service::wire::canonical::{Sealed, methods};
use holdfast_service::wire::clock::ManualClock;
use holdfast_service::wire::status::class_of;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

use super::disk::RealMiner;
use super::files::{get, put};
use super::scene::{ACCEPTED, NOW_SECONDS, STAKE_RAO, Scene, VALIDATOR, account, bytes_of};

const RIVAL: &str = "rival";
/// Few enough that any flood is above it, and enough for a round.
const REQUESTS_PER_SECOND: u32 = 20;

/// A validator with a permit and a share, that sends what it likes.
struct Rival {
    client: MinerClient<Channel>,
    speaker: Correspondent,
    miner: Account,
}

impl Rival {
    fn of(scene: &Scene, miner: &RealMiner) -> Rival {
        let endpoint = Endpoint::from_shared(format!("http://{}", miner.server.address)).expect("an address");
        let client = MinerClient::new(endpoint.connect_lazy());
        Rival { client, speaker: scene.correspondent(RIVAL), miner: miner.account() }
    }

    fn sealed<M: Sealed>(&self, method: &'static str, mut message: M) -> M {
        self.speaker.ask(method, self.miner, &mut message);
        message
    }

    /// What the miner says to challenges: for each the reason of a refusal, or nothing if it is answered.
    async fn challenge(&self, height: u64, challenges: &[Challenge]) -> Result<Vec<String>, Status> {
        let encoded = challenges.iter().map(|challenge| challenge.encode().to_vec().into()).collect();
        let request = ChallengeRequest { height, challenges: encoded, seal: None };
        let request = self.sealed(methods::MINER_CHALLENGE, request);
        let mut events = self.client.clone().challenge(request).await?.into_inner();
        let mut refused = vec![String::new(); challenges.len()];
        while let Some(event) = events.message().await? {
            refused[event.place as usize].push_str(&event.refused);
        }
        Ok(refused)
    }

    async fn countersign(&self, receipts: &[Receipt]) -> Vec<CountersignedReceipt> {
        let encoded = receipts.iter().map(|receipt| receipt.encode().to_vec().into()).collect();
        let request = CountersignRequest { receipts: encoded, seal: None };
        let request = self.sealed(methods::MINER_COUNTERSIGN, request);
        self.client.clone().countersign(request).await.expect("answers").into_inner().receipts
    }
}

/// The commitment of a miner's partition for a validator.
fn commitment_for(scene: &Scene, miner: &RealMiner, validator: &str) -> Commitment {
    let (disk, recorder) = (miner.disk(), scene.driver.chain().recorder());
    let commitments = disk.manifest.partitions.iter().map(|partition| {
        commit::commitment_at(&disk, partition, &*recorder, Some(&miner.signer)).expect("is recorded")
    });
    let mut commitments = commitments.collect::<Vec<_>>().into_iter();
    commitments
        .find(|commitment| commitment.registration.intent.validator == account(validator))
        .expect("each has a share")
}

/// Two validators with equal shares of a miner that holds a file in the care of the first.
struct Quarrel {
    scene: Scene,
    miners: [RealMiner; 2],
    file: [u8; 32],
    object: Content,
}

impl Quarrel {
    async fn new(limits: Limits) -> Quarrel {
        let scene = Scene::of(&[(VALIDATOR, STAKE_RAO), (RIVAL, STAKE_RAO)]).await;
        let first = RealMiner::start(&scene, "first", limits).await;
        scene.register(first.account(), first.server.address);
        let second = scene.honest("second").await;
        scene.step().await;
        let stored = put(&scene.owner("owner"), &bytes_of(100_000, 1), "replicate-2").await;
        let record = scene.keeper.records_of(&first.account()).await.expect("reads").remove(0).record;
        let object = Content { root: *record.replica.object_root(), length_bytes: record.replica.length() };
        scene.settle().await;
        Quarrel { scene, miners: [first, second], file: stored.root, object }
    }

    /// Nothing has changed for the honest validator and the owner.
    async fn is_as_it_was(&self) {
        let height = self.scene.step().await;
        self.scene.close_all().await;
        for miner in &self.miners {
            assert_eq!(self.scene.found(miner.account(), height).await["space"], [ACCEPTED]);
        }
        let (got, faults) = get(&self.scene.owner("owner"), &self.file).await;
        assert!(got.expect("comes back") == bytes_of(100_000, 1) && faults.is_empty(), "{faults:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_validator_gets_nothing_of_anothers_share() {
    let quarrel = Quarrel::new(Limits::default()).await;
    let (scene, miner) = (&quarrel.scene, &quarrel.miners[0]);
    let rival = Rival::of(scene, miner);
    let (mine, theirs) = (commitment_for(scene, miner, RIVAL), commitment_for(scene, miner, VALIDATOR));
    // What is its own, it gets.
    let head = scene.driver.chain().head().await.expect("a head");
    let deadline_ms = scene.policy.deadline_ms;
    let good = Challenge::space(&mine, head.hash, head.height, 4, deadline_ms);
    let foreign = Challenge::space(&theirs, head.hash, head.height, 4, deadline_ms);
    let changed = |change: fn(&mut Terms), of: &Challenge| {
        let mut terms = Terms::clone(of);
        change(&mut terms);
        Challenge::new(terms).expect("in form")
    };
    let me = scene.correspondent(RIVAL).account();
    let mut claimed = Terms::clone(&foreign);
    claimed.validator = me;
    let challenges = [
        (good.clone(), ""),
        (foreign.clone(), "wrong-challenge"),
        (Challenge::new(claimed).expect("in form"), "no partition"),
        (changed(|terms| terms.deadline_ms = 1, &good), "policy"),
        (changed(|terms| terms.beacon = [1; 32], &good), "wrong-challenge"),
        (changed(|terms| terms.network = [1; 32], &good), "wrong-receiver"),
        (changed(|terms| terms.height -= 1, &good), "wrong-challenge"),
        // Of one round one question is answered, so that nobody asks until the answer suits.
        (changed(|terms| terms.samples = 5, &good), "wrong-challenge"),
    ];
    for (place, (challenge, why)) in challenges.iter().enumerate() {
        let refused = rival.challenge(head.height, std::slice::from_ref(challenge)).await.expect("an answer");
        let is_right = if why.is_empty() { refused[0].is_empty() } else { refused[0].contains(why) };
        assert!(is_right, "challenge {place}: {refused:?}");
    }
    for height in [0, head.height + 1] {
        let refused =
            rival.challenge(height, std::slice::from_ref(&good)).await.expect_err("no such round now");
        assert_eq!(refused.code(), Code::FailedPrecondition, "{refused}");
    }
    let partition_id = theirs.registration.partition_id;
    let request = CommitmentRequest { partition_id, seal: None };
    let request = rival.sealed(methods::MINER_COMMITMENT, request);
    let refused = rival.client.clone().commitment(request).await.expect_err("not its own");
    assert_eq!(refused.code(), Code::NotFound);
    nothing_of_objects(scene, &rival, quarrel.object).await;
    quarrel.is_as_it_was().await;
}

/// It neither reads nor deletes what another validator's owner stored, nor uses that one's ticket.
async fn nothing_of_objects(scene: &Scene, rival: &Rival, Content { root, length_bytes }: Content) {
    let object = Some(ObjectName { root: root.to_vec().into(), length_bytes });
    let retrieve = RetrieveRequest { object: object.clone(), offset_bytes: 0, length_bytes: 0, seal: None };
    let retrieve = rival.sealed(methods::MINER_RETRIEVE, retrieve);
    let delete = rival.sealed(methods::MINER_DELETE, DeleteRequest { object: object.clone(), seal: None });
    let table = rival.sealed(methods::MINER_TABLE, TableRequest { object, seal: None });
    let record = scene.keeper.records_of(&rival.miner).await.expect("reads").remove(0);
    let record = KeepRecordRequest { record: record.encode().to_vec().into(), seal: None };
    let record = rival.sealed(methods::MINER_KEEP_RECORD, record);
    let mut client = rival.client.clone();
    let refused = [
        client.retrieve(retrieve).await.map(drop).expect_err("is not its own"),
        client.delete(delete).await.map(drop).expect_err("is not its own"),
        client.table(table).await.map(drop).expect_err("is not its own"),
        client.keep_record(record).await.map(drop).expect_err("is not its own"),
    ];
    for refused in refused {
        assert_eq!(refused.code(), Code::NotFound, "{refused}");
    }
    let piece = PlacedPiece {
        segment: 0,
        shard: 0,
        generation: 0,
        object: Some(ObjectName { root: vec![3; 32].into(), length_bytes: 10 }),
    };
    let request = PlaceRequest {
        file_root: vec![4; 32].into(),
        pieces: vec![piece],
        keep_seconds: 60,
        ..PlaceRequest::default()
    };
    let placed = scene.peers("owner").place(scene.validator(), request).await.expect("a ticket");
    let placement = placed.placements.into_iter().next().expect("one");
    let of_miner = Account(placement.miner[..].try_into().expect("32 bytes"));
    let mut open = StoreOpen { ticket: placement.ticket, offset_bytes: 0, seal: None };
    rival.speaker.ask(methods::MINER_STORE, of_miner, &mut open);
    let endpoint = Endpoint::from_shared(format!("http://{}", placement.endpoint)).expect("an address");
    let messages = tokio_stream::once(StoreRequest { open: Some(open), part: None });
    let refused =
        MinerClient::new(endpoint.connect_lazy()).store(messages).await.expect_err("not its ticket");
    assert_eq!(refused.code(), Code::PermissionDenied, "{refused}");
}

/// Replays, clocks that are wrong, and messages that were meant for somebody else or for something else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_count_once_now_and_for_their_receiver() {
    let quarrel = Quarrel::new(Limits::default()).await;
    let (scene, miner) = (&quarrel.scene, &quarrel.miners[0]);
    let rival = Rival::of(scene, miner);
    let speaker = |network, now_seconds: u64| {
        let clock = Arc::new(ManualClock::at(now_seconds * 1000));
        Correspondent::new(network, Arc::clone(rival.speaker.signer()), clock)
    };
    let ask = |speaker: &Correspondent, method, receiver| {
        let mut request = AllocationRequest { seal: None };
        speaker.ask(method, receiver, &mut request);
        request
    };
    let (to, method) = (miner.account(), methods::MINER_ALLOCATION);
    let good = ask(&rival.speaker, method, to);
    let mut forged = ask(&rival.speaker, method, to);
    if let Some(seal) = &mut forged.seal {
        seal.signature = good.seal.as_ref().expect("sealed").signature.clone();
    }
    let cases = [
        (good.clone(), None, "a good one"),
        (good, Some(Class::Replayed), "the same again"),
        (forged, Some(Class::BadSignature), "the signature of another message"),
        (ask(&speaker(scene.network, NOW_SECONDS - 60), method, to), Some(Class::Stale), "of the past"),
        (ask(&speaker(scene.network, NOW_SECONDS + 60), method, to), Some(Class::Stale), "of the future"),
        (ask(&speaker([9; 32], NOW_SECONDS), method, to), Some(Class::WrongReceiver), "another network"),
        (ask(&rival.speaker, method, account("second")), Some(Class::WrongReceiver), "another receiver"),
        (ask(&rival.speaker, methods::MINER_STATUS, to), Some(Class::WrongChallenge), "another method"),
        (AllocationRequest { seal: None }, Some(Class::BadSignature), "from nobody"),
    ];
    for (request, class, what) in cases {
        let answered = rival.client.clone().allocation(request).await;
        assert_eq!(answered.err().as_ref().and_then(class_of), class, "{what}");
    }
    quarrel.is_as_it_was().await;
}

/// Receipts that skip, fork, or claim a round that never was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_miner_signs_one_history_of_what_it_answered() {
    let quarrel = Quarrel::new(Limits::default()).await;
    let (scene, miner) = (&quarrel.scene, &quarrel.miners[0]);
    let rival = Rival::of(scene, miner);
    let commitment = commitment_for(scene, miner, RIVAL);
    let head = scene.driver.chain().head().await.expect("a head");
    let challenge = Challenge::space(&commitment, head.hash, head.height, 4, scene.policy.deadline_ms);
    let mut request = ChallengeRequest {
        height: head.height,
        challenges: vec![challenge.encode().to_vec().into()],
        seal: None,
    };
    request = rival.sealed(methods::MINER_CHALLENGE, request);
    let mut events = rival.client.clone().challenge(request).await.expect("answers").into_inner();
    let mut digest = [0; 32];
    while let Some(event) = events.message().await.expect("goes on") {
        if let Ok(promised) = event.response_digest[..].try_into() {
            digest = promised;
        }
    }
    let issue = |digest: [u8; 32], accepted, previous| {
        let body = Body::of(&challenge, Some((digest, accepted)), previous);
        Receipt::issue(body, &scene.network, rival.speaker.signer())
    };
    let right = issue(digest, true, [0; 32]);
    let early = rival.countersign(&[right]).await;
    assert!(early[0].refused.starts_with("not-final"), "{early:?}");
    for _ in 0..scene.policy.finality_blocks {
        scene.step().await;
    }
    let others = Receipt { body: scene.receipts(miner.account()).await[0].body().expect("a body"), ..right };
    let cases = [
        (issue([5; 32], true, [0; 32]), "wrong-challenge", "another answer than was given"),
        (issue(digest, true, [9; 32]), "broken-chain", "a link that is left out"),
        (others, "wrong-receiver", "another validator's receipt"),
        (right, "", "what was answered"),
        (issue(digest, false, [0; 32]), "broken-chain", "the same round with another end"),
        (issue(digest, true, right.body.digest(&scene.network)), "broken-chain", "the same round again"),
    ];
    for (receipt, class, what) in cases {
        let said = rival.countersign(&[receipt]).await.remove(0);
        assert!(said.refused.starts_with(class), "{what}: {}", said.refused);
        assert_eq!(said.signature.is_empty(), !class.is_empty(), "{what}");
    }
    quarrel.is_as_it_was().await;
}

/// Whatever one validator sends, and however much, another one's rounds are answered in time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_one_validator_does_not_drown_another() {
    let limits = Limits { requests_per_second: REQUESTS_PER_SECOND, ..Limits::default() };
    let quarrel = Quarrel::new(limits).await;
    let (scene, miner) = (&quarrel.scene, &quarrel.miners[0]);
    let rival = Rival::of(scene, miner);
    let commitment = commitment_for(scene, miner, RIVAL);
    let head = scene.driver.chain().head().await.expect("a head");
    let good = Challenge::space(&commitment, head.hash, head.height, 4, scene.policy.deadline_ms);
    let many = rival.challenge(head.height, &vec![good.clone(); 4_097]).await.expect_err("too many at once");
    assert_eq!(many.code(), Code::ResourceExhausted, "{many}");
    let huge = rival.challenge(head.height, &vec![good.clone(); 20_000]).await.expect_err("too long");
    assert_ne!(huge.code(), Code::Internal, "{huge}");

    let (refused, stop) = (Arc::new(AtomicU64::new(0)), CancellationToken::new());
    let mut flood = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (rival, stop, refused) = (Rival::of(scene, miner), stop.clone(), Arc::clone(&refused));
        let good = good.clone();
        flood.spawn(async move {
            while !stop.is_cancelled() {
                // What is dear, and what is cheap.
                let mut answered = vec![rival.challenge(head.height, &vec![good.clone(); 64]).await.err()];
                for _ in 0..REQUESTS_PER_SECOND {
                    let request = rival.sealed(methods::MINER_PING, PingRequest::default());
                    answered.push(rival.client.clone().ping(request).await.err());
                }
                let busy =
                    answered.iter().flatten().filter(|status| status.code() == Code::ResourceExhausted);
                refused.fetch_add(busy.count() as u64, Ordering::Relaxed);
            }
        });
    }
    quarrel.is_as_it_was().await;
    stop.cancel();
    while flood.join_next().await.is_some() {}
    assert!(refused.load(Ordering::Relaxed) > 0, "the flood was above the limit");
    quarrel.is_as_it_was().await;
}
