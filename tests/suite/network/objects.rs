//! Miners that lose, forge or never had what owners gave them; and sizes of which nothing may be lost.

use std::collections::BTreeSet;

use bytes::Bytes;
use holdfast_engine::account::Account;
use holdfast_engine::message::Ticket;
use holdfast_engine::receipt::Outcome;
use holdfast_service::client::Stored;
use holdfast_service::pieces::Content;
use holdfast_service::proto::*;
use holdfast_service::validator::care::Tended;
use holdfast_service::validator::holdings::Holdings;
use holdfast_service::validator::peers::Peer;
use holdfast_service::wire::canonical::methods;
use tonic::{Status, async_trait};

use super::files::{get, options, put, try_put};
use super::scene::{ACCEPTED, Scene, VALIDATOR, bytes_of};
use super::station::{Conduct, Events, Me, Station, Uploaded, listed};

/// Larger than the windows of a miner, so that every round asks for it.
const FILE_BYTES: usize = 2_000_000;
/// Audits that a piece may fail one after another.
const FAILED_AUDITS: usize = 3;

/// Whoever holds the pieces of a file, in the order of its shards.
fn holders(stored: &Stored) -> Vec<Account> {
    let pieces = stored.manifest.segments().iter().flat_map(|segment| &segment.pieces);
    pieces.filter_map(|piece| piece.holder).map(|holder| holder.miner).collect()
}

/// Whoever the validator says holds them now.
async fn located(scene: &Scene, stored: &Stored) -> BTreeSet<Account> {
    let request = LocateRequest { file_root: stored.root.to_vec().into(), seal: None };
    let located = scene.peers("owner").locate(scene.validator(), request).await.expect("is there");
    let miner = |holder: &Holder| Account(holder.miner[..].try_into().expect("32 bytes"));
    located.holders.iter().map(miner).collect()
}

/// The pieces of a miner that fails are made anew elsewhere, after so many failed rounds and not before; the owner gets the file all
/// the while.
async fn is_replaced(scene: &Scene, stored: &Stored, cheat: &Station, bytes: &[u8]) {
    let owner = scene.owner("owner");
    for round in 1..=FAILED_AUDITS {
        let height = scene.step().await;
        scene.close_all().await;
        let found = scene.found(cheat.account(), height).await;
        assert!(
            found["chunks"].iter().all(|(outcome, _)| *outcome != Outcome::Accepted),
            "{round}: {found:?}"
        );
        assert!(get(&owner, &stored.root).await.0.expect("comes back") == bytes, "round {round}");
    }
    let tended = scene.keeper.tend().await.expect("tends");
    assert_eq!(tended, Tended { rebuilt_pieces: 1, ..Tended::default() });
    assert!(!located(scene, stored).await.contains(&cheat.account()));
    let (got, faults) = get(&owner, &stored.root).await;
    assert!(got.expect("comes back") == bytes && faults.is_empty(), "{faults:?}");
}

/// A9: what was stored, acknowledged and audited is dropped.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_miner_that_drops_what_it_stored_loses_it_and_its_standing() {
    let scene = Scene::new().await;
    let (honest, cheat) = (scene.honest("honest").await, scene.hostile("cheat").await);
    scene.step().await;
    let bytes = bytes_of(FILE_BYTES, 1);
    let stored = put(&scene.owner("owner"), &bytes, "replicate-2").await;
    let _spare = scene.honest("spare").await;
    scene.pass_record_heights();
    scene.settle().await;
    let before = scene.score(cheat.account()).await;
    let record = scene.keeper.records_of(&cheat.account()).await.expect("reads").remove(0).record;
    let object = Content { root: *record.replica.object_root(), length_bytes: record.replica.length() };
    let behind = cheat.real.as_ref().expect("has a disk").server.address;
    // The effect of a miner's deleting it, which needs no leave of anybody's.
    let real = Peer { account: cheat.account(), endpoint: behind };
    assert!(scene.peers(VALIDATOR).delete(real, object).await.expect("deletes"));
    is_replaced(&scene, &stored, &cheat, &bytes).await;
    let (good, bad) = (scene.score(honest.account()).await, scene.score(cheat.account()).await);
    assert!(bad < before && bad < good, "{bad} now, {before} before, {good} honest");
    assert!(scene.weight(cheat.account()).await < scene.weight(honest.account()).await);
}

/// Acknowledges whatever comes, and keeps none of it.
struct Pretending;

#[async_trait]
impl Conduct for Pretending {
    async fn store(&self, me: &Me, mut messages: Uploaded) -> Result<StoreResponse, Status> {
        let mut open = None;
        while let Some(message) = messages.message().await? {
            open = open.or(message.open);
        }
        let open = open.expect("owners say what it is");
        let caller = me.correspondent.hear(methods::MINER_STORE, &open).expect("the owner's");
        let ticket = Ticket::decode(&open.ticket.expect("has one").ticket).expect("the validator's");
        let object = ObjectName { root: ticket.root.to_vec().into(), length_bytes: ticket.length_bytes };
        let (object, expires_at) = (Some(object), ticket.keep_until);
        let response = StoreResponse { object, kept_already: false, expires_at, seal: None };
        Ok(me.correspondent.answer(&caller, response))
    }

    async fn keep_record(&self, me: &Me, request: KeepRecordRequest) -> Result<KeepRecordResponse, Status> {
        let caller = me.correspondent.hear(methods::MINER_KEEP_RECORD, &request).expect("the validator's");
        Ok(me.correspondent.answer(&caller, KeepRecordResponse { seal: None }))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_miner_that_acknowledges_and_keeps_nothing_is_replaced() {
    let scene = Scene::new().await;
    let (honest, cheat) = (scene.honest("honest").await, scene.hostile("cheat").await);
    cheat.behave(Pretending);
    scene.step().await;
    let bytes = bytes_of(FILE_BYTES, 1);
    let stored = put(&scene.owner("owner"), &bytes, "replicate-2").await;
    let _spare = scene.honest("spare").await;
    scene.pass_record_heights();
    for _ in 0..2 {
        scene.step().await;
    }
    is_replaced(&scene, &stored, &cheat, &bytes).await;
    assert_eq!(scene.standing(cheat.account()).await.score.object_bytes, 0.0);
    assert!(scene.score(cheat.account()).await < scene.score(honest.account()).await);
    assert!(scene.weight(cheat.account()).await < scene.weight(honest.account()).await);
}

/// Gives other groups than the real miner.
struct Retrieving(Lie);

type Lie = fn(Vec<RetrieveEvent>) -> Events<RetrieveEvent>;

#[async_trait]
impl Conduct for Retrieving {
    async fn retrieve(&self, me: &Me, request: RetrieveRequest) -> Result<Events<RetrieveEvent>, Status> {
        let mut events = me.behind.clone().retrieve(request).await?.into_inner();
        let mut groups = Vec::new();
        while let Some(event) = events.message().await? {
            groups.push(event);
        }
        Ok((self.0)(groups))
    }
}

/// The groups, each changed.
fn each(mut groups: Vec<RetrieveEvent>, change: fn(&mut RetrieveEvent)) -> Events<RetrieveEvent> {
    groups.iter_mut().for_each(change);
    listed(groups)
}

fn flip(bytes: &mut Bytes, at: usize) {
    let mut changed = bytes.to_vec();
    changed[at] ^= 1;
    *bytes = changed.into();
}

/// A10: bytes that are not the owner's. FileTAO took the first answer that came, whatever it was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_bytes_reach_nobody_and_cost_the_miner_its_service() {
    let scene = Scene::new().await;
    let (one, two) = (scene.hostile("one").await, scene.hostile("two").await);
    scene.step().await;
    let bytes = bytes_of(FILE_BYTES, 1);
    let owner = scene.owner("owner");
    let stored = put(&owner, &bytes, "replicate-2").await;
    // The one that is asked first.
    let (cheat, honest) = if holders(&stored)[0] == one.account() { (one, two) } else { (two, one) };
    scene.pass_record_heights();
    scene.settle().await;
    let lies: [(&str, Lie); 9] = [
        ("another byte", |groups| each(groups, |event| flip(&mut event.blocks, 5))),
        ("another path", |groups| each(groups, |event| flip(&mut event.page, 0))),
        ("a byte too few", |groups| {
            each(groups, |event| drop(event.blocks.split_off(event.blocks.len() - 1)))
        }),
        ("another group", |groups| each(groups, |event| event.group += 1)),
        ("another place", |groups| each(groups, |event| event.offset_bytes += 1)),
        ("no pages", |groups| each(groups, |event| event.page = Bytes::new())),
        ("groups in another order", |mut groups| {
            groups.reverse();
            listed(groups)
        }),
        ("nothing", |_| listed(Vec::new())),
        ("nothing, for ever", |_| {
            Box::pin(tokio_stream::iter(std::iter::repeat_with(|| Ok(RetrieveEvent::default()))))
        }),
    ];
    for (what, lie) in lies {
        cheat.behave(Retrieving(lie));
        let (got, faults) = get(&owner, &stored.root).await;
        assert!(got.expect("the other one has it") == bytes, "{what}");
        assert!(!faults.is_empty(), "{what}");
        assert!(faults.iter().all(|fault| fault.miner == cheat.account() && fault.is_wrong), "{what}");
    }
    cheat.behave(Retrieving(lies[0].1));
    for _ in 0..3 {
        scene.step().await;
    }
    scene.close_all().await;
    let (bad, good) = (scene.standing(cheat.account()).await, scene.standing(honest.account()).await);
    assert!(bad.score.service < 0.5 && good.score.service > 0.99, "{bad:?} {good:?}");
    assert!(scene.weight(cheat.account()).await < scene.weight(honest.account()).await);
    // Audits that the owner asks for say the same.
    let audited = owner.audit(&stored.root).await.expect("audits");
    for piece in audited {
        let is_cheats = piece.miner[..] == cheat.account().0;
        assert_eq!((piece.accepted, piece.class.is_empty()), (!is_cheats, !is_cheats), "{piece:?}");
    }
}

/// FileTAO lost the tail of files above its largest chunk (800, 1,000 and 2,000 MiB, here 4,096 times smaller), and its honest miners
/// failed audits of files below its smallest. Every one of these comes back, and every miner passes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_every_size_come_back_and_pass_audits() {
    const SEGMENT_BYTES: u64 = 64 << 10;
    let scene = Scene::new().await;
    let miners = [scene.honest("one").await, scene.honest("two").await, scene.honest("three").await];
    scene.step().await;
    let owner = scene.owner("owner");
    let mut files = Vec::new();
    for (seed, length) in (0..).zip([0, 1, 21, 255, 256, 257, 204_800, 256_000, 512_000]) {
        let policy = if seed % 2 == 0 { "replicate-3" } else { "2-of-3" };
        let bytes = bytes_of(length, seed);
        let stored = try_put(&owner, &bytes, options(policy, SEGMENT_BYTES)).await.expect("stores");
        files.push((stored, bytes));
    }
    scene.pass_record_heights();
    scene.settle().await;
    let height = scene.step().await;
    scene.close_all().await;
    for miner in &miners {
        let found = scene.found(miner.account(), height).await;
        assert_eq!(found["space"], [ACCEPTED]);
        assert!(found["chunks"].iter().all(|found| *found == ACCEPTED), "{found:?}");
        let objects = scene.standing(miner.account()).await.score.object_bytes;
        assert!(objects > 0.0, "{objects}");
    }
    for (stored, bytes) in files {
        let (got, faults) = get(&owner, &stored.root).await;
        assert!(got.expect("comes back") == bytes && faults.is_empty(), "{} bytes", bytes.len());
    }
}
