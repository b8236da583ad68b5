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

    /// Signs the record of a piece with the list of its tokens and keeps it, in place of one of another miner or bytes, or of a height up
    /// to `past`. Any other one that is kept stays, whatever the validator says of it: miners may have it already, and answer for tokens
    /// under no other.
    pub(super) fn sign(
        &self,
        place: (u32, u8),
        record: ObjectRecord,
        signer: &Signer,
        past: Option<u64>,
    ) -> Result<SignedRecord, ClientError> {
        let record = ObjectRecord { tokens: self.entries(place)?, ..record };
        let is_same = |kept: &SignedRecord| {
            kept.record == ObjectRecord { height: kept.record.height, ..record.clone() }
        };
        let is_past = |kept: &SignedRecord| past.is_some_and(|past| kept.record.height <= past);
        let signed = match self.record(place)?.filter(|kept| is_same(kept) && !is_past(kept)) {
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

#[cfg(test)]
mod tests {
    use holdfast_engine::account::Account;
    use holdfast_engine::possession::Replica;
    use holdfast_engine::possession::token::TokenMaker;

    use super::*;

    const PLACE: (u32, u8) = (0, 1);

    fn record(height: u64) -> ObjectRecord {
        ObjectRecord {
            replica: Replica::new([1; 32], 10, 0).expect("short"),
            height,
            network: [2; 32],
            miner: Account([3; 32]),
            checker: Signer::development("owner").account(),
            table_root: None,
            tokens: None,
        }
    }

    /// A validator may have taken what it says that it refuses: with another record than its miner's, every token would be lost.
    #[test]
    fn a_record_is_signed_anew_when_its_height_is_past_and_not_before() {
        let (folder, signer) = (tempfile::tempdir().expect("a directory"), Signer::development("owner"));
        let tokens = TokenDirectory::at(folder.path().to_owned());
        let made = TokenMaker::new(2).expect("randomness").finish();
        tokens.create(PLACE, made).expect("writes");
        let sign = |height, past| tokens.sign(PLACE, record(height), &signer, past).expect("signs");
        let of_piece = || tokens.of_piece(PLACE).expect("fits").expect("is there");
        let first = sign(120, None);
        let key = |kept: &PieceTokens| *kept.file.entries().expect("reads").first().expect("two");
        let entry = key(&of_piece());
        for past in [None, Some(101), Some(119)] {
            assert_eq!(sign(121, past), first, "height 120 is not past at {past:?}");
        }
        let second = sign(140, Some(120));
        assert_eq!(second.record.height, 140);
        let kept = of_piece();
        assert_eq!((kept.record.clone(), kept.file.unused().expect("reads"), key(&kept)), (second, 2, entry));
    }
}
