//! The miner's side of receipts: what it promised in which round, where each chain stands, and signatures of nothing else.

use std::collections::BTreeMap;
use std::sync::Arc;

use holdfast_engine::account::Account;
use holdfast_engine::receipt::{ChainKey, ChainTip, Outcome, Receipt, Round, RoundKind};
use holdfast_engine::rejection::{Class, Rejection};
use holdfast_engine::signature::{Signature, Signer};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use super::error::MinerError;
use crate::index::{Changes, Index, Key, KeyRange, Table, TypedTable};

/// Where each chain stands, by validator and subject.
const TIPS: TypedTable<(Account, u64), TipRow> = TypedTable::new(Table::Chains);
/// What was promised, by height, validator, subject and kind.
const ROUNDS: TypedTable<(u64, Account, (u64, u8)), RoundRow> = TypedTable::new(Table::Rounds);

/// Promises that are forgotten in one commit.
const FORGOTTEN_AT_ONCE: usize = 16_384;

/// Of each chain its newest link.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TipRow {
    #[serde(with = "hex::serde")]
    digest: [u8; 32],
    /// Numbers of kinds with the height of the last round of each.
    last_heights: Vec<(u8, u64)>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RoundRow {
    #[serde(with = "hex::serde")]
    challenge_seed: [u8; 32],
    #[serde(with = "hex::serde")]
    response_digest: [u8; 32],
}

/// A promise that was given.
#[derive(Clone, Copy, Debug)]
pub(super) struct Promised {
    /// The round that it is of.
    pub(super) round: Round,
    /// The digest that was signed.
    pub(super) response_digest: [u8; 32],
}

/// The chains of all validators.
#[derive(Debug)]
pub(super) struct Chains {
    network: [u8; 32],
    signer: Arc<Signer>,
    index: Arc<dyn Index>,
    /// Held while links are signed: between reading a tip and writing the next one nobody else may sign.
    signing: Mutex<()>,
}

impl Chains {
    pub(super) fn new(network: [u8; 32], signer: Arc<Signer>, index: Arc<dyn Index>) -> Chains {
        Chains { network, signer, index, signing: Mutex::new(()) }
    }

    /// Notes promises, durably: receipts of other rounds are not signed.
    pub(super) async fn note(&self, promised: &[Promised]) -> Result<(), MinerError> {
        let mut changes = Changes::new();
        for Promised { round, response_digest } in promised {
            let key = round_key(round.height, &round.key, round.kind);
            let row = RoundRow { challenge_seed: round.challenge_seed, response_digest: *response_digest };
            ROUNDS.put(&mut changes, &key, &row)?;
        }
        if promised.is_empty() { Ok(()) } else { Ok(self.index.commit(changes).await?) }
    }

    /// Forgets promises of rounds below a height, a page of them.
    pub(super) async fn forget_before(&self, height: u64) -> Result<(), MinerError> {
        let range = KeyRange::new(Vec::new(), height.to_bytes());
        let old = self.index.scan(Table::Rounds, &range, FORGOTTEN_AT_ONCE).await?;
        let mut changes = Changes::new();
        for (key, _) in &old {
            changes.delete(Table::Rounds, key.clone());
        }
        if old.is_empty() { Ok(()) } else { Ok(self.index.commit(changes).await?) }
    }

    /// Signs receipts of one validator, in the order of their chains. Where each chain stands then is durable before any of
    /// the signatures leaves. Blocks up to `final_height` are final.
    pub(super) async fn countersign(
        &self,
        validator: Account,
        receipts: &[impl AsRef<[u8]>],
        final_height: u64,
    ) -> Result<Vec<Result<Signature, Rejection>>, MinerError> {
        let _signing = self.signing.lock().await;
        let mut changes = Changes::new();
        let mut tips = BTreeMap::new();
        let mut signed = Vec::with_capacity(receipts.len());
        for bytes in receipts {
            let receipt = match self.check(validator, bytes.as_ref(), final_height).await? {
                Ok(receipt) => receipt,
                Err(rejection) => {
                    signed.push(Err(rejection));
                    continue;
                }
            };
            let key = receipt.body.key;
            let mut tip = match tips.remove(&key) {
                Some(tip) => tip,
                None => self.tip(key).await?,
            };
            let before = tip.digest();
            let countersigned = tip.countersign(&receipt, &self.signer);
            if let Ok(receipt) = &countersigned
                && tip.digest() != before
            {
                self.put(&mut changes, &tip, receipt)?;
            }
            tips.insert(key, tip);
            signed.push(countersigned.map(|receipt| receipt.miner_signature));
        }
        if !changes.is_empty() {
            self.index.commit(changes).await?;
        }
        Ok(signed)
    }

    /// That a receipt is of a round that was answered so, and that its block stays.
    async fn check(
        &self,
        validator: Account,
        bytes: &[u8],
        final_height: u64,
    ) -> Result<Result<Receipt, Rejection>, MinerError> {
        let receipt = match Receipt::decode(bytes) {
            Ok(receipt) => receipt,
            Err(rejection) => return Ok(Err(rejection)),
        };
        let body = &receipt.body;
        let refuse = |class: Class, why: String| Ok(Err(class.because(why)));
        if body.key.validator != validator || body.key.miner != self.signer.account() {
            return refuse(Class::WrongReceiver, "a receipt of other parties".to_owned());
        }
        if body.height > final_height {
            let height = body.height;
            return refuse(
                Class::NotFinal,
                format!("height {height}; blocks up to {final_height} are final"),
            );
        }
        if body.outcome == Outcome::Missed {
            return Ok(Ok(receipt));
        }
        let promised = ROUNDS.get(&*self.index, &round_key(body.height, &body.key, body.kind)).await?;
        match promised {
            Some(row)
                if row.challenge_seed == body.challenge_seed
                    && row.response_digest == body.response_digest =>
            {
                Ok(Ok(receipt))
            }
            Some(_) => {
                refuse(Class::WrongChallenge, "it names another challenge or answer than ours".to_owned())
            }
            None => refuse(Class::WrongChallenge, "no promise was given in this round".to_owned()),
        }
    }

    async fn tip(&self, key: ChainKey) -> Result<ChainTip, MinerError> {
        let Some(row) = TIPS.get(&*self.index, &(key.validator, key.subject.number())).await? else {
            return Ok(ChainTip::new(self.network, key));
        };
        let mut last_heights = Vec::with_capacity(row.last_heights.len());
        for (kind, height) in row.last_heights {
            last_heights.push((RoundKind::of_number(kind)?, height));
        }
        Ok(ChainTip::resume(self.network, key, row.digest, last_heights))
    }

    fn put(&self, changes: &mut Changes, tip: &ChainTip, receipt: &Receipt) -> Result<(), MinerError> {
        let body = &receipt.body;
        let last_heights =
            tip.last_heights().into_iter().map(|(kind, height)| (kind.number(), height)).collect();
        let row = TipRow { digest: tip.digest(), last_heights };
        TIPS.put(changes, &(body.key.validator, body.key.subject.number()), &row)?;
        let key = (body.key.validator, body.key.subject.number(), (body.height, body.kind.number()));
        changes.put(Table::Receipts, key.to_bytes(), receipt.encode().to_vec());
        Ok(())
    }
}

fn round_key(height: u64, key: &ChainKey, kind: RoundKind) -> (u64, Account, (u64, u8)) {
    (height, key.validator, (key.subject.number(), kind.number()))
}
