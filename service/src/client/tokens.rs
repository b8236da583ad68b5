//! The sealed tokens of a file's pieces (possession-v1 §8): made while the owner has the bytes, and kept with the records that miners got.
//!
//! ```text
//! SEGMENT-SHARD.record   the last signed record of a piece of generation 0, which names the list of its tokens
//! SEGMENT-SHARD.tokens   the tokens, and which of them were used
//! ```

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use holdfast_engine::possession::record::{ObjectRecord, SignedRecord, TokenList};
use holdfast_engine::possession::token::{Token, TokenFile, TokenMaker, token_list};
use holdfast_engine::rejection::{Class, Rejection};
use holdfast_engine::signature::Signer;

use super::ClientError;
use super::library::{make_directory, write_durably};
use super::spool::Plan;
use super::upload::make_segment;

/// The tokens of one file.
#[derive(Clone, Debug)]
pub(super) struct TokenDirectory(PathBuf);

/// The tokens of a piece, and a record that has their list.
#[derive(Debug)]
pub(super) struct PieceTokens {
    pub(super) record: SignedRecord,
    pub(super) file: TokenFile,
}

impl PieceTokens {
    /// That a record is one that was signed for these tokens: the one that is kept here, or the same of another height. Which of them its miner
    /// was given is the validator's choice, and it answers for no other.
    ///
    /// Refused: `wrong-record`, `bad-signature`.
    pub(super) fn check_record(&self, shown: &SignedRecord) -> Result<(), Rejection> {
        let kept = &self.record.record;
        if shown.record != (ObjectRecord { height: shown.record.height, ..kept.clone() }) {
            let checker = shown.record.checker;
            let detail =
                format!("its miner keeps a record of {checker} without these tokens, or of something else");
            return Err(Class::WrongRecord.because(detail));
        }
        shown.check_signature()
    }
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

    /// Signs the record of a piece with the list of its tokens and keeps it, in place of the one before. That one may be with the miner already,
    /// whatever the validator says, and is as good ([`PieceTokens::check_record`]).
    pub(super) fn sign(
        &self,
        place: (u32, u8),
        record: ObjectRecord,
        signer: &Signer,
    ) -> Result<SignedRecord, ClientError> {
        let signed = ObjectRecord { tokens: self.entries(place)?, ..record }.sign(signer);
        write_durably(&self.path(place, "record"), &signed.encode())?;
        self.bound(place, &signed)?;
        Ok(signed)
    }

    /// What a piece has; `None` if nothing.
    pub(super) fn of_piece(&self, place: (u32, u8)) -> Result<Option<PieceTokens>, ClientError> {
        let Some(record) = self.record(place)? else { return Ok(None) };
        // A process that was killed may have written the record and not yet that the tokens are its.
        if record.record.tokens.is_none() || record.record.tokens != self.entries(place)? {
            let reason = "the tokens are of another record than the one beside them".to_owned();
            return Err(ClientError::Damaged { path: self.path(place, "tokens"), reason });
        }
        let file = self.bound(place, &record)?;
        Ok(Some(PieceTokens { record, file }))
    }

    /// The tokens of a piece, which are those of this record from now on.
    fn bound(&self, place: (u32, u8), record: &SignedRecord) -> Result<TokenFile, ClientError> {
        let (file, digest) = (TokenFile::open(self.path(place, "tokens"))?, record.record.digest());
        if file.record_digest()? != digest {
            file.rebind(digest)?;
        }
        Ok(file)
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

    /// A process may be killed between the two files; the tokens must not be lost for it. A record of other tokens is another matter.
    #[test]
    fn tokens_are_bound_to_the_record_beside_them_if_it_names_them() {
        let (folder, signer) = (tempfile::tempdir().expect("a directory"), Signer::development("owner"));
        let tokens = TokenDirectory::at(folder.path().to_owned());
        tokens.create(PLACE, TokenMaker::new(2).expect("randomness").finish()).expect("writes");
        tokens.sign(PLACE, record(120), &signer).expect("signs");
        let put = |record: ObjectRecord| {
            let signed = record.sign(&signer);
            write_durably(&tokens.path(PLACE, "record"), &signed.encode()).expect("writes");
            signed
        };
        let list = tokens.entries(PLACE).expect("reads");
        let later = put(ObjectRecord { tokens: list, ..record(140) });
        let kept = tokens.of_piece(PLACE).expect("fits").expect("is there");
        assert_eq!(kept.record, later);
        assert_eq!(kept.file.record_digest().expect("reads"), later.record.digest());
        let other = token_list(&[[7; 32]]).expect("a list");
        for list in [None, Some(other)] {
            put(ObjectRecord { tokens: list, ..record(160) });
            let refused = tokens.of_piece(PLACE).expect_err("is of other tokens");
            assert!(matches!(refused, ClientError::Damaged { .. }), "{refused}");
        }
    }

    /// A validator may have taken what it says that it refuses: with another record than its miner's, every token would be lost.
    #[test]
    fn every_record_that_was_signed_for_tokens_is_as_good_as_the_last_and_no_other_is() {
        let (folder, signer) = (tempfile::tempdir().expect("a directory"), Signer::development("owner"));
        let tokens = TokenDirectory::at(folder.path().to_owned());
        let made = TokenMaker::new(2).expect("randomness").finish();
        tokens.create(PLACE, made).expect("writes");
        let sign = |height| tokens.sign(PLACE, record(height), &signer).expect("signs");
        let (first, second) = (sign(120), sign(140));
        let kept = tokens.of_piece(PLACE).expect("fits").expect("is there");
        assert_eq!((&kept.record, kept.file.unused().expect("reads")), (&second, 2));
        assert_eq!((kept.check_record(&first), kept.check_record(&second)), (Ok(()), Ok(())));
        let changed = |change: &dyn Fn(&mut ObjectRecord), signer: &Signer| {
            let mut record = first.record.clone();
            change(&mut record);
            kept.check_record(&record.sign(signer)).map_err(|refused| refused.class)
        };
        let other = Signer::development("validator");
        assert_eq!(changed(&|record| record.height = 130, &signer), Ok(()), "the negative control");
        assert_eq!(changed(&|_| (), &other), Err(Class::BadSignature));
        assert_eq!(changed(&|record| record.checker = other.account(), &other), Err(Class::WrongRecord));
        assert_eq!(changed(&|record| record.tokens = None, &signer), Err(Class::WrongRecord));
        assert_eq!(changed(&|record| record.miner = other.account(), &signer), Err(Class::WrongRecord));
        assert_eq!(changed(&|record| record.network = [9; 32], &signer), Err(Class::WrongRecord));
    }
}
