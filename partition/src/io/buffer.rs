//! Page-aligned memory: single buffers, and the bounded pool that is the staging memory of a fill.
//!
//! Producers take buffers from the pool and the pump's source gives them back, so a slow disk holds the producers up and
//! memory stays bounded. All buffers of a pool lie in one slab whose addresses never change, so io_uring can register them.
#![allow(unsafe_code)]

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use memmap2::MmapMut;

use super::{IoError, PAGE_BYTES};

/// Bytes of a huge page (x86-64, and AArch64 with 4 KiB pages).
const HUGE_PAGE_BYTES: usize = 2 << 20;
/// Single buffers from this size on take whole huge pages: one page fault instead of hundreds.
const MAPPED_BYTES: usize = HUGE_PAGE_BYTES / 2;

/// How often a waiting [`BufferPool::take_unless`] looks at its flag.
const CANCEL_LOOK: Duration = Duration::from_millis(20);

/// A page-aligned buffer, zeroed at allocation. Dereferences to its bytes.
///
/// A buffer of a [`BufferPool`] goes back to its pool when dropped, keeping its bytes (the next taker sees them).
pub struct AlignedBuffer {
    start: NonNull<u8>,
    length: usize,
    capacity: usize,
    owner: Owner,
}

enum Owner {
    Alone,
    Mapping { _memory: MmapMut },
    Pool { shared: Arc<Shared>, index: usize },
}

// SAFETY: the buffer is the only owner of the bytes from `start` to `start + capacity` (its own allocation or mapping, or
// its slot of a slab, which the pool hands out once at a time), so it may move between threads like a `Box<[u8]>`.
unsafe impl Send for AlignedBuffer {}
// SAFETY: shared access only reads the bytes.
unsafe impl Sync for AlignedBuffer {}

impl AlignedBuffer {
    /// A buffer of its own, outside any pool: `length` zero bytes, a positive multiple of [`PAGE_BYTES`].
    pub fn zeroed(length: usize) -> Result<Self, IoError> {
        let layout = layout_of(length)?;
        if length >= MAPPED_BYTES {
            return Self::mapped(length);
        }
        // SAFETY: `layout_of` refuses a length of zero, so the layout has a size.
        let Some(start) = NonNull::new(unsafe { alloc_zeroed(layout) }) else { handle_alloc_error(layout) };
        Ok(Self { start, length, capacity: length, owner: Owner::Alone })
    }

    fn mapped(length: usize) -> Result<Self, IoError> {
        let mut memory = map(length.checked_next_multiple_of(HUGE_PAGE_BYTES).unwrap_or(length))?;
        let start = NonNull::from(&mut memory[..]).cast();
        Ok(Self { start, length, capacity: length, owner: Owner::Mapping { _memory: memory } })
    }

    /// A buffer of its own holding a copy of `bytes`.
    pub fn copy_of(bytes: &[u8]) -> Result<Self, IoError> {
        let mut buffer = Self::zeroed(bytes.len())?;
        buffer.copy_from_slice(bytes);
        Ok(buffer)
    }

    /// Bytes it can hold; its length is at most this.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Makes the buffer `length` bytes long (a positive multiple of [`PAGE_BYTES`], at most the capacity), for the last,
    /// shorter piece of something. A pool hands buffers out at full length again.
    pub fn set_length(&mut self, length: usize) -> Result<(), IoError> {
        if length == 0 || !length.is_multiple_of(PAGE_BYTES) || length > self.capacity {
            return Err(IoError::Unaligned { what: "length", value: length as u64 });
        }
        self.length = length;
        Ok(())
    }

    /// Index in its pool's slab, or none for a buffer of its own.
    pub fn pool_index(&self) -> Option<usize> {
        match self.owner {
            Owner::Alone | Owner::Mapping { .. } => None,
            Owner::Pool { index, .. } => Some(index),
        }
    }
}

fn layout_of(length: usize) -> Result<Layout, IoError> {
    let unaligned = IoError::Unaligned { what: "length", value: length as u64 };
    if length == 0 || !length.is_multiple_of(PAGE_BYTES) {
        return Err(unaligned);
    }
    Layout::from_size_align(length, PAGE_BYTES).map_err(|_| unaligned)
}

/// Zeroed memory of its own, in huge pages where the system gives them.
fn map(bytes: usize) -> Result<MmapMut, IoError> {
    let memory = MmapMut::map_anon(bytes)
        .map_err(|error| IoError::from_os(&error, "allocate", "buffers".as_ref(), 0, bytes as u64))?;
    // Only a hint: fewer page-table entries to fill, to walk and to pin. It works the same without.
    #[cfg(target_os = "linux")]
    let _ = memory.advise(memmap2::Advice::HugePage);
    Ok(memory)
}

impl Deref for AlignedBuffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: `start` points to `capacity >= length` initialised bytes that this buffer alone owns (see `Send`).
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.length) }
    }
}

impl DerefMut for AlignedBuffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `deref`; `&mut self` makes the access exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.length) }
    }
}

impl Drop for AlignedBuffer {
    fn drop(&mut self) {
        match &self.owner {
            Owner::Alone => {
                if let Ok(layout) = layout_of(self.capacity) {
                    // SAFETY: allocated in `zeroed` with the layout of this same capacity, and freed only here.
                    unsafe { dealloc(self.start.as_ptr(), layout) }
                }
            }
            // Unmapped with its field.
            Owner::Mapping { .. } => {}
            Owner::Pool { shared, index } => {
                shared.lock().free.push(*index);
                shared.freed.notify_one();
            }
        }
    }
}

impl fmt::Debug for AlignedBuffer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("AlignedBuffer")
            .field("length", &self.length)
            .field("pool_index", &self.pool_index())
            .finish()
    }
}

/// A bounded set of equal aligned buffers in one slab, on huge pages where the system gives them. Clones share the set.
#[derive(Clone)]
pub struct BufferPool {
    shared: Arc<Shared>,
}

struct Shared {
    /// Owns the memory; touched only through `start` after construction.
    _slab: MmapMut,
    start: NonNull<u8>,
    buffer_bytes: usize,
    buffers: usize,
    state: Mutex<State>,
    freed: Condvar,
}

struct State {
    free: Vec<usize>,
    closed: bool,
}

// SAFETY: `start` points into `_slab`, which lives as long as `Shared`; the bytes are only reached through buffers, of
// which at most one exists for each slot (the free list holds an index exactly while no buffer for it exists).
unsafe impl Send for Shared {}
// SAFETY: as above; all other fields are `Sync`.
unsafe impl Sync for Shared {}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BufferPool {
    /// A pool of `buffers` buffers of `buffer_bytes` each (a positive multiple of [`PAGE_BYTES`]).
    pub fn new(buffers: usize, buffer_bytes: usize) -> Result<Self, IoError> {
        layout_of(buffer_bytes)?;
        let too_large = IoError::Unaligned { what: "length", value: buffers as u64 };
        let slab_bytes = buffers.checked_mul(buffer_bytes).filter(|&bytes| bytes > 0).ok_or(too_large)?;
        let mut slab = map(slab_bytes)?;
        let start = NonNull::from(&mut slab[..]).cast();
        let state = State { free: (0..buffers).rev().collect(), closed: false };
        let shared = Shared {
            _slab: slab,
            start,
            buffer_bytes,
            buffers,
            state: Mutex::new(state),
            freed: Condvar::new(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Number of buffers.
    pub fn buffers(&self) -> usize {
        self.shared.buffers
    }

    /// Bytes of each buffer.
    pub fn buffer_bytes(&self) -> usize {
        self.shared.buffer_bytes
    }

    /// Buffers not taken at the moment.
    pub fn free(&self) -> usize {
        self.shared.lock().free.len()
    }

    /// A buffer at full length, waiting for one to come back; none once the pool is closed.
    pub fn take(&self) -> Option<AlignedBuffer> {
        let waiting = |state: &mut State| state.free.is_empty() && !state.closed;
        let state = self.shared.freed.wait_while(self.shared.lock(), waiting);
        self.pop(state.unwrap_or_else(PoisonError::into_inner))
    }

    /// Like [`BufferPool::take`], but gives up (none) soon after `cancelled` becomes true.
    pub fn take_unless(&self, cancelled: &AtomicBool) -> Option<AlignedBuffer> {
        let waiting = |state: &mut State| state.free.is_empty() && !state.closed;
        let mut state = self.shared.lock();
        while !cancelled.load(Ordering::Relaxed) {
            let waited = self.shared.freed.wait_timeout_while(state, CANCEL_LOOK, waiting);
            let (guard, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            if !timeout.timed_out() {
                return self.pop(guard);
            }
            state = guard;
        }
        None
    }

    /// A buffer if one is free now and the pool is open.
    pub fn try_take(&self) -> Option<AlignedBuffer> {
        self.pop(self.shared.lock())
    }

    /// Gives a buffer back; the same as dropping it, but reads better where it is the point.
    pub fn give(&self, buffer: AlignedBuffer) {
        drop(buffer);
    }

    /// Wakes everybody who waits for a buffer; from now on none is handed out.
    pub fn close(&self) {
        self.shared.lock().closed = true;
        self.shared.freed.notify_all();
    }

    /// True when `buffer` lies in this pool's slab.
    pub fn owns(&self, buffer: &AlignedBuffer) -> bool {
        matches!(&buffer.owner, Owner::Pool { shared, .. } if Arc::ptr_eq(shared, &self.shared))
    }

    /// Address and length in bytes of the whole slab; buffer i starts at i × [`BufferPool::buffer_bytes`].
    pub(super) fn slab(&self) -> (NonNull<u8>, usize) {
        (self.shared.start, self.shared.buffers * self.shared.buffer_bytes)
    }

    fn pop(&self, mut state: MutexGuard<'_, State>) -> Option<AlignedBuffer> {
        if state.closed {
            return None;
        }
        let index = state.free.pop()?;
        // SAFETY: index < buffers, so the offset lies inside the slab.
        let start = unsafe { self.shared.start.add(index * self.shared.buffer_bytes) };
        Some(AlignedBuffer {
            start,
            length: self.shared.buffer_bytes,
            capacity: self.shared.buffer_bytes,
            owner: Owner::Pool { shared: Arc::clone(&self.shared), index },
        })
    }
}

impl fmt::Debug for BufferPool {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("BufferPool")
            .field("buffers", &self.buffers())
            .field("buffer_bytes", &self.buffer_bytes())
            .field("free", &self.free())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn buffers_are_aligned_zeroed_and_sized() {
        // The last two are mappings; catches one whose end is not its own.
        for length in [3 * PAGE_BYTES, MAPPED_BYTES - PAGE_BYTES, MAPPED_BYTES, HUGE_PAGE_BYTES + PAGE_BYTES]
        {
            let mut buffer = AlignedBuffer::zeroed(length).unwrap();
            assert_eq!((buffer.len(), buffer.capacity(), buffer.pool_index()), (length, length, None));
            assert_eq!(buffer.as_ptr() as usize % PAGE_BYTES, 0);
            assert!(buffer.iter().all(|&byte| byte == 0));
            buffer.fill(1);
        }
        for length in [0, 1, PAGE_BYTES - 1, PAGE_BYTES + 512, usize::MAX & !(PAGE_BYTES - 1)] {
            assert!(AlignedBuffer::zeroed(length).is_err(), "length {length}");
        }
    }

    #[test]
    fn slots_do_not_overlap_and_come_back_at_full_length() {
        let pool = BufferPool::new(4, 2 * PAGE_BYTES).unwrap();
        let mut taken: Vec<_> = (0..4).map(|_| pool.take().unwrap()).collect();
        assert!(pool.try_take().is_none());
        for (value, buffer) in (1..).zip(&mut taken) {
            assert!(pool.owns(buffer));
            buffer.fill(value);
        }
        for (value, buffer) in (1..).zip(&taken) {
            assert!(buffer.iter().all(|&byte| byte == value), "another slot was written over");
        }
        let mut first = taken.remove(0);
        first.set_length(PAGE_BYTES).unwrap();
        assert!(first.set_length(3 * PAGE_BYTES).is_err());
        let index = first.pool_index();
        pool.give(first);
        let again = pool.take().unwrap();
        assert_eq!((again.len(), again.pool_index()), (2 * PAGE_BYTES, index));
        assert!(!BufferPool::new(1, PAGE_BYTES).unwrap().owns(&again));
    }

    #[test]
    fn take_waits_for_give_and_ends_at_close_or_cancel() {
        let pool = BufferPool::new(1, PAGE_BYTES).unwrap();
        let held = pool.take().unwrap();
        thread::scope(|scope| {
            let waiter = scope.spawn(|| pool.take().is_some());
            pool.give(held);
            assert!(waiter.join().unwrap());
        });
        let held = pool.take().unwrap();
        let cancelled = AtomicBool::new(false);
        thread::scope(|scope| {
            let waiter = scope.spawn(|| pool.take_unless(&cancelled).is_some());
            cancelled.store(true, Ordering::Relaxed);
            assert!(!waiter.join().unwrap());
        });
        thread::scope(|scope| {
            let waiter = scope.spawn(|| pool.take().is_some());
            pool.close();
            assert!(!waiter.join().unwrap());
        });
        drop(held);
        assert!(pool.try_take().is_none(), "a closed pool hands nothing out");
        assert_eq!(pool.free(), 1);
    }

    #[test]
    fn a_buffer_outlives_its_pool() {
        // The slab must live until the last buffer is gone, or a late write completion would land in freed memory.
        let pool = BufferPool::new(2, PAGE_BYTES).unwrap();
        let mut buffer = pool.take().unwrap();
        drop(pool);
        buffer.fill(7);
        assert!(buffer.iter().all(|&byte| byte == 7));
    }
}
