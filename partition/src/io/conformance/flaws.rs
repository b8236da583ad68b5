//! Back ends with one flaw each: the proof that the laws can fail.

use super::*;

/// One thing done wrong.
#[derive(Clone, Copy, Debug)]
enum Flaw {
    None,
    ReadFlipsABit,
    BatchFlipsABit,
    BatchLosesAnError,
    WriteTearsTheEnd,
    PumpForgetsAWrite,
    PumpKeepsABuffer,
    CutKeepsBytes,
    HoleIsAPageLong,
    AlignmentUnchecked,
}

#[derive(Debug)]
struct Flawed(MemoryIo, Flaw);

/// Hands all but one write of another source on, and keeps the one.
struct Forgetful<'a>(&'a dyn WriteSource, bool);

impl WriteSource for Forgetful<'_> {
    fn next(&self, wait: bool) -> NextWrite {
        match self.0.next(wait) {
            NextWrite::Ready(request) if request.tag == 17 => {
                if self.1 {
                    std::mem::forget(request);
                } else {
                    self.0.done(request, Ok(()));
                }
                self.0.next(wait)
            }
            next => next,
        }
    }

    fn done(&self, request: WriteRequest, result: Result<(), IoError>) {
        self.0.done(request, result);
    }
}

impl BlockIo for Flawed {
    fn name(&self) -> &'static str {
        "flawed"
    }
    fn len_bytes(&self) -> Result<u64, IoError> {
        self.0.len_bytes()
    }
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), IoError> {
        if matches!(self.1, Flaw::AlignmentUnchecked) && offset == 512 {
            return Ok(());
        }
        self.0.read_at(offset, buffer)?;
        if matches!(self.1, Flaw::ReadFlipsABit) && buffer.len() == 300 * PAGE_BYTES {
            buffer[299 * PAGE_BYTES + 1] ^= 0x10;
        }
        Ok(())
    }
    fn write_at(&self, offset: u64, buffer: &[u8]) -> Result<(), IoError> {
        self.0.write_at(offset, buffer)?;
        if matches!(self.1, Flaw::WriteTearsTheEnd) && buffer.len() == 13 * PAGE_BYTES {
            self.0.write_at(offset + 12 * PAGE, &noise(0, PAGE_BYTES))?;
        }
        Ok(())
    }
    fn read_batch(&self, requests: &mut [ReadRequest<'_>], depth: usize) {
        self.0.read_batch(requests, depth);
        for request in requests {
            match self.1 {
                Flaw::BatchFlipsABit => request.buffer[PAGE_BYTES - 1] ^= 1,
                Flaw::BatchLosesAnError => request.result = Ok(()),
                _ => {}
            }
        }
    }
    fn pump(&self, pool: &BufferPool, source: &dyn WriteSource, depth: usize) {
        match self.1 {
            Flaw::PumpForgetsAWrite => self.0.pump(pool, &Forgetful(source, false), depth),
            Flaw::PumpKeepsABuffer => self.0.pump(pool, &Forgetful(source, true), depth),
            _ => self.0.pump(pool, source, depth),
        }
    }
    fn sync(&self) -> Result<(), IoError> {
        self.0.sync()
    }
    fn preallocate(
        &self,
        offset: u64,
        length: u64,
        progress: &mut dyn FnMut(u64) -> bool,
    ) -> Result<(), IoError> {
        self.0.preallocate(offset, length, progress)
    }
    fn set_len(&self, length: u64) -> Result<(), IoError> {
        let cut = length == 2 * PAGE && matches!(self.1, Flaw::CutKeepsBytes);
        if cut { Ok(()) } else { self.0.set_len(length) }
    }
    fn punch_hole(&self, offset: u64, length: u64) -> Result<(), IoError> {
        let page = matches!(self.1, Flaw::HoleIsAPageLong) && length > PAGE;
        self.0.punch_hole(offset, if page { PAGE } else { length })
    }
}

#[test]
fn every_flaw_is_caught() {
    use Flaw::*;
    conform(&Flawed(MemoryIo::new(), None));
    for flaw in [
        ReadFlipsABit,
        BatchFlipsABit,
        BatchLosesAnError,
        WriteTearsTheEnd,
        PumpForgetsAWrite,
        PumpKeepsABuffer,
        CutKeepsBytes,
        HoleIsAPageLong,
        AlignmentUnchecked,
    ] {
        let flawed = Flawed(MemoryIo::new(), flaw);
        let outcome = catch_unwind(AssertUnwindSafe(|| conform(&flawed)));
        assert!(outcome.is_err(), "the laws did not catch {flaw:?}");
    }
}
