//! One round of audits over the windows and the objects that a miner holds for a validator (object-v1 §6).
//!
//! What the samples are shared over is what was registered before the beacon came: the commitment in force, and records. The
//! miner's own map of its disk takes no part, or it could move the samples to where the bytes still are.

use std::borrow::Cow;
use std::collections::HashMap;

use holdfast_partition::objects::ObjectName;

use crate::account::Account;
use crate::challenge::Challenge;
use crate::commitment::Commitment;
use crate::object::{AuditSplit, Holdings, split_samples};
use crate::policy::Policy;
use crate::possession::challenge::{Ask, AuditKind, Form, OBJECT_SAMPLES_MAX, ObjectChallenge};
use crate::possession::record::{ObjectRecord, SignedRecord, refuse_twins};
use crate::rejection::{Class, Rejection};
use crate::transcript::Context;

/// What a round is over, and when it is.
#[derive(Clone, Copy, Debug)]
pub struct RoundTerms<'a> {
    /// The partition, if there is one: whoever it is for asks, and the records are of its miner and its network.
    pub commitment: Option<&'a Commitment>,
    /// Who asks where there is no partition.
    pub validator: Account,
    /// The records that the validator keeps, in any order. Those that were not F blocks old are left out.
    pub records: &'a [SignedRecord],
    /// What nobody knew before.
    pub beacon: [u8; 32],
    /// Height of the block whose beacon this is.
    pub height: u64,
    /// Samples in all; else so many that the windows get what the policy asks of them, and the objects as many a byte.
    pub samples: Option<u32>,
    /// Form of possession responses.
    pub form: Form,
}

/// The challenges of one round.
#[derive(Clone, Debug)]
pub struct AuditRound {
    /// What the split was drawn from.
    pub seed: [u8; 32],
    /// What the samples were shared over.
    pub holdings: Holdings,
    /// Samples in all.
    pub samples: u32,
    /// Who got how many of them.
    pub split: AuditSplit,
    /// Records that were too young to take part.
    pub young_records: usize,
    /// Of the windows, if there are any and they got a sample. Of fewer windows than samples, each is asked once.
    pub space: Option<Challenge>,
    /// Of each object that got a sample, by root.
    pub objects: Vec<ObjectChallenge>,
}

/// Those whose round it is; all of it is fixed before the beacon.
struct Parties {
    network: [u8; 32],
    validator: Account,
    miner: Account,
    /// Zeros without a partition.
    registration_digest: [u8; 32],
}

impl AuditRound {
    /// Shares the samples and writes the challenges. All of them are held against the policy.
    ///
    /// Refused: `not-final` if nothing with bytes was registered F blocks before; `wrong-record` if a record is of another
    /// miner or network, or two are of one object; `bad-signature`; `policy` if the samples leave the windows with fewer than
    /// it asks for; and as [`Commitment::in_force`] and [`Challenge::check_against`].
    pub fn new(terms: &RoundTerms<'_>, policy: &Policy) -> Result<AuditRound, Rejection> {
        let commitment = terms.commitment.map(|commitment| in_force(commitment, terms.height, policy));
        let commitment = commitment.transpose()?;
        let mut records = settled_records(terms, policy)?;
        let young_records = terms.records.len() - records.len();
        let parties = Parties::of(commitment.as_deref(), terms.validator, &records, terms.height)?;
        for record in &records {
            parties.check(record)?;
        }
        let holdings = holdings(commitment.as_deref(), &records);
        if holdings.window_bytes == 0 && holdings.object_bytes() == 0 {
            return Err(nothing_final(terms.height));
        }
        let least = commitment.as_deref().map_or(Ok(0), |commitment| least_of_windows(commitment, policy))?;
        let samples = match terms.samples {
            Some(samples) => samples,
            None => samples_by_policy(&holdings, least, policy)?,
        };
        let seed = parties.seed(terms.beacon, terms.height);
        let split = split_samples(&holdings, samples, &seed);
        if split.windows < least {
            let found = split.windows;
            return Err(Class::Policy.because(format!(
                "{samples} samples in all leave {found} to the windows; the policy asks for {least}"
            )));
        }
        let at = (terms.beacon, terms.height);
        let space = commitment
            .as_deref()
            .filter(|_| split.windows > 0)
            .map(|commitment| Challenge::space(commitment, at.0, at.1, split.windows, policy.deadline_ms));
        let shares: HashMap<[u8; 32], u32> =
            split.objects.iter().map(|(name, share)| (name.0, *share)).collect();
        records.sort_by_key(|record| *record.replica.object_root());
        let asked =
            records.iter().filter_map(|record| Some((record, shares.get(record.replica.object_root())?)));
        let challenge = |(record, share): (&&ObjectRecord, &u32)| {
            ObjectChallenge::of(record, parties.validator, at, ask(record, *share, terms.form, policy))
        };
        let objects = asked.map(challenge).collect::<Result<_, _>>()?;
        Ok(AuditRound { seed, holdings, samples, split, young_records, space, objects })
    }
}

impl Parties {
    /// Those of the partition; else those of the first record.
    fn of(
        commitment: Option<&Commitment>,
        validator: Account,
        records: &[&ObjectRecord],
        height: u64,
    ) -> Result<Parties, Rejection> {
        if let Some(commitment) = commitment {
            let intent = &commitment.registration.intent;
            return Ok(Parties {
                network: intent.network,
                validator: intent.validator,
                miner: intent.miner,
                registration_digest: commitment.registration_digest(),
            });
        }
        let first = records.first().ok_or_else(|| nothing_final(height))?;
        let (network, miner) = (first.network, first.miner);
        Ok(Parties { network, validator, miner, registration_digest: [0; 32] })
    }

    fn check(&self, record: &ObjectRecord) -> Result<(), Rejection> {
        let root = ObjectName(*record.replica.object_root());
        let wrong = |what| Class::WrongRecord.because(format!("the record of {root} is of another {what}"));
        if record.network != self.network {
            return Err(wrong("network than the round"));
        }
        if record.miner != self.miner {
            return Err(wrong("miner than the round"));
        }
        Ok(())
    }

    fn seed(&self, beacon: [u8; 32], height: u64) -> [u8; 32] {
        let Parties { network, validator, miner, registration_digest } = self;
        let height = height.to_le_bytes();
        let parts: [&[u8]; 6] = [&height, &beacon, network, &validator.0, &miner.0, registration_digest];
        Context::AUDIT_ROUND.derive(&parts)
    }
}

/// The commitment that challenges of this height are about, as [`crate::challenge`] checks them.
fn in_force<'c>(
    commitment: &'c Commitment,
    height: u64,
    policy: &Policy,
) -> Result<Cow<'c, Commitment>, Rejection> {
    if policy.signatures_required || !commitment.signature.is_none() {
        commitment.check_signature()?;
    }
    let in_force = commitment.in_force(height, policy.finality_blocks)?;
    // Neither samples nor deadline enter this check.
    Challenge::space(&in_force, [0; 32], height, 1, 0).check_against(&in_force, policy.finality_blocks)?;
    Ok(in_force)
}

/// The records that were F blocks old, each of another object. Whoever could still register one when the beacon is known could
/// move the others' samples.
fn settled_records<'a>(terms: &RoundTerms<'a>, policy: &Policy) -> Result<Vec<&'a ObjectRecord>, Rejection> {
    let mut records = Vec::with_capacity(terms.records.len());
    for signed in terms.records {
        if policy.signatures_required || !signed.signature.is_none() {
            signed.check_signature()?;
        }
        if signed.record.height.saturating_add(policy.finality_blocks) <= terms.height {
            records.push(&signed.record);
        }
    }
    refuse_twins(records.iter().copied())?;
    Ok(records)
}

fn holdings(commitment: Option<&Commitment>, records: &[&ObjectRecord]) -> Holdings {
    let window_bytes = commitment.map_or(0, |commitment| {
        let each = commitment.registration.intent.shape.bytes();
        commitment.window_count().saturating_mul(each)
    });
    let of = |record: &&ObjectRecord| (ObjectName(*record.replica.object_root()), record.replica.length());
    Holdings { window_bytes, objects: records.iter().map(of).collect() }
}

fn least_of_windows(commitment: &Commitment, policy: &Policy) -> Result<u32, Rejection> {
    let shape = commitment.registration.intent.shape;
    let least = policy.samples(shape.log2_labels(), shape.layers(), commitment.window_count());
    least.map_err(|error| error.rejection())
}

/// Without windows the objects are sampled as one.
fn samples_by_policy(holdings: &Holdings, least: u32, policy: &Policy) -> Result<u32, Rejection> {
    if holdings.window_bytes == 0 {
        return Ok(policy.objects.samples(AuditKind::Possession));
    }
    holdings.samples_for_windows(least).ok_or_else(|| {
        let (windows, objects) = (holdings.window_bytes, holdings.object_bytes());
        Class::Policy.because(format!(
            "beside {objects} bytes of objects, {windows} bytes of windows get no {least} samples"
        ))
    })
}

/// Blocks where there are commitments, else chunks; never fewer than the policy asks of an object that is audited at all. A
/// possession response has the same length for one block and for all of them.
fn ask(record: &ObjectRecord, share: u32, form: Form, policy: &Policy) -> Ask {
    let (kind, form) = match AuditKind::Possession.is_answered_by(record) {
        true => (AuditKind::Possession, form),
        false => (AuditKind::Chunks, Form::Plain),
    };
    let samples = share.max(policy.objects.samples(kind)).min(OBJECT_SAMPLES_MAX);
    Ask { kind, samples, deadline_ms: policy.objects.deadline_ms(kind), form }
}

fn nothing_final(height: u64) -> Rejection {
    Class::NotFinal.because(format!("at height {height} nothing with bytes was registered and final"))
}
