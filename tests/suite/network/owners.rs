//! An owner that cheats a validator and its miners: nothing of it is taken, and others are served.

use holdfast_engine::account::Account;
use holdfast_engine::rejection::Class;
use holdfast_service::miner::limits::Limits;
use holdfast_service::pieces::Holder;
use holdfast_service::proto::miner_client::MinerClient;
use holdfast_service::proto::*;
use holdfast_service::validator::peers::{Peer, PeerError};
use holdfast_service::wire::canonical::methods;
use holdfast_service::wire::status::class_of;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

use super::disk::RealMiner;
use super::files::{get, put};
use super::scene::{Scene, bytes_of};

const MALLORY: &str = "mallory";

fn piece(segment: u64, root: [u8; 32], length_bytes: u64) -> PlacedPiece {
    let object = Some(ObjectName { root: root.to_vec().into(), length_bytes });
    PlacedPiece { segment, shard: 0, generation: 0, object }
}

fn place(pieces: Vec<PlacedPiece>) -> PlaceRequest {
    PlaceRequest { file_root: vec![1; 32].into(), pieces, keep_seconds: 60, ..PlaceRequest::default() }
}

/// Pieces of segments of their own, each with another root.
fn pieces(count: u64, length_bytes: u64) -> Vec<PlacedPiece> {
    let root = |number: u64| *blake3::hash(&number.to_le_bytes()).as_bytes();
    (0..count).map(|number| piece(number, root(number), length_bytes)).collect()
}

/// Mallory's request for places.
async fn ask_places(scene: &Scene, request: PlaceRequest) -> Result<PlaceResponse, Status> {
    scene.peers(MALLORY).place(scene.validator(), request).await.map_err(status_of)
}

fn status_of(error: PeerError) -> Status {
    match error {
        PeerError::Status { status, .. } => *status,
        PeerError::Rejected { rejection, .. } => panic!("the validator's answer is wrong: {rejection}"),
    }
}

/// What makes no sense is refused by its class or code; then what makes sense is done.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn absurd_requests_for_places_are_refused() {
    let scene = Scene::new().await;
    let _miners = [scene.honest("one").await, scene.honest("two").await];
    scene.step().await;
    let one = || vec![piece(0, [1; 32], 10)];
    let changed = |change: fn(&mut PlacedPiece)| {
        let mut pieces = one();
        pieces.iter_mut().for_each(change);
        place(pieces)
    };
    let object = |bytes: usize| Some(ObjectName { root: vec![1; bytes].into(), length_bytes: 10 });
    let short = PlacedPiece { object: object(31), ..piece(0, [1; 32], 10) };
    let long = PlacedPiece { object: object(1 << 20), ..piece(0, [1; 32], 10) };
    let cases = [
        (PlaceRequest { keep_seconds: 0, ..place(one()) }, Code::InvalidArgument, "for no time"),
        (PlaceRequest { keep_seconds: u64::MAX, ..place(one()) }, Code::InvalidArgument, "for ever"),
        (
            PlaceRequest { file_root: vec![1; 33].into(), ..place(one()) },
            Code::InvalidArgument,
            "a long root",
        ),
        (
            PlaceRequest { avoid: vec![vec![1; 32].into(); 4_097], ..place(one()) },
            Code::InvalidArgument,
            "everybody avoided",
        ),
        (
            PlaceRequest { avoid: vec![vec![1; 3].into()], ..place(one()) },
            Code::InvalidArgument,
            "half an account",
        ),
        (place(Vec::new()), Code::InvalidArgument, "nothing"),
        (place(pieces(4_097, 1)), Code::InvalidArgument, "too many pieces"),
        (place([one(), one()].concat()), Code::InvalidArgument, "a piece twice"),
        (place(vec![short]), Code::InvalidArgument, "a short root"),
        (place(vec![long]), Code::InvalidArgument, "a root of a MiB"),
        (changed(|piece| piece.segment = u64::MAX), Code::InvalidArgument, "a segment beyond all"),
        (changed(|piece| piece.shard = 255), Code::InvalidArgument, "a shard beyond all"),
        (changed(|piece| piece.generation = 1), Code::InvalidArgument, "a piece that was made anew"),
        (changed(|piece| piece.object = None), Code::InvalidArgument, "a piece of nothing"),
        (place(vec![piece(0, [1; 32], 0)]), Code::InvalidArgument, "no bytes"),
        (place(vec![piece(0, [1; 32], u64::MAX)]), Code::InvalidArgument, "more bytes than there are"),
        (place(vec![piece(0, [1; 32], 1 << 36)]), Code::ResourceExhausted, "more bytes than anybody has"),
        (
            PlaceRequest { file_root: vec![1; 5 << 20].into(), ..place(one()) },
            Code::OutOfRange,
            "a message of 5 MiB",
        ),
    ];
    for (request, code, what) in cases {
        let refused = ask_places(&scene, request).await.expect_err(what);
        assert_eq!(refused.code(), code, "{what}: {refused}");
    }
    ask_places(&scene, place(one())).await.expect("makes sense");
    let stored = put(&scene.owner("owner"), &bytes_of(100_000, 1), "replicate-2").await;
    assert!(get(&scene.owner("owner"), &stored.root).await.0.expect("comes back") == bytes_of(100_000, 1));
}

/// Tickets for more room than there is, none of which is used: others are served all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tickets_that_are_not_used_keep_nobody_out() {
    let scene = Scene::new().await;
    let _miners = [scene.honest("one").await, scene.honest("two").await];
    scene.step().await;
    for number in 0_u8..100 {
        let wanted = place(vec![piece(0, [number; 32], 1 << 20)]);
        ask_places(&scene, wanted).await.expect("promises take half of what is free at most");
    }
    let bytes = bytes_of(500_000, 1);
    let stored = put(&scene.owner("owner"), &bytes, "replicate-2").await;
    assert!(get(&scene.owner("owner"), &stored.root).await.0.expect("comes back") == bytes);
}

/// Somebody else's pieces, acknowledged by a miner that does not have them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_registers_what_miners_did_not_acknowledge() {
    let scene = Scene::new().await;
    let (honest, cheat) = (scene.honest("honest").await, scene.hostile("cheat").await);
    scene.step().await;
    let bytes = bytes_of(100_000, 1);
    let stored = put(&scene.owner("owner"), &bytes, "replicate-2").await;
    let manifest = stored.manifest.for_repair();
    let length_bytes = manifest.layout().segment(0).expect("has one").shard_bytes();
    let mallory = scene.correspondent(MALLORY);
    // What a miner in league with Mallory says that it and the other one keep for Mallory.
    let acknowledged = |Holder { miner, root }: Holder| {
        let mut open = StoreOpen::default();
        mallory.ask(methods::MINER_STORE, cheat.account(), &mut open);
        let caller = cheat.me.correspondent.hear(methods::MINER_STORE, &open).expect("Mallory's");
        let object = Some(ObjectName { root: root.to_vec().into(), length_bytes });
        let response = StoreResponse { object, kept_already: false, expires_at: u64::MAX, seal: None };
        let response = Some(cheat.me.correspondent.answer(&caller, response));
        Acknowledgement { miner: miner.0.to_vec().into(), response }
    };
    let holders = || manifest.segments()[0].pieces.iter().filter_map(|piece| piece.holder);
    let encoded = manifest.encode().to_vec();
    let truncated = encoded[..encoded.len() - 1].to_vec();
    let request = |manifest: &[u8], acknowledgements| RegisterRequest {
        manifest: manifest.to_vec().into(),
        acknowledgements,
        records: Vec::new(),
        seal: None,
    };
    let only =
        |of: Account| holders().filter(|holder| holder.miner == of).map(acknowledged).collect::<Vec<_>>();
    let cases = [
        (request(&[], Vec::new()), Class::WrongLength, "nothing"),
        (request(&truncated, Vec::new()), Class::WrongLength, "half a manifest"),
        (request(&[0xff; 4_096], Vec::new()), Class::Malformed, "no manifest"),
        (request(&encoded, Vec::new()), Class::Malformed, "nothing acknowledged"),
        (request(&encoded, only(cheat.account())), Class::Malformed, "half of it acknowledged"),
        (request(&encoded, only(honest.account())), Class::BadSignature, "in the name of another"),
        (
            request(&encoded, vec![Acknowledgement::default()]),
            Class::Malformed,
            "an acknowledgement of nothing",
        ),
    ];
    let peers = scene.peers(MALLORY);
    for (request, class, what) in cases {
        let refused = peers.register(scene.validator(), request).await.map_err(status_of).expect_err(what);
        // Which of two pieces is looked at first is nobody's business.
        let found = class_of(&refused);
        let either = what.starts_with("in the name") && found == Some(Class::Malformed);
        assert!(found == Some(class) || either, "{what}: {refused}");
    }
    let file_root: bytes::Bytes = stored.root.to_vec().into();
    let validator = scene.validator();
    let locate = LocateRequest { file_root: file_root.clone(), seal: None };
    let release = ReleaseRequest { file_root: file_root.clone(), seal: None };
    let audit = AuditRequest { file_root, seal: None };
    let refused = [
        peers.locate(validator, locate).await.map(drop).map_err(status_of).expect_err("not Mallory's"),
        peers.release(validator, release).await.map(drop).map_err(status_of).expect_err("not Mallory's"),
        peers.audit_file(validator, audit).await.map(drop).map_err(status_of).expect_err("not Mallory's"),
    ];
    assert!(refused.iter().all(|status| status.code() == Code::NotFound), "{refused:?}");
    assert!(get(&scene.owner("owner"), &stored.root).await.0.expect("comes back") == bytes);
}

/// An upload by hand.
struct Upload {
    miner: Peer,
    ticket: Option<Ticket>,
    client: MinerClient<Channel>,
}

impl Upload {
    /// A ticket of the validator's for these bytes.
    async fn of(scene: &Scene, bytes: &[u8]) -> Upload {
        let wanted = place(vec![piece(0, *blake3::hash(bytes).as_bytes(), bytes.len() as u64)]);
        let placed = ask_places(scene, wanted).await.expect("there is room").placements.remove(0);
        let endpoint = placed.endpoint.parse().expect("an address");
        let miner = Peer { account: Account(placed.miner[..].try_into().expect("32 bytes")), endpoint };
        let channel = Endpoint::from_shared(format!("http://{endpoint}")).expect("an address");
        Upload { miner, ticket: placed.ticket, client: MinerClient::new(channel.connect_lazy()) }
    }

    fn open(&self, scene: &Scene) -> StoreRequest {
        let mut open = StoreOpen { ticket: self.ticket.clone(), offset_bytes: 0, seal: None };
        scene.correspondent(MALLORY).ask(methods::MINER_STORE, self.miner.account, &mut open);
        StoreRequest { open: Some(open), part: None }
    }

    async fn send(&self, scene: &Scene, parts: Vec<(u64, Vec<u8>)>) -> Status {
        let part = |(offset_bytes, bytes): (u64, Vec<u8>)| StoreRequest {
            open: None,
            part: Some(Part { offset_bytes, bytes: bytes.into() }),
        };
        let messages = std::iter::once(self.open(scene)).chain(parts.into_iter().map(part));
        let messages: Vec<_> = messages.collect();
        self.client.clone().store(tokio_stream::iter(messages)).await.expect_err("is not what was announced")
    }
}

/// Uploads that are not what their tickets say leave nothing; those that stand still hold no place for long, and no other owner up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uploads_that_are_wrong_or_stand_still_harm_nobody() {
    const UPLOADS: usize = 2;
    let scene = Scene::new().await;
    // It has to pass before anything is over; nobody measures how long it takes.
    let limits = Limits { idle_ms: 2_000, uploads_per_caller: UPLOADS, ..Limits::default() };
    let miner = RealMiner::start(&scene, "miner", limits).await;
    scene.register(miner.account(), miner.server.address);
    scene.step().await;
    let bytes = bytes_of(100_000, 1);
    let mut other = bytes.clone();
    other[99_999] ^= 1;
    let (half, rest) = bytes.split_at(50_000);
    let cases = [
        (vec![(0, other)], Class::WrongRoot, "other bytes"),
        (vec![(0, [&bytes[..], &[0]].concat())], Class::WrongLength, "a byte too many at once"),
        (vec![(50_000, rest.to_vec()), (0, half.to_vec())], Class::Malformed, "its end first"),
        (vec![(0, half.to_vec()), (0, half.to_vec())], Class::Malformed, "a half twice"),
    ];
    for (parts, class, what) in cases {
        let refused = Upload::of(&scene, &bytes).await.send(&scene, parts).await;
        assert_eq!(class_of(&refused), Some(class), "{what}: {refused}");
    }
    let kept = scene.peers(MALLORY);
    let peer = Peer { account: miner.account(), endpoint: miner.server.address };
    let allocation = kept.allocation(peer, std::time::Duration::from_secs(20)).await.expect("answers");
    assert_eq!((allocation.object_count, allocation.object_bytes), (0, 0));

    // As many as one may have, each of which has begun and sends nothing.
    let mut standing = Vec::new();
    for seed in 0..UPLOADS {
        let upload = Upload::of(&scene, &bytes_of(1_000 + seed, 9)).await;
        let (sender, receiver) = mpsc::channel(2);
        sender.send(upload.open(&scene)).await.expect("is read");
        let part = Part { offset_bytes: 0, bytes: vec![1].into() };
        sender.send(StoreRequest { open: None, part: Some(part) }).await.expect("is read");
        let mut client = upload.client.clone();
        let storing = tokio::spawn(async move { client.store(ReceiverStream::new(receiver)).await });
        standing.push((sender, storing, upload));
    }
    let bytes = bytes_of(300_000, 2);
    let stored = put(&scene.owner("owner"), &bytes, "1-of-1").await;
    assert!(get(&scene.owner("owner"), &stored.root).await.0.expect("comes back") == bytes);
    for (sender, storing, _) in standing {
        let ended = storing.await.expect("no panic").expect_err("stood still");
        assert_eq!(ended.code(), Code::Aborted, "{ended}");
        drop(sender);
    }
}
