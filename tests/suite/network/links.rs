//! A miner and an owner in league: the owner signs commitments of zeros, so that the miner need not keep the bytes and passes every
//! possession audit. Link audits show it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use holdfast_engine::possession::Replica;
use holdfast_engine::possession::challenge::{AuditKind, ObjectChallenge};
use holdfast_engine::possession::commitment_table::CHUNK_POINTS;
use holdfast_engine::possession::header::HEADER_BYTES;
use holdfast_engine::possession::record::{ObjectRecord, SignedRecord};
use holdfast_engine::receipt::Outcome;
use holdfast_engine::rejection::Class;
use holdfast_engine::tree::{BLOCK_BYTES, BLOCK_CHUNKS, CHUNK_BYTES, Outboard};
use holdfast_service::client::{Client, PutOptions, Stored};
use holdfast_service::local::audits::AnyChallenge;
use holdfast_service::pieces::{Content, Manifest};
use holdfast_service::proto::*;
use holdfast_service::validator::holdings::Holdings;
use holdfast_service::validator::peers::Peer;
use holdfast_service::wire::canonical::methods;
use holdfast_tests::possession::TestObject;
use tonic::{Status, async_trait};

use super::files::{SEGMENT_BYTES, options, pass_questions, put, release, try_put};
use super::scene::{ACCEPTED, Scene, VALIDATOR, account, bytes_of};
use super::station::{Asked, Conduct, Events, Me, Station, body, listed};

const MALLORY: &str = "mallory";
/// Whole blocks, and more than the windows of a miner, so that every round asks for it.
const FILE_BYTES: usize = 128 * BLOCK_BYTES;

/// What the colluders have: zeros to which the table commits and, while they like, the real bytes.
#[derive(Clone)]
struct Collusion {
    zeros: Arc<TestObject>,
    real: Arc<(Vec<u8>, Outboard)>,
    /// Whether links are answered at all.
    shows: bool,
}

impl Collusion {
    /// The best that it can answer; `None` to what is not about its object.
    fn answer(&self, asked: &Asked) -> Option<Vec<u8>> {
        let AnyChallenge::Object(challenge) = &asked.challenge else { return asked.honest.clone() };
        if challenge.record_digest != self.zeros.record.digest() {
            return asked.honest.clone();
        }
        match challenge.kind {
            AuditKind::Possession => Some(self.zeros.answer(challenge)),
            AuditKind::Link if self.shows => Some(self.link(challenge)),
            _ => None,
        }
    }

    /// The real blocks under the object's root, with the table's points, which are of zeros.
    fn link(&self, challenge: &ObjectChallenge) -> Vec<u8> {
        let (bytes, outboard) = &*self.real;
        let blocks = challenge.link_blocks();
        let mut response = vec![0; HEADER_BYTES];
        response[..4].copy_from_slice(b"HFA2");
        response[4] = AuditKind::Link as u8;
        response[8..12].copy_from_slice(&u32::try_from(blocks.len()).expect("few").to_le_bytes());
        response[16..].copy_from_slice(&challenge.digest());
        for block in blocks {
            let start = usize::try_from(block).expect("few") * BLOCK_BYTES;
            // The opening of a chunk goes on to the root from its block.
            let opening = outboard.open(bytes, block * BLOCK_CHUNKS as u64);
            let within = CHUNK_BYTES + BLOCK_CHUNKS.ilog2() as usize * 32;
            response.extend([0; 32]);
            response.extend(&bytes[start..start + BLOCK_BYTES]);
            response.extend(&opening[within..]);
            response.extend(self.zeros.table.open(block / CHUNK_POINTS as u64));
        }
        response
    }
}

#[async_trait]
impl Conduct for Collusion {
    async fn challenge(&self, me: &Me, request: ChallengeRequest) -> Result<Events<ChallengeEvent>, Status> {
        let mut events = Vec::new();
        for asked in &me.honest(request).await? {
            if let Some(response) = self.answer(asked) {
                events.push(me.promise(asked, &response));
                events.extend(body(asked.place, &response));
            }
        }
        Ok(listed(events))
    }

    async fn keep_record(&self, me: &Me, request: KeepRecordRequest) -> Result<KeepRecordResponse, Status> {
        let record = SignedRecord::decode(&request.record).expect("a record");
        if record.record.checker != account(MALLORY) {
            return Ok(me.behind.clone().keep_record(request).await?.into_inner());
        }
        let caller = me.correspondent.hear(methods::MINER_KEEP_RECORD, &request).expect("the validator's");
        Ok(me.correspondent.answer(&caller, KeepRecordResponse { seal: None }))
    }
}

/// Mallory stores a file with the cheat, takes it back, and registers it again.
async fn collude(scene: &Scene, cheat: &Station) -> (Manifest, Collusion) {
    let owner = scene.owner(MALLORY);
    let stored: Stored = put(&owner, &bytes_of(FILE_BYTES, 1), "1-of-1").await;
    let manifest = stored.manifest.for_repair();
    let holder = manifest.segments()[0].pieces[0].holder.expect("is held");
    let length_bytes = manifest.layout().segment(0).expect("has one").shard_bytes();
    let behind = cheat.real.as_ref().expect("has a disk").server.address;
    let object = Content { root: holder.root, length_bytes };
    let peers = scene.peers(MALLORY);
    let real = Peer { account: cheat.account(), endpoint: behind };
    let bytes = peers.retrieve(real, object, 0..length_bytes).await.expect("comes back");
    release(scene, MALLORY, &stored.root).await;
    let collusion = register_zeros(scene, cheat, &manifest, bytes).await;
    (manifest, collusion)
}

/// The same pieces, commitments of zeros, and the miner's word that it has them.
async fn register_zeros(scene: &Scene, cheat: &Station, manifest: &Manifest, bytes: Vec<u8>) -> Collusion {
    let holder = manifest.segments()[0].pieces[0].holder.expect("is held");
    let length_bytes = bytes.len() as u64;
    let record = ObjectRecord {
        replica: Replica::new(holder.root, length_bytes, 0).expect("short"),
        height: scene.block().height + 10,
        network: scene.network,
        miner: cheat.account(),
        checker: account(MALLORY),
        table_root: None,
        tokens: None,
    };
    let zeros = TestObject::in_place_of(record, vec![0; bytes.len()]);
    let mallory = scene.correspondent(MALLORY);
    let mut open = StoreOpen::default();
    mallory.ask(methods::MINER_STORE, cheat.account(), &mut open);
    let caller = cheat.me.correspondent.hear(methods::MINER_STORE, &open).expect("Mallory's");
    let object = Some(ObjectName { root: holder.root.to_vec().into(), length_bytes });
    let expires_at = manifest.expires_at().expect("it does");
    let response = StoreResponse { object, kept_already: false, expires_at, seal: None };
    let response = Some(cheat.me.correspondent.answer(&caller, response));
    let signed = zeros.record.clone().sign(mallory.signer());
    let collusion = Collusion {
        zeros: Arc::new(zeros),
        real: Arc::new((bytes.clone(), Outboard::of(&bytes))),
        shows: true,
    };
    cheat.behave(collusion.clone());
    let request = RegisterRequest {
        manifest: manifest.encode().to_vec().into(),
        acknowledgements: vec![Acknowledgement { miner: holder.miner.0.to_vec().into(), response }],
        records: vec![signed.encode().to_vec().into()],
        seal: None,
    };
    let registered = scene.peers(MALLORY).register(scene.validator(), request).await;
    registered.expect("the validator cannot tell");
    collusion
}

/// A5 of colluders: possession audits pass without a byte. Links do not, whether blocks are shown or the miner is silent; from then on the
/// object stands for nothing, as does what is registered in its place. Who is honest passes both, and goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commitments_of_other_bytes_are_caught_by_links() {
    let scene = Scene::new().await;
    let cheat = scene.hostile("cheat").await;
    scene.step().await;
    let (manifest, collusion) = collude(&scene, &cheat).await;
    let honest = scene.honest("honest").await;
    scene.step().await;
    let committed = PutOptions { commit: true, ..options("replicate-2", SEGMENT_BYTES) };
    try_put(&scene.owner("owner"), &bytes_of(50_000, 2), committed).await.expect("stores");
    let doubted = async |miner: holdfast_engine::account::Account| {
        scene.keeper.held(&miner).await.expect("reads").doubted
    };
    scene.pass_record_heights();
    let of_object = |kind: AuditKind| {
        let (digest, receipts) = (collusion.zeros.record.digest(), scene.receipts(cheat.account()));
        async move {
            let receipts = receipts.await.into_iter().map(|row| row.finding);
            let of_kind = receipts.filter(move |finding| {
                finding.kind == kind as u8 && finding.record_digest.is_some_and(|of| of.0 == digest)
            });
            of_kind.collect::<Vec<_>>()
        }
    };
    for _ in 0..=scene.policy.finality_blocks + 2 {
        scene.step().await;
        if !of_object(AuditKind::Link).await.is_empty() {
            break;
        }
    }
    let stood_for =
        of_object(AuditKind::Possession).await.into_iter().map(|finding| finding.proven_object_bytes);
    assert!(stood_for.max().is_some_and(|bytes| bytes > FILE_BYTES as u64 / 2));
    // The round in which the first link fails does not pay for it either, though possession was passed: but for the owner's piece.
    let counts = scene.standing(cheat.account()).await.score.object_bytes;
    assert!(counts < FILE_BYTES as f64 / 10.0, "{counts}");
    scene.settle().await;

    let passed = of_object(AuditKind::Possession).await;
    assert!(!passed.is_empty(), "the attack is one: possession was asked and cannot tell");
    assert!(passed.iter().all(|finding| finding.outcome() == Some(Outcome::Accepted)), "{passed:?}");
    assert!(passed.iter().any(|finding| finding.proven_object_bytes > 0));
    assert_eq!(passed[passed.len() - 1].proven_object_bytes, 0, "from the first link on");
    let caught = of_object(AuditKind::Link).await;
    assert!(!caught.is_empty());
    for finding in &caught {
        let found = (finding.outcome(), finding.class.as_deref());
        assert_eq!(found, (Some(Outcome::Rejected), Some(Class::WrongProof.name())), "{finding:?}");
    }

    cheat.behave(Collusion { shows: false, ..collusion.clone() });
    let height = scene.step().await;
    scene.close_all().await;
    let found = scene.found(cheat.account(), height).await;
    assert_eq!(found["link"].len(), 2, "{found:?}");
    assert!(found["link"].contains(&ACCEPTED), "the owner's object, of which all is well");
    assert!(found["link"].contains(&(Outcome::Missed, Some(Class::Late))), "{found:?}");
    assert_eq!(scene.found(honest.account(), height).await["link"], [ACCEPTED]);
    assert_eq!(doubted(cheat.account()).await, [collusion.zeros.record.digest()].into());
    assert!(doubted(honest.account()).await.is_empty());
    // Possession goes on being passed, and makes up for no link: the piece counts as lost.
    let of_mallory = scene.owner(MALLORY).list().await.expect("lists");
    assert_eq!(of_mallory[0].summary.healthy_pieces, 0);
    assert!(scene.score(cheat.account()).await < scene.score(honest.account()).await);

    // The doubt is of the miner, too: the same bytes under another record are doubted at once.
    release(&scene, MALLORY, &manifest.ciphertext().root).await;
    assert!(doubted(cheat.account()).await.is_empty());
    let again = register_zeros(&scene, &cheat, &manifest, collusion.real.0.clone()).await;
    assert_ne!(again.zeros.record.digest(), collusion.zeros.record.digest());
    assert_eq!(doubted(cheat.account()).await, [again.zeros.record.digest()].into());
}

/// Has an owner release the file before it answers as the real miner does.
struct Released {
    owner: Client,
    file: [u8; 32],
    pending: Arc<Mutex<Vec<u32>>>,
}

#[async_trait]
impl Conduct for Released {
    async fn challenge(&self, me: &Me, request: ChallengeRequest) -> Result<Events<ChallengeEvent>, Status> {
        if let Ok(released) = self.owner.remove(&self.file).await {
            self.pending.lock().expect("no panic").push(released.pending_pieces);
        }
        Ok(Box::pin(me.behind.clone().challenge(request).await?.into_inner()))
    }
}

/// A hostile owner releases a file while its miner is being asked about it: the miner still has it, and answers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_makes_no_honest_miner_miss_what_it_is_asked() {
    let scene = Scene::new().await;
    let miner = scene.hostile("honest").await;
    scene.step().await;
    let committed = || PutOptions { commit: true, ..options("1-of-1", SEGMENT_BYTES) };
    let owner = scene.owner(MALLORY);
    let file = try_put(&owner, &bytes_of(50_000, 1), committed()).await.expect("stores").root;
    scene.pass_record_heights();
    let pending = Arc::default();
    miner.behave(Released { owner, file, pending: Arc::clone(&pending) });
    scene.step().await;
    assert_eq!(pending.lock().expect("no panic")[0], 1, "released while it was asked");
    scene.close_all().await;
    let receipts = scene.receipts(miner.account()).await.into_iter().map(|row| row.finding);
    let (links, others): (Vec<_>, Vec<_>) = receipts
        .filter(|finding| finding.record_digest.is_some())
        .partition(|finding| finding.kind == AuditKind::Link as u8);
    assert!(!links.is_empty() && !others.is_empty());
    for finding in links.iter().chain(&others) {
        assert_eq!(finding.outcome(), Some(Outcome::Accepted), "{finding:?}");
    }
    assert!(scene.keeper.held(&miner.account()).await.expect("reads").records.is_empty());

    // Nothing is held against it, and nothing of the file is left.
    pass_questions(&scene).await;
    let object_count = async || {
        let peer = Peer { account: miner.account(), endpoint: miner.address() };
        let allocation = scene.peers(VALIDATOR).allocation(peer, Duration::from_secs(20)).await;
        allocation.expect("answers").object_count
    };
    assert_eq!(object_count().await, 0);
    try_put(&scene.owner("owner"), &bytes_of(50_000, 2), committed()).await.expect("stores");
    let held = scene.keeper.held(&miner.account()).await.expect("reads");
    assert_eq!((held.records.len(), held.doubted.len(), object_count().await), (1, 0, 1));
}
