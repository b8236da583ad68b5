//! Many cases of all kinds, judged as they come, with one equation for all possession proofs at the end.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use holdfast_engine::backend::Backend;
use holdfast_engine::challenge::{Challenge, Kind};
use holdfast_engine::commitment::Commitment;
use holdfast_engine::policy::Policy;
use holdfast_engine::possession::challenge::{AuditKind, ObjectChallenge};
use holdfast_engine::possession::record::ObjectRecord;
use holdfast_engine::possession::verify::{CheckedResponse, PossessionCase};
use holdfast_engine::rejection::{Class, Rejection};
use holdfast_engine::space::verify::SpaceCase;
use rayon::prelude::*;

use super::{SharedEquation, check_asked, check_signed, verify_response, verify_spaces};
use crate::local::audits::{self, AnyChallenge, AnyCommitment, Kept, verify_object};
use crate::local::failure::Failure;

/// Possession responses whose openings share lanes on one thread.
const CHECKED_TOGETHER: usize = 16;

/// What responses are held against: a commitment or a record whose signature was looked at, once for all its cases.
#[derive(Debug)]
pub struct Subject(Result<AnyCommitment, Rejection>);

impl Subject {
    /// Reads a commitment of a partition or the record of an object. If it is refused, so is every case under it.
    pub fn read(bytes: &[u8], policy: &Policy) -> Subject {
        Subject(AnyCommitment::decode(bytes).and_then(|commitment| {
            match &commitment {
                AnyCommitment::Partition(commitment) => check_signed(commitment, policy)?,
                AnyCommitment::Object(signed) => audits::check_signed(signed, policy)?,
            }
            Ok(commitment)
        }))
    }
}

/// A response, its challenge, and what both are about.
#[derive(Clone, Debug)]
pub struct Case {
    /// The challenge, encoded.
    pub challenge: Bytes,
    /// Its subject; `None` if the caller has none by the name that was given.
    pub subject: Option<Arc<Subject>>,
    /// The response.
    pub response: Bytes,
}

/// A question that the policy asks.
enum Asked<'c> {
    Partition(Cow<'c, Commitment>, Box<Challenge>),
    Object(&'c ObjectRecord, AnyChallenge),
}

impl<'c> Asked<'c> {
    fn of(case: &'c Case, policy: &Policy) -> Result<Asked<'c>, Rejection> {
        let unknown =
            || Class::WrongChallenge.because("the commitment that the case names did not come before it");
        let subject = case.subject.as_deref().ok_or_else(unknown)?;
        let commitment = subject.0.as_ref().map_err(Clone::clone)?;
        match (commitment, AnyChallenge::decode(&case.challenge)?) {
            (AnyCommitment::Partition(commitment), AnyChallenge::Partition(challenge)) => {
                let in_force = check_asked(commitment, &challenge, policy)?;
                Ok(Asked::Partition(in_force, challenge))
            }
            (AnyCommitment::Object(signed), challenge) => {
                let foreign =
                    || Class::WrongChallenge.because("a challenge of a partition, of an object's record");
                let of_object = challenge.of_object().ok_or_else(foreign)?;
                audits::check_asked(signed, of_object, policy)?;
                Ok(Asked::Object(&signed.record, challenge))
            }
            (AnyCommitment::Partition(_), _) => {
                Err(Class::WrongChallenge.because("a challenge of an object, of a partition's commitment"))
            }
        }
    }

    fn space(&self) -> Option<(&Commitment, &Challenge)> {
        match self {
            Asked::Partition(commitment, challenge) if challenge.kind == Kind::Space => {
                Some((commitment, challenge))
            }
            _ => None,
        }
    }

    fn possession(&self) -> Option<(&ObjectRecord, &ObjectChallenge)> {
        match self {
            Asked::Object(record, AnyChallenge::Object(challenge))
                if challenge.kind == AuditKind::Possession =>
            {
                Some((record, challenge))
            }
            _ => None,
        }
    }
}

/// Takes cases in batches and keeps of each no more than its verdict, or what the equation needs.
#[derive(Debug)]
pub struct Judge {
    backend: &'static dyn Backend,
    policy: Policy,
    equation: SharedEquation,
    verdicts: Vec<Result<(), Rejection>>,
}

impl Judge {
    /// By this policy, with this back end.
    pub fn new(backend: &'static dyn Backend, policy: Policy) -> Judge {
        Judge { backend, policy, equation: SharedEquation::new(), verdicts: Vec::new() }
    }

    /// The policy.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Judges cases but for the shared equation, on all threads of the pool that the caller is in.
    ///
    /// # Errors
    /// We failed; no case is to blame.
    pub fn take(&mut self, cases: &[Case]) -> Result<(), Failure> {
        let first = self.verdicts.len();
        let asked: Vec<Result<Asked<'_>, Rejection>> =
            cases.par_iter().map(|case| Asked::of(case, &self.policy)).collect();
        // Right until something says otherwise.
        let refused = |asked: &Result<Asked<'_>, Rejection>| asked.as_ref().map(|_| ()).map_err(Clone::clone);
        self.verdicts.extend(asked.iter().map(refused));
        let asked: Vec<(usize, &Asked<'_>, &Bytes)> = asked
            .iter()
            .zip(cases)
            .enumerate()
            .filter_map(|(at, (asked, case))| Some((first + at, asked.as_ref().ok()?, &case.response)))
            .collect();
        self.take_spaces(&asked);
        self.take_possessions(&asked)?;
        self.take_others(&asked);
        Ok(())
    }

    fn take_spaces(&mut self, asked: &[(usize, &Asked<'_>, &Bytes)]) {
        let (places, cases): (Vec<usize>, Vec<SpaceCase<'_>>) = asked
            .iter()
            .filter_map(|(at, asked, response)| {
                let (commitment, challenge) = asked.space()?;
                Some((*at, SpaceCase { commitment, challenge, response }))
            })
            .unzip();
        let verdicts = verify_spaces(self.backend, &cases);
        self.set(places.into_iter().zip(verdicts));
    }

    fn take_possessions(&mut self, asked: &[(usize, &Asked<'_>, &Bytes)]) -> Result<(), Failure> {
        let (places, cases): (Vec<usize>, Vec<PossessionCase<'_>>) = asked
            .iter()
            .filter_map(|(at, asked, response)| {
                let (record, challenge) = asked.possession()?;
                Some((*at, PossessionCase { record, challenge, table: None, response }))
            })
            .unzip();
        let together = cases.len().div_ceil(rayon::current_num_threads()).clamp(1, CHECKED_TOGETHER);
        let checked: Vec<_> =
            cases.par_chunks(together).flat_map_iter(CheckedResponse::check_together).collect();
        for (at, checked) in places.into_iter().zip(checked) {
            match checked {
                Ok(response) => self.collect(at, response)?,
                Err(rejection) => self.set([(at, Err(rejection))]),
            }
        }
        Ok(())
    }

    fn take_others(&mut self, asked: &[(usize, &Asked<'_>, &Bytes)]) {
        let alone = |asked: &Asked<'_>, response: &Bytes| match asked {
            Asked::Partition(commitment, challenge) => {
                verify_response(self.backend, commitment, challenge, response)
            }
            Asked::Object(record, challenge) => verify_object(record, challenge, Kept::default(), response),
        };
        let verdicts: Vec<_> = asked
            .par_iter()
            .filter(|(_, asked, _)| asked.space().is_none() && asked.possession().is_none())
            .map(|(at, asked, response)| (*at, alone(asked, response)))
            .collect();
        self.set(verdicts);
    }

    /// Lets a response wait for the equation; if there are too many, those before are settled first.
    fn collect(&mut self, at: usize, response: CheckedResponse) -> Result<(), Failure> {
        if !self.equation.has_room_for(&response) {
            self.settle()?;
        }
        self.equation.add(at, response)
    }

    fn settle(&mut self) -> Result<(), Failure> {
        let verdicts = self.equation.settle()?;
        self.set(verdicts);
        Ok(())
    }

    fn set(&mut self, found: impl IntoIterator<Item = (usize, Result<(), Rejection>)>) {
        for (at, verdict) in found {
            self.verdicts[at] = verdict;
        }
    }

    /// All verdicts, in the order of the cases.
    ///
    /// # Errors
    /// The operating system gives no randomness.
    pub fn conclude(mut self) -> Result<Vec<Result<(), Rejection>>, Failure> {
        self.settle()?;
        Ok(self.verdicts)
    }
}
