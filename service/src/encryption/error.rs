use std::io::{self, ErrorKind};

use age::DecryptError;

/// Why something could not be encrypted.
#[derive(Debug, thiserror::Error)]
pub enum EncryptionError {
    /// Nobody could decrypt it.
    #[error("nobody to encrypt for: give a public key (age1…) or a passphrase")]
    NoRecipients,
    /// Not a public key. What was given is not repeated: it may be a secret one.
    #[error("key {number} is not a public key of age (age1…)")]
    NotARecipient {
        /// Its place in the list, from 1.
        number: usize,
    },
    /// The encryptor refused.
    #[error("cannot encrypt: {0}")]
    Encryptor(String),
    /// The plaintext cannot be read.
    #[error("cannot read what is to be encrypted: {0}")]
    Source(#[source] io::Error),
    /// The ciphertext cannot be written.
    #[error("cannot write what was encrypted: {0}")]
    Sink(#[source] io::Error),
}

/// Why something could not be decrypted.
#[derive(Debug, thiserror::Error)]
pub enum DecryptionError {
    /// Not a file of `age-keygen`. What stands in it is not repeated: it may be a secret all the same.
    #[error("this is not an identity file of age (lines AGE-SECRET-KEY-1…)")]
    NotAnIdentityFile,
    /// Not an age file, or one of a later version.
    #[error("this is not a binary age file of version 1")]
    NotAnAgeFile,
    /// Encrypted for others, or with another passphrase.
    #[error("none of the keys decrypts this, or it is another passphrase")]
    WrongKey,
    /// The passphrase's file asks for more work than we do.
    #[error("the passphrase needs 2^{required} of scrypt's work, and 2^{most} is the most")]
    TooMuchWork {
        /// What the file asks for.
        required: u8,
        /// What we do.
        most: u8,
    },
    /// Changed, cut off or continued since it was encrypted. What was written until then must not be used.
    #[error("the file is damaged: what was decrypted of it must not be used")]
    Damaged,
    /// The ciphertext cannot be read.
    #[error("cannot read what is to be decrypted: {0}")]
    Source(#[source] io::Error),
    /// The plaintext cannot be written.
    #[error("cannot write what was decrypted: {0}")]
    Sink(#[source] io::Error),
}

impl DecryptionError {
    /// Of a stream that is decrypted while it is read: age says with these kinds what it finds itself.
    pub(super) fn of_stream(error: io::Error) -> DecryptionError {
        match error.kind() {
            ErrorKind::InvalidData | ErrorKind::UnexpectedEof => DecryptionError::Damaged,
            _ => DecryptionError::Source(error),
        }
    }
}

impl From<DecryptError> for DecryptionError {
    fn from(error: DecryptError) -> DecryptionError {
        match error {
            // Of the header: no stanza was opened. For a passphrase the second is how age says so.
            DecryptError::NoMatchingKeys
            | DecryptError::DecryptionFailed
            | DecryptError::KeyDecryptionFailed => DecryptionError::WrongKey,
            DecryptError::ExcessiveWork { required, target } => {
                DecryptionError::TooMuchWork { required, most: target }
            }
            DecryptError::InvalidMac => DecryptionError::Damaged,
            DecryptError::InvalidHeader | DecryptError::UnknownFormat => DecryptionError::NotAnAgeFile,
            DecryptError::Io(error) if error.kind() == ErrorKind::InvalidData => {
                DecryptionError::NotAnAgeFile
            }
            DecryptError::Io(error) => DecryptionError::of_stream(error),
            // Kinds that only age's features have, which are off: of plugins.
            _ => DecryptionError::NotAnAgeFile,
        }
    }
}
