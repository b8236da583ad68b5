use std::collections::BTreeMap;
use std::sync::Mutex;

use holdfast_engine::signature::Signer;
use holdfast_engine::space::response::{response_digest, response_signing_digest};
use proptest::prelude::*;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::super::fixture::{Miner, World, bytes};
use super::super::plan::{Against, plan};
use super::*;
use crate::proto::Part;

/// What came of one question, with its body.
#[derive(Debug)]
struct Answer {
    promise: Option<Promise>,
    body: Option<Body>,
    fault: Option<Rejection>,
    refused: Option<String>,
}

type Line = Result<ChallengeEvent, Status>;

/// Plays what a miner sends, each line after so many milliseconds. Time stands still but for these.
#[derive(Debug)]
struct Script(Mutex<Vec<(u64, Line)>>);

#[async_trait]
impl Asker for Script {
    async fn challenge(&self, _: &Account, _: SocketAddr, _: u64, _: Vec<Bytes>) -> Result<Events, Status> {
        let lines = std::mem::take(&mut *self.0.lock().unwrap());
        let (sender, receiver) = mpsc::channel(1);
        tokio::spawn(async move {
            for (wait_ms, line) in lines {
                tokio::time::sleep(Duration::from_millis(wait_ms)).await;
                if sender.send(line).await.is_err() {
                    return;
                }
            }
            // The miner keeps the stream open and says nothing more.
            sender.closed().await;
        });
        Ok(Box::pin(ReceiverStream::new(receiver)))
    }
}

struct Scene {
    miner: Miner,
    ask: Ask,
}

impl Scene {
    /// A miner that is asked for windows and objects.
    fn new() -> Scene {
        let world = World::new();
        let mut miner = world.miner("miner", 8);
        world.store(&mut miner, bytes(1, 700_000));
        world.store(&mut miner, bytes(2, 20_000));
        world.settle();
        let questions: Arc<[Question]> = plan(&world.terms(), &miner.facts()).questions.into();
        assert!(questions.len() >= 2);
        let endpoint = "127.0.0.1:1".parse().ok();
        Scene { ask: Ask { miner: miner.account(), endpoint, height: world.height(), questions }, miner }
    }

    fn response(&self, place: usize) -> Vec<u8> {
        self.miner.answer(&self.ask.questions[place].challenge).unwrap()
    }

    fn promise(&self, place: usize) -> ChallengeEvent {
        self.promise_by(place, &self.response(place), &self.miner.signer)
    }

    fn promise_by(&self, place: usize, response: &[u8], signer: &Signer) -> ChallengeEvent {
        let digest = response_digest(response);
        let signed = response_signing_digest(&self.ask.questions[place].challenge.digest(), &digest);
        ChallengeEvent {
            place: u32::try_from(place).unwrap(),
            response_digest: digest.to_vec().into(),
            signature: signer.sign(&signed).0.to_vec().into(),
            ..ChallengeEvent::default()
        }
    }

    fn part(&self, place: usize, range: std::ops::Range<usize>) -> ChallengeEvent {
        let response = self.response(place);
        let part = Part { offset_bytes: range.start as u64, bytes: response[range.clone()].to_vec().into() };
        ChallengeEvent {
            place: u32::try_from(place).unwrap(),
            part: Some(part),
            last: range.end == response.len(),
            ..ChallengeEvent::default()
        }
    }

    fn body(&self, place: usize) -> ChallengeEvent {
        self.part(place, 0..self.response(place).len())
    }

    /// All promises, then all bodies.
    fn honest(&self) -> Vec<(u64, Line)> {
        let places = 0..self.ask.questions.len();
        let promises = places.clone().map(|place| self.promise(place));
        promises.chain(places.map(|place| self.body(place))).map(|event| (1, Ok(event))).collect()
    }

    async fn collect(&self, lines: Vec<(u64, Line)>) -> (Vec<Option<Promise>>, Vec<Answer>) {
        self.collect_within(lines, &Budget::new(64 << 20)).await
    }

    async fn collect_within(
        &self,
        lines: Vec<(u64, Line)>,
        budget: &Budget,
    ) -> (Vec<Option<Promise>>, Vec<Answer>) {
        let (sender, mut news) = mpsc::unbounded_channel();
        collect(&Script(Mutex::new(lines)), self.ask.clone(), budget, sender).await;
        let (mut told, mut bodies) = (None, BTreeMap::new());
        loop {
            match news.recv().await.expect("the end is told") {
                News::Promised { promises, .. } => assert!(told.replace(promises).is_none(), "told once"),
                News::Answered { place, body, .. } => assert!(bodies.insert(place, body).is_none()),
                News::Ended { answers, .. } => {
                    assert!(news.recv().await.is_none(), "and nothing after");
                    return (told.expect("promises come first"), with_bodies(answers, bodies));
                }
            }
        }
    }
}

fn with_bodies(answers: Vec<super::Answer>, mut bodies: BTreeMap<usize, Body>) -> Vec<Answer> {
    let answer = |(place, super::Answer { promise, came, fault, refused })| {
        let body = bodies.remove(&place);
        assert_eq!(body.is_some(), came);
        Answer { promise, body, fault, refused }
    };
    answers.into_iter().enumerate().map(answer).collect()
}

fn class(answer: &Answer) -> Option<Class> {
    answer.fault.as_ref().map(|fault| fault.class)
}

fn shows(answer: &Answer) -> (bool, bool) {
    (answer.promise.is_some(), answer.body.is_some())
}

#[tokio::test(start_paused = true)]
async fn promises_and_bodies_come_in_time() {
    let scene = Scene::new();
    let budget = Budget::new(64 << 20);
    let (promises, answers) = scene.collect_within(scene.honest(), &budget).await;
    for (place, (promise, answer)) in promises.iter().zip(&answers).enumerate() {
        assert_eq!(answer.body.as_ref().unwrap().bytes, scene.response(place));
        assert_eq!((answer.promise, class(answer)), (*promise, None));
        assert_eq!(promise.unwrap().response_digest, response_digest(&scene.response(place)));
        assert_eq!(
            promise.unwrap().latency_ms,
            u32::try_from(place).unwrap() + 1,
            "by the clock, which stands"
        );
    }
    assert!(budget.free_bytes() < 64 << 20, "bodies hold their memory");
    drop(answers);
    assert_eq!(budget.free_bytes(), 64 << 20, "and give it back");
}

#[tokio::test(start_paused = true)]
async fn bodies_come_in_parts() {
    let scene = Scene::new();
    let length = scene.response(0).len();
    let parts = [0..1024, 1024..1024, 1024..length].map(|range| (1, Ok(scene.part(0, range))));
    let lines = [(1, Ok(scene.promise(0)))].into_iter().chain(parts).collect();
    let (_, answers) = scene.collect(lines).await;
    assert_eq!(shows(&answers[0]), (true, true));
    assert_eq!(shows(&answers[1]), (false, false), "the other question was not answered");
    assert_eq!(class(&answers[1]), Some(Class::Late));
}

/// τ is 5,000 ms: a digest in the last millisecond is in time, one in the next is not; a body has 50,000.
#[tokio::test(start_paused = true)]
async fn deadlines_are_those_of_the_challenge() {
    let scene = Scene::new();
    let (_, answers) = scene.collect(vec![(5_000, Ok(scene.promise(0))), (45_000, Ok(scene.body(0)))]).await;
    assert_eq!(shows(&answers[0]), (true, true), "{:?}", answers[0].fault);
    let (promises, answers) =
        scene.collect(vec![(5_001, Ok(scene.promise(0))), (1, Ok(scene.body(0)))]).await;
    assert_eq!((promises[0], shows(&answers[0])), (None, (false, false)));
    assert_eq!(class(&answers[0]), Some(Class::Late));
    let (_, answers) = scene.collect(vec![(5_000, Ok(scene.promise(0))), (45_001, Ok(scene.body(0)))]).await;
    assert_eq!((shows(&answers[0]), class(&answers[0])), ((true, false), Some(Class::Late)));
}

/// A miner that says nothing costs τ, not ten times as long.
#[tokio::test(start_paused = true)]
async fn silence_ends_with_the_first_deadline() {
    let scene = Scene::new();
    let started = Instant::now();
    let (promises, answers) = scene.collect(Vec::new()).await;
    assert_eq!(started.elapsed(), Duration::from_millis(5_001));
    assert!(promises.iter().all(Option::is_none));
    assert!(answers.iter().all(|answer| class(answer) == Some(Class::Late)));
}

#[tokio::test(start_paused = true)]
async fn a_digest_is_the_miners_own_and_is_not_changed() {
    let scene = Scene::new();
    let stranger = Signer::development("stranger");
    let forged = scene.promise_by(0, &scene.response(0), &stranger);
    let (promises, answers) = scene.collect(vec![(1, Ok(forged)), (1, Ok(scene.promise(0)))]).await;
    assert!(promises.iter().all(Option::is_none), "nothing after a forgery is read");
    assert_eq!(class(&answers[0]), Some(Class::BadSignature));
    // Two digests: the first is the promise, and the body of the second is not taken.
    let other = scene.promise_by(0, b"another response", &scene.miner.signer);
    let (promises, answers) =
        scene.collect(vec![(1, Ok(other.clone())), (1, Ok(scene.promise(0))), (1, Ok(scene.body(0)))]).await;
    assert_eq!(promises[0].unwrap().response_digest, *other.response_digest);
    assert_eq!((shows(&answers[0]), class(&answers[0])), ((true, false), Some(Class::Late)));
    // Once promised, it may be said again; how that is signed takes nobody's time.
    let again = ChallengeEvent { signature: vec![1; 64].into(), ..scene.promise(0) };
    let (_, answers) =
        scene.collect(vec![(1, Ok(scene.promise(0))), (1, Ok(again)), (1, Ok(scene.body(0)))]).await;
    assert_eq!((shows(&answers[0]), class(&answers[0])), ((true, true), None));
    // A body that is another one than promised.
    let (_, answers) = scene.collect(vec![(1, Ok(other)), (1, Ok(scene.body(0)))]).await;
    assert_eq!((shows(&answers[0]), class(&answers[0])), ((true, false), Some(Class::Late)));
}

/// Each is cut at once, keeps the promises that it gave before, and gets no body counted after.
#[tokio::test(start_paused = true)]
async fn what_no_honest_miner_sends_ends_the_stream() {
    let scene = Scene::new();
    let length = scene.response(0).len();
    let longer = ChallengeEvent {
        part: Some(Part { offset_bytes: 0, bytes: vec![0; length + 1].into() }),
        ..ChallengeEvent::default()
    };
    let part_bytes = ChallengeEvent {
        part: Some(Part { offset_bytes: 0, bytes: vec![0; PART_BYTES_MAX + 1].into() }),
        ..ChallengeEvent::default()
    };
    let nowhere = ChallengeEvent { place: 1_000, ..scene.promise(0) };
    let short = ChallengeEvent { response_digest: vec![1; 31].into(), ..scene.promise(0) };
    let cases = [
        ("a part out of order", scene.part(0, 1..length), Class::Malformed),
        ("a body too long", longer, Class::WrongLength),
        ("a part too long", part_bytes, Class::WrongLength),
        ("a challenge that was not sent", nowhere, Class::Malformed),
        ("a digest of 31 bytes", short, Class::WrongLength),
    ];
    for (what, event, expected) in cases {
        let started = Instant::now();
        let lines = vec![(1, Ok(scene.promise(0))), (1, Ok(event)), (1, Ok(scene.body(0)))];
        let (_, answers) = scene.collect(lines).await;
        assert_eq!((shows(&answers[0]), class(&answers[0])), ((true, false), Some(expected)), "{what}");
        assert!(started.elapsed() < Duration::from_millis(100), "{what}: it is cut at once");
    }
}

#[tokio::test(start_paused = true)]
async fn a_flood_is_cut() {
    let scene = Scene::new();
    let nothing = || (0, Ok(ChallengeEvent::default()));
    let lines: Vec<(u64, Line)> = std::iter::repeat_with(nothing).take(1_000_000).collect();
    let (_, answers) = scene.collect(lines).await;
    assert!(answers.iter().all(|answer| class(answer) == Some(Class::Policy)));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_no_answer_and_says_why() {
    let scene = Scene::new();
    let refused = |why: &str| ChallengeEvent {
        refused: why.to_owned(),
        reason: "damaged".to_owned(),
        ..ChallengeEvent::default()
    };
    let (_, answers) = scene.collect(vec![(1, Ok(refused("disk\u{1b}[2J gone")))]).await;
    let fault = answers[0].fault.as_ref().unwrap();
    assert_eq!(fault.class, Class::Late);
    assert!(fault.detail.contains("disk [2J gone"), "no control characters: {}", fault.detail);
    assert_eq!(answers[0].refused.as_deref(), Some("damaged"));
    // After a promise it is no excuse: the round was promised, and there is no body.
    let (_, answers) = scene
        .collect(vec![(1, Ok(scene.promise(0))), (1, Ok(refused("sorry"))), (1, Ok(scene.body(0)))])
        .await;
    assert_eq!((shows(&answers[0]), &answers[0].refused), ((true, false), &None));
    let (_, answers) = scene.collect(vec![(1, Err(Status::permission_denied("no")))]).await;
    assert!(answers.iter().all(|answer| class(answer) == Some(Class::Late)));
}

#[tokio::test(start_paused = true)]
async fn nobody_is_asked_without_an_endpoint_or_a_commitment() {
    let mut scene = Scene::new();
    let mut questions = scene.ask.questions.to_vec();
    questions.iter_mut().for_each(|question| question.against = Against::Nothing);
    let unshown =
        Scene { ask: Ask { questions: questions.into(), ..scene.ask.clone() }, miner: scene.miner.clone() };
    let (_, answers) = unshown.collect(unshown.honest()).await;
    assert!(answers.iter().all(|answer| shows(answer) == (false, false)));
    assert!(answers.iter().all(|answer| class(answer) == Some(Class::WrongRecord)));
    scene.ask.endpoint = None;
    let (_, answers) = scene.collect(scene.honest()).await;
    assert!(answers.iter().all(|answer| class(answer) == Some(Class::Late)));
}

/// Two miners, memory for one: the second is read once the first's bodies are judged, and nobody is refused for our lack.
#[tokio::test(start_paused = true)]
async fn memory_is_bounded_and_waited_for() {
    let scene = Scene::new();
    let all: usize = scene.ask.questions.iter().map(Question::response_bytes_max).sum();
    let budget = Budget::new(all + scene.ask.questions.len() * 1024);
    let (_, first) = scene.collect_within(scene.honest(), &budget).await;
    assert!(first.iter().all(|answer| answer.body.is_some()));
    let (sender, mut news) = mpsc::unbounded_channel();
    let (script, ask, shared) = (Script(Mutex::new(scene.honest())), scene.ask.clone(), budget.clone());
    let second = tokio::spawn(async move { collect(&script, ask, &shared, sender).await });
    let Some(News::Promised { promises, .. }) = news.recv().await else { panic!("promises need no memory") };
    assert!(promises.iter().all(Option::is_some));
    drop(first);
    let mut bodies = 0;
    let answers = loop {
        match news.recv().await.expect("the end is told") {
            // Judged at once, and dropped.
            News::Answered { .. } => bodies += 1,
            News::Ended { answers, .. } => break answers,
            News::Promised { .. } => panic!("promises are told once"),
        }
    };
    assert!(answers.iter().all(|answer| answer.came), "{answers:?}");
    assert_eq!(bodies, answers.len());
    second.await.unwrap();
}

/// A miner that begins all its bodies and ends none holds the memory of one, until it begins the second.
#[tokio::test(start_paused = true)]
async fn a_miner_cannot_hold_the_memory_of_bodies_that_it_does_not_send() {
    let scene = Scene::new();
    let budget = Budget::new(64 << 20);
    let (sender, mut news) = mpsc::unbounded_channel();
    let lines = [scene.promise(0), scene.promise(1), scene.part(0, 0..1), scene.part(1, 0..1)];
    let script = Script(Mutex::new(lines.into_iter().map(|event| (1, Ok(event))).collect()));
    let started = Instant::now();
    collect(&script, scene.ask.clone(), &budget, sender).await;
    assert!(started.elapsed() < Duration::from_millis(100), "it is cut at once");
    assert_eq!(budget.free_bytes(), 64 << 20);
    while let Some(told) = news.recv().await {
        let News::Ended { answers, .. } = told else { continue };
        let classes: Vec<_> =
            answers[..2].iter().map(|answer| answer.fault.as_ref().unwrap().class).collect();
        assert_eq!(classes, [Class::Malformed; 2]);
    }
}

/// A body that is longer than all memory takes all of it, and those behind it do not wait for good.
#[tokio::test(start_paused = true)]
async fn a_body_beyond_all_memory_takes_what_there_is() {
    let budget = Budget::new(4096);
    let all = budget.reserve(1 << 30).await.unwrap();
    assert_eq!(budget.free_bytes(), 0);
    drop(all);
    assert!(budget.reserve(1).await.is_some());
}

fn any_event() -> impl Strategy<Value = ChallengeEvent> {
    let bytes = |most| proptest::collection::vec(any::<u8>(), 0..most);
    let part = proptest::option::of((any::<u64>(), bytes(40)));
    (0_u32..4, bytes(40), bytes(70), part, any::<bool>(), [".{0,8}", ".{0,8}"]).prop_map(
        |(place, digest, signature, part, last, [refused, reason])| ChallengeEvent {
            place,
            response_digest: digest.into(),
            signature: signature.into(),
            part: part.map(|(offset_bytes, bytes)| Part { offset_bytes, bytes: bytes.into() }),
            last,
            refused,
            reason,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Whatever comes, there is an answer for each question, none of them with a body that was not promised.
    #[test]
    fn hostile_streams_end_with_an_answer_each(events in proptest::collection::vec(any_event(), 0..40)) {
        let scene = Scene::new();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let lines = events.into_iter().map(|event| (1, Ok(event))).collect();
        let (promises, answers) = runtime.block_on(scene.collect(lines));
        prop_assert_eq!(promises.len(), scene.ask.questions.len());
        prop_assert!(answers.iter().all(|answer| shows(answer) == (false, false)));
    }
}
