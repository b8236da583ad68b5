//! Token files (possession-v1 §8): what stays with the maker of tokens. A token is marked used, durably, before its key
//! leaves.

use std::path::PathBuf;

use thiserror::Error;
use zeroize::Zeroizing;

use super::Token;
use crate::codec::Reader;
use crate::possession::record::TOKENS_MAX;
use crate::possession::secret_file::{HASH_BYTES, SecretFile, SecretFileError, unseal};
use crate::rejection::{Class, Rejection};

const TAG: &[u8; 4] = b"HFS1";
const HEADER_BYTES: usize = 48;
const TOKEN_BYTES: usize = 72;

/// Tokens of one record in a file.
#[derive(Debug)]
pub struct TokenFile(SecretFile);

/// A call to a token file that failed.
#[derive(Debug, Error)]
pub enum TokenFileError {
    /// The file could not be used.
    #[error(transparent)]
    File(#[from] SecretFileError),
    /// There are no tokens to put into a file, or too many.
    #[error("{0}")]
    Count(Rejection),
    /// Every key has been shown.
    #[error("all {count} tokens of {} are used; who holds the object's bytes can make new ones", path.display())]
    Exhausted {
        /// Which file.
        path: PathBuf,
        /// Tokens in it.
        count: usize,
    },
}

impl TokenFile {
    /// Puts new tokens of the record with this digest into a file, which must not be there yet.
    ///
    /// # Errors
    /// The file is there, or cannot be written; or there are more than 2^20 tokens, or none.
    pub fn create(
        path: impl Into<PathBuf>,
        record_digest: [u8; 32],
        tokens: Vec<Token>,
    ) -> Result<TokenFile, TokenFileError> {
        check_count(tokens.len() as u64).map_err(TokenFileError::Count)?;
        let tokens = tokens.into_iter().map(|token| (false, token)).collect();
        let file = SecretFile::new(path.into());
        file.create(&Contents { record_digest, tokens }.encode())?;
        Ok(TokenFile(file))
    }

    /// Opens a token file.
    ///
    /// # Errors
    /// It cannot be read, or is none.
    pub fn open(path: impl Into<PathBuf>) -> Result<TokenFile, TokenFileError> {
        let file = TokenFile(SecretFile::new(path.into()));
        file.load()?;
        Ok(file)
    }

    /// Digest of the record that the tokens are of.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn record_digest(&self) -> Result<[u8; 32], TokenFileError> {
        Ok(self.load()?.record_digest)
    }

    /// The list that the record has the root of. It is no secret.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn entries(&self) -> Result<Vec<[u8; 32]>, TokenFileError> {
        Ok(self.load()?.tokens.iter().map(|(_, token)| token.entry()).collect())
    }

    /// Tokens that are not used yet.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn unused(&self) -> Result<usize, TokenFileError> {
        Ok(self.load()?.tokens.iter().filter(|(used, _)| !used).count())
    }

    /// Marks the first unused token as used, and only when that is durable gives it with its number. No two callers get the
    /// same one, in whatever processes; one that is lost in a crash stays used.
    ///
    /// # Errors
    /// All are used, or the file cannot be read or written.
    pub fn take(&self) -> Result<(u64, Token), TokenFileError> {
        let _lock = self.0.lock()?;
        let mut contents = self.load()?;
        let count = contents.tokens.len();
        let unused = (0..).zip(&mut contents.tokens).find(|(_, (used, _))| !*used);
        let Some((number, (used, token))) = unused else {
            return Err(TokenFileError::Exhausted { path: self.0.path().to_owned(), count });
        };
        *used = true;
        let token = token.clone();
        self.0.replace(&contents.encode())?;
        Ok((number, token))
    }

    /// Says that the tokens are of another record with the same list, such as one of a later height.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn rebind(&self, record_digest: [u8; 32]) -> Result<(), TokenFileError> {
        let _lock = self.0.lock()?;
        let contents = Contents { record_digest, ..self.load()? };
        Ok(self.0.replace(&contents.encode())?)
    }

    fn load(&self) -> Result<Contents, SecretFileError> {
        self.0.read(Contents::decode)
    }
}

/// What a token file holds.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Contents {
    record_digest: [u8; 32],
    /// Whether each is used.
    tokens: Vec<(bool, Token)>,
}

impl Contents {
    /// All bytes but the hash at the end.
    fn encode(&self) -> Zeroizing<Vec<u8>> {
        // Of the right size from the start: a buffer that grows leaves copies behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(HEADER_BYTES + self.tokens.len() * TOKEN_BYTES));
        bytes.extend_from_slice(TAG);
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&self.record_digest);
        bytes.extend_from_slice(&(self.tokens.len() as u64).to_le_bytes());
        for (used, token) in &self.tokens {
            bytes.extend_from_slice(&[u8::from(*used), 0, 0, 0, 0, 0, 0, 0]);
            bytes.extend_from_slice(&token.key);
            bytes.extend_from_slice(&token.digest);
        }
        bytes
    }

    /// Reads all bytes of a token file.
    ///
    /// Refused: `malformed`, `wrong-length`.
    pub(super) fn decode(bytes: &[u8]) -> Result<Contents, Rejection> {
        let mut reader = Reader::new("token file", bytes);
        reader.tag(TAG)?;
        reader.zeros::<4>()?;
        let record_digest = reader.array()?;
        let count = check_count(reader.u64()?)?;
        let expected = HEADER_BYTES + count * TOKEN_BYTES + HASH_BYTES;
        if bytes.len() != expected {
            let found = bytes.len();
            return Err(Class::WrongLength.because(format!("a token file of {found} bytes, not {expected}")));
        }
        unseal(bytes)?;
        let tokens: Result<_, _> = (0..count).map(|_| read_token(&mut reader)).collect();
        Ok(Contents { record_digest, tokens: tokens? })
    }
}

fn read_token(reader: &mut Reader<'_>) -> Result<(bool, Token), Rejection> {
    let used = match reader.byte()? {
        used @ (0 | 1) => used == 1,
        other => return Err(Class::Malformed.because(format!("a token is neither used nor unused: {other}"))),
    };
    reader.zeros::<7>()?;
    Ok((used, Token { key: reader.array()?, digest: reader.array()? }))
}

/// The count of a token file, which fits memory.
fn check_count(count: u64) -> Result<usize, Rejection> {
    let fits = (1..=TOKENS_MAX).contains(&count).then(|| usize::try_from(count).ok()).flatten();
    fits.ok_or_else(|| Class::Malformed.because(format!("a file of {count} tokens, not 1 to 2^20")))
}
