//! Memory for whole layers, in huge pages where the system gives them.
//!
//! A label gathers seven random lines of a layer, so with 4 KiB pages nearly every one also misses the TLB: huge pages
//! are worth a factor of 1.3 to 1.5.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::io;
use std::ops::{Deref, DerefMut};
use std::ptr::{self, NonNull};

use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};

/// Bytes of a huge page (x86-64, and AArch64 with 4 KiB pages).
const HUGE_PAGE_BYTES: usize = 2 << 20;

/// A zeroed buffer for one layer, aligned to 2 MiB so that it can consist of huge pages.
#[derive(Debug)]
pub struct LayerBuffer {
    start: NonNull<u8>,
    bytes: usize,
    mapping: Mapping,
}

// SAFETY: the buffer owns its memory, as a boxed slice does.
unsafe impl Send for LayerBuffer {}
// SAFETY: a shared reference only reads.
unsafe impl Sync for LayerBuffer {}

impl LayerBuffer {
    /// Zeroed memory of `bytes` bytes. It takes no pages until it is written.
    ///
    /// Fails with `OutOfMemory` or the system's error when the address space cannot be had.
    pub fn new(bytes: usize) -> io::Result<LayerBuffer> {
        let too_large = || io::Error::new(io::ErrorKind::OutOfMemory, format!("{bytes} bytes for a layer"));
        // One huge page more than needed, so that an aligned start lies inside.
        let mapping_bytes = bytes
            .checked_next_multiple_of(HUGE_PAGE_BYTES)
            .and_then(|bytes| bytes.checked_add(HUGE_PAGE_BYTES))
            .ok_or_else(too_large)?;
        let mapping = Mapping::new(mapping_bytes)?;
        let offset = mapping.start.align_offset(HUGE_PAGE_BYTES);
        // SAFETY: the offset is below one huge page, which the mapping has beyond `bytes`.
        let start = unsafe { mapping.start.cast::<u8>().byte_add(offset) };
        advise_huge_pages(start, mapping_bytes - HUGE_PAGE_BYTES);
        Ok(LayerBuffer { start, bytes, mapping })
    }

    /// How many bytes of the buffer lie in huge pages now, if the system tells (Linux). Pages are given when first
    /// written, so ask after filling. Neighbouring buffers may be counted together; the answer is at most the length.
    pub fn huge_page_bytes(&self) -> Option<usize> {
        let maps = std::fs::read_to_string("/proc/self/smaps").ok()?;
        let huge = huge_bytes_of_mapping(&maps, self.start.as_ptr().addr())?;
        Some(huge.min(self.bytes))
    }
}

impl Deref for LayerBuffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        debug_assert!(self.bytes < self.mapping.bytes);
        // SAFETY: `bytes` bytes from `start` are mapped, readable and initialised with zeros for as long as `self` lives.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.bytes) }
    }
}

impl DerefMut for LayerBuffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `deref`, and `&mut self` makes the access exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.bytes) }
    }
}

/// An anonymous private mapping; unmapped when dropped.
#[derive(Debug)]
struct Mapping {
    start: NonNull<c_void>,
    bytes: usize,
}

impl Mapping {
    fn new(bytes: usize) -> io::Result<Mapping> {
        // SAFETY: the system chooses the address, so no existing mapping is touched.
        let start = unsafe {
            mmap_anonymous(ptr::null_mut(), bytes, ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE)
        }?;
        let start = NonNull::new(start).ok_or_else(|| io::Error::other("mmap returned address zero"))?;
        Ok(Mapping { start, bytes })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: exactly the mapping that `new` made; the buffer's slices cannot outlive it.
        let result = unsafe { munmap(self.start.as_ptr(), self.bytes) };
        debug_assert_eq!(result, Ok(()), "unmapping {} bytes", self.bytes);
    }
}

/// Asks for huge pages. A refusal (a kernel without them) costs speed only.
#[cfg(target_os = "linux")]
fn advise_huge_pages(start: NonNull<u8>, bytes: usize) {
    use rustix::mm::{Advice, madvise};
    // SAFETY: the range lies in a mapping of ours, and the advice does not change its contents.
    let _refusal = unsafe { madvise(start.as_ptr().cast(), bytes, Advice::LinuxHugepage) };
}

#[cfg(not(target_os = "linux"))]
fn advise_huge_pages(_start: NonNull<u8>, _bytes: usize) {}

/// `AnonHugePages` of the mapping that holds `address`, in bytes, from the text of `/proc/self/smaps`.
fn huge_bytes_of_mapping(maps: &str, address: usize) -> Option<usize> {
    let holds_address = |line: &&str| {
        let range = line.split(' ').next().and_then(|range| range.split_once('-'));
        let parse = |text| usize::from_str_radix(text, 16).ok();
        range.and_then(|(from, to)| Some((parse(from)?..parse(to)?).contains(&address))).unwrap_or(false)
    };
    let mut lines = maps.lines().skip_while(|line| !holds_address(line));
    let kibibytes = lines.find_map(|line| line.strip_prefix("AnonHugePages:"))?;
    Some(kibibytes.trim().strip_suffix(" kB")?.parse::<usize>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffer_is_zeroed_writable_and_aligned() {
        // Not a multiple of anything: catches a length rounded up to pages.
        let mut buffer = LayerBuffer::new(HUGE_PAGE_BYTES + 33).unwrap();
        assert_eq!(buffer.len(), HUGE_PAGE_BYTES + 33);
        assert!(buffer.iter().all(|&byte| byte == 0));
        assert_eq!(buffer.as_ptr().align_offset(HUGE_PAGE_BYTES), 0);
        buffer.fill(0xA5);
        assert!(buffer.iter().all(|&byte| byte == 0xA5));
        assert!(buffer.huge_page_bytes().is_none_or(|bytes| bytes <= buffer.len()));
    }

    #[test]
    fn empty_buffer_is_an_empty_slice() {
        assert!(LayerBuffer::new(0).unwrap().is_empty());
    }

    #[test]
    fn impossible_length_is_an_error() {
        assert!(LayerBuffer::new(usize::MAX).is_err());
        assert!(LayerBuffer::new(1 << 60).is_err());
    }

    #[test]
    fn huge_pages_are_read_from_the_mapping_that_holds_the_address() {
        let maps = "1000-2000 rw-p 00000000 00:00 0 \nRss: 4 kB\nAnonHugePages:         0 kB\n\
                    7f0000000000-7f0000400000 rw-p 00000000 00:00 0 \nAnonHugePages:      2048 kB\n";
        assert_eq!(huge_bytes_of_mapping(maps, 0x1800), Some(0));
        assert_eq!(huge_bytes_of_mapping(maps, 0x7f00_0020_0000), Some(2 << 20));
        assert_eq!(huge_bytes_of_mapping(maps, 0x3000), None);
    }
}
