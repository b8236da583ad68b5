//! Encryption as a stream to read from: age writes, and whoever stores an object reads.

use std::io::{self, ErrorKind, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};

use age::Encryptor;
use age::stream::StreamWriter;
use zeroize::Zeroizing;

use super::{CHUNK_BYTES, EncryptionError};

/// Reads a source and gives its encryption. The bytes of the source in memory are erased when it is dropped.
pub struct EncryptingReader<R> {
    source: R,
    plaintext: Zeroizing<Vec<u8>>,
    /// `None` once everything is encrypted.
    writer: Option<StreamWriter<Ciphertext>>,
    ciphertext: Ciphertext,
    /// Taken out of `ciphertext`, of which so many bytes were handed on.
    ready: Vec<u8>,
    handed_on: usize,
}

impl<R> std::fmt::Debug for EncryptingReader<R> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("EncryptingReader")
    }
}

/// Where age writes to and we read from: a chunk at a time.
#[derive(Clone, Default)]
struct Ciphertext(Arc<Mutex<Vec<u8>>>);

impl Ciphertext {
    /// All bytes written so far, in exchange for an empty buffer.
    fn swap(&self, empty: &mut Vec<u8>) {
        empty.clear();
        std::mem::swap(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), empty);
    }
}

impl Write for Ciphertext {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<R: Read> EncryptingReader<R> {
    pub(super) fn new(encryptor: Encryptor, source: R) -> Result<Self, EncryptionError> {
        let ciphertext = Ciphertext::default();
        let writer = encryptor.wrap_output(ciphertext.clone()).map_err(EncryptionError::Sink)?;
        let plaintext = Zeroizing::new(vec![0; CHUNK_BYTES]);
        Ok(Self { source, plaintext, writer: Some(writer), ciphertext, ready: Vec::new(), handed_on: 0 })
    }

    /// Encrypts until there are bytes to hand on, or nothing is left.
    fn advance(&mut self) -> io::Result<()> {
        while self.handed_on == self.ready.len() {
            let Some(writer) = &mut self.writer else { return Ok(()) };
            match read_some(&mut self.source, &mut self.plaintext)? {
                0 => {
                    if let Some(writer) = self.writer.take() {
                        writer.finish()?;
                    }
                }
                read => writer.write_all(&self.plaintext[..read])?,
            }
            self.ciphertext.swap(&mut self.ready);
            self.handed_on = 0;
        }
        Ok(())
    }
}

impl<R: Read> Read for EncryptingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.advance()?;
        let left = &self.ready[self.handed_on..];
        let bytes = left.len().min(buffer.len());
        buffer[..bytes].copy_from_slice(&left[..bytes]);
        self.handed_on += bytes;
        Ok(bytes)
    }
}

/// One read that is not interrupted; 0 at the end.
pub(super) fn read_some(source: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match source.read(buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}
