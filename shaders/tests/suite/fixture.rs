//! What the tests of all kernels share: contents, plain code of the edges, dispatches.

pub(crate) mod curve;

use holdfast_shaders::layout::{Digest, Label};

/// A key.
pub(crate) const KEY: [u8; 32] = *b"whats the Elvish word for friend";

/// What a buffer holds where no kernel may write.
pub(crate) const UNTOUCHED: Digest = Digest { low: [0xdead_beef; 4], high: [0x0bad_cafe; 4] };

/// Labels or chaining values to try: all zeros and all ones show wrong flags, counters and lengths but not wrong places;
/// distinct ones show those too.
pub(crate) fn patterns(count: usize) -> [(&'static str, Vec<Digest>); 3] {
    [
        ("zeros", vec![Digest { low: [0; 4], high: [0; 4] }; count]),
        ("ones", vec![Digest { low: [u32::MAX; 4], high: [u32::MAX; 4] }; count]),
        ("distinct", distinct(count)),
    ]
}

/// Digests of which no two share a word.
pub(crate) fn distinct(count: usize) -> Vec<Digest> {
    let mut stream = blake3::Hasher::new().update(b"distinct").finalize_xof();
    let mut next = || {
        let mut bytes = [0; 32];
        stream.fill(&mut bytes);
        Digest::from_bytes(&bytes)
    };
    (0..count).map(|_| next()).collect()
}

/// The rows of 16 bytes that digests are.
pub(crate) fn rows(digests: &[Digest]) -> Vec<[u32; 4]> {
    digests.iter().flat_map(|digest| [digest.low, digest.high]).collect()
}

/// The bytes of digests.
pub(crate) fn bytes(digests: &[Digest]) -> Vec<u8> {
    digests.iter().flat_map(|digest| digest.to_bytes()).collect()
}

/// Key and constants `(a, c)` by edge and round of one layer (space-v1 §4), as plain code over the official crate.
#[derive(Clone, Debug)]
pub(crate) struct PlainLayer {
    pub(crate) key: [u8; 32],
    pub(crate) constants: [[(u32, u32); 6]; 7],
    pub(crate) k: u32,
}

impl PlainLayer {
    pub(crate) fn derive(key: [u8; 32], k: u32) -> PlainLayer {
        let mut stream =
            blake3::Hasher::new_derive_key("holdfast v1 space edges").update(&key).finalize_xof();
        let mut word = || {
            let mut bytes = [0; 4];
            stream.fill(&mut bytes);
            u32::from_le_bytes(bytes)
        };
        let constants = std::array::from_fn(|_| std::array::from_fn(|_| (word() | 1, word())));
        PlainLayer { key, constants, k }
    }

    /// π of an edge, in numbers that cannot overflow and with the remainder written as such.
    pub(crate) fn parent(&self, edge: usize, node: u32) -> u32 {
        let x = self.constants[edge].iter().fold(u128::from(node), |x, &(a, c)| {
            let x = (u128::from(a) * x + u128::from(c)) % (1 << self.k);
            x ^ (x >> self.k.div_ceil(3))
        });
        u32::try_from(x).expect("below 2^k")
    }

    /// Itself, then the seven.
    pub(crate) fn parents(&self, node: u32) -> [u32; 8] {
        std::array::from_fn(|p| if p == 0 { node } else { self.parent(p - 1, node) })
    }

    /// What the kernels take.
    pub(crate) fn parameters(&self, first: u32, count: u32) -> Label {
        let words: Vec<u32> = self.constants.as_flattened().iter().flat_map(|&(a, c)| [a, c]).collect();
        Label {
            key: Digest::from_bytes(&self.key),
            edges: std::array::from_fn(|row| std::array::from_fn(|i| words[4 * row + i])),
            first,
            count,
            mask: (1 << self.k) - 1,
            shift: self.k.div_ceil(3),
        }
    }
}

/// A range of a kernel with one invocation an item, and the rows of its grid.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Range {
    pub(crate) first: u32,
    pub(crate) count: u32,
    rows: u32,
}

impl Range {
    /// Whole workgroups; a ragged end (the bounds check) off 0; one item alone; two and three rows (the row stride),
    /// where the last row has no work at all.
    pub(crate) const ALL: [Range; 5] = [
        Range { first: 0, count: 512, rows: 1 },
        Range { first: 7, count: 65, rows: 1 },
        Range { first: 1, count: 1, rows: 1 },
        Range { first: 100, count: 600, rows: 2 },
        Range { first: 3, count: 257, rows: 3 },
    ];
    /// Items that buffers need for [`Range::ALL`], and one more.
    pub(crate) const END: usize = 701;

    pub(crate) const fn new(first: u32, count: u32, rows: u32) -> Range {
        Range { first, count, rows }
    }

    /// Enough workgroups.
    pub(crate) fn grid(self, workgroup: [u32; 3]) -> [u32; 3] {
        [self.count.div_ceil(workgroup[0]).div_ceil(self.rows), self.rows, 1]
    }

    pub(crate) fn contains(self, item: usize) -> bool {
        (self.first as usize..(self.first + self.count) as usize).contains(&item)
    }
}
