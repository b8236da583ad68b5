use holdfast_engine::backend::{Choice, select as select_backend};
use holdfast_engine::possession::Replica;
use holdfast_engine::possession::challenge::{Ask, Form, ObjectChallenge};
use holdfast_engine::possession::chunks::answer_chunks;
use holdfast_engine::possession::record::ObjectRecord;
use holdfast_engine::signature::Signer;
use holdfast_engine::tree::{BLOCK_BYTES, Outboard};
use holdfast_tests::possession::TestObject;

use super::super::fixture::{Miner, World, bytes};
use super::super::plan::plan;
use super::*;

fn judge() -> Judge {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    Judge::new(select_backend(Choice::Auto).unwrap(), Arc::new(pool))
}

/// All questions of a round with their honest answers: windows, objects, seals.
fn honest(world: &World, miner: &Miner) -> Vec<Case> {
    let plan = plan(&world.terms(), &miner.facts());
    let questions = plan.questions.into_iter().chain(plan.seals);
    let answer = |question: Question| {
        let response = miner.answer(&question.challenge).expect("it is held").into();
        Case { question, response }
    };
    questions.map(answer).collect()
}

fn world() -> (World, Miner, Miner) {
    let world = World::new();
    let (mut one, mut two) = (world.miner("one", 8), world.miner("two", 8));
    for (seed, miner) in [(1, &mut one), (2, &mut two)] {
        world.store(miner, bytes(seed, 90_000));
        world.store(miner, bytes(seed + 10, 9_000));
    }
    world.settle();
    (world, one, two)
}

fn classes(verdicts: &[Verdict]) -> Vec<Option<Class>> {
    let class = |verdict: &Verdict| match verdict {
        Verdict::Right => None,
        Verdict::Wrong(rejection) => Some(rejection.class),
        Verdict::Unknown(why) => panic!("{why}"),
    };
    verdicts.iter().map(class).collect()
}

#[tokio::test]
async fn the_answers_of_a_round_are_judged_each_on_its_own() {
    let (world, one, two) = world();
    let mut cases = honest(&world, &one);
    cases.extend(honest(&world, &two));
    assert!(cases.len() >= 6, "windows, objects and seals of both");
    let verdicts = judge().judge(cases.clone()).await.unwrap();
    assert!(verdicts.iter().all(|verdict| *verdict == Verdict::Right), "{verdicts:?}");
    // One byte changed in every second: these are wrong, and their neighbours are not.
    for case in cases.iter_mut().step_by(2) {
        let mut wrong = case.response.to_vec();
        *wrong.last_mut().unwrap() ^= 1;
        case.response = wrong.into();
    }
    let found = classes(&judge().judge(cases).await.unwrap());
    for (place, class) in found.into_iter().enumerate() {
        assert_eq!(class.is_some(), place % 2 == 0, "case {place}: {class:?}");
    }
}

/// What FileTAO's validators took: an answer of an earlier round, and the answer of another miner.
#[tokio::test]
async fn replays_and_others_answers_are_wrong() {
    let (world, one, two) = world();
    let earlier = honest(&world, &one);
    world.advance(1);
    let mut now = honest(&world, &one);
    for (case, earlier) in now.iter_mut().zip(&earlier) {
        case.response = earlier.response.clone();
    }
    let replayed = classes(&judge().judge(now.clone()).await.unwrap());
    assert!(replayed.iter().all(Option::is_some), "{replayed:?}");
    for (case, others) in now.iter_mut().zip(honest(&world, &two)) {
        case.response = others.response;
    }
    let borrowed = classes(&judge().judge(now).await.unwrap());
    assert!(borrowed.iter().all(Option::is_some), "{borrowed:?}");
}

#[tokio::test]
async fn what_nothing_is_kept_of_cannot_be_right() {
    let (world, one, _) = world();
    let mut cases = honest(&world, &one);
    cases.iter_mut().for_each(|case| case.question.against = Against::Nothing);
    let found = classes(&judge().judge(cases).await.unwrap());
    assert!(found.iter().all(|class| *class == Some(Class::WrongChallenge)));
    assert!(judge().judge(Vec::new()).await.unwrap().is_empty());
}

/// A bug that a response can hit must not take the verdicts of the other miners with it.
#[test]
fn a_panic_costs_one_verdict() {
    let panics: Result<(), String> = caught(|| panic!("a bug"));
    assert_eq!(panics, Err("a bug".to_owned()));
    assert_eq!(caught(|| 1), Ok(1));
}

/// What a round of 256 miners with 20 challenges each takes: to plan it, and to judge its responses. Prints processor seconds.
#[tokio::test]
#[ignore = "measures, and takes a minute to make the responses"]
async fn the_cost_of_a_large_round() {
    const MINERS: u64 = 256;
    const POSSESSIONS: u64 = 5;
    const CHUNKS: u64 = 14;
    let (world, mut cases, mut facts) = (World::new(), Vec::new(), Vec::new());
    let object = TestObject::new(40 * BLOCK_BYTES, 1);
    let miners: Vec<Miner> = (0..MINERS).map(|number| world.miner(&format!("miner-{number}"), 4)).collect();
    world.settle();
    let (terms, owner) = (world.terms(), Signer::development("owner"));
    for miner in &miners {
        let of_miner = miner.facts();
        cases.extend(honest(&world, miner).into_iter().filter(|case| case.question.batch.is_none()));
        let mut records = Vec::new();
        for number in 0..POSSESSIONS + CHUNKS {
            let (kind, table_root) = match number < POSSESSIONS {
                true => (AuditKind::Possession, object.record.table_root),
                false => (AuditKind::Chunks, None),
            };
            // One object in place of many: what differs is the record.
            let record = ObjectRecord {
                miner: miner.account(),
                network: world.network,
                height: number,
                table_root,
                ..object.record.clone()
            };
            let ask = Ask { kind, samples: 20, deadline_ms: 5_000, form: Form::Plain };
            let challenge =
                ObjectChallenge::of(&record, world.validator.account(), (terms.beacon, terms.height), ask)
                    .unwrap();
            let outboard = Outboard::of(&object.bytes);
            let response = match kind {
                AuditKind::Possession => {
                    TestObject { record: record.clone(), ..object.clone() }.answer(&challenge)
                }
                _ => answer_chunks(&record, &challenge, |chunks| {
                    Ok::<_, ()>(chunks.iter().map(|chunk| outboard.open(&object.bytes, *chunk)).collect())
                })
                .unwrap(),
            };
            let record = record.sign(&owner);
            let question = Question {
                challenge: AnyChallenge::Object(challenge),
                against: Against::Object(Arc::new(record.clone())),
                bytes_read: 0,
                proven_space_bytes: 0,
                proven_object_bytes: 0,
                linked_bytes: None,
                batch: None,
            };
            cases.push(Case { question, response: response.into() });
            // For the plan no two are of the same bytes.
            let mut root = *record.record.replica.object_root();
            root[0] ^= u8::try_from(number).unwrap();
            let replica = Replica::new(root, record.record.replica.length(), 0).unwrap();
            records.push(ObjectRecord { replica, ..record.record }.sign(&owner));
        }
        facts.push(super::super::plan::MinerFacts { records, ..of_miner });
    }
    let judge = judge();
    let started = processor_seconds();
    let plans = judge.on_all_threads(&facts, |facts| plan(&terms, facts));
    let planned = processor_seconds() - started;
    let asked: usize = plans.iter().map(|plan| plan.questions.len()).sum();
    let (responses, started) = (cases.len(), processor_seconds());
    let verdicts = judge.judge(cases).await.unwrap();
    let judged = processor_seconds() - started;
    assert!(verdicts.iter().all(|verdict| *verdict == Verdict::Right));
    eprintln!(
        "{asked} questions planned in {planned:.2} s, {responses} responses judged in {judged:.2} s of processor time"
    );
}

fn processor_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}
