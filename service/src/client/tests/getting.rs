//! Getting back: from whom, in parts, and for whom not.

use std::sync::Arc;

use holdfast_engine::account::Account;
use holdfast_engine::object::Address;
use holdfast_engine::signature::Signer;
use tonic::Code;

use super::liar::Liar;
use crate::client::fixture::{
    Faults, Ground, as_stored, bytes_of, decrypted_by, encrypted_for, get, options, put,
};
use crate::client::get::holders;
use crate::client::{Client, ClientError, GetOptions};
use crate::encryption::OwnerKey;
use crate::pieces::{Content, Holder, Manifest, Piece, PlacementSecret, Segment};
use crate::proto;
use crate::validator::peers::PeerError;

const SEGMENT: u64 = 300_000;

fn code(error: ClientError) -> Code {
    let ClientError::Peer(PeerError::Status { status, .. }) = error else { panic!("{error}") };
    status.code()
}

async fn get_watched(client: &Client, root: &[u8; 32], faults: &Arc<Faults>) -> Vec<u8> {
    let options = GetOptions { watch: Arc::clone(faults) as _, ..as_stored() };
    client.get_to(root, Vec::new(), options).await.expect("comes back").0
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_bytes_are_seen_named_and_had_from_another() {
    let ground = Ground::new();
    let validator = ground.start_validator().await;
    let _miners = ground.add_miners(3).await;
    let owner = ground.owner("owner", &validator);
    for (policy, seed) in [("replicate-3", 1), ("2-of-3", 2)] {
        let bytes = bytes_of(700_000, seed);
        let stored = put(&owner, &bytes, options(policy, SEGMENT)).await;
        // Two of the three lie, and then one does: 1 of 3 and 2 of 3 are left. Who holds data of a segment is asked before who holds parity.
        let liars = if policy == "replicate-3" { 2 } else { 1 };
        let pieces = &stored.manifest.segments()[0].pieces[..liars];
        let mut accounts = Vec::new();
        for piece in pieces {
            let account = piece.holder.expect("is held").miner;
            ground.move_miner(account, Liar::serve().await);
            accounts.push(account);
        }
        let faults = Arc::new(Faults::default());
        assert!(get_watched(&owner, &stored.root, &faults).await == bytes, "{policy}");
        let faults = faults.take();
        assert!(!faults.is_empty(), "{policy}");
        for fault in &faults {
            assert!(fault.is_wrong && accounts.contains(&fault.miner), "{policy}: {fault}");
            assert!(fault.what.contains("wrong-root"), "{policy}: {fault}");
        }
        for (miner, number) in _miners.iter().zip(0..) {
            ground.move_miner(Signer::development(&format!("miner-{number}")).account(), miner.address);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn miners_that_are_gone_are_done_without_until_too_few_are_left() {
    let ground = Ground::new();
    let validator = ground.start_validator().await;
    let mut miners = ground.add_miners(4).await;
    let owner = ground.owner("owner", &validator);
    let bytes = bytes_of(700_000, 1);
    let stored = put(&owner, &bytes, options("2-of-4", SEGMENT)).await;
    for left in [3, 2] {
        miners.pop().expect("left").end().await;
        assert!(get(&owner, &stored.root).await == bytes, "{left} left");
    }
    miners.pop().expect("left").end().await;
    let error = owner.get_to(&stored.root, Vec::new(), as_stored()).await.expect_err("one is left");
    let ClientError::Unreadable { needed, found, faults, .. } = &error else { panic!("{error}") };
    assert_eq!((*needed, *found, faults.len()), (2, 1, 3));
    // Nothing takes the name of the file.
    let out = ground.out("film");
    owner.get(&stored.root, &out, as_stored()).await.expect_err("one is left");
    assert!(!out.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_download_goes_on_and_poisoned_parts_are_found_out() {
    let ground = Ground::new();
    let validator = ground.start_validator().await;
    let _miners = ground.add_miners(3).await;
    let owner = ground.owner("owner", &validator);
    let bytes = bytes_of(700_000, 1);
    let stored = put(&owner, &bytes, options("replicate-3", SEGMENT)).await;
    let out = ground.out("film");
    let part = ground.out(&format!(".film.{}.part", Address::Blake3(stored.root)));
    std::fs::write(&part, &bytes[..345_678]).expect("writes");
    let got = owner.get(&stored.root, &out, as_stored()).await.expect("goes on");
    assert_eq!((got.bytes, got.resumed_bytes), (700_000, 345_678));
    assert!(std::fs::read(&out).expect("reads") == bytes);
    assert!(!part.exists());

    let mut poisoned = bytes[..345_678].to_vec();
    poisoned[7] ^= 1;
    std::fs::remove_file(&out).expect("deletes");
    std::fs::write(&part, &poisoned).expect("writes");
    let error = owner.get(&stored.root, &out, as_stored()).await.expect_err("is another file");
    assert!(matches!(error, ClientError::WrongFile { .. }), "{error}");
    assert!(!out.exists() && !part.exists());
    // The whole part is there already.
    std::fs::write(&part, &bytes).expect("writes");
    let got = owner.get(&stored.root, &out, as_stored()).await.expect("is whole");
    assert_eq!(got.resumed_bytes, 700_000);
    assert!(std::fs::read(&out).expect("reads") == bytes);
}

/// What a loss of power, or somebody, did to the part of an encrypted file fails where it is decrypted, before its root is known: if it stayed, every
/// run would fail alike. Another key is no fault of the part.
#[tokio::test(flavor = "multi_thread")]
async fn a_poisoned_part_of_an_encrypted_file_is_thrown_away_and_a_wrong_key_keeps_it() {
    let ground = Ground::new();
    let validator = ground.start_validator().await;
    let _miners = ground.add_miners(3).await;
    let owner = ground.owner("owner", &validator);
    let key = OwnerKey::generate();
    let bytes = bytes_of(400_000, 1);
    let stored = put(&owner, &bytes, encrypted_for(&key, options("replicate-3", SEGMENT))).await;
    let ciphertext = get(&owner, &stored.root).await;
    let out = ground.out("film");
    let part = ground.out(&format!(".film.{}.part", Address::Blake3(stored.root)));
    let mut poisoned = ciphertext[..300_000].to_vec();
    poisoned[200_000] ^= 1;
    std::fs::write(&part, &poisoned).expect("writes");
    let error = owner.get(&stored.root, &out, decrypted_by(&key)).await.expect_err("is another file");
    assert!(matches!(error, ClientError::WrongFile { .. }), "{error}");
    assert!(!out.exists() && !part.exists());
    std::fs::write(&part, &ciphertext[..300_000]).expect("writes");
    let error =
        owner.get(&stored.root, &out, decrypted_by(&OwnerKey::generate())).await.expect_err("another key");
    assert!(matches!(error, ClientError::Decryption(_)), "{error}");
    assert!(!out.exists() && part.exists());
    let got = owner.get(&stored.root, &out, decrypted_by(&key)).await.expect("goes on");
    assert!(got.resumed_bytes >= 300_000, "{got:?}");
    assert!(std::fs::read(&out).expect("reads") == bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_are_what_they_say() {
    let ground = Ground::new();
    let validator = ground.start_validator().await;
    let _miners = ground.add_miners(4).await;
    let owner = ground.owner("owner", &validator);
    let bytes = bytes_of(700_000, 1);
    let stored = put(&owner, &bytes, options("2-of-4", SEGMENT)).await;
    // Within a block, across blocks, stripes and segments, at the ends, empty.
    for (start, end) in
        [(5, 6), (16_383, 16_385), (299_999, 300_001), (32_768, 690_000), (699_999, 700_000), (9, 9)]
    {
        let got = owner.get_range(&stored.root, start..end, Vec::new(), Arc::new(())).await.expect("a range");
        let expected = &bytes[usize::try_from(start).expect("fits")..usize::try_from(end).expect("fits")];
        assert!(got == expected, "{start}..{end}");
    }
    let beyond = owner.get_range(&stored.root, 5..700_001, Vec::new(), Arc::new(())).await;
    assert!(matches!(beyond, Err(ClientError::OutOfRange { length_bytes: 700_000, .. })), "{beyond:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_their_owners_alone() {
    let ground = Ground::new();
    let validator = ground.start_validator().await;
    let _miners = ground.add_miners(3).await;
    let (owner, other) = (ground.owner("owner", &validator), ground.owner("other", &validator));
    let bytes = bytes_of(50_000, 1);
    let stored = put(&owner, &bytes, options("replicate-3", SEGMENT)).await;
    assert!(other.list().await.expect("lists").is_empty());
    let got = other.get_to(&stored.root, Vec::new(), as_stored()).await;
    assert_eq!(code(got.expect_err("not theirs")), Code::NotFound);
    assert_eq!(code(other.remove(&stored.root).await.expect_err("not theirs")), Code::NotFound);
    assert_eq!(code(other.audit(&stored.root).await.expect_err("not theirs")), Code::NotFound);
    let audited = owner.audit(&stored.root).await.expect("audits");
    assert_eq!(audited.iter().filter(|piece| piece.accepted).count(), 3);
    assert!(get(&owner, &stored.root).await == bytes);
}

/// A validator that names a miner again and again would otherwise have it asked as often, and an owner spend as many tokens.
#[test]
fn who_is_named_twice_holds_a_piece_once() {
    let content = Content { root: [9; 32], length_bytes: 1_000 };
    let piece = |number: u8| Piece {
        shard_root: [7; 32],
        generation: 0,
        holder: Some(Holder { miner: Account([number; 32]), root: [number + 10; 32] }),
    };
    let segments = vec![Segment { pieces: vec![piece(1), piece(2)] }];
    let (policy, secret) = (options("replicate-2", SEGMENT).policy, PlacementSecret::of_bytes([3; 32]));
    let manifest = Manifest::new(None, content, policy, secret, None, segments).expect("a manifest");
    let named = |number: u8, port: u16| proto::Holder {
        piece: Some(proto::PlacedPiece { shard: u32::from(number) - 1, ..Default::default() }),
        miner: vec![number; 32].into(),
        endpoint: format!("127.0.0.1:{port}"),
        healthy: true,
    };
    let located = [named(1, 1_000), named(2, 2_000), named(1, 1_000), named(2, 3_000), named(1, 1_000)];
    let found = &holders(&manifest, &located).expect("makes sense")[&0];
    let found: Vec<_> = found.iter().map(|(id, peer)| (id.shard, peer.account.0[0])).collect();
    assert_eq!(found, [(0, 1), (1, 2)]);
}
