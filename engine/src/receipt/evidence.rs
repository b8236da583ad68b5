//! Equivocation: two signed bodies where there may be one (receipt-v1 §5).

use std::collections::{HashMap, HashSet};

use super::{Body, RECEIPT_BYTES, Receipt, RoundKind};
use crate::account::Account;
use crate::codec::Reader;
use crate::rejection::{Class, Rejection};
use crate::signature::{Claim, Signature, verify, verify_all};

/// Bytes of encoded [`Evidence`].
pub const EVIDENCE_BYTES: usize = 40 + 2 * RECEIPT_BYTES;
const TAG: &[u8; 4] = b"HFE1";

/// Two receipts that no honest party signs both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The network that the bodies were signed for.
    pub network: [u8; 32],
    /// The receipts.
    pub receipts: [Receipt; 2],
}

/// Who signed both bodies; at least one did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Culprits {
    /// The validator, if it did.
    pub validator: Option<Account>,
    /// The miner, if it did.
    pub miner: Option<Account>,
}

impl Evidence {
    /// The 664 bytes.
    pub fn encode(&self) -> [u8; EVIDENCE_BYTES] {
        let [one, two] = &self.receipts;
        let mut bytes = [0; EVIDENCE_BYTES];
        let fields: [&[u8]; 5] = [TAG, &[0; 4], &self.network, &one.encode(), &two.encode()];
        bytes.copy_from_slice(&fields.concat());
        bytes
    }

    /// Reads exactly 664 bytes. What they show is checked by [`Evidence::verify`].
    ///
    /// Refused: `wrong-length`, `malformed`.
    pub fn decode(bytes: &[u8]) -> Result<Evidence, Rejection> {
        let mut reader = Reader::exactly("evidence", bytes, EVIDENCE_BYTES)?;
        reader.tag(TAG)?;
        reader.zeros::<4>()?;
        let network = reader.array()?;
        let receipts = [Receipt::read(&mut reader)?, Receipt::read(&mut reader)?];
        Ok(Evidence { network, receipts })
    }

    /// Who is shown to have equivocated.
    ///
    /// Refused: `malformed` (the bodies are equal, or one chain may hold both), `bad-signature` (nobody signed both).
    pub fn verify(&self) -> Result<Culprits, Rejection> {
        let [one, two] = &self.receipts;
        if !contradict(&one.body, &two.body) {
            return Err(Class::Malformed.because("an honest party may sign both of these bodies"));
        }
        let signed_both = |account: Account, signature: fn(&Receipt) -> &Signature| {
            let signed = |receipt: &Receipt| {
                verify(&account, &receipt.body.signing_digest(&self.network), signature(receipt)).is_ok()
            };
            self.receipts.iter().all(signed).then_some(account)
        };
        let culprits = Culprits {
            validator: signed_both(one.body.key.validator, |receipt| &receipt.validator_signature),
            miner: signed_both(one.body.key.miner, |receipt| &receipt.miner_signature),
        };
        if culprits.validator.or(culprits.miner).is_none() {
            return Err(Class::BadSignature.because("nobody signed both bodies"));
        }
        Ok(culprits)
    }
}

/// Different bodies for one round, or two that follow one body.
fn contradict(one: &Body, two: &Body) -> bool {
    let same_round = (one.kind, one.height) == (two.kind, two.height);
    one != two && one.key == two.key && (same_round || one.previous == two.previous)
}

/// Where a party signs one body only.
#[derive(PartialEq, Eq, Hash)]
enum Place {
    Round(RoundKind, u64),
    After([u8; 32]),
}

/// Pairs of receipts that show an equivocation: each one with the first that the same party signed for the same place.
/// Receipts may be of many chains and in any order. A bad signature counts as none, so that forged receipts hide nothing.
pub fn find_equivocation(network: &[u8; 32], receipts: &[Receipt]) -> Vec<Evidence> {
    let mut firsts = HashMap::new();
    let mut found = Vec::new();
    let mut shown = HashSet::new();
    let mut look = |party: Party, receipt: &Receipt, place: Place| {
        let first: Receipt = *firsts.entry((party, receipt.body.key, place)).or_insert(*receipt);
        let receipts = [first, *receipt];
        if contradict(&first.body, &receipt.body) && shown.insert(receipts) {
            found.push(Evidence { network: *network, receipts });
        }
    };
    for (receipt, party) in signed(network, receipts) {
        let body = &receipt.body;
        look(party, receipt, Place::Round(body.kind, body.height));
        look(party, receipt, Place::After(body.previous));
    }
    found
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Party {
    Validator,
    Miner,
}

/// Each receipt once for each party whose signature is right.
fn signed<'a>(network: &[u8; 32], receipts: &'a [Receipt]) -> Vec<(&'a Receipt, Party)> {
    let parties = receipts.iter().flat_map(|receipt| [(receipt, Party::Validator), (receipt, Party::Miner)]);
    let claim = |&(receipt, party): &(&Receipt, Party)| {
        let key = receipt.body.key;
        let (account, signature) = match party {
            Party::Validator => (key.validator, receipt.validator_signature),
            Party::Miner => (key.miner, receipt.miner_signature),
        };
        Claim { account, digest: receipt.body.signing_digest(network), signature }
    };
    let mut signed: Vec<(&Receipt, Party)> = parties.collect();
    signed.retain(|pair| !claim(pair).signature.is_none());
    let claims: Vec<Claim> = signed.iter().map(claim).collect();
    let wrong: HashSet<usize> = match verify_all(&claims) {
        Ok(()) => HashSet::new(),
        Err(culprits) => culprits.into_iter().map(|(index, _)| index).collect(),
    };
    let mut index = 0..;
    signed.retain(|_| !index.next().is_some_and(|index| wrong.contains(&index)));
    signed
}
