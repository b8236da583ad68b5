//! Windows that are examined while the processor makes them for somebody else.

use std::sync::Arc;

use holdfast_engine::accelerator::processor::Processor;
use holdfast_engine::accelerator::{Accelerator, Fault, Interruption};
use holdfast_engine::backend::{Choice, select};
use holdfast_engine::registration::WindowShape;
use holdfast_engine::rejection::Class;
use holdfast_engine::space::seal::{LayerQuestion, NODES_PER_ANSWER};
use holdfast_engine::tree::Outboard;

use crate::examiner::{Examining, Seen};

const KEY: [u8; 32] = [5; 32];

fn processor() -> Processor {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().expect("threads");
    Processor::new(select(Choice::Auto).expect("portable exists"), Arc::new(pool), 2 << 20)
}

fn shape(k: u8, layers: u8) -> WindowShape {
    WindowShape::new(k, layers).expect("in range")
}

/// Checks what was seen of layer `number` under another key or other roots, too.
fn verify(shape: WindowShape, key: &[u8; 32], seen: &[Seen], number: usize) -> Result<(), Class> {
    let backend = select(Choice::Auto).expect("portable exists");
    let (layer, before) = (&seen[number - 1], &seen[number.saturating_sub(2)]);
    let questions = layer.nodes.chunks(NODES_PER_ANSWER).zip(&layer.answers);
    assert_eq!(layer.nodes.len().div_ceil(NODES_PER_ANSWER), layer.answers.len());
    for (nodes, answer) in questions {
        let question = LayerQuestion::new(shape, key, u32::try_from(number).expect("small"), nodes);
        let question = question.map_err(|refused| refused.class)?;
        question.verify(backend, &layer.root, &before.root, answer).map_err(|refused| refused.class)?;
    }
    Ok(())
}

#[test]
fn what_is_shown_of_every_layer_verifies_and_the_window_is_the_same_as_without_examiner() {
    let processor = processor();
    for (k, layers) in [(10, 2), (12, 4), (16, 3)] {
        let shape = shape(k, layers);
        let target = Examining::new(shape, 130);
        let made = processor.make_window(shape, &KEY, &target).expect("makes");
        let seen = target.seen.take();
        assert_eq!(made.layer_roots, seen.iter().map(|layer| layer.root).collect::<Vec<_>>());
        assert_eq!(made.outboard, Outboard::of(&target.bytes.borrow()));
        for number in 1..=usize::from(layers) {
            assert_eq!(verify(shape, &KEY, &seen, number), Ok(()), "k = {k}, layer {number}");
        }
        let (_, unexamined) = crate::windows::make(shape, &KEY);
        assert_eq!(made, unexamined);
    }
}

#[test]
fn what_is_shown_is_of_this_window_this_layer_and_these_roots() {
    let shape = shape(11, 3);
    let target = Examining::new(shape, 100);
    processor().make_window(shape, &KEY, &target).expect("makes");
    let seen = target.seen.take();
    assert_eq!(verify(shape, &[6; 32], &seen, 1), Err(Class::WrongLabel), "another window");
    let mut changed = seen.clone();
    changed[1].answers[0][3] ^= 1;
    assert_eq!(verify(shape, &KEY, &changed, 2), Err(Class::WrongRoot), "a changed bit");
    let mut short = seen.clone();
    short[1].answers[1].pop();
    assert_eq!(verify(shape, &KEY, &short, 2), Err(Class::WrongLength));
    let mut elsewhere = seen.clone();
    elsewhere[1].nodes.iter_mut().for_each(|node| *node ^= 512);
    assert_eq!(verify(shape, &KEY, &elsewhere, 2), Err(Class::WrongRoot), "other labels than asked for");
    let mut before = seen.clone();
    before[1].root = seen[0].root;
    assert_eq!(verify(shape, &KEY, &before, 3), Err(Class::WrongRoot), "parents of another layer");
    let mut beyond = seen;
    beyond[1].nodes[0] = 1 << 11;
    assert_eq!(verify(shape, &KEY, &beyond, 2), Err(Class::Malformed), "a label that there is not");
    let no_layer =
        |number| LayerQuestion::new(shape, &KEY, number, &[0]).map(drop).map_err(|refused| refused.class);
    assert_eq!((no_layer(0), no_layer(4)), (Err(Class::Malformed), Err(Class::Malformed)));
}

#[test]
fn a_window_larger_than_allowed_is_refused_with_the_numbers() {
    let (processor, shape) = (processor(), shape(17, 2));
    assert!(processor.window_slots(shape).expect_err("4 MiB").contains("4194304"));
    let refused = processor.make_window(shape, &KEY, &Examining::new(shape, 1));
    assert!(matches!(refused, Err(Interruption::Fault(Fault::Refused { .. }))), "{refused:?}");
}
