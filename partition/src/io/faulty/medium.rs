//! The medium of partition-file-v1 §1: what is durable, what was written since, and what a power cut may leave of it.

use crate::io::{IoError, memory};

/// A power cut leaves each sector of this many bytes old, new or garbage.
pub(super) const SECTOR_BYTES: usize = 512;

/// The name that stands for a path in errors.
pub(super) const NAME: &str = "(faulty)";

/// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014, §3).
#[derive(Debug)]
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// A number below `limit`, which is not 0. The bias of the remainder does not matter here.
    pub(super) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap_or(0)
    }

    pub(super) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }

    fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
    }
}

/// A change that no sync has made durable yet.
#[derive(Clone, Debug)]
enum Change {
    Write { offset: u64, bytes: Vec<u8> },
    Hole { offset: u64, length: u64 },
    Length(u64),
}

/// A file's bytes as seen by its handle and as held by the medium.
#[derive(Debug, Default)]
pub(super) struct Medium {
    seen: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Change>,
}

impl Medium {
    pub(super) fn holding(image: Vec<u8>) -> Self {
        Self { seen: image.clone(), durable: image, pending: Vec::new() }
    }

    /// The bytes as the handle sees them.
    pub(super) fn seen(&self) -> &[u8] {
        &self.seen
    }

    pub(super) fn seen_mut(&mut self) -> (&mut [u8], &mut [u8]) {
        (&mut self.seen, &mut self.durable)
    }

    pub(super) fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<(), IoError> {
        let end = offset + bytes.len() as u64;
        if end > self.seen.len() as u64 {
            self.set_len(end)?;
        }
        self.change(Change::Write { offset, bytes: bytes.to_vec() })
    }

    pub(super) fn punch(&mut self, offset: u64, length: u64) -> Result<(), IoError> {
        self.change(Change::Hole { offset, length })
    }

    pub(super) fn set_len(&mut self, length: u64) -> Result<(), IoError> {
        self.change(Change::Length(length))
    }

    fn change(&mut self, change: Change) -> Result<(), IoError> {
        apply(&mut self.seen, &change)?;
        self.pending.push(change);
        Ok(())
    }

    pub(super) fn sync(&mut self) -> Result<(), IoError> {
        for change in self.pending.drain(..) {
            apply(&mut self.durable, &change)?;
        }
        Ok(())
    }

    /// What the medium may hold if the power fails now. Changes of length survive up to some one of them (file systems
    /// keep them in order); every write and hole survives whole, not at all, or in part, in any order.
    pub(super) fn after_cut(&self, seed: u64) -> Vec<u8> {
        let mut random = Random(seed);
        let (mut lengths, mut rest): (Vec<_>, Vec<_>) =
            self.pending.iter().partition(|change| matches!(change, Change::Length(_)));
        lengths.truncate(random.below(lengths.len() + 1));
        random.shuffle(&mut rest);
        let mut image = self.durable.clone();
        for change in lengths {
            // Cannot fail: the same lengths fitted into memory before.
            let _ = apply(&mut image, change);
        }
        for change in rest {
            match change {
                Change::Write { offset, bytes } => survive(&mut image, *offset, bytes, &mut random),
                // Gone with the length where it reaches past the end.
                hole => drop((random.below(2) == 0).then(|| apply(&mut image, hole))),
            }
        }
        image
    }
}

fn apply(bytes: &mut Vec<u8>, change: &Change) -> Result<(), IoError> {
    match change {
        Change::Write { offset, bytes: new } => memory::write(bytes, NAME, *offset, new),
        Change::Hole { offset, length } => memory::punch(bytes, NAME, *offset, *length),
        Change::Length(length) => memory::resize(bytes, NAME, *length),
    }
}

/// Leaves of a write all, nothing, or each sector old, new or garbage. Whole and nothing get their own share, or a record
/// without the data it speaks of would hardly ever come up.
fn survive(image: &mut [u8], offset: u64, bytes: &[u8], random: &mut Random) {
    let manner = random.below(4);
    let Ok(offset) = usize::try_from(offset) else { return };
    for (start, sector) in (offset..).step_by(SECTOR_BYTES).zip(bytes.chunks(SECTOR_BYTES)) {
        let Some(place) = image.get_mut(start..start + sector.len()) else { return };
        match (manner, random.below(8)) {
            (0, _) | (1, 0..=3) | (2, 0..=6) => place.copy_from_slice(sector),
            (1, 4) => random.fill(place),
            (1, 5) => place.fill(0),
            _ => {}
        }
    }
}
