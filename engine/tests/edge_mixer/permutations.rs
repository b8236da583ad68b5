//! The mixer, real random permutations, and mixers that are known to be bad, all as tables.

use holdfast_engine::space::label::{EDGE_COUNT, Edges, Layer};

/// Where seven permutations come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// space-v1 §4.
    Mixer,
    /// Fisher–Yates over a BLAKE3 stream: what the mixer is held against.
    Random,
    /// Negative control: `x ← a·x + c` alone.
    Affine,
    /// Negative control: one round of the mixer.
    OneRound,
    /// The first draft, three rounds with the shift ⌈k/2⌉; refused (decision 0002).
    Draft,
    /// Negative control: the mixer inside each sixteenth of the nodes, so that a sixteenth has no parents outside.
    Islands,
    /// The mixer with this round made useless (`a = 1`, `c = 0`): a draw of constants far worse than chance gives.
    Degenerate(usize),
}

/// The seven permutations of one layer.
pub(crate) struct Permutations {
    pub(crate) log2_labels: u8,
    pub(crate) tables: Vec<Vec<u32>>,
}

/// Pseudo-random 32-bit words of this seed.
pub(crate) fn words(seed: &str) -> impl FnMut() -> u32 + use<> {
    let mut stream = blake3::Hasher::new().update(seed.as_bytes()).finalize_xof();
    let mut buffer = [0u8; 4096];
    let mut at = buffer.len();
    move || {
        if at == buffer.len() {
            stream.fill(&mut buffer);
            at = 0;
        }
        at += 4;
        u32::from_le_bytes([buffer[at - 4], buffer[at - 3], buffer[at - 2], buffer[at - 1]])
    }
}

impl Permutations {
    /// The permutations of layer `layer` of window `window`.
    pub(crate) fn draw(source: Source, log2_labels: u8, window: u32, layer: u32) -> Permutations {
        let k = log2_labels;
        let labels = 1u32 << k;
        let mut word = words(&format!("{source:?} {k} {window} {layer}"));
        let key = *blake3::hash(&window.to_le_bytes()).as_bytes();
        let tables = match source {
            Source::Mixer => of_edges(&Layer::derive(&key, layer, k).edges),
            Source::Degenerate(round) => {
                let mut edges = Layer::derive(&key, layer, k).edges;
                edges.constants.iter_mut().for_each(|rounds| rounds[round] = (1, 0));
                of_edges(&edges)
            }
            Source::Islands => islands(&of_edges(&Layer::derive(&key, layer, k - 4).edges)),
            Source::Random => (0..EDGE_COUNT).map(|_| shuffled(labels, &mut word)).collect(),
            Source::Affine => rounds_of(&mut word, k, 1, 31),
            Source::OneRound => rounds_of(&mut word, k, 1, u32::from(k).div_ceil(3)),
            Source::Draft => rounds_of(&mut word, k, 3, u32::from(k).div_ceil(2)),
        };
        Permutations { log2_labels, tables }
    }

    /// 2^k.
    pub(crate) fn labels(&self) -> u32 {
        1 << self.log2_labels
    }

    /// The inverse permutations: from a node of layer j − 1 to its children.
    pub(crate) fn inverse(&self) -> Permutations {
        let inverse_of = |table: &Vec<u32>| {
            let mut inverse = vec![0; table.len()];
            for (node, &parent) in (0..).zip(table) {
                inverse[parent as usize] = node;
            }
            inverse
        };
        Permutations { log2_labels: self.log2_labels, tables: self.tables.iter().map(inverse_of).collect() }
    }

    /// A node and its seven images.
    pub(crate) fn with_images(&self, node: u32) -> impl Iterator<Item = u32> {
        std::iter::once(node).chain(self.tables.iter().map(move |table| table[node as usize]))
    }
}

fn of_edges(edges: &Edges) -> Vec<Vec<u32>> {
    (0..EDGE_COUNT).map(|edge| (0..=edges.mask()).map(|node| edges.parent(edge, node)).collect()).collect()
}

/// Sixteen copies of these permutations, side by side.
fn islands(tables: &[Vec<u32>]) -> Vec<Vec<u32>> {
    let copy = |table: &Vec<u32>| {
        let labels = u32::try_from(table.len()).expect("at most 2^30");
        (0..16).flat_map(|island| table.iter().map(move |&parent| island * labels + parent)).collect()
    };
    tables.iter().map(copy).collect()
}

fn shuffled(labels: u32, word: &mut impl FnMut() -> u32) -> Vec<u32> {
    let mut table: Vec<u32> = (0..labels).collect();
    for last in (1..labels).rev() {
        // The bias of multiply-and-shift is 2^-12 of one probability at the most: far below what any statistic here sees.
        let drawn = (u64::from(word()) * (u64::from(last) + 1)) >> 32;
        table.swap(last as usize, usize::try_from(drawn).expect("at most last"));
    }
    table
}

fn rounds_of(word: &mut impl FnMut() -> u32, k: u8, rounds: usize, shift: u32) -> Vec<Vec<u32>> {
    let mask = (1u32 << k) - 1;
    let mut table = || {
        let constants: Vec<(u32, u32)> = (0..rounds).map(|_| (word() | 1, word())).collect();
        let image = |node| {
            constants.iter().fold(node, |x: u32, &(a, c)| {
                let x = a.wrapping_mul(x).wrapping_add(c) & mask;
                x ^ (x >> shift)
            })
        };
        (0..=mask).map(image).collect()
    };
    (0..EDGE_COUNT).map(|_| table()).collect()
}
