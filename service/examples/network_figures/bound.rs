//! What no put and no get over a socket can do without, and so how fast they could be if all else cost nothing.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

use holdfast_engine::tree::RootHasher;
use rustix::time::{ClockId, clock_gettime};

use crate::{TRIES, encrypt, median};

/// Bytes that are written, read or hashed at once.
const BUFFER_BYTES: usize = 128 << 10;

/// Milliseconds of processor time that steps take for a MB of the file, medians.
pub(crate) struct Steps {
    encryption: f64,
    hash: f64,
    socket: f64,
    write: f64,
    processors: f64,
}

impl fmt::Display for Steps {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Steps { encryption, hash, socket, write, processors } = self;
        write!(
            out,
            "ms of a processor for a MB, of {processors}: encryption {encryption:.2}, BLAKE3 {hash:.2}, \
             TCP on both ends {socket:.2}, a file not synced {write:.2}"
        )
    }
}

impl Steps {
    /// With the bytes of a file, files in a folder, and a connection on the loopback.
    pub(crate) fn measure(folder: &Path, file: &Path) -> io::Result<Steps> {
        let bytes = std::fs::read(file)?;
        let processors = std::thread::available_parallelism()?.get() as f64;
        let per_mb = |work: &dyn Fn() -> io::Result<()>| -> io::Result<f64> {
            let mut times = Vec::new();
            for _ in 0..TRIES {
                let started = own_processor_time();
                work()?;
                let spent = own_processor_time() - started;
                times.push(spent.as_secs_f64() * 1e3 / (bytes.len() as f64 / 1e6));
            }
            Ok(median(times))
        };
        Ok(Steps {
            encryption: per_mb(&|| encrypt(file))?,
            hash: per_mb(&|| {
                let mut hasher = RootHasher::default();
                bytes.chunks(BUFFER_BYTES).for_each(|part| hasher.update(part));
                io::sink().write_all(&hasher.root())
            })?,
            socket: per_mb(&|| carry(&bytes))?,
            write: per_mb(&|| write_in_parts(folder, &bytes))?,
            processors,
        })
    }

    /// MB/s: encrypted and hashed by the owner, sent, hashed and written by the miner.
    pub(crate) fn put_rate(&self) -> f64 {
        self.processors * 1e3 / (self.encryption + 2.0 * self.hash + self.socket + self.write)
    }

    /// MB/s: sent by the miner, hashed, decrypted and written by the owner. Decryption takes as long as encryption.
    pub(crate) fn get_rate(&self) -> f64 {
        self.processors * 1e3 / (self.encryption + self.hash + self.socket + self.write)
    }
}

/// Over a bare connection, as large parts as it takes.
fn carry(bytes: &[u8]) -> io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let address = listener.local_addr()?;
    std::thread::scope(|threads| {
        let sending = threads.spawn(move || {
            let mut connection = TcpStream::connect(address)?;
            bytes.chunks(BUFFER_BYTES).try_for_each(|part| connection.write_all(part))
        });
        let (mut connection, _) = listener.accept()?;
        let mut buffer = vec![0; BUFFER_BYTES];
        while connection.read(&mut buffer)? > 0 {}
        sending.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn write_in_parts(folder: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file: File = tempfile::tempfile_in(folder)?;
    bytes.chunks(BUFFER_BYTES).try_for_each(|part| file.write_all(part))
}

/// Of all threads of this process.
fn own_processor_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap_or_default()
}
