//! Getting back: from whom, in parts, and for whom not.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use holdfast_engine::account::Account;
use holdfast_engine::object::Address;
use holdfast_engine::signature::Signer;
use tonic::Code;

use super::liar::Liar;
use crate::client::fixture::{
    Faults, Ground, Running, as_stored, bytes_of, decrypted_by, encrypted_for, get, options, put,
};
use crate::client::get::holders;
use crate::client::{Client, ClientError, GetOptions, Got, Stored};
use crate::encryption::{DecryptionError, OwnerKey};
use crate::miner::Miner;
use crate::pieces::{Content, Holder, Manifest, Piece, PlacementSecret, Segment};
use crate::proto;
use crate::validator::care::Keeper;
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

/// Segments of an interrupted download: the last one cannot be had at first, and the two before it are more than a group of stored bytes.
const LONG_SEGMENT: u64 = 900_000;

/// A file of three segments at three miners, and what is kept of an attempt to get it.
struct Interrupted {
    ground: Ground,
    owner: Client,
    key: Option<OwnerKey>,
    bytes: Vec<u8>,
    stored: Stored,
    out: PathBuf,
    part: PathBuf,
    journal: PathBuf,
    _network: (Running<Keeper>, Vec<Running<Miner>>),
}

impl Interrupted {
    async fn new(key: Option<OwnerKey>) -> Interrupted {
        let ground = Ground::new();
        let validator = ground.start_validator().await;
        let miners = ground.add_miners(3).await;
        let owner = ground.owner("owner", &validator);
        let (bytes, terms) = (bytes_of(2_600_000, 1), options("replicate-3", LONG_SEGMENT));
        let terms = match &key {
            Some(key) => encrypted_for(key, terms),
            None => terms,
        };
        let stored = put(&owner, &bytes, terms).await;
        let out = ground.out("film");
        let beside = |suffix| ground.out(&format!(".film.{}.{suffix}", Address::Blake3(stored.root)));
        let (part, journal, network) = (beside("part"), beside("journal"), (validator, miners));
        let made = Interrupted { key, bytes, out, part, journal, owner, stored, ground, _network: network };
        made.interrupt().await;
        made
    }

    /// Gets the file while the last segment is damaged everywhere.
    async fn interrupt(&self) {
        let last = &self.stored.manifest.segments().last().expect("three").pieces;
        let roots: Vec<_> = last.iter().map(|piece| piece.holder.expect("is held").root).collect();
        let mut pieces = Vec::new();
        for path in files_called("data", self.ground.folder.path()) {
            let bytes = std::fs::read(&path).expect("reads");
            if roots.contains(blake3::hash(&bytes).as_bytes()) {
                let mut damaged = bytes.clone();
                damaged[5] ^= 1;
                std::fs::write(&path, damaged).expect("writes");
                pieces.push((path, bytes));
            }
        }
        assert_eq!(pieces.len(), 3);
        let error = self.get(self.terms()).await.expect_err("nobody has it");
        assert!(matches!(error, ClientError::Unreadable { segment: 2, .. }), "{error}");
        assert!(!self.out.exists() && self.part.exists());
        for (path, bytes) in pieces {
            std::fs::write(path, bytes).expect("writes");
        }
    }

    fn terms(&self) -> GetOptions {
        self.key.as_ref().map_or_else(as_stored, decrypted_by)
    }

    async fn get(&self, terms: GetOptions) -> Result<Got, ClientError> {
        self.owner.get(&self.stored.root, &self.out, terms).await
    }

    /// Gets the rest, and begins with so many stored bytes.
    async fn goes_on(&self, resumed_bytes: RangeInclusive<u64>) {
        let got = self.get(self.terms()).await.expect("goes on");
        assert!(resumed_bytes.contains(&got.resumed_bytes), "{got:?}");
        assert_eq!(got.bytes, self.bytes.len() as u64);
        assert!(std::fs::read(&self.out).expect("reads") == self.bytes);
        assert!(!self.part.exists() && !self.journal.exists());
        std::fs::remove_file(&self.out).expect("deletes");
    }
}

fn files_called(name: &str, folder: &Path) -> Vec<PathBuf> {
    let (mut folders, mut found) = (vec![folder.to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("lists").map(|entry| entry.expect("is there")) {
            match entry.file_type().expect("has one").is_dir() {
                true => folders.push(entry.path()),
                false if entry.file_name() == name => found.push(entry.path()),
                false => {}
            }
        }
    }
    found
}

fn flip(path: &Path, byte: usize) {
    let mut bytes = std::fs::read(path).expect("reads");
    bytes[byte] ^= 1;
    std::fs::write(path, bytes).expect("writes");
}

/// A group that is used up is not had again, and of encrypted files the chunk before it is.
const GROUP: u64 = 1 << 20;
const AT_LEAST: u64 = GROUP - (1 << 17);

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_download_goes_on() {
    for key in [None, Some(OwnerKey::generate())] {
        let interrupted = Interrupted::new(key).await;
        interrupted.goes_on(AT_LEAST..=GROUP).await;
        // Nothing of it is left, so the next one begins anew.
        interrupted.goes_on(0..=0).await;
    }
}

/// What a loss of power, or somebody, did to the part or to its journal costs no more than what was kept.
#[tokio::test(flavor = "multi_thread")]
async fn parts_and_journals_that_were_changed_are_not_gone_on_with() {
    for key in [None, Some(OwnerKey::generate())] {
        let interrupted = Interrupted::new(key).await;
        flip(&interrupted.part, 7);
        interrupted.goes_on(0..=0).await;
        for byte in [3, 17, 50, 70] {
            interrupted.interrupt().await;
            flip(&interrupted.journal, byte);
            interrupted.goes_on(0..=0).await;
        }
        interrupted.interrupt().await;
        std::fs::remove_file(&interrupted.part).expect("deletes");
        interrupted.goes_on(0..=0).await;
        interrupted.interrupt().await;
        std::fs::remove_file(&interrupted.journal).expect("deletes");
        interrupted.goes_on(0..=0).await;
    }
}

/// A part with a journal that fits it and is of another file: the root tells, and it is thrown away, or every run would fail alike.
#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_another_file_is_found_out_and_thrown_away() {
    for key in [None, Some(OwnerKey::generate())] {
        let interrupted = Interrupted::new(key).await;
        let Interrupted { ground, owner, stored, .. } = &interrupted;
        let other = bytes_of(2_700_000, 2);
        let other = put(owner, &other, options("replicate-3", LONG_SEGMENT)).await;
        let beside = |suffix| ground.out(&format!(".other.{}.{suffix}", Address::Blake3(other.root)));
        for (from, to) in [(&interrupted.part, beside("part")), (&interrupted.journal, beside("journal"))] {
            std::fs::rename(from, to).expect("renames");
        }
        let get = async || owner.get(&other.root, &ground.out("other"), interrupted.terms()).await;
        let error = get().await.expect_err("is another file");
        assert!(matches!(error, ClientError::WrongFile { .. }), "{error}");
        for path in [ground.out("other"), beside("part"), beside("journal")] {
            assert!(!path.exists(), "{}", path.display());
        }
        let got = owner.get(&other.root, &ground.out("other"), as_stored()).await.expect("comes back");
        assert_eq!((got.bytes, got.resumed_bytes), (2_700_000, 0));
        assert_ne!(other.root, stored.root);
    }
}

/// A run with another key, or without one, is no fault of the part.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_keeps_the_part_and_no_key_begins_anew() {
    let interrupted = Interrupted::new(Some(OwnerKey::generate())).await;
    // Where nothing was kept, nothing stays.
    let other = interrupted.ground.out("other");
    let key = decrypted_by(&OwnerKey::generate());
    interrupted.owner.get(&interrupted.stored.root, &other, key).await.expect_err("another key");
    let names = std::fs::read_dir(other.parent().expect("a folder")).expect("lists");
    let names: Vec<_> = names.map(|entry| entry.expect("is there").file_name()).collect();
    assert!(names.iter().all(|name| !name.to_string_lossy().starts_with(".other.")), "{names:?}");
    let error = interrupted.get(decrypted_by(&OwnerKey::generate())).await.expect_err("another key");
    assert!(matches!(error, ClientError::Decryption(DecryptionError::WrongKey)), "{error}");
    interrupted.goes_on(AT_LEAST..=GROUP).await;
    interrupted.interrupt().await;
    let got = interrupted.get(as_stored()).await.expect("comes back");
    assert_eq!((got.bytes, got.resumed_bytes), (interrupted.stored.manifest.ciphertext().length_bytes, 0));
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
