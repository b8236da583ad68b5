//! What is held against responses, and the verdicts.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use holdfast_engine::account::Account;
use holdfast_engine::backend::Backend;
use holdfast_engine::policy::Policy;
use holdfast_engine::possession::challenge::AuditKind;
use holdfast_engine::possession::commitment_table::CommitmentTable;
use holdfast_engine::possession::points_file::{POINTS_HEADER_BYTES, PointsHeader};
use holdfast_engine::possession::record::SignedRecord;
use holdfast_engine::possession::token::TokenFile;
use holdfast_engine::possession::verify::{CheckedResponse, PossessionCase};
use holdfast_engine::rejection::{Class, Rejection};
use holdfast_engine::tree;
use serde::Serialize;

use super::lines::{Bytes, Line};
use super::{Arguments, Batch, Judged, Verdicts, fastest, files_with};
use crate::allocation::NamedAccount;
use crate::audits::{self, AnyChallenge, AnyCommitment, Kept, challenge_named_by, verify_object};
use crate::console::Console;
use crate::failure::Failure;
use crate::files;
use crate::judging::{SharedEquation, Verdict, check_question, verify_response};

/// Everything but the responses.
pub(super) struct Evidence {
    commitments: Vec<AnyCommitment>,
    challenges: Vec<AnyChallenge>,
    /// By table root.
    tables: HashMap<[u8; 32], CommitmentTable>,
    /// By token root.
    tokens: HashMap<[u8; 32], Vec<[u8; 32]>>,
    /// Checkers that are trusted; any, if there are none.
    checkers: Vec<Account>,
}

impl Evidence {
    /// Reads what the command line names.
    pub(super) fn read(arguments: &Arguments, console: &Console) -> Result<Evidence, Failure> {
        let mut evidence = Evidence {
            commitments: Vec::new(),
            challenges: Vec::new(),
            tables: HashMap::new(),
            tokens: HashMap::new(),
            checkers: Vec::new(),
        };
        for path in files_with(&arguments.commitment, &[b"HFC1", b"HFD1"])? {
            evidence.commitments.push(audits::read_commitment(&path)?);
        }
        for path in files_with(&arguments.challenge, &[b"HFQ1", b"HFQ2"])? {
            evidence.challenges.push(audits::read_challenge(&path)?);
        }
        for path in files_with(&arguments.points, &[b"HFT1"])? {
            let table = read_points(&path)?;
            evidence.tables.insert(table.root(), table);
        }
        for path in &arguments.tokens {
            let entries = read_token_list(path)?;
            evidence.tokens.insert(tree::root(entries.as_flattened()), entries);
        }
        for name in &arguments.checker {
            evidence.checkers.push(NamedAccount::parse(name, console)?.account);
        }
        Ok(evidence)
    }
}

/// The table in a points file.
fn read_points(path: &Path) -> Result<CommitmentTable, Failure> {
    let bytes = zeroize::Zeroizing::new(files::read(path)?);
    let refused = |rejection| Failure::rejected(path, rejection);
    let (header, table) = bytes
        .split_at_checked(POINTS_HEADER_BYTES)
        .ok_or_else(|| refused(Class::WrongLength.because("the points file ends within its header")))?;
    let header = PointsHeader::decode(header).map_err(refused)?;
    CommitmentTable::from_bytes(header.replica.blocks(), table.to_vec()).map_err(refused)
}

/// The entries in a token file, or a list of them.
fn read_token_list(path: &Path) -> Result<Vec<[u8; 32]>, Failure> {
    let bytes = zeroize::Zeroizing::new(files::read(path)?);
    if bytes.starts_with(b"HFS1") {
        return TokenFile::open(path).and_then(|file| file.entries()).map_err(Failure::from);
    }
    match bytes.as_chunks::<32>() {
        (entries, []) if !entries.is_empty() => Ok(entries.to_vec()),
        _ => {
            let found = bytes.len();
            let rejection = Class::WrongLength.because(format!("a list of tokens of {found} bytes"));
            Err(Failure::rejected(path, rejection))
        }
    }
}

/// How a response is called in the report.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Name {
    /// By its file.
    File(PathBuf),
    /// By what its line says.
    Id(serde_json::Value),
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Name::File(path) => path.display().fmt(f),
            Name::Id(id) => id.fmt(f),
        }
    }
}

/// A response that was looked at.
pub(super) struct Examined {
    name: Name,
    /// Kind and digest of its challenge, if there is one.
    challenge: Option<(&'static str, [u8; 32])>,
    /// Refused, right, or right if the equation is.
    outcome: Result<Option<CheckedResponse>, Rejection>,
    seconds: f64,
}

impl Examined {
    fn refused(name: Name, rejection: Rejection, started: Instant) -> Examined {
        let seconds = started.elapsed().as_secs_f64();
        Examined { name, challenge: None, outcome: Err(rejection), seconds }
    }
}

/// Takes responses, and gives a verdict for each.
pub(super) struct Judge<'e> {
    evidence: &'e Evidence,
    policy: Policy,
    backend: &'static dyn Backend,
    /// Records of an object that another record stands before.
    twins: HashSet<[u8; 32]>,
    batch: Option<Together>,
    /// Challenges that were answered.
    answered: HashSet<[u8; 32]>,
    responses: Vec<Judged>,
}

/// Possession responses that share equations, and what those took that are settled.
struct Together {
    equation: SharedEquation,
    concluded: Batch,
}

impl<'e> Judge<'e> {
    pub(super) fn new(evidence: &'e Evidence, policy: Policy, batch: bool) -> Result<Judge<'e>, Failure> {
        Ok(Judge {
            evidence,
            policy,
            backend: fastest()?,
            twins: twins(&evidence.commitments),
            batch: batch.then(|| Together {
                equation: SharedEquation::new(),
                concluded: Batch { responses: 0, seconds: 0.0 },
            }),
            answered: HashSet::new(),
            responses: Vec::new(),
        })
    }

    /// Looks at the response of a line, with what the line brings along.
    pub(super) fn examine_line(&self, line: &Line) -> Result<Examined, Failure> {
        let started = Instant::now();
        let read = |bytes: &Option<Bytes>| bytes.as_ref().map(Bytes::read).transpose();
        let (commitment, challenge) = (read(&line.commitment)?, read(&line.challenge)?);
        let response = line.response.read()?;
        let name = Name::Id(line.id.clone());
        let decoded = (|| {
            let commitment =
                commitment.transpose()?.map(|bytes| AnyCommitment::decode(&bytes)).transpose()?;
            let challenge = challenge.transpose()?.map(|bytes| AnyChallenge::decode(&bytes)).transpose()?;
            Ok((commitment, challenge, response?))
        })();
        Ok(match decoded {
            Ok((commitment, challenge, response)) => {
                self.examine_with(name, commitment.as_ref(), challenge.as_ref(), &response, started)
            }
            Err(rejection) => Examined::refused(name, rejection, started),
        })
    }

    /// Looks at a response, with the challenge that it names.
    pub(super) fn examine(&self, path: &Path) -> Result<Examined, Failure> {
        let response = files::read(path)?;
        let name = Name::File(path.to_owned());
        Ok(self.examine_with(name, None, None, &response, Instant::now()))
    }

    fn examine_with(
        &self,
        name: Name,
        commitment: Option<&AnyCommitment>,
        challenge: Option<&AnyChallenge>,
        response: &[u8],
        started: Instant,
    ) -> Examined {
        let evidence = self.evidence;
        let challenge = match challenge.map_or_else(|| find_challenge(evidence, response), Ok) {
            Ok(challenge) => challenge,
            Err(rejection) => return Examined::refused(name, rejection, started),
        };
        let outcome = commitment
            .map_or_else(|| find_commitment(evidence, challenge), Ok)
            .and_then(|commitment| self.outcome(commitment, challenge, response));
        let seconds = started.elapsed().as_secs_f64();
        Examined { name, challenge: Some((challenge.kind(), challenge.digest())), outcome, seconds }
    }

    /// What a response comes to, but for the shared equation.
    fn outcome(
        &self,
        commitment: &AnyCommitment,
        challenge: &AnyChallenge,
        response: &[u8],
    ) -> Result<Option<CheckedResponse>, Rejection> {
        match (commitment, challenge) {
            (AnyCommitment::Object(record), _) => self.of_object(record, challenge, response),
            (AnyCommitment::Partition(commitment), AnyChallenge::Partition(challenge)) => {
                let in_force = check_question(commitment, challenge, &self.policy)?;
                verify_response(self.backend, &in_force, challenge, response).map(|()| None)
            }
            (AnyCommitment::Partition(_), _) => {
                Err(Class::WrongChallenge.because("a challenge of an object, of a partition's commitment"))
            }
        }
    }

    /// The verdict on a response of an object; `Some` if it waits for the shared equation.
    fn of_object(
        &self,
        signed: &SignedRecord,
        challenge: &AnyChallenge,
        response: &[u8],
    ) -> Result<Option<CheckedResponse>, Rejection> {
        let Some(of_object) = challenge.of_object() else {
            return Err(Class::WrongChallenge.because("a challenge of a partition, of an object's record"));
        };
        let record = &signed.record;
        if self.twins.contains(&record.digest()) {
            let detail = "another record is of the same bytes: replicas are distinct only by them";
            return Err(Class::WrongRecord.because(detail));
        }
        let trusted = &self.evidence.checkers;
        if !trusted.is_empty() && !trusted.contains(&record.checker) {
            let checker = record.checker;
            return Err(Class::WrongRecord.because(format!("checked by {checker}, who is not trusted here")));
        }
        audits::check_question(signed, of_object, &self.policy)?;
        let table = record.table_root.and_then(|root| self.evidence.tables.get(&root));
        if of_object.kind == AuditKind::Possession && self.batch.is_some() {
            let case = PossessionCase { record, challenge: of_object, table, response };
            return CheckedResponse::check(&case).map(Some);
        }
        let tokens = record.tokens.and_then(|list| self.evidence.tokens.get(list.root()));
        let kept = Kept { table, tokens: tokens.map(Vec::as_slice) };
        verify_object(record, challenge, kept, response).map(|()| None)
    }

    /// Takes what was looked at into the report.
    pub(super) fn take(&mut self, examined: Examined) -> Result<(), Failure> {
        let Examined { name, challenge, outcome, seconds } = examined;
        self.answered.extend(challenge.map(|(_, digest)| digest));
        let verdict = match outcome {
            Ok(Some(checked)) => {
                self.collect(checked)?;
                // Accepted until the equation says otherwise.
                Ok(())
            }
            Ok(None) => Ok(()),
            Err(rejection) => Err(rejection),
        };
        let (kind, verdict) = (challenge.map(|(kind, _)| kind), Verdict::new(verdict));
        self.responses.push(Judged { name, kind, verdict, seconds });
        Ok(())
    }

    /// Lets a response wait for the equation that it shares; if there are too many, those before are settled first.
    fn collect(&mut self, response: CheckedResponse) -> Result<(), Failure> {
        if self.batch.as_ref().is_some_and(|batch| !batch.equation.has_room_for(&response)) {
            self.settle()?;
        }
        let position = self.responses.len();
        let Some(batch) = &mut self.batch else { return Ok(()) };
        batch.equation.add(position, response)
    }

    /// Settles what waits for the shared equation.
    fn settle(&mut self) -> Result<(), Failure> {
        let Some(batch) = &mut self.batch else { return Ok(()) };
        let started = Instant::now();
        let verdicts = batch.equation.settle()?;
        batch.concluded.seconds += started.elapsed().as_secs_f64();
        batch.concluded.responses += verdicts.len();
        for (position, verdict) in verdicts {
            self.responses[position].verdict = Verdict::new(verdict);
        }
        Ok(())
    }

    /// All verdicts.
    pub(super) fn conclude(mut self) -> Result<Verdicts, Failure> {
        self.settle()?;
        let class = self.responses.iter().find_map(|judged| judged.verdict.class);
        let rejected = self.responses.iter().filter(|judged| judged.verdict.class.is_some()).count();
        let digests = self.evidence.challenges.iter().map(AnyChallenge::digest);
        let unanswered = digests.filter(|digest| !self.answered.contains(digest)).map(hex::encode).collect();
        Ok(Verdicts {
            verdict: if class.is_none() { "accepted" } else { "rejected" },
            class,
            kind: self.responses.iter().find_map(|judged| judged.kind),
            accepted: self.responses.len() - rejected,
            rejected,
            responses: self.responses,
            unanswered,
            batch: self.batch.map(|batch| batch.concluded),
        })
    }
}

/// The challenge that a response names; if there is one only, that one, and its check tells what is wrong.
fn find_challenge<'e>(evidence: &'e Evidence, response: &[u8]) -> Result<&'e AnyChallenge, Rejection> {
    if let [only] = evidence.challenges.as_slice() {
        return Ok(only);
    }
    let named = challenge_named_by(response)
        .ok_or_else(|| Class::WrongLength.because("the response ends within its header"))?;
    let found = evidence.challenges.iter().find(|challenge| challenge.digest() == named);
    found.ok_or_else(|| {
        let named = hex::encode(named);
        Class::WrongChallenge.because(format!("the response names the challenge {named}, which is not here"))
    })
}

/// The commitment that a challenge is about; if there is one only, that one.
fn find_commitment<'e>(
    evidence: &'e Evidence,
    challenge: &AnyChallenge,
) -> Result<&'e AnyCommitment, Rejection> {
    if let [only] = evidence.commitments.as_slice() {
        return Ok(only);
    }
    let subject = challenge.subject();
    let found = evidence.commitments.iter().find(|commitment| commitment.subject() == subject);
    found.ok_or_else(|| {
        let subject = hex::encode(subject);
        Class::WrongChallenge.because(format!("the challenge is of {subject}, whose commitment is not here"))
    })
}

/// Digests of records of an object of which another record stands before them.
fn twins(commitments: &[AnyCommitment]) -> HashSet<[u8; 32]> {
    let (mut digests, mut roots, mut twins) = (HashSet::new(), HashSet::new(), HashSet::new());
    for commitment in commitments {
        let AnyCommitment::Object(SignedRecord { record, .. }) = commitment else { continue };
        // The same record twice is one record.
        let digest = record.digest();
        if digests.insert(digest) && !roots.insert(*record.replica.object_root()) {
            twins.insert(digest);
        }
    }
    twins
}
