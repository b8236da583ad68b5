//! Replies of miners that no program of ours would send: they cost the miner its round, and nobody else anything.

use std::time::Duration;

use bytes::Bytes;
use holdfast_engine::receipt::Outcome;
use holdfast_engine::rejection::Class;
use holdfast_service::proto::*;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tonic::{Status, async_trait};

use super::conduct::Answering;
use super::files::{get, put};
use super::scene::{ACCEPTED, Found, Scene, account, bytes_of};
use super::station::{Asked, Conduct, Events, Honest, Me, body, listed};

type Reply = fn(&Me, Vec<Asked>) -> Events<ChallengeEvent>;

const BLOCK_TIME: Duration = Duration::from_millis(50);
/// Below what peers wait for an answer, so that nothing of the sort was waited for.
const LONG: Duration = Duration::from_secs(14);

const REJECTED: Outcome = Outcome::Rejected;
const MISSED: Outcome = Outcome::Missed;

/// What is sent in place of answers, and how the round ends.
const REPLIES: [(&str, Reply, Outcome, Class); 20] = [
    ("nothing", |_, _| listed(Vec::new()), MISSED, Class::Late),
    ("silence for ever", |_, _| Box::pin(tokio_stream::pending()), MISSED, Class::Late),
    ("an error", |_, _| failing("no".to_owned()), MISSED, Class::Late),
    ("an error with a book in it", |_, _| failing("\u{7}\u{2764}".repeat(1_000)), MISSED, Class::Late),
    ("a refusal with a book in it", |_, _| refusing(100_000), MISSED, Class::Late),
    ("empty events without end", |_, _| endless(ChallengeEvent::default()), MISSED, Class::Policy),
    (
        "a short digest",
        |me, asked| promised(me, &asked, |event| cut(&mut event.response_digest)),
        MISSED,
        Class::WrongLength,
    ),
    (
        "a short signature",
        |me, asked| promised(me, &asked, |event| cut(&mut event.signature)),
        MISSED,
        Class::WrongLength,
    ),
    (
        "no signature",
        |me, asked| promised(me, &asked, |event| event.signature = Bytes::new()),
        MISSED,
        Class::WrongLength,
    ),
    (
        "a signature that is no point",
        |me, asked| promised(me, &asked, |event| event.signature = vec![0xff; 64].into()),
        MISSED,
        Class::BadSignature,
    ),
    (
        "a signature of zeros",
        |me, asked| promised(me, &asked, |event| event.signature = vec![0; 64].into()),
        MISSED,
        Class::BadSignature,
    ),
    (
        "a digest of zeros",
        |me, asked| promised(me, &asked, |event| event.response_digest = vec![0; 32].into()),
        MISSED,
        Class::Malformed,
    ),
    (
        "a place that there is not",
        |me, asked| promised(me, &asked, |event| event.place = u32::MAX),
        MISSED,
        Class::Malformed,
    ),
    (
        "bodies without promises",
        |_, asked| listed(asked.iter().flat_map(|asked| body(asked.place, honest(asked))).collect()),
        MISSED,
        Class::Late,
    ),
    ("two promises for a challenge", two_promises, REJECTED, Class::Late),
    (
        "bodies from their middle on",
        |me, asked| bodied(me, &asked, |parts| parts.reverse()),
        REJECTED,
        Class::Malformed,
    ),
    (
        "bodies at the end of all numbers",
        |me, asked| bodied(me, &asked, |parts| offset(parts, u64::MAX)),
        REJECTED,
        Class::Malformed,
    ),
    (
        "a part that is too long",
        |me, asked| bodied(me, &asked, |parts| widen(parts, 300 << 10)),
        REJECTED,
        Class::WrongLength,
    ),
    (
        "a message that is too long",
        |me, asked| bodied(me, &asked, |parts| widen(parts, 2 << 20)),
        REJECTED,
        Class::Late,
    ),
    ("parts of nothing without end", empty_parts, REJECTED, Class::Policy),
];

fn honest(asked: &Asked) -> &[u8] {
    asked.honest.as_deref().unwrap_or_default()
}

fn failing(message: String) -> Events<ChallengeEvent> {
    Box::pin(tokio_stream::once(Err(Status::internal(message))))
}

fn refusing(letters: usize) -> Events<ChallengeEvent> {
    let refused =
        |place| ChallengeEvent { place, refused: "\u{2764}".repeat(letters / 3), ..Default::default() };
    listed((0..2).map(refused).collect())
}

fn endless(event: ChallengeEvent) -> Events<ChallengeEvent> {
    Box::pin(tokio_stream::iter(std::iter::repeat_with(move || Ok(event.clone()))))
}

fn cut(bytes: &mut Bytes) {
    bytes.truncate(bytes.len() - 1);
}

/// The honest promises, changed.
fn promised(me: &Me, asked: &[Asked], change: fn(&mut ChallengeEvent)) -> Events<ChallengeEvent> {
    let mut promises: Vec<_> = asked.iter().map(|asked| me.promise(asked, honest(asked))).collect();
    promises.iter_mut().for_each(change);
    listed(promises)
}

/// The honest promises and changed bodies.
fn bodied(me: &Me, asked: &[Asked], change: fn(&mut Vec<ChallengeEvent>)) -> Events<ChallengeEvent> {
    let mut events: Vec<_> = asked.iter().map(|asked| me.promise(asked, honest(asked))).collect();
    for asked in asked {
        let mut parts = body(asked.place, honest(asked));
        change(&mut parts);
        events.extend(parts);
    }
    listed(events)
}

fn offset(parts: &mut [ChallengeEvent], by: u64) {
    parts.iter_mut().filter_map(|event| event.part.as_mut()).for_each(|part| part.offset_bytes = by);
}

fn widen(parts: &mut [ChallengeEvent], length: usize) {
    if let Some(part) = parts.first_mut().and_then(|event| event.part.as_mut()) {
        part.bytes = vec![0; length].into();
    }
}

fn two_promises(me: &Me, asked: Vec<Asked>) -> Events<ChallengeEvent> {
    let each = |asked: &Asked| [me.promise(asked, honest(asked)), me.promise(asked, b"or this")];
    listed(asked.iter().flat_map(each).collect())
}

fn empty_parts(me: &Me, asked: Vec<Asked>) -> Events<ChallengeEvent> {
    let promises = asked.iter().map(|asked| me.promise(asked, honest(asked))).map(Ok);
    let part = ChallengeEvent { part: Some(Part::default()), ..ChallengeEvent::default() };
    let promises: Vec<_> = promises.collect();
    Box::pin(tokio_stream::iter(promises.into_iter().chain(std::iter::repeat_with(move || Ok(part.clone())))))
}

/// FileTAO's validators ended at the first reply that they could not read. Here every such round ends as it should, for the miner
/// alone, and the next one goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_reply_keeps_a_round_from_its_end() {
    let scene = Scene::new().await;
    let (honest, cheat) = (scene.honest("honest").await, scene.hostile("cheat").await);
    scene.settle().await;
    let before = scene.score(cheat.account()).await;
    let mut heights = Vec::new();
    for (_, reply, ..) in REPLIES {
        cheat.behave(Answering(reply));
        heights.push(scene.step().await);
    }
    scene.close_all().await;
    let (good, bad) = (scene.score(honest.account()).await, scene.score(cheat.account()).await);
    assert!(bad < before / 100.0 && before < good, "{bad} now, {before} before, {good} honest");
    assert!(scene.weight(cheat.account()).await < scene.weight(honest.account()).await / 50);
    cheat.behave(Honest);
    let after = scene.step().await;
    scene.close_all().await;
    for ((what, _, outcome, class), height) in REPLIES.into_iter().zip(&heights) {
        let expected: Found = (outcome, Some(class));
        assert_eq!(scene.found(cheat.account(), *height).await["space"], [expected], "{what}");
        assert_eq!(scene.found(honest.account(), *height).await["space"], [ACCEPTED], "beside {what}");
    }
    assert_eq!(
        scene.found(cheat.account(), after).await["space"],
        [ACCEPTED],
        "and then it is as if nothing was"
    );
}

/// Answers nothing rightly but audits of samples.
struct Garbled;

#[async_trait]
impl Conduct for Garbled {
    async fn ping(&self, _: &Me, _: PingRequest) -> Result<PingResponse, Status> {
        Ok(PingResponse { version: "\u{1b}[2J".repeat(1000), ..PingResponse::default() })
    }

    async fn allocation(&self, _: &Me, _: AllocationRequest) -> Result<AllocationResponse, Status> {
        Ok(AllocationResponse { free_object_bytes: u64::MAX, ..AllocationResponse::default() })
    }

    async fn countersign(&self, me: &Me, request: CountersignRequest) -> Result<CountersignResponse, Status> {
        let caller = me.correspondent.hear("holdfast.v1.Miner/Countersign", &request);
        let receipts = vec![CountersignedReceipt::default(); request.receipts.len() + 1];
        let response = CountersignResponse { receipts, seal: None };
        Ok(caller.map_or(response.clone(), |caller| me.correspondent.answer(&caller, response)))
    }

    async fn commitment(&self, _: &Me, _: CommitmentRequest) -> Result<Events<Part>, Status> {
        Ok(Box::pin(tokio_stream::iter(std::iter::repeat_with(|| Ok(Part::default())).take(100_000))))
    }

    async fn retrieve(&self, _: &Me, request: RetrieveRequest) -> Result<Events<RetrieveEvent>, Status> {
        let event = RetrieveEvent {
            group: u64::MAX,
            page: vec![1; 4097].into(),
            offset_bytes: request.offset_bytes,
            blocks: Bytes::new(),
        };
        Ok(listed(vec![event]))
    }
}

/// Answers audits of samples and commitments, and is silent for ever about all else.
struct Hanging;

#[async_trait]
impl Conduct for Hanging {
    async fn ping(&self, _: &Me, _: PingRequest) -> Result<PingResponse, Status> {
        std::future::pending().await
    }

    async fn allocation(&self, _: &Me, _: AllocationRequest) -> Result<AllocationResponse, Status> {
        std::future::pending().await
    }

    async fn countersign(&self, _: &Me, _: CountersignRequest) -> Result<CountersignResponse, Status> {
        std::future::pending().await
    }

    async fn retrieve(&self, _: &Me, _: RetrieveRequest) -> Result<Events<RetrieveEvent>, Status> {
        std::future::pending().await
    }
}

/// Blocks come and nobody waits for the silent one: rounds are asked, closed and countersigned as if it were not there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silence_about_other_things_holds_up_no_round() {
    let scene = Scene::new().await;
    let (honest, silent) = (scene.honest("honest").await, scene.hostile("silent").await);
    scene.settle().await;
    silent.behave(Hanging);
    let height = scene.block().height;
    let closed = async {
        loop {
            let head = scene.block();
            scene.node.on_head(head).await.expect("follows");
            let rows = scene.receipts(honest.account()).await;
            let later = rows.iter().filter(|row| row.body().expect("a body").height > height);
            if later.filter(|row| row.miner_signature.is_some()).count() >= 3 {
                break;
            }
            // Blocks take their time, too.
            tokio::time::sleep(BLOCK_TIME).await;
        }
    };
    tokio::time::timeout(LONG, closed).await.expect("the silent one holds up nobody");
    let rows = scene.receipts(silent.account()).await;
    let later: Vec<_> = rows.iter().filter(|row| row.body().expect("a body").height > height).collect();
    assert!(!later.is_empty() && later.iter().all(|row| row.miner_signature.is_none()));
}

/// Somebody at a miner's address who speaks another language.
async fn babbler() -> std::net::SocketAddr {
    let socket = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = socket.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = socket.accept().await {
            // Whoever has gone hears no more.
            let _ = stream.write_all(&bytes_of(100_000, 7)).await;
        }
    });
    address
}

/// Neither who garbles all else nor who speaks no gRPC holds anybody up; owners are sent to others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn miners_that_nobody_understands_hold_up_nobody() {
    let scene = Scene::new().await;
    let garbled = scene.hostile("garbled").await;
    garbled.behave(Garbled);
    scene.register(account("babbler"), babbler().await);
    let (one, two) = (scene.honest("one").await, scene.honest("two").await);
    scene.settle().await;
    let height = scene.step().await;
    let stored = put(&scene.owner("owner"), &bytes_of(300_000, 1), "replicate-2").await;
    scene.close_all().await;
    for miner in [&one, &two] {
        assert_eq!(scene.found(miner.account(), height).await["space"], [ACCEPTED]);
        assert!(scene.weight(miner.account()).await > 0);
    }
    // Whoever does not show what it registered has nothing to be judged by.
    let found = scene.found(garbled.account(), height).await;
    assert_eq!(found["space"], [(MISSED, Some(Class::WrongRecord))]);
    assert_eq!((scene.score(garbled.account()).await, scene.weight(garbled.account()).await), (0.0, 0));
    let holders = stored.manifest.segments()[0].pieces.iter().filter_map(|piece| piece.holder);
    let mut holders: Vec<_> = holders.map(|holder| holder.miner).collect();
    let mut expected = [one.account(), two.account()];
    holders.sort();
    expected.sort();
    assert_eq!(holders, expected);
    let (got, faults) = get(&scene.owner("owner"), &stored.root).await;
    assert!(got.expect("comes back") == bytes_of(300_000, 1) && faults.is_empty());
}
