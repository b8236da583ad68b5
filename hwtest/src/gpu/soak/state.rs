//! What a soak compares with, what it has done, and where its windows go.

use std::cell::RefCell;
use std::collections::HashMap;
use std::convert::Infallible;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use holdfast_engine::accelerator::WindowTarget;
use holdfast_engine::backend::{Choice, select};
use holdfast_engine::curve::{Fr, G1Projective, Table};
use holdfast_engine::possession::generators::Generators;
use holdfast_engine::registration::WindowShape;
use holdfast_engine::space::seal::LayerObserver;
use holdfast_engine::space::window::{MadeWindow, WindowMaker};
use holdfast_engine::tree::{BLOCK_BYTES, Outboard};
use holdfast_partition::io::AlignedBuffer;

/// Windows and batches that are made in turn.
const KINDS: usize = 4;
/// Blocks of batch 0 that the processor commits to.
const KNOWN_BLOCKS: usize = 32;
/// Width of the processor's table: a small one, for few blocks.
const TABLE_WIDTH_BITS: u32 = 8;

/// What all threads share.
pub(super) struct Soak {
    pub(super) shape: WindowShape,
    end: Instant,
    turn: AtomicUsize,
    windows: Firsts<usize, MadeWindow>,
    batches: Firsts<usize, Vec<G1Projective>>,
    known_roots: Vec<[u8; 32]>,
    known_points: Vec<G1Projective>,
}

/// The first outcome of each piece.
struct Firsts<K, V>(Mutex<HashMap<K, V>>);

impl<K: Eq + Hash, V: PartialEq + Clone> Firsts<K, V> {
    fn new() -> Firsts<K, V> {
        Firsts(Mutex::new(HashMap::new()))
    }

    /// Whether it equals the first outcome, which it is if there was none.
    fn agrees(&self, piece: K, outcome: &V) -> bool {
        let mut firsts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        firsts.entry(piece).or_insert_with(|| outcome.clone()) == outcome
    }
}

impl Soak {
    /// The processor makes window 0 and commits to the first blocks of batch 0; then the time begins.
    pub(super) fn new(shape: WindowShape, time: Duration) -> Result<Soak, Box<dyn std::error::Error>> {
        let backend = select(Choice::Auto)?;
        let pool = Arc::new(rayon::ThreadPoolBuilder::new().build()?);
        let mut maker = WindowMaker::new(shape, backend, pool)?;
        let proceed = || Ok::<_, Infallible>(());
        let known_roots = match maker.replay(&super::key_of(0), &mut Unseen, &proceed) {
            Ok(roots) => roots,
            Err(never) => match never {},
        };
        let table = Table::build(Generators::standard().all(), TABLE_WIDTH_BITS)?;
        let batches = Batches::new(KNOWN_BLOCKS);
        let (blocks, blindings) = batches.get(0);
        let known_points = backend.commit(&table, &blocks, &blindings);
        let (windows, batches, turn) = (Firsts::new(), Firsts::new(), AtomicUsize::new(0));
        let end = Instant::now() + time;
        Ok(Soak { shape, end, turn, windows, batches, known_roots, known_points })
    }

    pub(super) fn is_over(&self) -> bool {
        Instant::now() >= self.end
    }

    /// The next window's number and key.
    pub(super) fn next_key(&self) -> (usize, [u8; 32]) {
        let number = self.turn.fetch_add(1, Ordering::Relaxed) % KINDS;
        (number, super::key_of(number))
    }

    /// Whether a window, and the root of the bytes that were handed over, are what they were before.
    pub(super) fn is_expected_window(
        &self,
        number: usize,
        made: &MadeWindow,
        handed_root: &[u8; 32],
    ) -> bool {
        made.layer_roots.last() == Some(handed_root)
            && (number != 0 || made.layer_roots == self.known_roots)
            && self.windows.agrees(number, made)
    }

    /// The same of commitments.
    pub(super) fn is_expected_batch(&self, number: usize, points: &Vec<G1Projective>) -> bool {
        let is_known = || points.iter().zip(&self.known_points).all(|(given, known)| given == known);
        (number != 0 || is_known()) && self.batches.agrees(number, points)
    }
}

/// Looks at no layer.
struct Unseen;

impl LayerObserver for Unseen {
    fn layer(&mut self, _: u32, _: &[u8], _: &Outboard) {}
}

/// A few batches of blocks.
pub(super) struct Batches {
    bytes: Vec<u8>,
    batch_blocks: usize,
    turn: AtomicUsize,
}

impl Batches {
    /// Batch n begins n blocks into one stream, so that shorter batches are the start of longer ones.
    pub(super) fn new(batch_blocks: usize) -> Batches {
        let mut bytes = vec![0; (batch_blocks + KINDS - 1) * BLOCK_BYTES];
        blake3::Hasher::new().update(b"hwtest soak").finalize_xof().fill(&mut bytes);
        Batches { bytes, batch_blocks, turn: AtomicUsize::new(0) }
    }

    pub(super) fn next(&self) -> usize {
        self.turn.fetch_add(1, Ordering::Relaxed) % KINDS
    }

    pub(super) fn get(&self, number: usize) -> (Vec<&[u8]>, Vec<Fr>) {
        let blocks: Vec<_> = self.bytes.chunks(BLOCK_BYTES).skip(number).take(self.batch_blocks).collect();
        let blindings = (1..=blocks.len() as u64).map(Fr::from).collect();
        (blocks, blindings)
    }
}

/// Hashes a window as it is handed over, in order.
pub(super) struct Hashing<'s> {
    soak: &'s Soak,
    state: RefCell<(blake3::Hasher, u64, Option<AlignedBuffer>)>,
}

impl Hashing<'_> {
    pub(super) fn new(soak: &Soak) -> Hashing<'_> {
        Hashing { soak, state: RefCell::new((blake3::Hasher::new(), 0, None)) }
    }

    /// The root of all bytes; of no use if a part is missing or came out of order.
    pub(super) fn root(&self) -> [u8; 32] {
        *self.state.borrow().0.finalize().as_bytes()
    }
}

impl WindowTarget for Hashing<'_> {
    fn proceed(&self) -> bool {
        !self.soak.is_over()
    }

    fn take(&self, length: usize) -> Option<AlignedBuffer> {
        let kept = self.state.borrow_mut().2.take().filter(|buffer| buffer.len() == length);
        kept.or_else(|| AlignedBuffer::zeroed(length).ok())
    }

    fn put(&self, offset: u64, buffer: AlignedBuffer) {
        let (hasher, next, kept) = &mut *self.state.borrow_mut();
        if offset != *next {
            // Another root, then.
            hasher.update(b"out of order");
        }
        hasher.update(&buffer);
        *next = offset + buffer.len() as u64;
        *kept = Some(buffer);
    }
}

/// What one device has done.
#[derive(Debug, Default)]
pub(super) struct Tally {
    windows: AtomicU64,
    bytes: AtomicU64,
    blocks: AtomicU64,
    faults: AtomicU64,
}

impl Tally {
    pub(super) fn windows(&self, count: u64, bytes: u64) {
        self.windows.fetch_add(count, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn blocks(&self, count: u64) {
        self.blocks.fetch_add(count, Ordering::Relaxed);
    }

    pub(super) fn fault(&self) {
        self.faults.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn made(&self) -> u64 {
        self.windows.load(Ordering::Relaxed)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(super) fn committed(&self) -> u64 {
        self.blocks.load(Ordering::Relaxed)
    }

    pub(super) fn faults(&self) -> u64 {
        self.faults.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_that_change_are_seen_and_so_are_wrong_first_ones() {
        let shape = WindowShape::new(10, 2).unwrap();
        let soak = Soak::new(shape, Duration::from_secs(60)).unwrap();
        let mut right =
            MadeWindow { layer_roots: soak.known_roots.clone(), outboard: Outboard::of(&[0; 1 << 15]) };
        let root = right.layer_roots[1];
        let mut wrong = right.clone();
        wrong.layer_roots[0][0] ^= 1;
        assert!(!soak.is_expected_window(0, &wrong, &root), "the processor knows window 0");
        assert!(soak.is_expected_window(0, &right, &root));
        assert!(!soak.is_expected_window(0, &right, &[0; 32]), "other bytes were handed over");
        assert!(soak.is_expected_window(1, &wrong, &root), "the first of its kind");
        assert!(!soak.is_expected_window(1, &right, &root));
        right.layer_roots[0][0] ^= 1;
        assert!(soak.is_expected_window(1, &right, &root));

        let mut points = soak.known_points.clone();
        assert!(soak.is_expected_batch(0, &points));
        points.swap(0, 1);
        assert!(!soak.is_expected_batch(0, &points));
        assert!(soak.is_expected_batch(1, &points));
    }

    #[test]
    fn the_root_of_what_is_handed_over_is_that_of_its_bytes_in_order() {
        let soak = Soak::new(WindowShape::new(10, 2).unwrap(), Duration::ZERO).unwrap();
        let parts = [[1; 4096], [2; 4096]];
        let hashed = |order: [usize; 2]| {
            let target = Hashing::new(&soak);
            for part in order {
                let mut buffer = target.take(4096).unwrap();
                buffer.copy_from_slice(&parts[part]);
                target.put(4096 * part as u64, buffer);
            }
            target.root()
        };
        assert_eq!(hashed([0, 1]), *blake3::hash(parts.as_flattened()).as_bytes());
        assert_ne!(hashed([1, 0]), hashed([0, 1]));
        assert!(!Hashing::new(&soak).proceed(), "its time is over");
    }

    #[test]
    fn shorter_batches_are_the_start_of_longer_ones() {
        let (short, long) = (Batches::new(2), Batches::new(5));
        assert_eq!(short.get(3).0[..], long.get(3).0[..2]);
        assert_ne!(long.get(0).0[0], long.get(1).0[0]);
        assert_eq!((long.get(3).0.len(), long.get(3).1.len()), (5, 5));
    }
}
