//! The owner's side of objects: encryption in the `age` format before anything leaves (object-v1 §7).
//!
//! Files are binary `age` files, so owners can decrypt them with any `age` tool. Every call encrypts anew, with a fresh
//! file key: two replicas of one file differ in every byte after the header, and in the header's stanzas.

mod decrypt;
mod error;
mod reader;

use std::fmt;
use std::io::{Read, Write};

use age::secrecy::{ExposeSecret, SecretString};
use age::{Encryptor, IdentityFile, scrypt, x25519};
use zeroize::Zeroizing;

pub use decrypt::{DecryptingReader, Header};
pub use error::{DecryptionError, EncryptionError};
pub use reader::EncryptingReader;

/// log2 of scrypt's cost for new files, as the `age` command has it: 256 MiB and about a second.
const SCRYPT_LOG2_COST: u8 = 18;
/// The most that a file may ask of us: 4 GiB, as the `age` command has it.
const SCRYPT_LOG2_COST_MAX: u8 = 22;
/// What is read and encrypted at once: age's own chunk.
const CHUNK_BYTES: usize = 64 * 1024;

/// Who can decrypt.
pub enum Recipients {
    /// Whoever has the secret key of one of these.
    Keys(Vec<x25519::Recipient>),
    /// Whoever knows the passphrase.
    Passphrase(SecretString),
}

/// Names public keys; says nothing of a passphrase.
impl fmt::Debug for Recipients {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Recipients::Keys(keys) => out.debug_list().entries(keys.iter().map(ToString::to_string)).finish(),
            Recipients::Passphrase(_) => out.write_str("Passphrase"),
        }
    }
}

impl Recipients {
    /// Recipients of public keys (`age1…`), at least one.
    ///
    /// # Errors
    /// [`EncryptionError::NoRecipients`], [`EncryptionError::NotARecipient`].
    pub fn of_keys<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Recipients, EncryptionError> {
        let parse = |(text, number): (&str, usize)| {
            text.parse().map_err(|_| EncryptionError::NotARecipient { number })
        };
        let keys = texts.into_iter().zip(1..).map(parse).collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() { Err(EncryptionError::NoRecipients) } else { Ok(Recipients::Keys(keys)) }
    }

    /// Recipients of a file with a public key a line; empty lines and lines that begin with `#` are left out.
    ///
    /// # Errors
    /// As [`Recipients::of_keys`].
    pub fn of_file(text: &str) -> Result<Recipients, EncryptionError> {
        let lines = text.lines().map(str::trim);
        Recipients::of_keys(lines.filter(|line| !line.is_empty() && !line.starts_with('#')))
    }

    /// What `source` gives, encrypted, as a stream to read from. Begun anew for each replica.
    ///
    /// # Errors
    /// [`EncryptionError`]; what the source returns comes out of the reader.
    pub fn encrypting<R: Read>(&self, source: R) -> Result<EncryptingReader<R>, EncryptionError> {
        EncryptingReader::new(self.encryptor()?, source)
    }

    /// Encrypts a stream into several, each with its own file key; reads it once. Returns the bytes read.
    ///
    /// # Errors
    /// [`EncryptionError`]. What was written until then is of no use.
    pub fn encrypt_replicas<W: Write>(
        &self,
        mut source: impl Read,
        sinks: &mut [W],
    ) -> Result<u64, EncryptionError> {
        let mut writers = Vec::with_capacity(sinks.len());
        for sink in sinks {
            writers.push(self.encryptor()?.wrap_output(sink).map_err(EncryptionError::Sink)?);
        }
        let mut buffer = Zeroizing::new(vec![0; CHUNK_BYTES]);
        let mut bytes = 0;
        loop {
            let read = reader::read_some(&mut source, &mut buffer).map_err(EncryptionError::Source)?;
            if read == 0 {
                break;
            }
            bytes += read as u64;
            for writer in &mut writers {
                writer.write_all(&buffer[..read]).map_err(EncryptionError::Sink)?;
            }
        }
        for writer in writers {
            writer.finish().and_then(|sink| sink.flush()).map_err(EncryptionError::Sink)?;
        }
        Ok(bytes)
    }

    /// An encryptor with a file key of its own.
    fn encryptor(&self) -> Result<Encryptor, EncryptionError> {
        let made = match self {
            Recipients::Keys(keys) => {
                Encryptor::with_recipients(keys.iter().map(|key| key as &dyn age::Recipient))
            }
            Recipients::Passphrase(passphrase) => {
                let mut recipient = scrypt::Recipient::new(passphrase.clone());
                recipient.set_work_factor(SCRYPT_LOG2_COST);
                Encryptor::with_recipients(std::iter::once(&recipient as &dyn age::Recipient))
            }
        };
        made.map_err(|error| EncryptionError::Encryptor(error.to_string()))
    }
}

/// What decrypts.
pub enum Identities {
    /// Secret keys.
    Keys(Vec<Box<dyn age::Identity + Send + Sync>>),
    /// The passphrase.
    Passphrase(SecretString),
}

/// Says nothing of secrets.
impl fmt::Debug for Identities {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Identities::Keys(keys) => write!(out, "{} secret keys", keys.len()),
            Identities::Passphrase(_) => out.write_str("Passphrase"),
        }
    }
}

impl Identities {
    /// Secret keys of an identity file, as `age-keygen` writes it.
    ///
    /// # Errors
    /// [`DecryptionError::NotAnIdentityFile`]; it does not repeat what stands in the file.
    pub fn of_file(text: &SecretString) -> Result<Identities, DecryptionError> {
        let file = IdentityFile::from_buffer(text.expose_secret().as_bytes());
        let keys = file.map_err(|_| DecryptionError::NotAnIdentityFile)?.into_identities();
        match keys {
            Ok(keys) if !keys.is_empty() => Ok(Identities::Keys(keys)),
            _ => Err(DecryptionError::NotAnIdentityFile),
        }
    }
}

/// A new pair of keys.
pub struct OwnerKey(x25519::Identity);

/// Names the public key only.
impl fmt::Debug for OwnerKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "OwnerKey({})", self.recipient())
    }
}

impl OwnerKey {
    /// Fresh keys of the system's random source.
    pub fn generate() -> OwnerKey {
        OwnerKey(x25519::Identity::generate())
    }

    /// The public key, for [`Recipients::of_keys`].
    pub fn recipient(&self) -> String {
        self.0.to_public().to_string()
    }

    /// An identity file as `age-keygen` writes it, without a date. To be kept with mode 0600.
    pub fn identity_file(&self) -> SecretString {
        let secret = self.0.to_string();
        SecretString::from(format!("# public key: {}\n{}\n", self.recipient(), secret.expose_secret()))
    }
}

#[cfg(test)]
mod tests;
