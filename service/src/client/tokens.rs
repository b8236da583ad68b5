//! The sealed tokens of a file's pieces (possession-v1 §8): made while the owner has the bytes, and kept with the records that miners got.
//!
//! ```text
//! SEGMENT-SHARD.record   the signed record of a piece of generation 0, which names the list of its tokens
//! SEGMENT-SHARD.tokens   the tokens, and which of them were used
//! ```

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use holdfast_engine::possession::record::{ObjectRecord, SignedRecord, TokenList};
use holdfast_engine::possession::token::{Token, TokenFile, TokenMaker, token_list};
use holdfast_engine::signature::Signer;

use super::ClientError;
use super::library::{make_directory, write_durably};
use super::spool::Plan;
use super::upload::make_segment;

/// The tokens of one file.
#[derive(Clone, Debug)]
pub(super) struct TokenDirectory(PathBuf);

/// The tokens of a piece, and the record that has their list.
#[derive(Debug)]
pub(super) struct PieceTokens {
    pub(super) record: SignedRecord,
    pub(super) file: TokenFile,
}

impl TokenDirectory {
    pub(super) fn at(path: PathBuf) -> TokenDirectory {
        TokenDirectory(path)
    }

    pub(super) fn is_there(&self) -> bool {
        self.0.is_dir()
    }

    /// Makes the tokens of a segment's pieces that have none yet: one pass over their bytes.
    pub(super) fn make(&self, ciphertext: &Path, plan: &Plan, segment: u32) -> Result<(), ClientError> {
        make_directory(&self.0)?;
        let mut makers = Vec::new();
        for shard in 0..plan.manifest.policy().shards() {
            if self.entries((segment, shard))?.is_none() {
                makers.push((shard, TokenMaker::new(plan.tokens as usize)?));
            }
        }
        if makers.is_empty() {
            return Ok(());
        }
        let mut take = |shard| {
            let place = makers.iter().position(|(of, _)| *of == shard);
            TokenSink(place.map(|place| makers.swap_remove(place).1))
        };
        for (shard, TokenSink(maker)) in make_segment(ciphertext, plan, segment, &mut take)? {
            if let Some(maker) = maker {
                self.create((segment, shard), maker.finish())?;
            }
        }
        Ok(())
    }

    /// Tokens that no record has yet.
    fn create(&self, place: (u32, u8), tokens: Vec<Token>) -> Result<(), ClientError> {
        TokenFile::create(self.path(place, "tokens"), [0; 32], tokens)?;
        Ok(())
    }

    /// Signs the record of a piece with the list of its tokens and keeps it, in place of one of another height or miner. One that is kept
    /// of the same piece stays, unless it is to be made `anew`: a validator may have it already.
    pub(super) fn sign(
        &self,
        place: (u32, u8),
        record: ObjectRecord,
        signer: &Signer,
        anew: bool,
    ) -> Result<SignedRecord, ClientError> {
        let record = ObjectRecord { tokens: self.entries(place)?, ..record };
        let is_same = |kept: &SignedRecord| {
            kept.record == ObjectRecord { height: kept.record.height, ..record.clone() }
        };
        let signed = match self.record(place)?.filter(|kept| !anew && is_same(kept)) {
            Some(kept) => kept,
            None => {
                let signed = record.sign(signer);
                write_durably(&self.path(place, "record"), &signed.encode())?;
                signed
            }
        };
        let (file, digest) = (TokenFile::open(self.path(place, "tokens"))?, signed.record.digest());
        if file.record_digest()? != digest {
            file.rebind(digest)?;
        }
        Ok(signed)
    }

    /// What a piece has; `None` if nothing.
    pub(super) fn of_piece(&self, place: (u32, u8)) -> Result<Option<PieceTokens>, ClientError> {
        let Some(record) = self.record(place)? else { return Ok(None) };
        let path = self.path(place, "tokens");
        let file = TokenFile::open(&path)?;
        if file.record_digest()? != record.record.digest() {
            let reason = "the tokens are of another record than the one beside them".to_owned();
            return Err(ClientError::Damaged { path, reason });
        }
        Ok(Some(PieceTokens { record, file }))
    }

    fn record(&self, place: (u32, u8)) -> Result<Option<SignedRecord>, ClientError> {
        let path = self.path(place, "record");
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            read => read.map_err(ClientError::file("read", &path))?,
        };
        let decoded = SignedRecord::decode(&bytes).map(Some);
        decoded.map_err(|rejection| ClientError::Damaged { path, reason: rejection.to_string() })
    }

    fn entries(&self, place: (u32, u8)) -> Result<Option<TokenList>, ClientError> {
        let path = self.path(place, "tokens");
        if !fs::exists(&path).map_err(ClientError::file("look for", &path))? {
            return Ok(None);
        }
        Ok(Some(token_list(&TokenFile::open(path)?.entries()?)?))
    }

    fn path(&self, (segment, shard): (u32, u8), extension: &str) -> PathBuf {
        self.0.join(format!("{segment}-{shard}.{extension}"))
    }
}

/// Goes over the bytes of a piece whose tokens are made.
struct TokenSink(Option<TokenMaker>);

impl Write for TokenSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(maker) = &mut self.0 {
            maker.update(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
