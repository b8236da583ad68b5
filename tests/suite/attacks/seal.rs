//! Attacks on the seal audit: windows that were not made as they should.

use std::sync::LazyLock;

use holdfast_engine::challenge::Challenge;
use holdfast_engine::rejection::Class;
use holdfast_engine::space::label::Layer;
use holdfast_engine::space::response::{HEADER_BYTES, encode_response};
use holdfast_engine::space::seal::verify_seal;
use holdfast_engine::space::verify::verify_space;
use holdfast_engine::tree::root;
use holdfast_tests::partition::{TestPartition, TestWindow, beacon, registration, shape};

use crate::{backend, class};

const LAYERS: u8 = 4;

static PARTITION: LazyLock<TestPartition> =
    LazyLock::new(|| TestPartition::honest(registration(shape(10, LAYERS), 7), 6));

fn refusal(partition: &TestPartition, challenge: &Challenge, response: &[u8]) -> Option<Class> {
    class(verify_seal(backend(), &partition.commitment, challenge, response))
}

/// The verdict on what a partition answers itself.
fn audit(partition: &TestPartition, round: u64, windows: u32) -> Option<Class> {
    let challenge = partition.seal_challenge(round, windows);
    refusal(partition, &challenge, &partition.answer_seal(&challenge))
}

/// What a cheater would write instead of a label: cheap to make again, and different everywhere.
fn cheap(window: u64, layer: u8, node: usize) -> [u8; 32] {
    root(&[&window.to_le_bytes()[..], &[layer], &node.to_le_bytes()].concat())
}

/// Replaces the labels that `choose` picks.
fn fake(bytes: &mut [u8], window: u64, layer: u8, choose: impl Fn(usize) -> bool) {
    for (node, label) in
        bytes.as_chunks_mut::<32>().0.iter_mut().enumerate().filter(|(node, _)| choose(*node))
    {
        *label = cheap(window, layer, node);
    }
}

/// The control, for the fewest layers too, whose first layer has two nodes.
#[test]
fn honest_windows_are_accepted() {
    for round in 0..20 {
        assert_eq!(audit(&PARTITION, round, 6), None, "round {round}");
    }
    for layers in [2, 3] {
        let partition = TestPartition::honest(registration(shape(10, layers), 7), 3);
        assert_eq!(audit(&partition, 1, 3), None, "{layers} layers");
    }
}

/// Nothing but the seal audit can tell: the space audit is about what was registered, whatever it is.
#[test]
fn window_of_cheap_pseudo_random_bytes() {
    let everything = |window, layer, bytes: &mut [u8]| fake(bytes, window, layer, |_| true);
    let partition = TestPartition::cheating(registration(shape(10, LAYERS), 7), 3, everything);
    let space = partition.space_challenge(1, 3);
    let answer = partition.answer_space(&space);
    assert_eq!(class(verify_space(backend(), &partition.commitment, &space, &answer)), None);
    assert_eq!(audit(&partition, 1, 1), Some(Class::WrongLabel));
}

/// Each layer in turn; one window of one audit is enough, because every layer is sampled.
#[test]
fn one_wholly_fake_layer() {
    for fake_layer in 1..=LAYERS {
        let one_layer = |window, layer, bytes: &mut [u8]| fake(bytes, window, layer, |_| layer == fake_layer);
        let partition = TestPartition::cheating(registration(shape(10, LAYERS), 7), 2, one_layer);
        for round in 0..5 {
            assert_eq!(audit(&partition, round, 1), Some(Class::WrongLabel), "layer {fake_layer}");
        }
    }
}

/// Audits of 44 windows over many beacons; returns the share that refused, all of them for wrong labels.
fn share_found(partition: &TestPartition, rounds: u64) -> f64 {
    let verdicts: Vec<_> = (0..rounds).map(|round| audit(partition, round, 44)).collect();
    assert!(verdicts.iter().flatten().all(|class| *class == Class::WrongLabel), "{verdicts:?}");
    verdicts.iter().flatten().count() as f64 / rounds as f64
}

/// Expected 1 − 0.95^88 = 98.9 %, so 100 audits miss 1.1 on average; more than 5 with one in a thousand. The control
/// keeps the test honest: a verifier that refuses everything would pass without it.
#[test]
fn five_percent_wrong_labels_in_the_top_layer() {
    let some = |window, layer, bytes: &mut [u8]| {
        fake(bytes, window, layer, |node| layer == LAYERS && (node * 7 + window as usize).is_multiple_of(20));
    };
    let partition = TestPartition::cheating(registration(shape(10, LAYERS), 7), 44, some);
    let found = share_found(&partition, 100);
    assert!(found >= 0.95, "found {found}");
    let honest = TestPartition::honest(registration(shape(10, LAYERS), 7), 44);
    assert!(share_found(&honest, 5) == 0.0);
}

/// To regenerate 3 % of the stored chunks from cheap labels, all eight parents of each of their labels in the layer below
/// are faked: the cone of what is missing collapses to one layer. That is some 20 % of that layer, and is found.
#[test]
fn wrong_labels_chosen_to_collapse_the_cone() {
    let registration = registration(shape(10, LAYERS), 7);
    let missing_chunk = |window: u64| (window % 32) as u32;
    let collapse = |window, layer: u8, bytes: &mut [u8]| {
        if layer + 1 == LAYERS {
            let top = Layer::derive(&registration.window_key(window), u32::from(LAYERS), 10);
            let first = missing_chunk(window) * 32;
            let parents: Vec<u32> = (first..first + 32).flat_map(|node| top.edges.parents(node)).collect();
            fake(bytes, window, layer, |node| parents.contains(&(node as u32)));
        }
    };
    let partition = TestPartition::cheating(registration, 44, collapse);
    let found = share_found(&partition, 50);
    assert!(found == 1.0, "found {found}");
}

/// The list of layer roots is that of another window, or of a layer made again honestly for the audit.
#[test]
fn layer_roots_that_do_not_belong_to_the_record() {
    let challenge = PARTITION.seal_challenge(1, 2);
    let honest = PARTITION.seal_proofs(&challenge);
    let layer_roots = 32 * usize::from(LAYERS);
    let mut swapped = honest.clone();
    swapped[0][..layer_roots].copy_from_slice(&honest[1][..layer_roots]);
    let response = encode_response(&challenge, &swapped);
    assert_eq!(refusal(&PARTITION, &challenge, &response), Some(Class::WrongLayers));

    let everything = |window, layer, bytes: &mut [u8]| fake(bytes, window, layer, |_| layer == 2);
    let cheating = TestPartition::cheating(registration(shape(10, LAYERS), 7), 6, everything);
    let challenge = cheating.seal_challenge(1, 2);
    let mended = TestPartition { windows: PARTITION.windows.clone(), ..cheating.clone() };
    let response = mended.answer_seal(&challenge);
    assert_eq!(refusal(&cheating, &challenge, &response), Some(Class::WrongLayers));
}

/// The record's root is that of other bytes than those of the last layer: cheap bytes are stored, honest layers shown.
#[test]
fn stored_root_is_not_the_last_layers_root() {
    use holdfast_engine::commitment::{Commitment, CommitmentFields};
    use holdfast_engine::space::record::partition_root;

    let mut fields = CommitmentFields::clone(&PARTITION.commitment);
    for record in &mut fields.records {
        record.root = root(&record.window_key);
    }
    fields.batches[0].partition_root = partition_root(&fields.records);
    let commitment = Commitment::new(fields).expect("agrees with itself");
    let partition = TestPartition { commitment, windows: PARTITION.windows.clone() };
    assert_eq!(audit(&partition, 1, 1), Some(Class::WrongLayers));
}

/// The last layer stands for every layer: the roots belong together, and no label does.
#[test]
fn one_layer_shown_as_every_layer() {
    let registration = registration(shape(10, LAYERS), 7);
    let windows = (0..2).map(|window| {
        let honest = TestWindow::make(&registration, window, |_, _| ());
        TestWindow::of(vec![honest.bytes().to_vec(); usize::from(LAYERS)])
    });
    let partition = TestPartition::of(registration, windows.collect());
    assert_eq!(audit(&partition, 1, 1), Some(Class::WrongLabel));
}

/// Honest labels of another node, opened in its place.
#[test]
fn other_node_window_and_layer() {
    let challenge = PARTITION.seal_challenge(1, 3);
    let honest = PARTITION.seal_proofs(&challenge);
    let opening_bytes = 1024 + 32 * 5;
    let first = 32 * usize::from(LAYERS);
    let opening = |i: usize| first + i * opening_bytes..first + (i + 1) * opening_bytes;
    let refusal_of =
        |proofs: &[Vec<u8>]| refusal(&PARTITION, &challenge, &encode_response(&challenge, proofs));

    // Openings of a window: layer 1, then a node of layer 2 with its eight parents in layer 1, and so on.
    let mut other_node = honest.clone();
    let parent = honest[0][opening(3)].to_vec();
    other_node[0][opening(4)].copy_from_slice(&parent);
    assert_eq!(refusal_of(&other_node), Some(Class::WrongRoot), "other node");

    let mut other_layer = honest.clone();
    other_layer[0][opening(1)].copy_from_slice(&honest[0][opening(2)]);
    assert_eq!(refusal_of(&other_layer), Some(Class::WrongRoot), "other layer");

    let mut other_window = honest.clone();
    other_window.swap(0, 1);
    assert_eq!(refusal_of(&other_window), Some(Class::WrongLayers), "other window");
}

/// Layer roots are keyed by window: the layers of window 0 registered as those of window 1 as well.
#[test]
fn layers_of_another_window_registered_as_its_own() {
    let registration = registration(shape(10, LAYERS), 7);
    let mut windows: Vec<_> =
        (0..2).map(|window| TestWindow::make(&registration, window, |_, _| ())).collect();
    windows[0] = TestWindow::make(&registration, 5, |_, _| ());
    let partition = TestPartition::of(registration, windows);
    assert_eq!(audit(&partition, 1, 2), Some(Class::WrongLabel));
}

#[test]
fn wrong_lengths_and_replays() {
    let challenge = PARTITION.seal_challenge(1, 2);
    let response = PARTITION.answer_seal(&challenge);
    let refusal = |response: &[u8]| refusal(&PARTITION, &challenge, response);
    assert_eq!(refusal(&response), None);
    assert_eq!(refusal(&response[..response.len() - 1]), Some(Class::WrongLength));
    assert_eq!(refusal(&[&response[..], &[0]].concat()), Some(Class::WrongLength));
    assert_eq!(refusal(&response[..HEADER_BYTES]), Some(Class::WrongLength));
    let earlier = PARTITION.answer_seal(&PARTITION.seal_challenge(0, 2));
    assert_eq!(refusal(&earlier), Some(Class::WrongChallenge));
    assert_ne!(beacon(0), beacon(1));
}
