//! Kernels `pick` and `copy`.

use crate::fixture::{Range, UNTOUCHED, distinct, rows};
use holdfast_shaders::layout::{Copy, Pick};
use holdfast_shaders::registry::{COPY, PICK};
use holdfast_shaders::twin::copy::copy;
use holdfast_shaders::twin::dispatch;
use holdfast_shaders::twin::pick::pick;

#[test]
fn pick_takes_what_the_list_names() {
    let source = distinct(97);
    // Backwards, with repetitions: an index of the wrong place gives another digest.
    let indices: Vec<u32> = (0..u32::try_from(Range::END).unwrap()).map(|i| (7 * i + 3) % 97).collect();
    for (variant, range) in PICK.variants.iter().flat_map(|v| Range::ALL.map(|range| (v, range))) {
        let parameters = Pick { first: range.first, count: range.count, reserved: [0; 2] };
        let mut picked = vec![UNTOUCHED; Range::END];
        dispatch(variant.workgroup, range.grid(variant.workgroup))
            .for_each(|i| pick(i, &parameters, &indices, &source, &mut picked));
        for (n, found) in picked.into_iter().enumerate() {
            let expected = if range.contains(n) { source[(7 * n + 3) % 97] } else { UNTOUCHED };
            assert_eq!(found, expected, "{range:?} {n}");
        }
    }
}

#[test]
fn copy_copies_its_range_and_nothing_else() {
    let source = rows(&distinct(Range::END / 2 + 1));
    for (variant, range) in COPY.variants.iter().flat_map(|v| Range::ALL.map(|range| (v, range))) {
        let parameters = Copy { first: range.first, count: range.count, reserved: [0; 2] };
        let mut copied = vec![UNTOUCHED.low; Range::END];
        dispatch(variant.workgroup, range.grid(variant.workgroup))
            .for_each(|i| copy(i, &parameters, &source, &mut copied));
        for (n, found) in copied.into_iter().enumerate() {
            let expected = if range.contains(n) { source[n] } else { UNTOUCHED.low };
            assert_eq!(found, expected, "{range:?} {n}");
        }
    }
}
