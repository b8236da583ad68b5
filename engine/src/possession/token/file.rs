//! Token files (possession-v1 §8): what stays with the maker of tokens. A token is marked used, durably, before its key
//! leaves.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use thiserror::Error;
use zeroize::Zeroizing;

use super::Token;
use crate::codec::Reader;
use crate::possession::record::TOKENS_MAX;
use crate::rejection::{Class, Rejection};
use crate::tree;

const TAG: &[u8; 4] = b"HFS1";
const HEADER_BYTES: usize = 48;
const TOKEN_BYTES: usize = 72;
const HASH_BYTES: usize = 32;
/// Only the owner of the file: it holds what the miner must not know.
const MODE: u32 = 0o600;

/// Added to the file's name: the empty file whose lock serialises those who take tokens.
const LOCK_SUFFIX: &str = ".lock";
const NEW_SUFFIX: &str = ".new";

/// Tokens of one record in a file.
#[derive(Debug)]
pub struct TokenFile {
    path: PathBuf,
}

/// A call to a token file that failed.
#[derive(Debug, Error)]
pub enum TokenFileError {
    /// The file could not be read or written.
    #[error("cannot {doing} {}: {source}", path.display())]
    File {
        /// What was being done.
        doing: &'static str,
        /// Which file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The file's bytes are not those of a token file.
    #[error("{} is no token file that can be used: {rejection}", path.display())]
    Unusable {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        rejection: Rejection,
    },
    /// Every key has been shown.
    #[error("all {count} tokens of {} are used; who holds the object's bytes can make new ones", path.display())]
    Exhausted {
        /// Which file.
        path: PathBuf,
        /// Tokens in it.
        count: usize,
    },
}

/// What a token file holds.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Contents {
    pub(super) record_digest: [u8; 32],
    /// Whether each is used.
    pub(super) tokens: Vec<(bool, Token)>,
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
        let file = TokenFile { path: path.into() };
        check_count(tokens.len() as u64).map_err(|rejection| file.unusable(rejection))?;
        let _lock = file.lock()?;
        if fs::exists(&file.path).map_err(|source| file.failed("look for", &file.path, source))? {
            return Err(file.failed("create", &file.path, io::ErrorKind::AlreadyExists.into()));
        }
        let tokens = tokens.into_iter().map(|token| (false, token)).collect();
        file.store(&Contents { record_digest, tokens })?;
        Ok(file)
    }

    /// Opens a token file.
    ///
    /// # Errors
    /// It cannot be read, or is none.
    pub fn open(path: impl Into<PathBuf>) -> Result<TokenFile, TokenFileError> {
        let file = TokenFile { path: path.into() };
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
        let _lock = self.lock()?;
        let mut contents = self.load()?;
        let count = contents.tokens.len();
        let unused = (0..).zip(&mut contents.tokens).find(|(_, (used, _))| !*used);
        let Some((number, (used, token))) = unused else {
            return Err(TokenFileError::Exhausted { path: self.path.clone(), count });
        };
        *used = true;
        let token = token.clone();
        self.store(&contents)?;
        Ok((number, token))
    }

    fn load(&self) -> Result<Contents, TokenFileError> {
        let bytes = fs::read(&self.path).map_err(|source| self.failed("read", &self.path, source))?;
        Contents::decode(&Zeroizing::new(bytes)).map_err(|rejection| self.unusable(rejection))
    }

    fn store(&self, contents: &Contents) -> Result<(), TokenFileError> {
        replace(&self.path, &self.beside(NEW_SUFFIX), &contents.encode())
            .map_err(|source| self.failed("replace", &self.path, source))
    }

    /// Holds others who take tokens off until it is dropped.
    fn lock(&self) -> Result<File, TokenFileError> {
        let path = self.beside(LOCK_SUFFIX);
        let open = OpenOptions::new().write(true).create(true).truncate(false).mode(MODE).open(&path);
        let file = open.map_err(|source| self.failed("open", &path, source))?;
        file.lock().map_err(|source| self.failed("lock", &path, source))?;
        Ok(file)
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(suffix);
        name.into()
    }

    fn failed(&self, doing: &'static str, path: &Path, source: io::Error) -> TokenFileError {
        TokenFileError::File { doing, path: path.to_owned(), source }
    }

    fn unusable(&self, rejection: Rejection) -> TokenFileError {
        TokenFileError::Unusable { path: self.path.clone(), rejection }
    }
}

impl Contents {
    pub(super) fn encode(&self) -> Zeroizing<Vec<u8>> {
        // Of the right size from the start: a buffer that grows leaves copies behind.
        let capacity = HEADER_BYTES + self.tokens.len() * TOKEN_BYTES + HASH_BYTES;
        let mut bytes = Zeroizing::new(Vec::with_capacity(capacity));
        bytes.extend_from_slice(TAG);
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&self.record_digest);
        bytes.extend_from_slice(&(self.tokens.len() as u64).to_le_bytes());
        for (used, token) in &self.tokens {
            bytes.extend_from_slice(&[u8::from(*used), 0, 0, 0, 0, 0, 0, 0]);
            bytes.extend_from_slice(&token.key);
            bytes.extend_from_slice(&token.digest);
        }
        let hash = tree::root(&bytes);
        bytes.extend_from_slice(&hash);
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
        let (hashed, hash) = bytes.split_at(expected - HASH_BYTES);
        if tree::root(hashed) != hash {
            return Err(Class::Malformed.because("the token file's hash is not that of its bytes"));
        }
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
    fits.ok_or_else(|| Class::Malformed.because(format!("a token file of {count} tokens, not 1 to 2^20")))
}

/// The rename is durable only once the directory is synced.
fn replace(path: &Path, new: &Path, bytes: &[u8]) -> io::Result<()> {
    // One that a crash left may have other permissions.
    match fs::remove_file(new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(new, path)?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}
