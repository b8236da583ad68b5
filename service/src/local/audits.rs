//! Challenges and commitments of every kind, told apart by their tags; answering and judging those of objects.

use std::path::Path;
use std::sync::Arc;

use holdfast_engine::backend::Backend;
use holdfast_engine::challenge::Challenge;
use holdfast_engine::commitment::Commitment;
use holdfast_engine::object::{Address, ObjectError, ObjectReader};
use holdfast_engine::policy::Policy;
use holdfast_engine::possession::challenge::{AuditKind, ObjectChallenge};
use holdfast_engine::possession::chunks::{answer_chunks, verify_chunks};
use holdfast_engine::possession::commitment_table::CommitmentTable;
use holdfast_engine::possession::generators::Generators;
use holdfast_engine::possession::header::AnswerFailure;
use holdfast_engine::possession::link::{answer_link, verify_link};
use holdfast_engine::possession::prove::{ProveError, Prover};
use holdfast_engine::possession::record::{ObjectRecord, SignedRecord};
use holdfast_engine::possession::token::{TOKEN_CHALLENGE_BYTES, TokenChallenge, answer_token, verify_token};
use holdfast_engine::possession::verify::{PossessionCase, verify_possession};
use holdfast_engine::rejection::{Class, Rejection};
use holdfast_partition::objects::{ObjectFile, ObjectName};
use holdfast_partition::partition_file::OpenMode;

use crate::local::failure::{DAMAGED, Failure};
use crate::local::objects::{ObjectDirectory, OpenShelf, Secrets, now};

const OBJECT_CHALLENGE_TAG: &[u8] = b"HFQ2";
const RECORD_TAG: &[u8] = b"HFD1";

/// A challenge of any kind.
#[derive(Clone, Debug)]
pub enum AnyChallenge {
    /// Of a partition: space or seal.
    Partition(Box<Challenge>),
    /// Of an object.
    Object(ObjectChallenge),
    /// Of an object, with the key of a token.
    Token(TokenChallenge),
}

/// What a validator keeps, of any kind.
#[derive(Clone, Debug)]
pub enum AnyCommitment {
    /// Of a partition.
    Partition(Commitment),
    /// Of an object.
    Object(SignedRecord),
}

impl AnyChallenge {
    /// Reads a challenge, the kind being that of its tag and length.
    pub fn decode(bytes: &[u8]) -> Result<AnyChallenge, Rejection> {
        if !bytes.starts_with(OBJECT_CHALLENGE_TAG) {
            return Challenge::decode(bytes).map(Box::new).map(AnyChallenge::Partition);
        }
        if bytes.len() == TOKEN_CHALLENGE_BYTES {
            return TokenChallenge::decode(bytes).map(AnyChallenge::Token);
        }
        let challenge = ObjectChallenge::decode(bytes)?;
        if challenge.kind == AuditKind::Whole {
            return Err(Class::WrongLength.because("a challenge of kind whole without a token's key"));
        }
        Ok(AnyChallenge::Object(challenge))
    }

    /// The name of its kind.
    pub fn kind(&self) -> &'static str {
        match self {
            AnyChallenge::Partition(challenge) => challenge.kind.name(),
            AnyChallenge::Object(challenge) => challenge.kind.name(),
            AnyChallenge::Token(challenge) => challenge.challenge().kind.name(),
        }
    }

    /// What a response names.
    pub fn digest(&self) -> [u8; 32] {
        match self {
            AnyChallenge::Partition(challenge) => challenge.digest(),
            AnyChallenge::Object(challenge) => challenge.digest(),
            AnyChallenge::Token(challenge) => challenge.digest(),
        }
    }

    /// What it is about: the digest of a registration or a record.
    pub fn subject(&self) -> [u8; 32] {
        match self {
            AnyChallenge::Partition(challenge) => challenge.registration_digest,
            AnyChallenge::Object(challenge) => challenge.record_digest,
            AnyChallenge::Token(challenge) => challenge.challenge().record_digest,
        }
    }

    /// The part of it that is a challenge of an object.
    pub fn of_object(&self) -> Option<&ObjectChallenge> {
        match self {
            AnyChallenge::Partition(_) => None,
            AnyChallenge::Object(challenge) => Some(challenge),
            AnyChallenge::Token(challenge) => Some(challenge.challenge()),
        }
    }
}

impl AnyCommitment {
    /// Reads a commitment or a record, by its tag.
    pub fn decode(bytes: &[u8]) -> Result<AnyCommitment, Rejection> {
        if bytes.starts_with(RECORD_TAG) {
            return SignedRecord::decode(bytes).map(AnyCommitment::Object);
        }
        Commitment::decode(bytes).map(AnyCommitment::Partition)
    }

    /// Digest of the registration or the record.
    pub fn subject(&self) -> [u8; 32] {
        match self {
            AnyCommitment::Partition(commitment) => commitment.registration_digest(),
            AnyCommitment::Object(signed) => signed.record.digest(),
        }
    }
}

/// The challenge that a response names, if it has a header.
pub fn challenge_named_by(response: &[u8]) -> Option<[u8; 32]> {
    response.get(16..48)?.try_into().ok()
}

/// An object that is to answer.
#[derive(Debug)]
pub struct HeldObject {
    secrets: Secrets,
    shelf: Arc<OpenShelf>,
    name: ObjectName,
    /// What challenges refer to.
    pub record: ObjectRecord,
}

impl HeldObject {
    /// The object of a challenge, if it is in this directory, under `record` or else the record that is kept with it.
    pub fn find(
        directory: &ObjectDirectory,
        challenge: &ObjectChallenge,
        record: Option<&SignedRecord>,
    ) -> Result<Option<HeldObject>, Failure> {
        match directory.find(&Address::Blake3(*challenge.replica.object_root()), OpenMode::ReadOnly) {
            Err(Failure::NotFound(_)) => Ok(None),
            found => HeldObject::on(Arc::new(found?), directory.secrets(), challenge, record).map(Some),
        }
    }

    /// The object of a challenge, which is in this store of a directory with these secrets.
    pub fn on(
        shelf: Arc<OpenShelf>,
        secrets: Secrets,
        challenge: &ObjectChallenge,
        record: Option<&SignedRecord>,
    ) -> Result<HeldObject, Failure> {
        let root = *challenge.replica.object_root();
        let name = ObjectName(root);
        let record = match record {
            Some(record) => record.record.clone(),
            None => shelf.record(name)?.record,
        };
        if record.digest() != challenge.record_digest {
            return Err(Failure::State {
                message: format!("{} is challenged under another record", Address::Blake3(root)),
                advice: "give that record with --commitment, or keep it: holdfast commit --record FILE"
                    .to_owned(),
            });
        }
        Ok(HeldObject { secrets, shelf, name, record })
    }

    /// The response, which the verifier's own code has accepted. Reading a whole object tells `progress` of its bytes, which returns false to
    /// stop.
    pub fn answer(
        &self,
        challenge: &AnyChallenge,
        backend: &dyn Backend,
        with_openings: bool,
        progress: impl FnMut(u64) -> bool,
    ) -> Result<Vec<u8>, Failure> {
        match challenge {
            AnyChallenge::Token(token) => self.answer_token(token, progress),
            AnyChallenge::Object(challenge) => match challenge.kind {
                AuditKind::Possession => self.answer_possession(challenge, with_openings),
                AuditKind::Chunks => self.answer_chunks(challenge, backend),
                AuditKind::Link => self.answer_link(challenge, backend),
                AuditKind::Whole => Err(Failure::Usage("a token challenge has 288 bytes".to_owned())),
            },
            AnyChallenge::Partition(_) => Err(Failure::Usage("not a challenge of an object".to_owned())),
        }
    }

    fn answer_possession(&self, challenge: &ObjectChallenge, openings: bool) -> Result<Vec<u8>, Failure> {
        let table = self.table()?;
        let (key, secret) = (self.secrets.blinding(self.name)?, self.secrets.device()?);
        let object = self.shelf.objects.store().open_file(self.name, ObjectFile::Data);
        let object = object.map_err(|error| self.shelf.store_failed(error))?;
        let prover = Prover {
            generators: Generators::standard(),
            record: &self.record,
            key: &key,
            secret: &secret,
            object: &object,
            table: &table,
        };
        prover.answer(challenge, openings).map_err(|error| self.prove_failed(error))
    }

    fn answer_chunks(&self, challenge: &ObjectChallenge, backend: &dyn Backend) -> Result<Vec<u8>, Failure> {
        let reader = self.reader()?;
        let open = |chunks: &[u64]| reader.open_chunks(backend, chunks);
        answer_chunks(&self.record, challenge, open).map_err(|failure| self.answer_failed(failure))
    }

    fn answer_link(&self, challenge: &ObjectChallenge, backend: &dyn Backend) -> Result<Vec<u8>, Failure> {
        let (reader, table) = (self.reader()?, self.table()?);
        let key = self.secrets.blinding(self.name)?;
        let read = |blocks: &[u64]| reader.held_blocks(backend, blocks);
        answer_link(&self.record, challenge, &key, &table, read)
            .map_err(|failure| self.answer_failed(failure))
    }

    fn answer_token(
        &self,
        challenge: &TokenChallenge,
        progress: impl FnMut(u64) -> bool,
    ) -> Result<Vec<u8>, Failure> {
        let data = self.shelf.objects.store().open_file(self.name, ObjectFile::Data);
        let data = data.map_err(|error| self.shelf.store_failed(error))?;
        answer_token(&self.record, challenge, data, progress).map_err(|failure| match failure {
            AnswerFailure::Source(source) => Failure::file("read", &self.shelf.shelf.path, source),
            AnswerFailure::Wrong(rejection) => self.wrong(rejection),
        })
    }

    fn reader(&self) -> Result<ObjectReader, Failure> {
        let reader = self.shelf.objects.open(&Address::Blake3(self.name.0), now());
        reader.map_err(|error| self.shelf.failed(error))
    }

    /// The table that is kept beside the object.
    pub fn table(&self) -> Result<CommitmentTable, Failure> {
        read_table(&self.shelf, self.name, &self.record)
    }

    fn prove_failed(&self, error: ProveError) -> Failure {
        let place = &self.shelf.shelf.path;
        match error {
            ProveError::OtherObject(rejection) => Failure::rejected(place, rejection),
            ProveError::Read(source) => Failure::file("read", place, source),
            ProveError::DamagedTable(_) | ProveError::Damaged { .. } => Failure::work(DAMAGED, place, error),
            ProveError::Randomness(_) => Failure::Absent(error.to_string()),
        }
    }

    fn answer_failed(&self, failure: AnswerFailure<ObjectError>) -> Failure {
        match failure {
            AnswerFailure::Source(error) => self.shelf.failed(error),
            AnswerFailure::Wrong(rejection) => self.wrong(rejection),
        }
    }

    /// A challenge of something else is refused; anything else is our disk's fault.
    fn wrong(&self, rejection: Rejection) -> Failure {
        let place = &self.shelf.shelf.path;
        if rejection.class == Class::WrongChallenge {
            return Failure::rejected(place, rejection);
        }
        Failure::work(DAMAGED, place, AnswerFailure::<std::io::Error>::Wrong(rejection))
    }
}

/// The commitment table of an object.
pub fn read_table(
    shelf: &OpenShelf,
    name: ObjectName,
    record: &ObjectRecord,
) -> Result<CommitmentTable, Failure> {
    let path = shelf.objects.store().file_path(name, ObjectFile::Table);
    let bytes = std::fs::read(&path).map_err(|error| Failure::file("read", &path, error))?;
    let table = CommitmentTable::from_bytes(record.replica.blocks(), bytes)
        .map_err(|rejection| Failure::work(DAMAGED, &path, rejection))?;
    if Some(table.root()) == record.table_root {
        return Ok(table);
    }
    let rejection = Class::WrongRoot.because("it is not the record's; run `holdfast commit --again`");
    Err(Failure::work(DAMAGED, path, rejection))
}

/// What a verifier needs beside record, challenge and response.
#[derive(Clone, Copy, Debug, Default)]
pub struct Kept<'a> {
    /// The table of the object's commitments.
    pub table: Option<&'a CommitmentTable>,
    /// The list of the record's tokens.
    pub tokens: Option<&'a [[u8; 32]]>,
}

/// Whether the challenge is one that this policy asks under this record.
pub fn check_question(
    signed: &SignedRecord,
    challenge: &ObjectChallenge,
    policy: &Policy,
) -> Result<(), Rejection> {
    check_signed(signed, policy)?;
    check_asked(signed, challenge, policy)
}

/// That a record is signed, if that is demanded, and by whom it says.
pub(super) fn check_signed(signed: &SignedRecord, policy: &Policy) -> Result<(), Rejection> {
    if policy.signatures_required || !signed.signature.is_none() {
        signed.check_signature()?;
    }
    Ok(())
}

/// The rest of [`check_question`].
pub(super) fn check_asked(
    signed: &SignedRecord,
    challenge: &ObjectChallenge,
    policy: &Policy,
) -> Result<(), Rejection> {
    challenge.check_against(&signed.record, policy.finality_blocks)?;
    policy.objects.check_challenge(challenge)
}

/// Judges a response to a challenge of an object.
pub fn verify_object(
    record: &ObjectRecord,
    challenge: &AnyChallenge,
    kept: Kept<'_>,
    response: &[u8],
) -> Result<(), Rejection> {
    match challenge {
        AnyChallenge::Token(challenge) => {
            let entries = kept.tokens.unwrap_or_default();
            verify_token(record, entries, challenge, response)
        }
        AnyChallenge::Object(challenge) => match challenge.kind {
            AuditKind::Possession => {
                let case = PossessionCase { record, challenge, table: kept.table, response };
                verify_possession(Generators::standard(), &case)
            }
            AuditKind::Chunks => verify_chunks(record, challenge, response),
            AuditKind::Link => verify_link(record, challenge, response),
            AuditKind::Whole => Err(Class::WrongLength.because("a token challenge without its key")),
        },
        AnyChallenge::Partition(_) => Err(Class::WrongChallenge.because("not a challenge of an object")),
    }
}

/// The blocks or chunks that a challenge asks for.
pub fn asked_for(challenge: &ObjectChallenge) -> usize {
    match challenge.kind {
        AuditKind::Possession => challenge.possession_blocks().len(),
        AuditKind::Chunks => challenge.chunks().len(),
        AuditKind::Link => challenge.link_blocks().len(),
        AuditKind::Whole => 1,
    }
}

/// The audits that an object with this record can answer.
pub fn audits_of(record: &ObjectRecord) -> Vec<&'static str> {
    AuditKind::ALL.into_iter().filter(|kind| kind.is_answered_by(record)).map(AuditKind::name).collect()
}

/// Reads a challenge of any kind.
pub fn read_challenge(path: &Path) -> Result<AnyChallenge, Failure> {
    let bytes = crate::local::files::read(path)?;
    AnyChallenge::decode(&bytes).map_err(|rejection| Failure::rejected(path, rejection))
}

/// Reads a commitment of a partition or the record of an object.
pub fn read_commitment(path: &Path) -> Result<AnyCommitment, Failure> {
    let bytes = crate::local::files::read(path)?;
    AnyCommitment::decode(&bytes).map_err(|rejection| Failure::rejected(path, rejection))
}

/// Reads the record of an object.
pub fn read_record(path: &Path) -> Result<SignedRecord, Failure> {
    match read_commitment(path)? {
        AnyCommitment::Object(record) => Ok(record),
        AnyCommitment::Partition(_) => Err(Failure::Usage(format!(
            "{} is the commitment of a partition; the record of an object is wanted",
            path.display()
        ))),
    }
}
