//! Reading ahead, so that whoever makes bytes and whoever uses them work at the same time.

use std::io::{self, Cursor, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

/// Bytes that are handed over at once.
const BUFFER_BYTES: usize = 256 << 10;
/// Buffers that wait.
const BUFFERS_WAITING: usize = 4;

/// What another thread has read.
pub(super) struct Ahead {
    buffers: Receiver<io::Result<Vec<u8>>>,
    current: Cursor<Vec<u8>>,
}

/// Has `source` read by a thread of its own while `work` uses what came. Returns the source with what became of the work; if that did not
/// read to the end, the source may be further than the work.
pub(super) fn read_ahead<R: Read + Send, T>(mut source: R, work: impl FnOnce(&mut Ahead) -> T) -> (R, T) {
    thread::scope(|threads| {
        let (sender, buffers) = sync_channel(BUFFERS_WAITING);
        let reading = threads.spawn(move || {
            read_all(&mut source, &sender);
            source
        });
        let mut ahead = Ahead { buffers, current: Cursor::default() };
        let done = work(&mut ahead);
        // The reading thread notices that nobody wants more.
        drop(ahead);
        (reading.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), done)
    })
}

/// Until the end, an error, or nobody takes it.
fn read_all(source: &mut impl Read, sender: &SyncSender<io::Result<Vec<u8>>>) {
    loop {
        let mut buffer = Vec::with_capacity(BUFFER_BYTES);
        let read = source.by_ref().take(BUFFER_BYTES as u64).read_to_end(&mut buffer);
        let ended = buffer.len() < BUFFER_BYTES;
        // What came before an error is of use, too.
        let taken = buffer.is_empty() || sender.send(Ok(buffer)).is_ok();
        if let Err(error) = read {
            // Nobody may want to know.
            let _ = sender.send(Err(error));
            return;
        }
        if ended || !taken {
            return;
        }
    }
}

impl Read for Ahead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.current.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            match self.buffers.recv() {
                Ok(Ok(next)) => self.current = Cursor::new(next),
                Ok(Err(error)) => return Err(error),
                // The other thread has read all.
                Err(_) => return Ok(0),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Write};

    use super::*;

    /// Gives bytes in pieces of all lengths, then an error or the end.
    struct Source {
        left: usize,
        given: usize,
        fails: bool,
    }

    impl Read for Source {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.left == 0 && self.fails {
                return Err(io::Error::new(ErrorKind::BrokenPipe, "as planned"));
            }
            let bytes = (self.given % 70_000 + 1).min(self.left).min(buffer.len());
            for (at, byte) in buffer[..bytes].iter_mut().enumerate() {
                *byte = byte_at(self.given + at);
            }
            self.left -= bytes;
            self.given += bytes;
            Ok(bytes)
        }
    }

    fn byte_at(at: usize) -> u8 {
        u8::try_from(at % 251).unwrap()
    }

    fn source(left: usize, fails: bool) -> Source {
        Source { left, given: 0, fails }
    }

    fn expected(length: usize) -> Vec<u8> {
        (0..length).map(byte_at).collect()
    }

    #[test]
    fn all_bytes_come_in_order_whatever_the_lengths() {
        for length in [0, 1, BUFFER_BYTES - 1, BUFFER_BYTES, BUFFER_BYTES + 1, 9 * BUFFER_BYTES + 77] {
            let mut got = Vec::new();
            let (source, read) =
                read_ahead(source(length, false), |ahead| ahead.read_to_end(&mut got).unwrap());
            assert_eq!((source.left, read), (0, length));
            assert!(got == expected(length), "{length} bytes");
        }
    }

    /// An error must not be taken for the end, and what came before it is not lost.
    #[test]
    fn an_error_comes_after_the_bytes_before_it() {
        for length in [0, 5, BUFFER_BYTES, 2 * BUFFER_BYTES + 3] {
            let mut got = Vec::new();
            let (_, read) = read_ahead(source(length, true), |ahead| ahead.read_to_end(&mut got));
            assert_eq!(read.unwrap_err().kind(), ErrorKind::BrokenPipe);
            assert!(got == expected(length), "{length} bytes");
        }
    }

    /// Otherwise a failed write would hang until the source ends, which a socket may never do.
    #[test]
    fn work_that_ends_early_ends_the_reading() {
        let (source, refused) = read_ahead(source(usize::MAX, false), |ahead| {
            let mut sink = Cursor::new(vec![0; 10]);
            io::copy(ahead, &mut sink.get_mut().as_mut_slice()).and_then(|_| sink.flush())
        });
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::WriteZero);
        assert!(source.given <= (BUFFERS_WAITING + 3) * BUFFER_BYTES, "{} bytes", source.given);
    }
}
