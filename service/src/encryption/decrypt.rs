//! Decryption as a stream to read from, from the beginning of a file or from the middle of it.

use std::io::{self, BufRead, ErrorKind, Read, Seek, SeekFrom, Write};

use age::{Decryptor, scrypt};
use zeroize::Zeroizing;

use super::reader::read_some;
use super::{CHUNK_BYTES, DecryptionError, Identities, SCRYPT_LOG2_COST_MAX};

/// Bytes that a chunk has more when it is encrypted: its authentication tag.
const TAG_BYTES: u64 = 16;
const CHUNK: u64 = CHUNK_BYTES as u64;

/// The plaintext of a file that is being read. Bytes are handed on as soon as their 64 KiB are authenticated, but only an end without
/// error says that the end is the end: until then, what was read must not be taken for the file.
pub struct DecryptingReader<'a>(Box<dyn Read + 'a>);

impl std::fmt::Debug for DecryptingReader<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("DecryptingReader")
    }
}

impl Read for DecryptingReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

/// What stands before the chunks of an encrypted file: with it, decryption can begin at any chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header(pub Vec<u8>);

impl Header {
    /// The byte of the file behind the chunks that have the first `plaintext_bytes`; `None` within a chunk.
    pub fn stored_bytes(&self, plaintext_bytes: u64) -> Option<u64> {
        let chunks = plaintext_bytes / CHUNK;
        plaintext_bytes.is_multiple_of(CHUNK).then(|| self.0.len() as u64 + chunks * (CHUNK + TAG_BYTES))
    }

    /// Where the file must be read from to go on behind whole chunks: the last one is decrypted again, so that the first bytes that are
    /// read are never the end, which age takes in one way only.
    pub fn resume_at(&self, plaintext_bytes: u64) -> u64 {
        self.0.len() as u64 + (plaintext_bytes / CHUNK).saturating_sub(1) * (CHUNK + TAG_BYTES)
    }
}

impl Identities {
    /// The plaintext of an encrypted stream, and what stands before it.
    ///
    /// # Errors
    /// [`DecryptionError`]. What the stream returns, and what is wrong with it, comes out of the reader.
    pub fn decrypting<'a>(
        &self,
        mut source: impl BufRead + 'a,
    ) -> Result<(Header, DecryptingReader<'a>), DecryptionError> {
        let mut header = Vec::new();
        Decryptor::new_buffered(Recording { source: &mut source, header: &mut header })?;
        let header = Header(header);
        let reader = self.decrypting_behind(&header, 0, source)?;
        Ok((header, reader))
    }

    /// The plaintext behind its first `plaintext_bytes`, which are whole chunks and not all; `source` gives the file from
    /// [`Header::resume_at`] on.
    ///
    /// # Errors
    /// As [`Identities::decrypting`].
    pub fn decrypting_behind<'a>(
        &self,
        header: &Header,
        plaintext_bytes: u64,
        source: impl Read + 'a,
    ) -> Result<DecryptingReader<'a>, DecryptionError> {
        let source_at = header.resume_at(plaintext_bytes);
        let resumed = Resumed { header: header.0.clone(), source, source_at, position: 0 };
        let decryptor = Decryptor::new_buffered(resumed)?;
        let mut reader = match self {
            Identities::Keys(keys) => {
                decryptor.decrypt(keys.iter().map(|key| key.as_ref() as &dyn age::Identity))?
            }
            Identities::Passphrase(passphrase) => {
                let mut identity = scrypt::Identity::new(passphrase.clone());
                identity.set_max_work_factor(SCRYPT_LOG2_COST_MAX);
                decryptor.decrypt(std::iter::once(&identity as &dyn age::Identity))?
            }
        };
        if let Some(last) = plaintext_bytes.checked_sub(1) {
            let last_byte = reader.seek(SeekFrom::Start(last)).and_then(|_| reader.read_exact(&mut [0]));
            last_byte.map_err(DecryptionError::of_stream)?;
        }
        Ok(DecryptingReader(Box::new(reader)))
    }

    /// Decrypts a stream; returns the bytes written, which are those of a [`DecryptingReader`].
    ///
    /// # Errors
    /// [`DecryptionError`].
    pub fn decrypt(&self, source: impl BufRead, sink: &mut impl Write) -> Result<u64, DecryptionError> {
        self.decrypting(source)?.1.copy(sink)
    }
}

impl DecryptingReader<'_> {
    /// Writes all of it; returns the bytes.
    ///
    /// # Errors
    /// [`DecryptionError`].
    pub fn copy(mut self, sink: &mut impl Write) -> Result<u64, DecryptionError> {
        let mut buffer = Zeroizing::new(vec![0; CHUNK_BYTES]);
        let mut bytes = 0;
        loop {
            let read = read_some(&mut self.0, &mut buffer).map_err(DecryptionError::of_stream)?;
            if read == 0 {
                sink.flush().map_err(DecryptionError::Sink)?;
                return Ok(bytes);
            }
            sink.write_all(&buffer[..read]).map_err(DecryptionError::Sink)?;
            bytes += read as u64;
        }
    }
}

/// Keeps what is consumed: age reads the header and nothing behind it.
struct Recording<'a, R> {
    source: R,
    header: &'a mut Vec<u8>,
}

impl<R: BufRead> Read for Recording<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        self.header.extend_from_slice(&buffer[..read]);
        Ok(read)
    }
}

impl<R: BufRead> BufRead for Recording<'_, R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.source.fill_buf()
    }

    fn consume(&mut self, bytes: usize) {
        // What is consumed is in the buffer, so that filling it does nothing.
        if let Ok(buffer) = self.source.fill_buf() {
            self.header.extend_from_slice(&buffer[..bytes]);
        }
        self.source.consume(bytes);
    }
}

/// A file of which the header is at hand, and what comes from a later byte on.
struct Resumed<R> {
    header: Vec<u8>,
    source: R,
    /// Where in the file the next byte of `source` is.
    source_at: u64,
    position: u64,
}

impl<R> Resumed<R> {
    fn rest_of_header(&self) -> &[u8] {
        usize::try_from(self.position)
            .ok()
            .and_then(|position| self.header.get(position..))
            .unwrap_or_default()
    }
}

impl<R: Read> Read for Resumed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = self.rest_of_header();
        let read = if !rest.is_empty() {
            let bytes = rest.len().min(buffer.len());
            buffer[..bytes].copy_from_slice(&rest[..bytes]);
            bytes
        } else if self.position == self.source_at {
            let read = self.source.read(buffer)?;
            self.source_at += read as u64;
            read
        } else {
            return Err(io::Error::other(
                "the bytes between the header and where decryption goes on are not there",
            ));
        };
        self.position += read as u64;
        Ok(read)
    }
}

/// The header alone: chunks are not read through a buffer.
impl<R: Read> BufRead for Resumed<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        Ok(self.rest_of_header())
    }

    fn consume(&mut self, bytes: usize) {
        self.position += bytes as u64;
    }
}

impl<R> Seek for Resumed<R> {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        match position {
            SeekFrom::Start(position) => self.position = position,
            SeekFrom::Current(0) => {}
            _ => return Err(ErrorKind::Unsupported.into()),
        }
        Ok(self.position)
    }
}
