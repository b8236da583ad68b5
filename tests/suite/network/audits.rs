//! Miners that answer audits without what they should have. Each is caught in the round, and falls below whoever is honest.

use std::collections::HashMap;
use std::sync::Mutex;

use holdfast_engine::challenge::SpaceSample;
use holdfast_engine::receipt::Outcome;
use holdfast_engine::rejection::Class;
use holdfast_engine::space::response::{HEADER_BYTES, opening_bytes};
use holdfast_engine::tree::{CHUNK_BYTES, Outboard};
use holdfast_service::local::audits::AnyChallenge;

use super::conduct::{Answering, Late, bodies};
use super::pair::{CHUNKS, Pair, SPACE, rejected};
use super::scene::{ACCEPTED, Scene};
use super::station::{Asked, Me, body, listed};

/// Where a response names its challenge.
const NAMED: std::ops::Range<usize> = 16..48;

/// The bytes with the name of this challenge in them.
fn renamed(asked: &Asked, mut response: Vec<u8>) -> Vec<u8> {
    response[NAMED].copy_from_slice(&asked.challenge.digest());
    response
}

/// A1: roots and paths made up, of the right length, from the first round on: no seal, no space, no weight.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_stores_nothing_earns_nothing() {
    let scene = Scene::new().await;
    let (honest, cheat) = (scene.honest("honest").await, scene.hostile("cheat").await);
    cheat.behave(bodies(|_, honest| Some([&honest[..HEADER_BYTES], &vec![0; honest.len() - 48]].concat())));
    scene.settle().await;
    let receipts = scene.receipts(cheat.account()).await;
    assert!(!receipts.is_empty());
    for row in receipts {
        assert_eq!(row.finding.outcome(), Some(Outcome::Rejected), "{:?}", row.finding);
    }
    let standing = scene.standing(cheat.account()).await;
    assert_eq!((standing.score.score, standing.share, scene.weight(cheat.account()).await), (0.0, 0.0, 0));
    assert!(scene.weight(honest.account()).await > 0);
}

type Change = fn(&mut Vec<u8>);

fn flip_from_end(bytes: &mut [u8], from_the_end: usize) {
    let at = bytes.len() - from_the_end;
    bytes[at] ^= 1;
}

/// A1, A2, A3: answers that are empty, choose their own terms, or differ from the right one in a byte.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_have_the_form_that_was_asked_for() {
    let pair = Pair::new().await;
    let cases: [(Change, Class, &str); 9] = [
        (|bytes| bytes.clear(), Class::WrongLength, "nothing at all"),
        (|bytes| bytes.truncate(HEADER_BYTES), Class::WrongLength, "no openings"),
        (|bytes| bytes.truncate(bytes.len() - 1), Class::WrongLength, "a byte too few"),
        (|bytes| bytes[0] = 0, Class::Malformed, "another form"),
        (|bytes| bytes[4] = 0x7f, Class::Malformed, "another kind"),
        (|bytes| bytes[8] = 1, Class::Malformed, "a single sample"),
        (|bytes| bytes[20] ^= 1, Class::WrongChallenge, "another challenge"),
        (|bytes| flip_from_end(bytes, 1), Class::WrongRoot, "another last byte"),
        (|bytes| flip_from_end(bytes, 700), Class::WrongRoot, "another byte before"),
    ];
    for (change, class, what) in cases {
        let changing = bodies(move |_, honest| {
            let mut bytes = honest.to_vec();
            change(&mut bytes);
            Some(bytes)
        });
        let found = pair.round(changing).await;
        for kind in [SPACE, CHUNKS] {
            assert_eq!(found[kind], rejected(class), "{what}, {kind}");
        }
    }
    pair.fell().await;
}

/// A4, and the prototype's hash databases: all hashes are kept, and none of the bytes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hashes_in_place_of_bytes_are_caught() {
    let pair = Pair::new().await;
    let without_chunks = bodies(|asked, honest| {
        let mut bytes = honest.to_vec();
        let opening = match &asked.challenge {
            AnyChallenge::Partition(challenge) => opening_bytes(challenge.shape),
            _ => bytes.len(),
        };
        for start in (HEADER_BYTES..bytes.len()).step_by(opening) {
            bytes[start..start + CHUNK_BYTES].fill(0);
        }
        Some(bytes)
    });
    pair.caught(without_chunks, rejected(Class::WrongRoot)).await;
}

/// A5: the answer of an earlier round, as it was and with the name of the new challenge.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_of_earlier_rounds_are_caught() {
    let pair = Pair::new().await;
    let kept: &'static Mutex<HashMap<[u8; 32], Vec<u8>>> = Box::leak(Box::default());
    let remembering = bodies(|asked, honest| {
        kept.lock().expect("no panic").insert(asked.challenge.subject(), honest.to_vec());
        Some(honest.to_vec())
    });
    let found = pair.round(remembering).await;
    assert_eq!((found[SPACE], found[CHUNKS]), (ACCEPTED, ACCEPTED));
    let earlier = |asked: &Asked| kept.lock().expect("no panic").get(&asked.challenge.subject()).cloned();
    // Rounds differ in how many samples they have, and so do the classes of what is wrong.
    let found = pair.round(bodies(move |asked, _| earlier(asked))).await;
    assert_eq!((found[SPACE].0, found[CHUNKS].0), (Outcome::Rejected, Outcome::Rejected), "{found:?}");
    pair.fell().await;
    let renaming = bodies(move |asked, _| earlier(asked).map(|bytes| renamed(asked, bytes)));
    let found = pair.round(renaming).await;
    assert_eq!((found[SPACE].0, found[CHUNKS].0), (Outcome::Rejected, Outcome::Rejected), "{found:?}");
    pair.fell().await;
}

/// A6: the same opening, which is right for one sample, for all of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_chunk_does_not_stand_for_others() {
    let pair = Pair::new().await;
    let repeating = bodies(|asked, honest| {
        let AnyChallenge::Partition(challenge) = &asked.challenge else { return Some(honest.to_vec()) };
        let opening = &honest[HEADER_BYTES..HEADER_BYTES + opening_bytes(challenge.shape)];
        Some([&honest[..HEADER_BYTES], &opening.repeat(challenge.space_samples().len())].concat())
    });
    let found = pair.round(repeating).await;
    assert_eq!((found[SPACE], found[CHUNKS]), (rejected(Class::WrongRoot), ACCEPTED));
    pair.fell().await;
}

/// A7: answers to its own challenges out of somebody else's disk, where each partition and each replica has its own bytes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_disk_does_not_answer_for_two_miners() {
    let pair = Pair::new().await;
    let windows = pair.honest.windows();
    let piece = pair.honest_piece().await;
    let borrowing = bodies(move |asked, honest| {
        let openings: Vec<u8> = match &asked.challenge {
            AnyChallenge::Partition(challenge) => {
                let open = |sample: SpaceSample| {
                    let window = &windows[usize::try_from(sample.window).expect("small")];
                    Outboard::of(window).open(window, sample.chunk)
                };
                challenge.space_samples().into_iter().flat_map(open).collect()
            }
            AnyChallenge::Object(challenge) => {
                let outboard = Outboard::of(&piece);
                challenge.chunks().into_iter().flat_map(|chunk| outboard.open(&piece, chunk)).collect()
            }
            AnyChallenge::Token(_) => return None,
        };
        Some([&honest[..HEADER_BYTES], &openings].concat())
    });
    let found = pair.round(borrowing).await;
    assert_eq!((found[SPACE], found[CHUNKS]), (rejected(Class::WrongRoot), rejected(Class::WrongRoot)));
    pair.fell().await;
}

/// A8: what has to be fetched first comes too late, and a promise cannot be given before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_fetched_on_demand_comes_too_late() {
    let pair = Pair::new().await;
    pair.caught(Late, (Outcome::Missed, Some(Class::Late))).await;
    let promising_blindly = Answering(|me: &Me, asked: Vec<Asked>| {
        let mut events = Vec::new();
        for asked in &asked {
            events.push(me.promise(asked, b"whatever will come"));
            events.extend(body(asked.place, asked.honest.as_deref().unwrap_or_default()));
        }
        listed(events)
    });
    pair.caught(promising_blindly, rejected(Class::Late)).await;
}
