//! Verifying chains offline, receipt by receipt (receipt-v1).

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::num::NonZeroU64;

use thiserror::Error;

use super::objects::{KnownObjects, is_by_lot};
use super::partitions::has_seed;
use super::report::{ChainReport, ChainSummary, MissingRound, Standing, Void, VoidReason};
use super::{
    ANCHOR_BLOCKS, Body, ChainKey, ChainTip, Outcome, PairProof, RECEIPT_BYTES, Receipt, RoundKind, Subject,
};
use crate::account::Account;
use crate::beacon::{audit_heights, is_audit_height};
use crate::challenge::Kind;
use crate::possession::record::SignedRecord;
use crate::recorder::{Recorder, RecorderError};
use crate::rejection::{Class, Rejection};
use crate::signature::{Claim, verify_all};

/// Signatures that are checked in one equation.
const SIGNATURE_BATCH: usize = 128;

/// Why a chain was not verified.
#[derive(Debug, Error)]
pub enum ChainFailure {
    /// The file is no chain file of this network.
    #[error("chain file: {rejection}")]
    Header {
        /// Class and detail.
        rejection: Rejection,
    },
    /// A receipt is wrong, so the chain is.
    #[error("receipt {number}: {rejection}")]
    Receipt {
        /// Counted from 0.
        number: u64,
        /// Class and detail.
        rejection: Rejection,
    },
    /// A proof that a pair was anchored shows nothing.
    #[error("pair proof: {rejection}")]
    Proof {
        /// Class and detail.
        rejection: Rejection,
    },
    /// The recorder failed us.
    #[error(transparent)]
    Recorder(#[from] RecorderError),
    /// The file could not be read.
    #[error("cannot read the chain file: {0}")]
    Read(#[from] io::Error),
}

struct Chain {
    summary: ChainSummary,
    tip: ChainTip,
    /// Rounds with a receipt that counts.
    seen: HashSet<MissingRound>,
}

/// Verifies receipts of any number of chains of one network, each chain's in order.
///
/// Without a recorder it checks links and signatures; with one also that every seed follows from what is recorded, that
/// blocks are final, and which digests were anchored in time.
pub struct ChainVerifier<'a> {
    network: [u8; 32],
    recorder: Option<&'a dyn Recorder>,
    anchor_blocks: u64,
    audits: Option<(u64, u64)>,
    objects: KnownObjects,
    /// Digests by validator, round and seed. A validator that anchors two for one seed gains nothing by their order.
    anchored: HashMap<(Account, u64, [u8; 32]), HashSet<[u8; 32]>>,
    chains: BTreeMap<ChainKey, Chain>,
    void: Vec<Void>,
    pushed: u64,
    /// Signatures not checked yet, with the receipt and the party.
    claims: Vec<Claim>,
    claim_owners: Vec<(u64, &'static str)>,
}

impl<'a> ChainVerifier<'a> {
    /// A verifier of links and signatures.
    pub fn new(network: [u8; 32]) -> ChainVerifier<'a> {
        ChainVerifier {
            network,
            recorder: None,
            anchor_blocks: ANCHOR_BLOCKS,
            audits: None,
            objects: KnownObjects::default(),
            anchored: HashMap::new(),
            chains: BTreeMap::new(),
            void: Vec::new(),
            pushed: 0,
            claims: Vec::new(),
            claim_owners: Vec::new(),
        }
    }

    /// Also asks this recorder. Anchors count as timely when recorded at most `anchor_blocks` blocks after their round
    /// ([`ANCHOR_BLOCKS`] by default policy).
    pub fn with_recorder(mut self, recorder: &'a dyn Recorder, anchor_blocks: u64) -> ChainVerifier<'a> {
        self.recorder = Some(recorder);
        self.anchor_blocks = anchor_blocks;
        self
    }

    /// Also looks for audits up to `through` that a chain has no receipt of, a removed end included, and for rounds at heights
    /// of the parties' own choice, which are void. `limit` is [`crate::beacon::audit_limit`]. Needs a recorder, and for
    /// objects their records and [`ChainVerifier::with_object_lottery`].
    pub fn with_audits(mut self, limit: u64, through: u64) -> ChainVerifier<'a> {
        self.audits = Some((limit, through));
        self
    }

    /// Also knows these records: receipts of other objects are void for who asks a recorder.
    ///
    /// Refused: `bad-signature`; `wrong-record` if one is of another network, or two are of the same bytes or share an object
    /// number, so that one's receipts would stand for the other's.
    pub fn with_objects(mut self, records: &[SignedRecord]) -> Result<ChainVerifier<'a>, Rejection> {
        self.objects.add(&self.network, records)?;
        Ok(self)
    }

    /// Also knows that one object in `one_in` is drawn at an audit height, for `possession` and for `chunks` each: rounds of
    /// objects that were not drawn are void.
    pub fn with_object_lottery(mut self, one_in: NonZeroU64) -> ChainVerifier<'a> {
        self.objects.one_in = Some(one_in);
        self
    }

    /// Also reports this chain if no receipt of it comes, so that a chain left out whole is missed too.
    pub fn expect_chain(mut self, key: ChainKey) -> ChainVerifier<'a> {
        self.chains.entry(key).or_insert_with(|| Chain::new(self.network, key));
        self
    }

    /// The network whose receipts these are.
    pub fn network(&self) -> &[u8; 32] {
        &self.network
    }

    /// Takes a proof that a pair was anchored; before the receipts that it is about. Returns whether the anchor was in time:
    /// one that was not changes nothing.
    ///
    /// Refused: see [`PairProof::verify`]; `wrong-record` if no such anchor is recorded or there is no recorder.
    pub fn add_anchored(&mut self, proof: &PairProof) -> Result<bool, ChainFailure> {
        let refuse = |rejection| ChainFailure::Proof { rejection };
        let anchor =
            self.recorder.map(|recorder| recorder.anchor(proof.height, &proof.validator)).transpose()?;
        let Some(anchor) = anchor.flatten() else {
            let height = proof.height;
            let detail = format!("no anchor of the round at height {height} is recorded");
            return Err(refuse(Class::WrongRecord.because(detail)));
        };
        let (seed, digest) = proof.verify(&anchor).map_err(refuse)?;
        let timely = anchor.recorded_at <= anchor.height.saturating_add(self.anchor_blocks);
        if timely {
            self.anchored.entry((anchor.validator, anchor.height, seed)).or_default().insert(digest);
        }
        Ok(timely)
    }

    /// Forgets the pairs that were shown: for who shows, before each receipt, the pair that it is about, and does not want to
    /// keep the pairs of all rounds.
    pub fn forget_anchored(&mut self) {
        self.anchored.clear();
    }

    /// Takes the next receipt. Links are checked at once, signatures in batches, so that the standing holds only once
    /// [`ChainVerifier::finish`] has returned a report.
    pub fn push(&mut self, bytes: &[u8; RECEIPT_BYTES]) -> Result<Standing, ChainFailure> {
        let number = self.pushed;
        let refuse = |rejection| ChainFailure::Receipt { number, rejection };
        let receipt = Receipt::decode(bytes).map_err(refuse)?;
        self.link(&receipt.body).map_err(refuse)?;
        self.queue_signatures(&receipt);
        let standing = self.standing(&receipt)?;
        self.count(&receipt.body, &standing);
        self.pushed += 1;
        if self.claims.len() >= SIGNATURE_BATCH {
            self.check_signatures()?;
        }
        Ok(standing)
    }

    /// The report, once all receipts are there.
    pub fn finish(mut self) -> Result<ChainReport, ChainFailure> {
        self.check_signatures()?;
        let mut chains = Vec::with_capacity(self.chains.len());
        for (key, chain) in &self.chains {
            let missing_rounds = self.missing_rounds(key, chain)?;
            chains.push(ChainSummary { missing_rounds, ..chain.summary.clone() });
        }
        let recorder_asked = self.recorder.is_some();
        Ok(ChainReport { receipts: self.pushed, recorder_asked, chains, void: self.void })
    }

    /// The body follows the one before in its chain.
    fn link(&mut self, body: &Body) -> Result<(), Rejection> {
        let chain = self.chains.entry(body.key).or_insert_with(|| Chain::new(self.network, body.key));
        chain.tip.follow(body)?;
        chain.summary.tip = chain.tip.digest();
        Ok(())
    }

    fn queue_signatures(&mut self, receipt: &Receipt) {
        let digest = receipt.body.signing_digest(&self.network);
        let key = receipt.body.key;
        let mut queue = |account, signature, party| {
            self.claims.push(Claim { account, digest, signature });
            self.claim_owners.push((self.pushed, party));
        };
        queue(key.validator, receipt.validator_signature, "validator");
        if !receipt.miner_signature.is_none() {
            queue(key.miner, receipt.miner_signature, "miner");
        }
    }

    fn check_signatures(&mut self) -> Result<(), ChainFailure> {
        let result = verify_all(&self.claims);
        let owners = std::mem::take(&mut self.claim_owners);
        self.claims.clear();
        let culprit = result.err().and_then(|culprits| culprits.into_iter().next());
        let named = culprit.and_then(|(index, rejection)| Some((owners.get(index)?, rejection)));
        match named {
            None => Ok(()),
            Some(((number, party), Rejection { class, detail })) => {
                let rejection = class.because(format!("{party}: {detail}"));
                Err(ChainFailure::Receipt { number: *number, rejection })
            }
        }
    }

    fn standing(&self, receipt: &Receipt) -> Result<Standing, ChainFailure> {
        let body = &receipt.body;
        let anchored = self.anchored.get(&(body.key.validator, body.height, body.challenge_seed));
        let mut standing = Standing {
            outcome: body.outcome,
            timely_anchored: anchored.is_some_and(|digests| digests.contains(&body.response_digest)),
            signed_by_both: !receipt.miner_signature.is_none(),
            finalised: None,
            void: match anchored {
                Some(_) if body.outcome == Outcome::Missed => Some(VoidReason::AnsweredInTime),
                Some(digests) if !digests.contains(&body.response_digest) => Some(VoidReason::AnotherDigest),
                _ => None,
            },
        };
        if let Some(recorder) = self.recorder {
            let finalised = recorder.is_final(body.height)?;
            standing.finalised = Some(finalised);
            if !finalised {
                standing.void = Some(VoidReason::NotFinal);
            } else if let Some(reason) = self.challenge_void_reason(recorder, body)? {
                standing.void = Some(reason);
            }
        }
        Ok(standing)
    }

    /// Why there was no challenge such as the body's.
    fn challenge_void_reason(
        &self,
        recorder: &dyn Recorder,
        body: &Body,
    ) -> Result<Option<VoidReason>, RecorderError> {
        let (reason, by_lot) = match (body.key.subject, body.kind) {
            (Subject::Partition(partition_id), RoundKind::Partition(kind)) => {
                let has_seed = has_seed(recorder, &self.network, body, (partition_id, kind))?;
                ((!has_seed).then_some(VoidReason::WrongSeed), true)
            }
            (Subject::Object(number), RoundKind::Object(kind)) => {
                (self.objects.void_reason(recorder, body, (number, kind))?, is_by_lot(kind))
            }
            // No decoder takes such a body.
            _ => (Some(VoidReason::WrongSeed), false),
        };
        if reason.is_none() && by_lot && !self.is_audited(recorder, body.height)? {
            return Ok(Some(VoidReason::NoAudit));
        }
        Ok(reason)
    }

    /// Whether challenges are sent at this height; unknown, and so taken for granted, without [`Self::with_audits`].
    fn is_audited(&self, recorder: &dyn Recorder, height: u64) -> Result<bool, RecorderError> {
        let Some((limit, _)) = self.audits else { return Ok(true) };
        Ok(recorder.beacon(height)?.is_some_and(|beacon| is_audit_height(&beacon, limit)))
    }

    fn count(&mut self, body: &Body, standing: &Standing) {
        let Some(chain) = self.chains.get_mut(&body.key) else { return };
        let summary = &mut chain.summary;
        summary.receipts += 1;
        let (lowest, highest) = summary.heights.unwrap_or((body.height, body.height));
        summary.heights = Some((lowest.min(body.height), highest.max(body.height)));
        if let Some(reason) = standing.void {
            summary.void += 1;
            self.void.push(Void { receipt: self.pushed, reason });
            return;
        }
        chain.seen.insert(MissingRound { kind: body.kind, height: body.height });
        match body.outcome {
            Outcome::Rejected => summary.rejected += 1,
            Outcome::Missed => summary.missed += 1,
            Outcome::Accepted => {
                summary.accepted += 1;
                summary.accepted_timely_anchored += u64::from(standing.timely_anchored);
                summary.accepted_signed_by_both += u64::from(standing.signed_by_both);
                summary.accepted_finalised += u64::from(standing.finalised == Some(true));
            }
        }
    }

    /// Audits from the first at which the subject could be challenged to the end that have no receipt.
    fn missing_rounds(&self, key: &ChainKey, chain: &Chain) -> Result<Vec<MissingRound>, RecorderError> {
        let (Some(recorder), Some(audits)) = (self.recorder, self.audits) else {
            return Ok(vec![]);
        };
        let seen = |round: &MissingRound| chain.seen.contains(round);
        match key.subject {
            Subject::Partition(partition_id) => missing_space_rounds(recorder, partition_id, audits, seen),
            Subject::Object(number) => self.objects.missing_rounds(recorder, number, audits, seen),
        }
    }
}

impl Chain {
    fn new(network: [u8; 32], key: ChainKey) -> Chain {
        let ChainKey { validator, miner, subject } = key;
        let summary = ChainSummary {
            validator,
            miner,
            subject,
            receipts: 0,
            accepted: 0,
            rejected: 0,
            missed: 0,
            void: 0,
            accepted_timely_anchored: 0,
            accepted_signed_by_both: 0,
            accepted_finalised: 0,
            heights: None,
            tip: [0; 32],
            missing_rounds: vec![],
        };
        Chain { summary, tip: ChainTip::new(network, key), seen: HashSet::new() }
    }
}

/// Audit heights from the first at which the partition could be challenged to its withdrawal at the latest.
fn missing_space_rounds(
    recorder: &dyn Recorder,
    partition_id: u64,
    (limit, through): (u64, u64),
    seen: impl Fn(&MissingRound) -> bool,
) -> Result<Vec<MissingRound>, RecorderError> {
    let Some(entry) = recorder.partition(partition_id)? else { return Ok(vec![]) };
    let Some(first_batch) = entry.batches.first() else { return Ok(vec![]) };
    let first = first_batch.height.saturating_add(recorder.finality_blocks()?);
    let last = entry.withdrawn_at.map_or(through, |height| through.min(height.saturating_sub(1)));
    let kind = RoundKind::Partition(Kind::Space);
    let audits = audit_heights(recorder, first..=last, limit);
    audits
        .map(|block| block.map(|(height, _)| MissingRound { kind, height }))
        .filter(|round| round.as_ref().map_or(true, |round| !seen(round)))
        .collect()
}
