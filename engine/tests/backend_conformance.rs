//! One suite for every back end: byte-equal with the reference, on the edges that break SIMD code and at random.
//!
//! `HOLDFAST_REQUIRE=avx2,avx512` makes the absence of those back ends a failure.

use holdfast_engine::backend::{Backend, State, survey};
use holdfast_engine::curve::{Fr, G1Affine, G1Projective, Table};
use holdfast_engine::reference;
use holdfast_engine::space::label::{LABEL_BYTES, Layer};
use proptest::prelude::*;

/// Where a back end first differed from the reference.
type Difference = String;

/// What a layer before may hold; each kind shows other bugs.
#[derive(Clone, Copy, Debug)]
enum Pattern {
    /// Missing or doubled additions of message words vanish here, wrong addresses too: only the constants show.
    Zeros,
    /// Every addition carries.
    Ones,
    /// All labels differ: wrong addresses, swapped parents and swapped lanes show.
    Distinct,
}

impl Pattern {
    const ALL: [Pattern; 3] = [Pattern::Zeros, Pattern::Ones, Pattern::Distinct];

    fn fill(self, bytes: usize) -> Vec<u8> {
        match self {
            Pattern::Zeros => vec![0; bytes],
            Pattern::Ones => vec![0xFF; bytes],
            Pattern::Distinct => stream(b"previous layer", bytes),
        }
    }
}

/// Pseudo-random bytes.
fn stream(seed: &[u8], bytes: usize) -> Vec<u8> {
    let mut out = vec![0; bytes];
    blake3::Hasher::new().update(seed).finalize_xof().fill(&mut out);
    out
}

fn layer(seed: &[u8], log2_labels: u8) -> Layer {
    Layer::derive(blake3::hash(seed).as_bytes(), 2, log2_labels)
}

fn same(what: &str, index: usize, expected: &[u8], given: &[u8]) -> Result<(), Difference> {
    if expected == given { Ok(()) } else { Err(format!("{what}: item {index} differs")) }
}

fn first_layer_conforms(backend: &dyn Backend, k: u8, first: u32, count: u32) -> Result<(), Difference> {
    let layer = layer(b"first", k);
    let mut out = vec![0xEE; count as usize * LABEL_BYTES];
    backend.first_layer(&layer, first, &mut out);
    for (i, (node, label)) in (first..).zip(out.chunks(LABEL_BYTES)).enumerate() {
        let what = format!("first layer, k {k}, {count} labels from {first}");
        same(&what, i, &reference::first_label(&layer, node), label)?;
    }
    Ok(())
}

fn next_layer_conforms(
    backend: &dyn Backend,
    layer: &Layer,
    previous: &[u8],
    first: u32,
    count: u32,
) -> Result<(), Difference> {
    let mut out = vec![0xEE; count as usize * LABEL_BYTES];
    backend.next_layer(layer, previous, first, &mut out);
    for (i, (node, label)) in (first..).zip(out.chunks(LABEL_BYTES)).enumerate() {
        let what = format!("next layer, k {}, {count} labels from {first}", layer.edges.log2_labels);
        same(&what, i, &reference::next_label(layer, previous, node), label)?;
    }
    Ok(())
}

fn chunks_conform(backend: &dyn Backend, bytes: &[u8], counters: &[u64]) -> Result<(), Difference> {
    let chunks: Vec<&[u8; 1024]> = bytes.as_chunks().0.iter().collect();
    let mut out = vec![[0xEE; 32]; chunks.len()];
    backend.chunk_values(&chunks, counters, &mut out);
    for (i, ((chunk, &counter), value)) in chunks.iter().zip(counters).zip(&out).enumerate() {
        let what = format!("{} chunks, counter {counter}", chunks.len());
        same(&what, i, &reference::chunk_value(*chunk, counter), value)?;
    }
    Ok(())
}

fn parents_conform(backend: &dyn Backend, bytes: &[u8], root: bool) -> Result<(), Difference> {
    let (pairs, _) = bytes.as_chunks::<64>();
    let mut out = vec![[0xEE; 32]; pairs.len()];
    backend.parent_values(pairs, root, &mut out);
    for (i, (pair, value)) in pairs.iter().zip(&out).enumerate() {
        let (children, _) = pair.as_chunks::<32>();
        let expected = reference::parent_value(&children[0], &children[1], root);
        same(&format!("{} parents, root {root}", pairs.len()), i, &expected, value)?;
    }
    Ok(())
}

/// Batch sizes and their remainders: every count up to twice the widest vector and one more (31 = 16 + 8 + 4 + 2 + 1
/// passes through every narrower width), none at all, and several batches with and without a remainder.
fn counts() -> impl Iterator<Item = u32> {
    (0..=33).chain([64, 65, 95, 96, 97])
}

fn labels_conform(backend: &dyn Backend) -> Result<(), Difference> {
    // The shift ⌈k/3⌉ takes all residues of k; 7 has windows of few batches; 17 has nodes of more than 16 bits.
    for k in [7, 10, 12, 17] {
        let nodes = 1u32 << k;
        for pattern in Pattern::ALL {
            let layer = layer(b"next", k);
            let previous = pattern.fill(LABEL_BYTES << k);
            for count in counts() {
                // The start; a start that no vector width divides; the last node as the last lane, where lanes
                // and prefetches beyond the end must not touch memory or wrap to node 0.
                for first in [0, 1, 7, nodes - count] {
                    next_layer_conforms(backend, &layer, &previous, first, count)?;
                }
            }
        }
    }
    Ok(())
}

fn first_layers_conform(backend: &dyn Backend) -> Result<(), Difference> {
    // k = 30: the largest counters; a signed or 16-bit lane would show.
    for k in [7, 10, 30] {
        for count in counts() {
            for first in [0, 1, 7, (1u32 << k) - count] {
                first_layer_conforms(backend, k, first, count)?;
            }
        }
    }
    Ok(())
}

/// Layers of a whole window, each from the one before, in pieces of an odd size: nothing depends on the pieces.
fn window_conforms(backend: &dyn Backend) -> Result<(), Difference> {
    let (k, piece_labels) = (8, 37);
    let mut layers = [reference::first_layer(&layer(b"1", k)), vec![0; LABEL_BYTES << k]];
    for number in 2..=4u8 {
        let layer = layer(&[number], k);
        let [previous, next] = &mut layers;
        for (first, piece) in (0..).step_by(piece_labels).zip(next.chunks_mut(piece_labels * LABEL_BYTES)) {
            backend.next_layer(&layer, previous, first, piece);
        }
        same("whole layer", number.into(), &reference::next_layer(&layer, previous), next)?;
        layers.swap(0, 1);
    }
    Ok(())
}

fn trees_conform(backend: &dyn Backend) -> Result<(), Difference> {
    for count in counts().map(|count| count as usize) {
        for pattern in Pattern::ALL {
            let bytes = pattern.fill(count * 1024);
            // Counters around 2^32: a carry lost between the halves, or a high half dropped; and not consecutive,
            // as when openings of many windows are verified together.
            let around = (0..count as u64).map(|i| (1 << 32) - 5 + i).collect::<Vec<_>>();
            let scattered =
                (0..count as u64).map(|i| i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 10).collect::<Vec<_>>();
            chunks_conform(backend, &bytes, &around)?;
            chunks_conform(backend, &bytes, &scattered)?;
            for root in [false, true] {
                parents_conform(backend, &bytes[..count * 64], root)?;
            }
        }
    }
    Ok(())
}

/// The suite.
fn conforms(backend: &dyn Backend) -> Result<(), Difference> {
    first_layers_conform(backend)?;
    labels_conform(backend)?;
    window_conforms(backend)?;
    trees_conform(backend)
}

/// Every back end present.
fn present() -> impl Iterator<Item = &'static dyn Backend> {
    survey().into_iter().filter_map(|presence| match presence.state {
        State::Present(backend) => Some(backend),
        State::Absent(_) => None,
    })
}

#[test]
fn every_back_end_equals_the_reference() {
    let required = std::env::var("HOLDFAST_REQUIRE").unwrap_or_default();
    for presence in survey() {
        let name = presence.name;
        match presence.state {
            State::Present(backend) => {
                conforms(backend).unwrap_or_else(|difference| panic!("{name}: {difference}"));
                println!("RAN {name}");
            }
            State::Absent(why) => {
                assert!(required.split(',').all(|required| required != name), "{name} is required: {why}");
                println!("ABSENT({why}) {name}");
            }
        }
    }
}

/// Which result a [`Faulty`] back end spoils.
#[derive(Clone, Copy, Debug)]
enum Fault {
    FirstLayer,
    NextLayer,
    Chunks,
    Parents,
    /// Two parents change places, as after a wrong shuffle.
    SwappedEdges,
    /// The label of the node itself is not taken.
    WrongFirstNode,
    /// The high half of the chunk counter is dropped.
    ShortCounter,
    /// ROOT is never set.
    NoRoot,
}

/// The back end below, with one bit of one lane wrong, or with a mistake that is easily made.
#[derive(Debug)]
struct Faulty {
    inner: &'static dyn Backend,
    fault: Fault,
    lane: usize,
}

impl Faulty {
    /// Flips a bit in every item of this lane if `fault` is the one.
    fn spoil<T: AsMut<[u8]>>(&self, spoils: bool, items: impl Iterator<Item = T>) {
        for mut item in items.skip(self.lane).step_by(16).take(if spoils { usize::MAX } else { 0 }) {
            item.as_mut()[self.lane] ^= 1;
        }
    }
}

impl Backend for Faulty {
    fn name(&self) -> &'static str {
        "faulty"
    }

    fn first_layer(&self, layer: &Layer, first: u32, out: &mut [u8]) {
        self.inner.first_layer(layer, first, out);
        self.spoil(matches!(self.fault, Fault::FirstLayer), out.chunks_mut(LABEL_BYTES));
    }

    fn next_layer(&self, layer: &Layer, previous: &[u8], first: u32, out: &mut [u8]) {
        let mut layer = layer.clone();
        if let Fault::SwappedEdges = self.fault {
            layer.edges.constants.swap(5, 6);
        }
        if let Fault::WrongFirstNode = self.fault {
            let mut shifted = previous.to_vec();
            shifted.rotate_left(LABEL_BYTES);
            self.inner.next_layer(&layer, &shifted, first, out);
        } else {
            self.inner.next_layer(&layer, previous, first, out);
        }
        self.spoil(matches!(self.fault, Fault::NextLayer), out.chunks_mut(LABEL_BYTES));
    }

    fn chunk_values(&self, chunks: &[&[u8; 1024]], counters: &[u64], out: &mut [[u8; 32]]) {
        let mask = if let Fault::ShortCounter = self.fault { u64::from(u32::MAX) } else { u64::MAX };
        let counters: Vec<u64> = counters.iter().map(|counter| counter & mask).collect();
        self.inner.chunk_values(chunks, &counters, out);
        self.spoil(matches!(self.fault, Fault::Chunks), out.iter_mut());
    }

    fn parent_values(&self, pairs: &[[u8; 64]], root: bool, out: &mut [[u8; 32]]) {
        let root = root && !matches!(self.fault, Fault::NoRoot);
        self.inner.parent_values(pairs, root, out);
        self.spoil(matches!(self.fault, Fault::Parents), out.iter_mut());
    }

    fn commit(&self, table: &Table, blocks: &[&[u8]], blindings: &[Fr]) -> Vec<G1Projective> {
        self.inner.commit(table, blocks, blindings)
    }

    fn fixed_base(&self, table: &Table, scalars: &[Fr]) -> G1Projective {
        self.inner.fixed_base(table, scalars)
    }

    fn msm(&self, points: &[G1Affine], scalars: &[Fr], scalar_bits: u32) -> G1Projective {
        self.inner.msm(points, scalars, scalar_bits)
    }
}

/// Negative control: the suite sees every fault, in every lane.
#[test]
fn a_faulty_back_end_is_caught() {
    let inner = present().next().expect("the portable back end is always present");
    assert_eq!(conforms(inner), Ok(()));
    for fault in [Fault::FirstLayer, Fault::NextLayer, Fault::Chunks, Fault::Parents] {
        for lane in 0..16 {
            assert!(conforms(&Faulty { inner, fault, lane }).is_err(), "{fault:?} in lane {lane} not caught");
        }
    }
    for fault in [Fault::SwappedEdges, Fault::WrongFirstNode, Fault::ShortCounter, Fault::NoRoot] {
        assert!(conforms(&Faulty { inner, fault, lane: 0 }).is_err(), "{fault:?} not caught");
    }
}

/// Wrong lengths are refused before a kernel sees them: its memory safety rests on that.
#[test]
fn wrong_lengths_panic() {
    let refuses = |call: &dyn Fn()| std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)).is_err();
    let layer = layer(b"lengths", 10);
    let previous = vec![0; LABEL_BYTES << 10];
    for backend in present() {
        let next = |previous: &[u8], first, bytes| {
            backend.next_layer(&layer, previous, first, &mut vec![0; bytes]);
        };
        assert!(!refuses(&|| next(&previous, 1023, 32)));
        assert!(refuses(&|| next(&previous, 1023, 64)), "{}: node beyond the window", backend.name());
        assert!(refuses(&|| next(&previous, 0, 33)), "{}: part of a label", backend.name());
        assert!(refuses(&|| next(&previous[32..], 0, 32)), "{}: short layer", backend.name());
        assert!(refuses(&|| backend.first_layer(&layer, 1024, &mut [0; 32])), "{}", backend.name());
        assert!(
            refuses(&|| backend.chunk_values(&[&[0; 1024]], &[0, 1], &mut [[0; 32]])),
            "{}",
            backend.name()
        );
        assert!(refuses(&|| backend.chunk_values(&[&[0; 1024]], &[0], &mut [])), "{}", backend.name());
        assert!(
            refuses(&|| backend.parent_values(&[[0; 64]], false, &mut [[0; 32]; 2])),
            "{}",
            backend.name()
        );
    }
}

proptest! {
    #[test]
    fn random_ranges_of_random_layers_equal_the_reference(
        seed in any::<[u8; 8]>(),
        k in 5u8..=12,
        position in any::<u32>(),
        length in any::<u32>(),
    ) {
        let first = position % (1 << k);
        let count = 1 + length % ((1 << k) - first).min(200);
        let layer = layer(&seed, k);
        let previous = stream(&seed, LABEL_BYTES << k);
        for backend in present() {
            let result = next_layer_conforms(backend, &layer, &previous, first, count);
            prop_assert_eq!(result, Ok(()), "{}", backend.name());
        }
    }

    #[test]
    fn random_chunks_and_parents_equal_the_reference(
        seed in any::<[u8; 8]>(),
        // A byte offset of 2^64 bounds the counter.
        counters in prop::collection::vec(0u64..1 << 54, 1..80),
        root in any::<bool>(),
    ) {
        let bytes = stream(&seed, counters.len() * 1024);
        for backend in present() {
            prop_assert_eq!(chunks_conform(backend, &bytes, &counters), Ok(()), "{}", backend.name());
            prop_assert_eq!(parents_conform(backend, &bytes, root), Ok(()), "{}", backend.name());
        }
    }
}
