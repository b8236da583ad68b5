//! Cones, downwards (what missing nodes drag in) and upwards (what spoiled nodes spoil), and greedy peeling.

use crate::permutations::{Permutations, Source, words};
use crate::statistics::Sample;

/// Layers that a cone is followed through.
const DEPTH: u32 = 4;

/// Sets that a cheater might like: chunk, block, progressions, ranges, equal bits.
pub(crate) fn start_sets(k: u8) -> Vec<(String, Vec<u32>)> {
    let labels = 1u32 << k;
    let mask = labels - 1;
    let mut word = words(&format!("start sets {k}"));
    let mut offset = || word() & mask;
    let progression = |first: u32, step: u32, count: u32| -> Vec<u32> {
        (0..count).map(|i| first.wrapping_add(i.wrapping_mul(step)) & mask).collect()
    };
    let half = u32::from(k) / 2;
    let mut sets = vec![
        ("one node".to_owned(), vec![offset()]),
        ("chunk".to_owned(), progression(offset() & !31, 1, 32)),
        ("block".to_owned(), progression(offset() & !511, 1, 512)),
        ("run across blocks".to_owned(), progression(offset(), 1, labels / 37)),
        ("every third".to_owned(), progression(offset(), 3, labels / 16)),
        ("steps of √n".to_owned(), progression(offset(), 1 << half, 1 << half)),
        ("steps of √n + 1".to_owned(), progression(offset(), (1 << half) + 1, labels / 16)),
    ];
    for bits in [1, 2, 4, 6] {
        let (low, high) = (offset() & ((1 << bits) - 1), offset() >> (u32::from(k) - bits));
        sets.push((format!("equal low {bits} bits"), progression(low, 1 << bits, labels >> bits)));
        sets.push((
            format!("equal high {bits} bits"),
            progression(high << (u32::from(k) - bits), 1, labels >> bits),
        ));
    }
    let middle = (0..labels).filter(|node| node >> (half - 1) & 7 == 5).collect();
    sets.push(("equal middle 3 bits".to_owned(), middle));
    let parity = (0..labels).filter(|node| node.count_ones() % 2 == 0).collect();
    sets.push(("even parity".to_owned(), parity));
    let random = (0..labels).filter(|_| word().is_multiple_of(16)).collect();
    sets.push(("a sixteenth at random".to_owned(), random));
    sets
}

/// Mean and variance of the number of nodes that `reached` nodes and their seven images cover, for random permutations:
/// each leaves of the nodes still bare a hypergeometric number.
fn expected_cover(labels: f64, reached: f64) -> (f64, f64) {
    let (mut bare, mut variance) = (labels - reached, 0.0);
    for _ in 0..7 {
        let squares = bare * bare + variance;
        let drawn =
            reached / labels * (labels - reached) / (labels - 1.0) * (bare * labels - squares) / labels;
        variance = drawn + (1.0 - reached / labels) * (1.0 - reached / labels) * variance;
        bare *= 1.0 - reached / labels;
    }
    (labels - bare, variance)
}

/// Every layer's number of distinct nodes against its expectation given the layer before, standardised; layers where the
/// number has next to no spread (nothing can collide, or everything is reached) are left out.
pub(crate) fn cones(source: Source, k: u8, windows: u32) -> Vec<Sample> {
    let sets = start_sets(k);
    let sample = |way: &str, (name, _): &(String, Vec<u32>)| Sample {
        what: format!("k {k}: {way} from {name}"),
        values: vec![],
    };
    let mut down: Vec<Sample> = sets.iter().map(|set| sample("cone down", set)).collect();
    let mut up: Vec<Sample> = sets.iter().map(|set| sample("cone up", set)).collect();
    for window in 0..windows {
        let layers: Vec<Permutations> =
            (0..DEPTH).map(|layer| Permutations::draw(source, k, window, layer + 2)).collect();
        let inverse: Vec<Permutations> = layers.iter().map(Permutations::inverse).collect();
        for ((_, start), (down, up)) in sets.iter().zip(down.iter_mut().zip(&mut up)) {
            follow(layers.iter().rev(), start, &mut down.values);
            follow(inverse.iter(), start, &mut up.values);
        }
    }
    down.into_iter().chain(up).filter(|sample| !sample.values.is_empty()).collect()
}

fn follow<'a>(layers: impl Iterator<Item = &'a Permutations>, start: &[u32], values: &mut Vec<f64>) {
    let mut nodes = start.to_vec();
    for layer in layers {
        let labels = f64::from(layer.labels());
        let (mean, variance) = expected_cover(labels, nodes.len() as f64);
        let mut reached = vec![false; layer.labels() as usize];
        nodes
            .iter()
            .for_each(|&node| layer.with_images(node).for_each(|image| reached[image as usize] = true));
        nodes = (0..layer.labels()).filter(|&node| reached[node as usize]).collect();
        if variance >= 1.0 {
            values.push((nodes.len() as f64 - mean) / variance.sqrt());
        }
    }
}

/// Sizes at which greedy peeling is read, as parts of the layer.
const PEELED_PARTS: [u32; 5] = [64, 16, 8, 4, 2];

/// A cheater looks for a set of nodes with few parents: from a start set it always adds the node with the most parents
/// already covered. The number of parents covered, by size of the set; one row a start.
pub(crate) fn peeling(source: Source, k: u8, windows: u32) -> Vec<Sample> {
    let starts: Vec<(String, Vec<u32>)> = start_sets(k)
        .into_iter()
        .filter(|(name, set)| set.len() <= 1 << (k - 6) && name != "block")
        .collect();
    let mut samples = Vec::new();
    for (name, _) in &starts {
        let row = |part| Sample { what: format!("k {k}: peeling 1/{part} from {name}"), values: vec![] };
        samples.extend(PEELED_PARTS.map(row));
    }
    for window in 0..windows {
        let layer = Permutations::draw(source, k, window, 2);
        let inverse = layer.inverse();
        let covered = starts.iter().flat_map(|(_, start)| peel(&layer, &inverse, start));
        samples.iter_mut().zip(covered).for_each(|(sample, covered)| sample.values.push(covered));
    }
    samples
}

fn peel(layer: &Permutations, inverse: &Permutations, start: &[u32]) -> [f64; PEELED_PARTS.len()] {
    let labels = layer.labels();
    let mut taken = vec![false; labels as usize];
    let mut covered = vec![false; labels as usize];
    // Parents covered, by node; nodes by that number (entries of an old number are skipped when met).
    let mut known = vec![0usize; labels as usize];
    let mut ranked: Vec<Vec<u32>> = vec![vec![]; 9];
    let (mut covered_count, mut taken_count) = (0u32, 0u32);
    let mut starts = start.iter().copied();
    let mut others = 0..labels;
    let mut result = [0.0; PEELED_PARTS.len()];
    while taken_count < labels / 2 {
        let best = (1..9).rev().find_map(|rank| {
            while let Some(node) = ranked[rank].pop() {
                if !taken[node as usize] && known[node as usize] == rank {
                    return Some(node);
                }
            }
            None
        });
        let node =
            starts.next().or(best).or_else(|| others.find(|&node| !taken[node as usize])).expect("half");
        if std::mem::replace(&mut taken[node as usize], true) {
            continue;
        }
        taken_count += 1;
        for parent in layer.with_images(node) {
            if !std::mem::replace(&mut covered[parent as usize], true) {
                covered_count += 1;
                for child in inverse.with_images(parent) {
                    known[child as usize] += 1;
                    ranked[known[child as usize].min(8)].push(child);
                }
            }
        }
        for (part, result) in PEELED_PARTS.iter().zip(&mut result) {
            if taken_count == labels / part {
                *result = f64::from(covered_count);
            }
        }
    }
    result
}

/// z of the difference of two samples' means (Welch), by what they measure.
pub(crate) fn differences(given: &[Sample], random: &[Sample]) -> Vec<Sample> {
    let moments = |sample: &Sample| {
        let count = sample.values.len() as f64;
        let mean = sample.values.iter().sum::<f64>() / count;
        let square = sample.values.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>();
        (mean, square / (count - 1.0) / count)
    };
    let difference = |(given, random): (&Sample, &Sample)| {
        let ((mean, error), (expected, expected_error)) = (moments(given), moments(random));
        // Counts are integers: a spread below a twelfth of a node is none.
        let z = (mean - expected) / (error + expected_error).max(1.0 / 144.0).sqrt();
        Sample { what: given.what.clone(), values: vec![z] }
    };
    given.iter().zip(random).map(difference).collect()
}
