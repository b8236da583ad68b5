use holdfast_engine::backend::{Choice, select};
use holdfast_engine::challenge::SealNode;
use holdfast_engine::registration::Registration;
use holdfast_tests::partition::{TestWindow, registration, shape};

use super::*;

const K: u8 = 11;
const LAYERS: u8 = 4;
/// 2^11 labels are 64 KiB, so a window comes in one part.
const WINDOW: u64 = 3;

fn ours() -> Registration {
    registration(shape(K, LAYERS), 7)
}

fn honest() -> TestWindow {
    TestWindow::make(&ours(), WINDOW, |_, _| ())
}

fn check_with(registration: &Registration, seed: [u8; 32]) -> WindowCheck {
    let (shape, key) = (registration.intent.shape, registration.window_key(WINDOW));
    WindowCheck::with_seed(shape, &key, LABELS_PER_LAYER, seed)
}

/// The answer of a maker of these layers.
fn opened(made: &TestWindow, question: &LayerQuestion) -> Vec<u8> {
    let open = |node: &SealNode| {
        let layer = usize::from(node.layer) - 1;
        made.outboards[layer].open(&made.layers[layer], node.chunk())
    };
    question.opened().iter().map(open).collect::<Vec<_>>().concat()
}

/// The answers of a maker of these layers about layer `number`.
fn answers(made: &TestWindow, registration: &Registration, number: u32, nodes: &[u32]) -> Vec<Vec<u8>> {
    let (shape, key) = (registration.intent.shape, registration.window_key(WINDOW));
    let question = |nodes: &[u32]| LayerQuestion::new(shape, &key, number, nodes).expect("of the window");
    nodes.chunks(NODES_PER_ANSWER).map(|nodes| opened(made, &question(nodes))).collect()
}

/// Shows all layers of a window as its maker would.
fn show(check: &mut WindowCheck, made: &TestWindow, registration: &Registration) -> Result<(), Rejection> {
    let backend = select(Choice::Auto).expect("portable exists");
    for (number, outboard) in (1..).zip(&made.outboards) {
        let nodes = check.layer(number, &outboard.root())?;
        for answer in answers(made, registration, number, &nodes) {
            check.answer(backend, number, &answer)?;
        }
    }
    Ok(())
}

fn whole(made: &TestWindow) -> Result<MadeWindow, Rejection> {
    let mut check = check_with(&ours(), [1; 32]);
    show(&mut check, made, &ours())?;
    check.part(0, made.bytes())?;
    check.finish()
}

/// Makes a share of the labels of a layer wrong, one in so many.
fn spoil(bytes: &mut [u8], one_in: usize) {
    bytes.chunks_mut(32).step_by(one_in).for_each(|label| label[0] ^= 1);
}

#[test]
fn a_window_made_as_it_should_passes_and_is_the_reference_s() {
    for (k, layers) in [(10, 2), (11, 5), (16, 3)] {
        let registration = registration(shape(k, layers), 7);
        let made = TestWindow::make(&registration, WINDOW, |_, _| ());
        let (shape, key) = (registration.intent.shape, registration.window_key(WINDOW));
        let mut check = WindowCheck::new(shape, &key, LABELS_PER_LAYER).expect("randomness");
        show(&mut check, &made, &registration).expect("right");
        for (part, bytes) in made.bytes().chunks(TILE_BYTES).enumerate() {
            assert!(!check.is_complete());
            check.part((part * TILE_BYTES) as u64, bytes).expect("in turn");
        }
        assert!(check.is_complete());
        let finished = check.finish().expect("right");
        assert_eq!(finished.layer_roots, made.layer_roots());
        assert_eq!(finished.outboard, Outboard::of(made.bytes()));
    }
}

/// Of layers with 1 % of wrong labels, at most one in a thousand draws misses all of them.
#[test]
fn one_percent_of_wrong_labels_is_found_by_all_but_one_draw_in_a_thousand() {
    const DRAWS: u32 = 20_000;
    let registration = registration(shape(14, 2), 7);
    let is_wrong = |node: &u32| node % 100 == 7;
    let misses = (0..DRAWS).filter(|draw| {
        let mut seed = [0; 32];
        seed[..4].copy_from_slice(&draw.to_le_bytes());
        let nodes = check_with(&registration, seed).layer(1, &[0; 32]).expect("the first layer");
        !nodes.iter().any(is_wrong)
    });
    // 0.99^704 is 0.00085: 17 are expected.
    assert!(misses.count() < 34);
}

#[test]
fn wrong_labels_under_roots_of_their_own_are_found_in_every_layer() {
    for layer in 1..=LAYERS {
        let made = TestWindow::make(&ours(), WINDOW, |number, bytes| {
            if number == layer {
                spoil(bytes, 20);
            }
        });
        let refused = whole(&made).expect_err("5 % are wrong");
        assert_eq!(refused.class, Class::WrongLabel, "layer {layer}: {refused}");
        assert!(refused.detail.contains(&format!("of layer {layer}")), "{refused}");
    }
}

#[test]
fn another_window_is_no_window() {
    let other = TestWindow::make(&ours(), WINDOW + 1, |_, _| ());
    assert_eq!(whole(&other).expect_err("of another key").class, Class::WrongLabel);
}

#[test]
fn bytes_must_be_those_of_the_last_root() {
    let made = honest();
    let mut check = check_with(&ours(), [1; 32]);
    show(&mut check, &made, &ours()).expect("honest so far");
    let mut bytes = made.bytes().to_vec();
    bytes[40_000] ^= 0x10;
    check.part(0, &bytes).expect("looked at when all are there");
    assert_eq!(check.finish().expect_err("one bit").class, Class::WrongRoot);
}

#[test]
fn answers_are_to_what_was_asked_and_whole() {
    let backend = select(Choice::Auto).expect("portable exists");
    let made = honest();
    let mut check = check_with(&ours(), [1; 32]);
    let nodes = check.layer(1, &made.outboards[0].root()).expect("in turn");
    let right = answers(&made, &ours(), 1, &nodes);
    let elsewhere: Vec<u32> = nodes.iter().map(|node| (node + 64) % (1 << K)).collect();
    let mut long = right[0].clone();
    long.push(0);
    let cases = [
        (Class::WrongLength, right[0][1..].to_vec()),
        (Class::WrongLength, long),
        (Class::WrongLength, Vec::new()),
        (Class::WrongRoot, answers(&made, &ours(), 1, &elsewhere)[0].clone()),
        (Class::WrongRoot, vec![0; right[0].len()]),
    ];
    for (class, answer) in cases {
        let mut check = check_with(&ours(), [1; 32]);
        check.layer(1, &made.outboards[0].root()).expect("in turn");
        assert_eq!(check.answer(backend, 1, &answer).expect_err("refused").class, class);
    }
}

#[test]
fn what_is_out_of_turn_is_malformed() {
    let backend = select(Choice::Auto).expect("portable exists");
    let made = honest();
    let root = made.outboards[0].root();
    let refused = |what: &str, outcome: Result<(), Rejection>| {
        assert_eq!(outcome.expect_err(what).class, Class::Malformed, "{what}");
    };
    let fresh = || check_with(&ours(), [1; 32]);
    refused("layer 2 first", fresh().layer(2, &root).map(drop));
    refused("layer 0", fresh().layer(0, &root).map(drop));
    refused("a short root", fresh().layer(1, &root[1..]).map(drop));
    refused("an answer to nothing", fresh().answer(backend, 1, &[]));
    refused("bytes before layers", fresh().part(0, made.bytes()));
    let mut asked = fresh();
    asked.layer(1, &root).expect("in turn");
    refused("a layer before the answer", asked.layer(2, &root).map(drop));
    refused("an answer about another layer", asked.answer(backend, 2, &[]));
    let mut shown = fresh();
    show(&mut shown, &made, &ours()).expect("honest");
    refused("a layer too many", shown.layer(u32::from(LAYERS) + 1, &root).map(drop));
    refused("an answer too many", shown.answer(backend, LAYERS.into(), &[]));
    refused("a part elsewhere", shown.part(16_384, made.bytes()));
    assert_eq!(shown.part(0, &made.bytes()[1..]).expect_err("short").class, Class::WrongLength);
    shown.part(0, made.bytes()).expect("in turn");
    refused("a part too many", shown.part(1 << (K + 5), made.bytes()));
    assert_eq!(fresh().finish().expect_err("nothing came").class, Class::WrongLength);
}
