//! Storing, and going on with what was interrupted.

use std::collections::HashMap;
use std::io::Cursor;
use std::sync::Arc;

use tonic::Code;

use crate::client::fixture::{Faults, Ground, bytes_of, decrypted_by, encrypted_for, get, options, put};
use crate::client::whole::unnamed;
use crate::client::{ClientError, NotAsked, PutOptions, WholeOutcome};
use crate::connect::Connector;
use crate::encryption::OwnerKey;
use crate::pieces::PieceId;
use crate::proto::{ObjectName, PlaceRequest, PlacedPiece};
use crate::validator::care::CareSettings;
use crate::validator::peers::{Peer, PeerError};
use crate::wire::status::advice_of;

const SEGMENT: u64 = 100_000;

#[tokio::test(flavor = "multi_thread")]
async fn files_of_all_lengths_come_back_as_they_were() {
    let ground = Ground::new();
    let validator = ground.start_validator().await;
    let _miners = ground.add_miners(4).await;
    let owner = ground.owner("owner", &validator);
    // Nothing, a byte, around a block, around the end of a segment, several segments with a short last one.
    let lengths = [0, 1, 16_383, 16_384, 16_385, 99_999, 100_000, 100_001, 330_000];
    for policy in ["replicate-3", "2-of-4"] {
        for (length, seed) in lengths.into_iter().zip(0..) {
            let bytes = bytes_of(length, seed);
            let stored = put(&owner, &bytes, options(policy, SEGMENT)).await;
            assert_eq!(stored.root, *blake3::hash(&bytes).as_bytes());
            assert!(get(&owner, &stored.root).await == bytes, "{policy}, {length} bytes");
            // The same bytes could not be stored anew under the same address while they are here.
            owner.remove(&stored.root).await.expect("releases");
            ground.clock.advance_ms(CareSettings::default().question_seconds * 1_000);
            assert_eq!(validator.node.tend().await.expect("tends").deleted_files, 1);
        }
    }
    assert!(owner.list().await.expect("lists").is_empty());
    assert!(owner.interrupted_puts().expect("reads").is_empty());
}

/// Owner, validator and miners speak TLS: tickets, uploads, the validator's own calls to miners, audits, downloads.
#[tokio::test(flavor = "multi_thread")]
async fn files_come_and_go_over_tls() {
    let ground = Ground::with_tls();
    let validator = ground.start_validator().await;
    let miners = ground.add_miners(3).await;
    let owner = ground.owner("owner", &validator);
    let bytes = bytes_of(250_000, 1);
    let stored = put(&owner, &bytes, options("replicate-3", SEGMENT)).await;
    assert!(get(&owner, &stored.root).await == bytes);
    let audited = owner.audit(&stored.root).await.expect("audits");
    assert_eq!(audited.len(), 9);
    assert!(audited.iter().all(|piece| piece.accepted), "{audited:?}");
    assert_eq!(ground.object_count(&miners[0]).await, 3);

    // The same network, and an owner who does not speak TLS.
    let plain = ground.owner_over(Connector::plain(), "other", &validator);
    let refused = plain.list().await.expect_err("no TLS");
    let ClientError::Peer(PeerError::Status { status, .. }) = refused else { panic!("{refused}") };
    assert!(status.message().contains("before anything was answered"), "{status}");
    assert!(advice_of(&status).is_some_and(|advice| advice.contains("perhaps it wants TLS")), "{status:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encrypted_file_is_decrypted_by_its_key_alone_and_on_any_machine_of_its_owner() {
    let ground = Ground::new();
    let validator = ground.start_validator().await;
    let _miners = ground.add_miners(3).await;
    let owner = ground.owner("owner", &validator);
    let key = OwnerKey::generate();
    let bytes = bytes_of(250_000, 1);
    let stored = put(&owner, &bytes, encrypted_for(&key, options("replicate-3", SEGMENT))).await;
    let out = ground.out("film");
    let got = owner.get(&stored.root, &out, decrypted_by(&key)).await.expect("comes back");
    assert_eq!((got.bytes, got.resumed_bytes), (250_000, 0));
    assert_eq!(std::fs::read(&out).expect("reads"), bytes);
    // What is stored is not the file, and the name is known where it was stored only.
    assert_ne!(get(&owner, &stored.root).await[..1000], bytes[..1000]);
    let listed = owner.list().await.expect("lists");
    assert_eq!(listed[0].name.as_deref(), Some("a file"));
    let summary = &listed[0].summary;
    assert_eq!((summary.pieces, summary.healthy_pieces, summary.uncommitted_pieces), (9, 9, 9));
    // A laptop is lost: the account's key and the file's key are enough.
    std::fs::remove_dir_all(ground.out("owner.state")).expect("deletes");
    let elsewhere = ground.owner("owner", &validator);
    let (came, _) = elsewhere.get_to(&stored.root, Vec::new(), decrypted_by(&key)).await.expect("comes back");
    assert_eq!(came, bytes);
    // Another key does not, and leaves no file.
    let (asked, out) = (decrypted_by(&OwnerKey::generate()), ground.out("other"));
    let refused = elsewhere.get(&stored.root, &out, asked).await.expect_err("another key");
    assert!(matches!(refused, ClientError::Decryption(_)), "{refused}");
    assert!(!out.exists());
}

/// A validator that leaves pieces out, or whose miners have left, must not make an audit of what remains look like one of all.
#[tokio::test(flavor = "multi_thread")]
async fn pieces_that_nobody_is_named_for_have_not_passed() {
    let ground = Ground::new();
    let validator = ground.start_validator().await;
    let _miners = ground.add_miners(3).await;
    let owner = ground.owner("owner", &validator);
    let stored = put(&owner, &bytes_of(150_000, 1), options("replicate-3", SEGMENT)).await;
    let holder_of = |piece: &PieceId| {
        let (_, held) = stored.manifest.piece(piece.segment, piece.shard).expect("is one");
        held.holder.expect("is held").miner
    };
    let all = unnamed(&stored.manifest, &HashMap::new());
    assert_eq!(all.len(), 6);
    for audit in &all {
        assert_eq!(audit.miner, Some(holder_of(&audit.piece)));
        assert_eq!((&audit.outcome, audit.spent), (&WholeOutcome::NotAsked(NotAsked::Unreachable), None));
    }
    let endpoint = "127.0.0.1:1".parse().expect("an address");
    let named = all[4].piece;
    let peer = Peer { account: holder_of(&named), endpoint };
    let others = unnamed(&stored.manifest, &HashMap::from([(named.segment, vec![(named, peer)])]));
    assert_eq!(others.len(), 5);
    assert!(others.iter().all(|audit| audit.piece != named));
}

/// A miner that dies between its ticket and its upload is replaced; what others have acknowledged is not sent again.
#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_put_goes_on_where_it_was() {
    let ground = Ground::new();
    let validator = ground.start_validator().await;
    let mut miners = ground.add_miners(3).await;
    let owner = ground.owner("owner", &validator);
    // The validator has seen all three, and does not ask again before its figures are old.
    let object = ObjectName { root: vec![7; 32].into(), length_bytes: 10 };
    let piece = PlacedPiece { segment: 0, shard: 0, generation: 0, object: Some(object) };
    let mut wanted =
        PlaceRequest { file_root: vec![7; 32].into(), keep_seconds: 9, ..PlaceRequest::default() };
    wanted.pieces.push(piece);
    owner.peers.place(owner.validator, wanted).await.expect("there is room");
    miners.pop().expect("three").end().await;
    let bytes = bytes_of(150_000, 1);
    let faults = Arc::new(Faults::default());
    let watched = PutOptions { watch: faults.clone(), ..options("replicate-3", SEGMENT) };
    let error = owner.put(Cursor::new(bytes.clone()), watched).await.expect_err("nobody else is there");
    let ClientError::Peer(PeerError::Status { status, .. }) = error else { panic!("{error}") };
    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
    assert_eq!(faults.take().len(), 1);
    let interrupted = owner.interrupted_puts().expect("reads");
    assert_eq!(interrupted, [*blake3::hash(&bytes).as_bytes()]);
    let acknowledged = |owner: &str| {
        let journal = ground.out(owner).join("puts").join(hex::encode(interrupted[0]));
        let text = std::fs::read_to_string(journal.join("acknowledged.jsonl")).expect("reads");
        text.lines().filter(|line| line.contains("\"acknowledged\"")).count()
    };
    assert_eq!(acknowledged("owner.state"), 2);
    drop(owner);

    // Another process, a new miner, and figures that are old.
    ground.clock.advance_ms(31_000);
    let fourth = ground.add_miner("miner-3").await;
    let owner = ground.owner("owner", &validator);
    let stored = owner.resume_put(&interrupted[0], Arc::new(())).await.expect("goes on");
    assert!(get(&owner, &stored.root).await == bytes);
    assert!(owner.interrupted_puts().expect("reads").is_empty());
    let again = owner.resume_put(&interrupted[0], Arc::new(())).await.expect_err("is done");
    assert!(matches!(again, ClientError::NoSuchPut(_)), "{again}");
    // One piece of each of the two segments: what was acknowledged went nowhere else.
    for miner in miners.iter().chain([&fourth]) {
        assert_eq!(ground.object_count(miner).await, 2);
    }
}

/// The spooled ciphertext is not synced, so a loss of power may leave less of it, or other bytes: nothing of that may be taken for the file.
#[tokio::test(flavor = "multi_thread")]
async fn a_put_whose_ciphertext_did_not_outlive_its_machine_is_refused() {
    let ground = Ground::new();
    let validator = ground.start_validator().await;
    let owner = ground.owner("owner", &validator);
    let files: Vec<Vec<u8>> = (1..=4).map(|seed| bytes_of(150_000, seed)).collect();
    for file in &files {
        let put = owner.put(Cursor::new(file.clone()), options("replicate-3", SEGMENT));
        put.await.expect_err("nobody is there");
    }
    let _miners = ground.add_miners(3).await;
    ground.clock.advance_ms(31_000);
    let mut changed = files[2].clone();
    changed[120_000] ^= 1;
    // Not all of the first segment, nothing of the second one, all but other bytes, and all.
    let left = [&files[0][..60_000], &files[1][..100_000], &changed, &files[3]];
    let puts = ground.out("owner.state").join("puts");
    for (number, (file, left)) in files.iter().zip(left).enumerate() {
        let root = *blake3::hash(file).as_bytes();
        std::fs::write(puts.join(hex::encode(root)).join("ciphertext"), left).expect("writes");
        match owner.resume_put(&root, Arc::new(())).await {
            Ok(stored) => assert_eq!((number, stored.root), (3, root)),
            Err(refused) => {
                assert!(number < 3 && matches!(refused, ClientError::Damaged { .. }), "{number}: {refused}");
                assert!(refused.to_string().contains("put the file again"), "{refused}");
            }
        }
    }
    assert_eq!(owner.list().await.expect("lists").len(), 1);
    assert!(get(&owner, blake3::hash(&files[3]).as_bytes()).await == files[3]);
}

/// A process that is killed while it reads its source leaves nothing that stays.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_never_read_to_the_end_is_swept_away() {
    struct Broken;
    impl std::io::Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("the source is gone"))
        }
    }
    let ground = Ground::new();
    let validator = ground.start_validator().await;
    let _miners = ground.add_miners(3).await;
    let owner = ground.owner("owner", &validator);
    owner.put(Broken, options("replicate-3", SEGMENT)).await.expect_err("cannot be read");
    let puts = ground.out("owner.state").join("puts");
    assert_eq!(std::fs::read_dir(&puts).expect("reads").count(), 1);
    assert!(owner.interrupted_puts().expect("reads").is_empty());
    put(&owner, b"another", options("replicate-3", SEGMENT)).await;
    assert_eq!(std::fs::read_dir(&puts).expect("reads").count(), 0);
}
