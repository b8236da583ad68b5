//! A disk that loses its power: what a crash test of the partition file runs on.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use holdfast_partition::io::{BlockIo, BufferPool, IoError, NextWrite, PAGE_BYTES, ReadRequest, WriteSource};

const SECTOR_BYTES: usize = 512;
type Sector = [u8; SECTOR_BYTES];

/// SplitMix64: seeds that differ in one bit give streams that have nothing in common.
#[derive(Clone, Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

/// What a change that is not synced yet did to one sector or to the length.
#[derive(Debug)]
enum Change {
    Sector(u64, Arc<Sector>),
    Length(u64),
}

#[derive(Debug, Default)]
struct Contents {
    durable: BTreeMap<u64, Arc<Sector>>,
    durable_bytes: u64,
    /// In the order they were made.
    pending: Vec<Change>,
    bytes: u64,
    operations: u64,
    /// Every operation from this one on fails.
    cut_at: Option<u64>,
    fail_next_sync: bool,
    syncs_lie: bool,
    closed: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Disk(Mutex<Contents>);

impl Disk {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Lets the operation with this number, and all after it, fail.
    pub(crate) fn cut_power_at(&self, operation: u64) {
        self.0.lock().unwrap().cut_at = Some(operation);
    }

    pub(crate) fn fail_next_sync(&self) {
        self.0.lock().unwrap().fail_next_sync = true;
    }

    /// From now on a sync reports success and makes nothing durable: the harness must notice.
    pub(crate) fn lie_about_syncs(&self) {
        self.0.lock().unwrap().syncs_lie = true;
    }

    /// Changing operations so far.
    pub(crate) fn operations(&self) -> u64 {
        self.0.lock().unwrap().operations
    }

    /// The disk as it may be after power came back: each sector not synced is old, new (in any order) or garbage.
    pub(crate) fn after_power_loss(&self, random: &mut Random) -> Arc<Self> {
        let contents = self.0.lock().unwrap();
        let mut durable = contents.durable.clone();
        let mut lengths = vec![contents.durable_bytes];
        let mut versions: BTreeMap<u64, Vec<&Arc<Sector>>> = BTreeMap::new();
        for change in &contents.pending {
            match change {
                Change::Sector(at, sector) => versions.entry(*at).or_default().push(sector),
                Change::Length(bytes) => lengths.push(*bytes),
            }
        }
        // Mostly whole pages old or new, so that reordering is met as often as tearing.
        let tear = random.below(3) == 0;
        let mut page_choice = (u64::MAX, 0);
        for (at, versions) in versions {
            let page = at / (PAGE_BYTES / SECTOR_BYTES) as u64;
            if tear || page_choice.0 != page {
                page_choice = (page, random.next());
            }
            let choices = versions.len() as u64 + 1 + u64::from(tear);
            match usize::try_from(page_choice.1 % choices).unwrap() {
                0 => {}
                choice if choice <= versions.len() => {
                    durable.insert(at, Arc::clone(versions[choice - 1]));
                }
                _ => {
                    let mut garbage = [0; SECTOR_BYTES];
                    garbage.fill_with(|| random.next().to_le_bytes()[0]);
                    durable.insert(at, Arc::new(garbage));
                }
            }
        }
        let bytes = lengths[usize::try_from(random.below(lengths.len() as u64)).unwrap()];
        Arc::new(Self(Mutex::new(Contents { durable, durable_bytes: bytes, bytes, ..Contents::default() })))
    }

    /// Changes bytes that nobody is writing, as a bad sector or a stranger would.
    pub(crate) fn corrupt(&self, offset: u64, byte: u8) {
        let mut contents = self.0.lock().unwrap();
        let sector =
            contents.durable.entry(offset / SECTOR_BYTES as u64).or_insert(Arc::new([0; SECTOR_BYTES]));
        Arc::make_mut(sector)[usize::try_from(offset).unwrap() % SECTOR_BYTES] ^= byte;
    }
}

impl Contents {
    /// Counts a changing operation and fails it if the power is gone.
    fn change(&mut self) -> Result<(), IoError> {
        let operation = self.operations;
        self.operations += 1;
        if self.cut_at.is_some_and(|cut_at| operation >= cut_at) {
            self.closed = true;
        }
        if self.closed { Err(IoError::Closed) } else { Ok(()) }
    }

    fn sector(&self, at: u64) -> Sector {
        let newest = self.pending.iter().rev().find_map(|change| match change {
            Change::Sector(place, sector) if *place == at => Some(**sector),
            _ => None,
        });
        newest.or_else(|| self.durable.get(&at).map(|sector| **sector)).unwrap_or([0; SECTOR_BYTES])
    }

    fn set_length(&mut self, bytes: u64) {
        // What is cut off reads as zeros when the file grows again.
        for at in bytes / SECTOR_BYTES as u64..self.bytes / SECTOR_BYTES as u64 {
            self.pending.push(Change::Sector(at, Arc::new([0; SECTOR_BYTES])));
        }
        self.bytes = bytes;
        self.pending.push(Change::Length(bytes));
    }
}

impl BlockIo for Disk {
    fn name(&self) -> &'static str {
        "power-cut"
    }

    fn len_bytes(&self) -> Result<u64, IoError> {
        Ok(self.0.lock().unwrap().bytes)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), IoError> {
        let contents = self.0.lock().unwrap();
        if contents.closed || offset + buffer.len() as u64 > contents.bytes {
            return Err(IoError::Closed);
        }
        for (at, sector) in (offset / SECTOR_BYTES as u64..).zip(buffer.chunks_exact_mut(SECTOR_BYTES)) {
            sector.copy_from_slice(&contents.sector(at));
        }
        Ok(())
    }

    fn write_at(&self, offset: u64, buffer: &[u8]) -> Result<(), IoError> {
        let mut contents = self.0.lock().unwrap();
        // The write that the power cut interrupts may have reached the medium in part.
        let result = contents.change();
        for (at, sector) in (offset / SECTOR_BYTES as u64..).zip(buffer.as_chunks::<SECTOR_BYTES>().0) {
            contents.pending.push(Change::Sector(at, Arc::new(*sector)));
        }
        let end = offset + buffer.len() as u64;
        if end > contents.bytes {
            contents.set_length(end);
        }
        result
    }

    fn sync(&self) -> Result<(), IoError> {
        let mut contents = self.0.lock().unwrap();
        contents.change()?;
        if contents.fail_next_sync {
            contents.closed = true;
            return Err(IoError::Closed);
        }
        if contents.syncs_lie {
            return Ok(());
        }
        for change in std::mem::take(&mut contents.pending) {
            match change {
                Change::Sector(at, sector) => drop(contents.durable.insert(at, sector)),
                Change::Length(bytes) => contents.durable_bytes = bytes,
            }
        }
        Ok(())
    }

    fn preallocate(
        &self,
        offset: u64,
        length: u64,
        progress: &mut dyn FnMut(u64) -> bool,
    ) -> Result<(), IoError> {
        let mut contents = self.0.lock().unwrap();
        contents.change()?;
        if !progress(length / 2) {
            return Err(IoError::Closed);
        }
        let end = offset + length;
        if end > contents.bytes {
            contents.set_length(end);
        }
        Ok(())
    }

    fn set_len(&self, length: u64) -> Result<(), IoError> {
        let mut contents = self.0.lock().unwrap();
        contents.change()?;
        contents.set_length(length);
        Ok(())
    }

    fn punch_hole(&self, offset: u64, length: u64) -> Result<(), IoError> {
        self.write_at(offset, &vec![0; usize::try_from(length).unwrap()])
    }

    fn read_batch(&self, requests: &mut [ReadRequest<'_>], _depth: usize) {
        for request in requests {
            request.result = self.read_at(request.offset, request.buffer);
        }
    }

    fn pump(&self, _pool: &BufferPool, source: &dyn WriteSource, _depth: usize) {
        while let NextWrite::Ready(request) = source.next(true) {
            source.done(request, Err(IoError::Closed));
        }
    }
}
