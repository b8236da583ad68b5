//! What a validator takes into care, and what it does not.

use bytes::Bytes;
use holdfast_engine::possession::record::SignedRecord;
use holdfast_engine::receipt::Outcome;
use holdfast_engine::rejection::Class;
use holdfast_engine::signature::Signer;
use tonic::Code;

use super::by_hand::ByHand;
use crate::client::fixture::{Ground, bytes_of, get, options, put};
use crate::pieces::{Content, Manifest, PieceId};
use crate::proto::{ObjectName, PlaceRequest, PlacedPiece, RegisterRequest, ReleaseRequest};
use crate::validator::care::CareSettings;
use crate::validator::care::delete::Silent;
use crate::validator::holdings::Holdings;
use crate::validator::peers::PeerError;
use crate::validator::serve::Care;
use crate::wire::clock::Clock;
use crate::wire::status::class_of;

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_taken_with_true_acknowledgements_and_records_only() {
    let ground = Ground::new();
    let validator = ground.start_validator().await;
    let _miners = ground.add_miners(2).await;
    let by_hand = ByHand::place(&ground, &validator).await;
    let height = ground.driver.step().expect("a block").height;
    let good = by_hand.request(height + 1).await;

    let mut without = good.clone();
    without.acknowledgements.pop();
    assert_eq!(by_hand.refused(&without).await, Some(Class::Malformed));
    // One miner's acknowledgement does not stand for another's.
    let mut swapped = good.clone();
    swapped.acknowledgements[1].response = swapped.acknowledgements[0].response.clone();
    assert_eq!(by_hand.refused(&swapped).await, Some(Class::Malformed));
    // A miner that said until when it keeps the piece did not say so of a later time.
    let mut longer = good.clone();
    let response = longer.acknowledgements[0].response.as_mut().expect("there");
    response.expires_at += 1_000_000;
    assert_eq!(by_hand.refused(&longer).await, Some(Class::WrongChallenge));
    let mut unsigned = good.clone();
    unsigned.acknowledgements[0].response.as_mut().expect("there").seal = None;
    assert_eq!(by_hand.refused(&unsigned).await, Some(Class::BadSignature));

    let with_record = |change: &dyn Fn(&mut SignedRecord)| {
        let mut record = by_hand.record(0, height + 1);
        change(&mut record);
        let mut request = good.clone();
        request.records[0] = record.encode().to_vec().into();
        request
    };
    let unsigned = with_record(&|record| record.signature.0[3] ^= 1);
    assert_eq!(by_hand.refused(&unsigned).await, Some(Class::BadSignature));
    let of_another = with_record(&|record| record.record.miner.0[3] ^= 1);
    assert_eq!(by_hand.refused(&of_another).await, Some(Class::WrongRecord));
    let far_ahead = with_record(&|record| record.record.height += 1_000);
    assert_eq!(by_hand.refused(&far_ahead).await, Some(Class::Policy));
    // Nobody could tell that what was recorded later had been there at its height.
    let late = by_hand.record(0, height - 1);
    let mut request = good.clone();
    request.records[0] = late.encode().to_vec().into();
    assert_eq!(by_hand.refused(&request).await, Some(Class::WrongRecord));

    let mut damaged = good.clone();
    damaged.manifest = Bytes::from_static(b"HFM1");
    assert_eq!(by_hand.refused(&damaged).await, Some(Class::WrongLength));

    by_hand.peers.register(by_hand.validator, good.clone()).await.expect("is good");
    // The answer may have been lost: the same again is no error, and changes nothing.
    by_hand.peers.register(by_hand.validator, good.clone()).await.expect("is good");
    let recorder = crate::chain::Chain::recorder(ground.driver.chain());
    for shard in 0..2 {
        let record = by_hand.record(shard, height + 1).record;
        assert_eq!(record.check_recorded(&*recorder).expect("reads"), Ok(()));
        assert_eq!(validator.node.records_of(&record.miner).await.expect("reads").len(), 1);
    }
}

/// The owner may not be believed about what it gave to a miner: only what the miner keeps a record of is audited.
#[tokio::test(flavor = "multi_thread")]
async fn rounds_audit_what_miners_keep_and_their_outcome_shows() {
    let ground = Ground::new();
    let validator = ground.start_validator().await;
    let miners = ground.add_miners(3).await;
    let owner = ground.owner("owner", &validator);
    let stored = put(&owner, &bytes_of(50_000, 1), options("replicate-3", 100_000)).await;
    let mut held = validator.node.miners().await.expect("reads");
    let mut accounts: Vec<_> = miners.iter().map(|miner| miner.node.account()).collect();
    held.sort();
    accounts.sort();
    assert_eq!(held, accounts);
    let record = validator.node.records_of(&accounts[0]).await.expect("reads")[0].record.digest();
    let healthy = async || owner.list().await.expect("lists")[0].summary.healthy_pieces;
    for (height, outcome, expected) in [
        (5, Outcome::Rejected, 2),
        // The same round again, after a crash.
        (5, Outcome::Accepted, 2),
        (6, Outcome::Accepted, 3),
        (7, Outcome::Missed, 2),
    ] {
        validator.node.audited(&record, height, outcome).await.expect("notes");
        assert_eq!(healthy().await, expected, "height {height}");
    }
    owner.remove(&stored.root).await.expect("releases");
    assert!(validator.node.miners().await.expect("reads").is_empty());
    validator.node.audited(&record, 8, Outcome::Rejected).await.expect("is nobody's business");
    ground.clock.advance_ms(CareSettings::default().question_seconds * 1_000);
    assert_eq!(validator.node.tend().await.expect("tends").deleted_files, 1);
    for miner in &miners {
        assert_eq!(ground.object_count(miner).await, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_registered_outlives_the_validators_process() {
    let ground = Ground::new();
    let validator = ground.start_validator().await;
    let _miners = ground.add_miners(3).await;
    let bytes = bytes_of(120_000, 1);
    let stored = put(&ground.owner("owner", &validator), &bytes, options("replicate-3", 100_000)).await;
    validator.end().await;
    let validator = ground.start_validator().await;
    let owner = ground.owner("owner", &validator);
    assert!(get(&owner, &stored.root).await == bytes);
    assert_eq!(owner.list().await.expect("lists")[0].summary.healthy_pieces, 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn places_are_given_for_pieces_that_can_be_and_no_longer_than_offered() {
    let ground = Ground::new();
    let validator = ground.start_validator().await;
    let _miners = ground.add_miners(2).await;
    let caller = Signer::development("owner").account();
    let object = |length_bytes| Some(ObjectName { root: vec![1; 32].into(), length_bytes });
    let piece =
        |shard, length_bytes| PlacedPiece { segment: 0, shard, generation: 0, object: object(length_bytes) };
    let request = |pieces: Vec<PlacedPiece>| PlaceRequest {
        file_root: vec![1; 32].into(),
        pieces,
        keep_seconds: 60,
        ..PlaceRequest::default()
    };
    let place = async |request: PlaceRequest| validator.node.place(caller, request).await;
    place(request(vec![piece(0, 10)])).await.expect("there is room");
    let none = place(request(vec![])).await.expect_err("nothing to place");
    let twice = place(request(vec![piece(0, 10), piece(0, 10)])).await.expect_err("twice");
    let empty = place(request(vec![piece(0, 0)])).await.expect_err("no bytes");
    for refused in [none, twice, empty] {
        assert_eq!(class_of(&refused), Some(Class::Malformed), "{refused}");
    }
    let huge = place(request(vec![piece(0, 1 << 35)])).await.expect_err("nobody has room");
    assert_eq!(huge.code(), Code::ResourceExhausted);
    let forever = PlaceRequest { keep_seconds: u64::MAX, ..request(vec![piece(0, 10)]) };
    assert_eq!(place(forever).await.expect_err("too long").code(), Code::InvalidArgument);
    // What was promised is no longer free, up to half of a miner's room. Whoever asks for tickets and stores nothing keeps nobody from
    // placing what fits into the rest.
    let places = async |length_bytes, roots: std::ops::Range<u8>| {
        let mut places = 0;
        for number in roots {
            let object = Some(ObjectName { root: vec![number; 32].into(), length_bytes });
            let piece = PlacedPiece { segment: 0, shard: 0, generation: 0, object };
            places += usize::from(place(request(vec![piece])).await.is_ok());
        }
        places
    };
    // Two miners with 8 MiB each.
    assert_eq!(places(5 << 20, 10..20).await, 2);
    assert_eq!(places(3 << 20, 20..30).await, 10);
}

/// A request with the same pieces for a file of another root.
fn of_another_file(by_hand: &ByHand, good: RegisterRequest, height: u64) -> RegisterRequest {
    let of_another = Content { root: [9; 32], ..by_hand.manifest.ciphertext() };
    let manifest = manifest(by_hand, of_another, by_hand.manifest.expires_at());
    let records = (0..2).map(|shard| by_hand.record(shard, height + 9).encode().to_vec().into());
    RegisterRequest { manifest, records: records.collect(), ..good }
}

fn manifest(by_hand: &ByHand, ciphertext: Content, expires_at: Option<u64>) -> Bytes {
    let known = &by_hand.manifest;
    let (secret, segments) = (known.secret().clone(), known.segments().to_vec());
    let made = Manifest::new(None, ciphertext, known.policy(), secret, expires_at, segments);
    made.expect("fine").encode().to_vec().into()
}

async fn claimed(by_hand: &ByHand, request: &RegisterRequest) -> Code {
    match by_hand.peers.register(by_hand.validator, request.clone()).await {
        Err(PeerError::Status { status, .. }) => status.code(),
        other => panic!("{other:?}"),
    }
}

/// Two records of one piece, of which its miner keeps the later, would have it fail the audits of the other.
#[tokio::test(flavor = "multi_thread")]
async fn a_piece_is_in_care_once() {
    let ground = Ground::new();
    let validator = ground.start_validator().await;
    let _miners = ground.add_miners(2).await;
    let (by_hand, good, height) = ByHand::registered(&ground, &validator).await;
    let again = of_another_file(&by_hand, good, height);
    assert_eq!(claimed(&by_hand, &again).await, Code::AlreadyExists);
    let file_root = by_hand.manifest.ciphertext().root.to_vec().into();
    let release = ReleaseRequest { file_root, seal: None };
    let released = by_hand.peers.release(by_hand.validator, release).await.expect("releases");
    assert_eq!((released.deleted_pieces, released.pending_pieces), (0, 2));
    // They are claimed as long as they are there.
    assert_eq!(claimed(&by_hand, &again).await, Code::AlreadyExists);
    ground.clock.advance_ms(CareSettings::default().question_seconds * 1_000);
    validator.node.tend().await.expect("tends");
    // Nobody has the bytes any more, and miners say so: nothing is audited.
    by_hand.peers.register(by_hand.validator, again).await.expect("is another file's now");
    assert!(validator.node.miners().await.expect("reads").is_empty());
}

/// The bytes of an expired file are still to be deleted: whoever had them audited for another file would have an honest miner fail.
#[tokio::test(flavor = "multi_thread")]
async fn a_piece_of_an_expired_file_is_claimed_until_it_is_deleted() {
    let ground = Ground::new();
    let validator = ground.start_validator().await;
    let miners = ground.add_miners(2).await;
    let by_hand = ByHand::place(&ground, &validator).await;
    let height = ground.driver.step().expect("a block").height;
    let early = ground.clock.now_seconds() + 500;
    let good = RegisterRequest {
        manifest: manifest(&by_hand, by_hand.manifest.ciphertext(), Some(early)),
        ..by_hand.request(height + 1).await
    };
    by_hand.peers.register(by_hand.validator, good.clone()).await.expect("is good");
    ground.clock.advance_ms(501_000);
    let again = of_another_file(&by_hand, good, height);
    assert_eq!(claimed(&by_hand, &again).await, Code::AlreadyExists);
    let tended = validator.node.tend().await.expect("tends");
    assert_eq!((tended.expired_files, tended.deleted_files), (1, 1));
    for miner in &miners {
        assert_eq!(ground.object_count(miner).await, 0);
    }
    by_hand.peers.register(by_hand.validator, again).await.expect("is nobody's any more");
    assert!(validator.node.miners().await.expect("reads").is_empty(), "nobody has the bytes");
}

/// Records that are still on their way when a file is released begin no audits of what is being deleted.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_released_file_is_audited() {
    let ground = Ground::new();
    let validator = ground.start_validator().await;
    let _miners = ground.add_miners(2).await;
    let (by_hand, _, height) = ByHand::registered(&ground, &validator).await;
    let key = (by_hand.peers.correspondent().account(), by_hand.manifest.ciphertext().root);
    validator.node.end_care(key).await.expect("ends");
    let piece = PieceId { segment: 0, shard: 0, generation: 0 };
    let records = vec![(piece, by_hand.record(0, height + 1))];
    validator.node.hand_out(key, records, &Silent::default()).await.expect("hands out");
    assert!(validator.node.miners().await.expect("reads").is_empty());
}

/// A miner may have deleted what is expired by its own clock, and is not to fail for that.
#[tokio::test(flavor = "multi_thread")]
async fn a_piece_is_not_audited_in_its_last_moments() {
    let ground = Ground::new();
    let validator = ground.start_validator().await;
    let miners = ground.add_miners(3).await;
    put(&ground.owner("owner", &validator), &bytes_of(50_000, 1), options("replicate-3", 100_000)).await;
    let account = miners[0].node.account();
    let audited = async || validator.node.records_of(&account).await.expect("reads").len();
    // Of a day, all but four minutes.
    ground.clock.advance_ms((86_400 - 240) * 1000);
    assert_eq!(audited().await, 1);
    ground.clock.advance_ms(120_000);
    assert_eq!(audited().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_may_serve_some_owners_and_no_others() {
    let ground = Ground::new();
    let [owner, other] = ["owner", "other"].map(|name| Signer::development(name).account());
    let settings = CareSettings { owners: [owner].into(), ..CareSettings::default() };
    let validator = ground.start_validator_with(settings).await;
    let _miners = ground.add_miners(1).await;
    let object = Some(ObjectName { root: vec![1; 32].into(), length_bytes: 10 });
    let piece = PlacedPiece { segment: 0, shard: 0, generation: 0, object };
    let file_root = vec![1; 32].into();
    let request =
        PlaceRequest { file_root, pieces: vec![piece], keep_seconds: 60, ..PlaceRequest::default() };
    validator.node.place(owner, request.clone()).await.expect("is served");
    let refused = validator.node.place(other, request).await.expect_err("is not");
    assert_eq!(refused.code(), Code::PermissionDenied);
    let register = validator.node.register(other, RegisterRequest::default()).await.expect_err("is not");
    assert_eq!(register.code(), Code::PermissionDenied);
}
