//! Fault injection over the medium model of partition-file-v1 §1, deterministic from a seed: power cuts with torn and
//! reordered writes, failing operations, full disks, bad sectors, silent rot. The seam is the product's own [`BlockIo`].

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{
    BlockIo, BufferPool, IoError, NextWrite, PAGE_BYTES, ReadRequest, WriteSource, check_aligned,
    check_range, memory,
};
use medium::{Medium, NAME, Random, SECTOR_BYTES};

mod medium;

/// Error number of a device error.
const EIO: i32 = 5;

/// What goes wrong. Operations are counted from 0 over all calls that may change the medium and whose arguments are in
/// order: each write, sync, reservation, change of length and hole is one, reads are none.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// Decides everything left to chance while running: completion order of a pump, what part of a failed write lands.
    pub seed: u64,
    /// From this operation on everything fails, reads included, as with the power gone; then see [`FaultyIo::power_cut`].
    /// A write with this number may still land in part.
    pub cut_at: Option<u64>,
    /// These operations fail with a device error. A failed write may land in part; a failed sync closes the handle.
    pub fail_at: BTreeSet<u64>,
    /// The next sync fails, which closes the handle.
    pub fail_sync: bool,
    /// Syncs say they succeeded and do nothing, as some drives do.
    pub syncs_lie: bool,
    /// The disk is full when this many bytes are allocated. Holes and space cut off count as free again.
    pub capacity_bytes: Option<u64>,
}

/// A file in memory on a medium with faults.
#[derive(Debug)]
pub struct FaultyIo {
    read_only: bool,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    medium: Medium,
    faults: Faults,
    random: Random,
    operations: u64,
    closed: bool,
    /// Pages with space of their own.
    allocated: BTreeSet<u64>,
    /// Sectors that cannot be read until they are written.
    bad_sectors: BTreeSet<u64>,
}

impl FaultyIo {
    /// An empty file.
    pub fn new(faults: Faults) -> Self {
        Self::from_image(Vec::new(), faults)
    }

    /// A file that holds `image` durably, such as one left by [`FaultyIo::power_cut`].
    pub fn from_image(image: Vec<u8>, faults: Faults) -> Self {
        let state = State {
            allocated: pages(0, image.len() as u64).collect(),
            medium: Medium::holding(image),
            random: Random(faults.seed),
            faults,
            operations: 0,
            closed: false,
            bad_sectors: BTreeSet::new(),
        };
        Self { read_only: false, state: Mutex::new(state) }
    }

    /// `image` opened for reading only.
    pub fn read_only(image: Vec<u8>) -> Self {
        Self { read_only: true, ..Self::from_image(image, Faults::default()) }
    }

    /// Operations so far; the next one has this number.
    pub fn operations(&self) -> u64 {
        self.lock().operations
    }

    /// The whole file as the handle sees it.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.lock().medium.seen().to_vec()
    }

    /// What the medium may hold if the power fails now: one possibility for each seed. Nothing changes, so many can be
    /// looked at.
    pub fn power_cut(&self, seed: u64) -> Vec<u8> {
        self.lock().medium.after_cut(seed)
    }

    /// Replaces the faults, such as the capacity after space was freed. The counts of operations go on.
    pub fn set_faults(&self, faults: Faults) {
        self.lock().faults = faults;
    }

    /// Makes the sectors of a range unreadable until they are written again.
    pub fn spoil(&self, offset: u64, length: u64) {
        let sector = SECTOR_BYTES as u64;
        self.lock().bad_sectors.extend(offset / sector..(offset + length).div_ceil(sector));
    }

    /// Flips the bits of `mask` in a byte, silently and durably; past the end nothing happens.
    pub fn rot(&self, offset: u64, mask: u8) {
        let mut state = self.lock();
        let (seen, durable) = state.medium.seen_mut();
        for bytes in [seen, durable] {
            if let Some(byte) = usize::try_from(offset).ok().and_then(|offset| bytes.get_mut(offset)) {
                *byte ^= mask;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn writable(&self) -> Result<MutexGuard<'_, State>, IoError> {
        if self.read_only { Err(IoError::ReadOnly { path: NAME.into() }) } else { Ok(self.lock()) }
    }
}

impl State {
    /// Counts an operation; an error when it is to fail.
    fn begin(&mut self, operation: &'static str, offset: u64, length: u64) -> Result<(), IoError> {
        if self.closed {
            return Err(IoError::Closed);
        }
        let number = self.operations;
        self.operations += 1;
        let cut = self.faults.cut_at.is_some_and(|cut_at| number >= cut_at);
        if cut || self.faults.fail_at.contains(&number) {
            return Err(device_error(operation, offset, length));
        }
        Ok(())
    }

    fn power_is_gone(&self) -> bool {
        self.faults.cut_at.is_some_and(|cut_at| self.operations > cut_at)
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<(), IoError> {
        let length = bytes.len() as u64;
        let may_land = !self.closed && !self.power_is_gone();
        if let Err(error) = self.begin("write", offset, length) {
            if may_land {
                let landed = self.random.below(bytes.len() / PAGE_BYTES + 1) * PAGE_BYTES;
                if landed > 0 {
                    self.medium.write(offset, &bytes[..landed])?;
                }
            }
            return Err(error);
        }
        self.allocate("write", offset, length)?;
        self.medium.write(offset, bytes)?;
        let sector = SECTOR_BYTES as u64;
        self.bad_sectors.retain(|bad| !(offset / sector..(offset + length) / sector).contains(bad));
        Ok(())
    }

    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<(), IoError> {
        let length = buffer.len() as u64;
        if self.closed {
            return Err(IoError::Closed);
        }
        let sector = SECTOR_BYTES as u64;
        if self.power_is_gone()
            || self.bad_sectors.range(offset / sector..(offset + length) / sector).next().is_some()
        {
            return Err(device_error("read", offset, length));
        }
        memory::read(self.medium.seen(), NAME, offset, buffer)
    }

    fn sync(&mut self) -> Result<(), IoError> {
        let begun = self.begin("sync", 0, 0);
        self.closed |= begun.is_err() || self.faults.fail_sync;
        begun?;
        match (self.closed, self.faults.syncs_lie) {
            (true, _) => Err(device_error("sync", 0, 0)),
            (false, true) => Ok(()),
            (false, false) => self.medium.sync(),
        }
    }

    /// Takes space for a range, or says that the disk is full.
    fn allocate(&mut self, operation: &'static str, offset: u64, length: u64) -> Result<(), IoError> {
        let new = pages(offset, length).filter(|page| !self.allocated.contains(page)).count();
        let needed = (self.allocated.len() + new) as u64 * PAGE_BYTES as u64;
        if self.faults.capacity_bytes.is_some_and(|capacity| new > 0 && needed > capacity) {
            return Err(IoError::DiskFull { operation, path: NAME.into(), offset, length });
        }
        self.allocated.extend(pages(offset, length));
        Ok(())
    }
}

fn device_error(operation: &'static str, offset: u64, length: u64) -> IoError {
    IoError::from_os(&io::Error::from_raw_os_error(EIO), operation, Path::new(NAME), offset, length)
}

fn pages(offset: u64, length: u64) -> std::ops::Range<u64> {
    let page = PAGE_BYTES as u64;
    offset / page..(offset + length).div_ceil(page)
}

impl BlockIo for FaultyIo {
    fn name(&self) -> &'static str {
        "faulty"
    }

    fn len_bytes(&self) -> Result<u64, IoError> {
        let state = self.lock();
        if state.closed { Err(IoError::Closed) } else { Ok(state.medium.seen().len() as u64) }
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), IoError> {
        check_aligned(offset, buffer)?;
        self.lock().read(offset, buffer)
    }

    fn write_at(&self, offset: u64, buffer: &[u8]) -> Result<(), IoError> {
        check_aligned(offset, buffer)?;
        self.writable()?.write(offset, buffer)
    }

    fn read_batch(&self, requests: &mut [ReadRequest<'_>], _: usize) {
        for request in requests {
            request.result = self.read_at(request.offset, request.buffer);
        }
    }

    /// Takes as many writes as the source has, up to `depth`, and carries them out in an order of its own.
    fn pump(&self, _: &BufferPool, source: &dyn WriteSource, depth: usize) {
        loop {
            let mut in_flight = Vec::new();
            let mut closed = false;
            while in_flight.len() < depth.max(1) && !closed {
                match source.next(in_flight.is_empty()) {
                    NextWrite::Ready(request) => in_flight.push(request),
                    NextWrite::Empty => break,
                    NextWrite::Closed => closed = true,
                }
            }
            self.lock().random.shuffle(&mut in_flight);
            for request in in_flight {
                let result = self.write_at(request.offset, &request.buffer);
                source.done(request, result);
            }
            if closed {
                return;
            }
        }
    }

    fn sync(&self) -> Result<(), IoError> {
        self.lock().sync()
    }

    fn preallocate(
        &self,
        offset: u64,
        length: u64,
        progress: &mut dyn FnMut(u64) -> bool,
    ) -> Result<(), IoError> {
        check_range(offset, length)?;
        let mut state = self.writable()?;
        state.begin("reserve space for", offset, length)?;
        if !progress(0) {
            return Err(IoError::Cancelled);
        }
        state.allocate("reserve space for", offset, length)?;
        if offset + length > state.medium.seen().len() as u64 {
            state.medium.set_len(offset + length)?;
        }
        progress(length);
        Ok(())
    }

    fn set_len(&self, length: u64) -> Result<(), IoError> {
        if !length.is_multiple_of(PAGE_BYTES as u64) {
            return Err(IoError::Unaligned { what: "length", value: length });
        }
        let mut state = self.writable()?;
        state.begin("set the length of", 0, length)?;
        state.medium.set_len(length)?;
        state.allocated.split_off(&(length / PAGE_BYTES as u64));
        Ok(())
    }

    fn punch_hole(&self, offset: u64, length: u64) -> Result<(), IoError> {
        check_range(offset, length)?;
        let mut state = self.writable()?;
        state.begin("free space of", offset, length)?;
        state.medium.punch(offset, length)?;
        state.allocated.retain(|page| !pages(offset, length).contains(page));
        Ok(())
    }
}

#[cfg(test)]
mod tests;
