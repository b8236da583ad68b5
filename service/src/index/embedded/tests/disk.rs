//! A disk in memory whose power can be cut.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use redb::StorageBackend;

/// What is written whole or not at all.
const SECTOR_BYTES: usize = 512;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Syncs {
    Honest,
    /// Says that it synced, and did not.
    Lying,
}

/// Clones are handles of one disk.
#[derive(Clone, Debug)]
pub(super) struct Disk(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    state: Mutex<State>,
    syncs: Syncs,
    sync_count: AtomicU64,
    blocked: AtomicBool,
    syncing: AtomicBool,
}

#[derive(Debug)]
struct State {
    /// What is there after a power cut for sure.
    durable: Vec<u8>,
    /// What reads see.
    current: Vec<u8>,
    /// What was done since the last sync, and may be there after a power cut.
    pending: Vec<Pending>,
    /// Writes and syncs that are done before all fails.
    operations_left: u64,
}

#[derive(Clone, Debug)]
enum Pending {
    Length(usize),
    Sector(usize, Vec<u8>),
}

impl Pending {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Pending::Length(length) => bytes.resize(*length, 0),
            Pending::Sector(offset, data) => {
                let end = offset + data.len();
                if bytes.len() < end {
                    bytes.resize(end, 0);
                }
                bytes[*offset..end].copy_from_slice(data);
            }
        }
    }
}

impl Disk {
    pub(super) fn of(image: Vec<u8>, syncs: Syncs, operations: u64) -> Disk {
        let state = State {
            durable: image.clone(),
            current: image,
            pending: Vec::new(),
            operations_left: operations,
        };
        Disk(Arc::new(Inner {
            state: Mutex::new(state),
            syncs,
            sync_count: AtomicU64::new(0),
            blocked: AtomicBool::new(false),
            syncing: AtomicBool::new(false),
        }))
    }

    /// Fails after so many more writes and syncs.
    pub(super) fn fail_after(&self, operations: u64) {
        self.0.state.lock().expect("no panics").operations_left = operations;
    }

    pub(super) fn syncs(&self) -> u64 {
        self.0.sync_count.load(Ordering::Relaxed)
    }

    /// Lets no sync return until the guard is dropped.
    pub(super) fn block_syncs(&self) -> BlockedSyncs {
        self.0.blocked.store(true, Ordering::Release);
        BlockedSyncs(self.clone())
    }

    /// Whether a sync has begun and not ended.
    pub(super) fn is_syncing(&self) -> bool {
        self.0.syncing.load(Ordering::Acquire)
    }

    /// Everything that was written.
    pub(super) fn image(&self) -> Vec<u8> {
        self.0.state.lock().expect("no panics").current.clone()
    }

    /// What was synced, and any part of the rest.
    pub(super) fn image_after_power_cut(&self, seed: u64) -> Vec<u8> {
        let state = self.0.state.lock().expect("no panics");
        let mut image = state.durable.clone();
        let mut random = blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof();
        for pending in &state.pending {
            let mut kept = [0];
            random.fill(&mut kept);
            if kept[0] % 2 == 0 {
                pending.apply(&mut image);
            }
        }
        image
    }

    fn operate(&self, operation: impl FnOnce(&mut State)) -> io::Result<()> {
        let mut state = self.0.state.lock().expect("no panics");
        let left = state.operations_left.checked_sub(1).ok_or(io::Error::other("the power is off"))?;
        state.operations_left = left;
        operation(&mut state);
        Ok(())
    }
}

/// Syncs wait while there is one.
pub(super) struct BlockedSyncs(Disk);

impl Drop for BlockedSyncs {
    fn drop(&mut self) {
        self.0.0.blocked.store(false, Ordering::Release);
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.state.lock().expect("no panics").current.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.0.state.lock().expect("no panics");
        let offset = usize::try_from(offset).expect("small");
        let bytes = state.current.get(offset..offset + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(bytes);
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let change = Pending::Length(usize::try_from(length).expect("small"));
        self.operate(|state| {
            change.apply(&mut state.current);
            state.pending.push(change);
        })
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).expect("small");
        assert_eq!(offset % SECTOR_BYTES, 0, "sectors are whole");
        self.operate(|state| {
            for (number, sector) in data.chunks(SECTOR_BYTES).enumerate() {
                let change = Pending::Sector(offset + number * SECTOR_BYTES, sector.to_vec());
                change.apply(&mut state.current);
                state.pending.push(change);
            }
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.syncing.store(true, Ordering::Release);
        while self.0.blocked.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
        self.0.sync_count.fetch_add(1, Ordering::Relaxed);
        let honest = self.0.syncs == Syncs::Honest;
        self.operate(|state| {
            if honest {
                state.durable = state.current.clone();
                state.pending.clear();
            }
        })?;
        self.0.syncing.store(false, Ordering::Release);
        Ok(())
    }
}
