//! Page-aligned memory, alone and in bounded pools.
#![allow(unsafe_code)]

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use super::{IoError, PAGE_BYTES};

/// Zeroed memory aligned to [`PAGE_BYTES`], freed when the last user drops it.
#[derive(Debug)]
struct Slab {
    start: NonNull<u8>,
    layout: Layout,
}

// SAFETY: the slab owns its memory; who may touch which part is settled by `AlignedBuffer`.
unsafe impl Send for Slab {}
// SAFETY: as above.
unsafe impl Sync for Slab {}

impl Slab {
    fn zeroed(bytes: usize) -> Slab {
        let layout =
            Layout::from_size_align(bytes.max(PAGE_BYTES), PAGE_BYTES).expect("fits the address space");
        // SAFETY: the layout's size is not zero.
        let start = unsafe { alloc_zeroed(layout) };
        let start = NonNull::new(start).unwrap_or_else(|| handle_alloc_error(layout));
        Slab { start, layout }
    }
}

impl Drop for Slab {
    fn drop(&mut self) {
        // SAFETY: allocated in `zeroed` with this layout.
        unsafe { dealloc(self.start.as_ptr(), self.layout) }
    }
}

/// A page-aligned buffer: the only one of its bytes, alone in its memory or one place of a pool's slab.
#[derive(Debug)]
pub struct AlignedBuffer {
    slab: Arc<Slab>,
    offset: usize,
    bytes: usize,
}

impl AlignedBuffer {
    /// A zeroed buffer of its own.
    pub fn zeroed(bytes: usize) -> AlignedBuffer {
        AlignedBuffer { slab: Arc::new(Slab::zeroed(bytes)), offset: 0, bytes }
    }
}

impl Deref for AlignedBuffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the range lies in the slab, is initialised, and belongs to this buffer alone.
        unsafe { std::slice::from_raw_parts(self.slab.start.as_ptr().add(self.offset), self.bytes) }
    }
}

impl DerefMut for AlignedBuffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `deref`, and `&mut self` makes the access exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.slab.start.as_ptr().add(self.offset), self.bytes) }
    }
}

/// A fixed number of equal buffers. Taking one waits until one is free: this is where back-pressure comes from.
#[derive(Debug)]
pub struct BufferPool {
    slab: Arc<Slab>,
    buffer_bytes: usize,
    count: usize,
    state: Mutex<PoolState>,
    changed: Condvar,
}

#[derive(Debug)]
struct PoolState {
    free: Vec<AlignedBuffer>,
    closed: bool,
}

impl BufferPool {
    /// `count` zeroed buffers of `buffer_bytes` bytes (a multiple of [`PAGE_BYTES`]) each, side by side in memory.
    pub fn new(count: usize, buffer_bytes: usize) -> BufferPool {
        let slab = Arc::new(Slab::zeroed(count * buffer_bytes));
        let buffer = |place| AlignedBuffer {
            slab: Arc::clone(&slab),
            offset: place * buffer_bytes,
            bytes: buffer_bytes,
        };
        let free = (0..count).rev().map(buffer).collect();
        let state = Mutex::new(PoolState { free, closed: false });
        BufferPool { slab, buffer_bytes, count, state, changed: Condvar::new() }
    }

    /// Bytes of each buffer.
    pub fn buffer_bytes(&self) -> usize {
        self.buffer_bytes
    }

    /// Number of buffers.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Address of the first byte of all buffers, for registration with a ring.
    pub fn start(&self) -> *const u8 {
        self.slab.start.as_ptr()
    }

    /// Whether a buffer is one of this pool's, and which.
    pub fn place(&self, buffer: &AlignedBuffer) -> Option<usize> {
        Arc::ptr_eq(&self.slab, &buffer.slab).then(|| buffer.offset / self.buffer_bytes)
    }

    /// A free buffer; waits for one. Fails with [`IoError::Cancelled`] once the pool is closed.
    pub fn take(&self) -> Result<AlignedBuffer, IoError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if state.closed {
                return Err(IoError::Cancelled);
            }
            if let Some(buffer) = state.free.pop() {
                return Ok(buffer);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Gives a buffer back.
    pub fn give(&self, buffer: AlignedBuffer) {
        debug_assert!(self.place(&buffer).is_some(), "a buffer of another pool");
        self.state.lock().unwrap_or_else(PoisonError::into_inner).free.push(buffer);
        self.changed.notify_one();
    }

    /// Makes every waiting and later [`BufferPool::take`] fail.
    pub fn close(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        self.changed.notify_all();
    }
}
