//! What is measured. Every statistic is standardised: random permutations give mean 0 and deviation 1.

use crate::permutations::{Permutations, Source};

/// Standardised values of one kind, over keys and edges.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) what: String,
    pub(crate) values: Vec<f64>,
}

impl Sample {
    /// z of the mean: standard normal for random permutations.
    pub(crate) fn mean_z(&self) -> f64 {
        self.values.iter().sum::<f64>() / (self.values.len() as f64).sqrt()
    }

    /// The largest magnitude.
    pub(crate) fn largest(&self) -> f64 {
        self.values.iter().fold(0.0, |largest, value| value.abs().max(largest))
    }

    /// Mean square: 1 for random permutations.
    pub(crate) fn mean_square(&self) -> f64 {
        self.values.iter().map(|value| value * value).sum::<f64>() / self.values.len() as f64
    }
}

/// The sample whose `measure` is largest, and that.
pub(crate) fn worst(samples: &[Sample], measure: impl Fn(&Sample) -> f64) -> (f64, String) {
    let values = samples.iter().map(|sample| (measure(sample).abs(), sample.what.clone()));
    values.max_by(|a, b| a.0.total_cmp(&b.0)).expect("there are samples")
}

/// Two bits of a node: lowest, middle, highest.
fn views(k: u8) -> [(&'static str, u32); 3] {
    [("low", 0), ("middle", (u32::from(k) - 2) / 2), ("high", u32::from(k) - 2)]
}

/// Joint distribution of two bits before and two bits after: χ² with 9 degrees of freedom, standardised.
fn contingency(pairs: impl Iterator<Item = (u32, u32)>, before: u32, after: u32) -> f64 {
    let mut cells = [0u32; 16];
    for (a, b) in pairs {
        cells[((a >> before & 3) << 2 | b >> after & 3) as usize] += 1;
    }
    let expected = f64::from(cells.iter().sum::<u32>()) / 16.0;
    let square = |&cell: &u32| (f64::from(cell) - expected) * (f64::from(cell) - expected) / expected;
    (cells.iter().map(square).sum::<f64>() - 9.0) / 18f64.sqrt()
}

/// Low, middle and high bits against each other: of a node and its parent, of two parents of a node, and of a node and its
/// grandparent over the same edge of two layers.
pub(crate) fn joint_bits(source: Source, k: u8, windows: u32) -> Vec<Sample> {
    let mut samples = Vec::new();
    for what in ["parent", "two parents", "grandparent"] {
        for (before, _) in views(k) {
            for (after, _) in views(k) {
                samples.push(Sample { what: format!("k {k}: {before} → {after}, {what}"), values: vec![] });
            }
        }
    }
    for window in 0..windows {
        let layer = Permutations::draw(source, k, window, 3);
        let below = Permutations::draw(source, k, window, 2);
        for (edge, table) in layer.tables.iter().enumerate() {
            let mut sample = samples.iter_mut();
            let other = &layer.tables[(edge + 1) % layer.tables.len()];
            let below = &below.tables[edge];
            for what in 0..3 {
                for (_, before) in views(k) {
                    for (_, after) in views(k) {
                        let pair = |(node, &parent): (u32, &u32)| match what {
                            0 => (node, parent),
                            1 => (other[node as usize], parent),
                            _ => (node, below[parent as usize]),
                        };
                        let value = contingency((0..).zip(table).map(pair), before, after);
                        sample.next().expect("27 kinds").values.push(value);
                    }
                }
            }
        }
    }
    samples
}

/// Flips of output bit by input bit, over all nodes of a window, by input bit.
pub(crate) fn avalanche(source: Source, k: u8, windows: u32) -> Vec<Sample> {
    let mut samples: Vec<Sample> =
        (0..k).map(|bit| Sample { what: format!("k {k}: flips by bit {bit}"), values: vec![] }).collect();
    for window in 0..windows {
        let layer = Permutations::draw(source, k, window, 2);
        let table = &layer.tables[0];
        for (bit, sample) in (0..).zip(&mut samples) {
            let mut flips = vec![0u32; usize::from(k)];
            for node in (0..layer.labels()).filter(|node| node >> bit & 1 == 0) {
                let flipped = table[node as usize] ^ table[(node | 1 << bit) as usize];
                (0..).zip(&mut flips).for_each(|(out, flips)| *flips += flipped >> out & 1);
            }
            let pairs = f64::from(layer.labels() / 2);
            // A random permutation's pairs are distinct, hence the factor: a flip has 1/2 · n/(n − 1).
            let half = pairs / 2.0 * f64::from(layer.labels()) / f64::from(layer.labels() - 1);
            sample.values.extend(flips.iter().map(|&flips| (f64::from(flips) - half) / (pairs / 4.0).sqrt()));
        }
    }
    samples
}

/// Names and counts of small structures over these windows; each count is Poisson for random permutations, so it is
/// standardised against the count of [`Source::Random`].
pub(crate) fn small_structures(source: Source, k: u8, windows: u32) -> Vec<Sample> {
    let count = |source| {
        let mut counts = [0u32; 4];
        for window in 0..windows {
            let layer = Permutations::draw(source, k, window, 2);
            let inverse = layer.inverse();
            for (edge, table) in layer.tables.iter().enumerate() {
                for (node, &parent) in (0..).zip(table) {
                    counts[0] += u32::from(parent == node);
                    counts[1] += u32::from(parent != node && table[parent as usize] == node);
                    let same = |other: &&Vec<u32>| other[node as usize] == parent;
                    counts[2] +=
                        layer.tables[..edge].iter().map(|other| u32::from(same(&other))).sum::<u32>();
                }
            }
            for node in 0..layer.labels() {
                let mut siblings: Vec<u32> =
                    layer.with_images(node).flat_map(|parent| inverse.with_images(parent)).collect();
                siblings.sort_unstable();
                let twice = siblings.windows(2).filter(|pair| pair[0] == pair[1] && pair[0] > node).count();
                counts[3] += u32::try_from(twice).expect("at most 64");
            }
        }
        counts.map(f64::from)
    };
    let names = ["fixed points", "two-cycles", "parents that coincide", "nodes that share two parents"];
    let (given, random) = (count(source), count(Source::Random));
    let z = |i: usize| (given[i] - random[i]) / (given[i] + random[i]).max(1.0).sqrt();
    (0..4).map(|i| Sample { what: format!("k {k}: {}", names[i]), values: vec![z(i)] }).collect()
}
