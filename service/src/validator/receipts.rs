//! The chains of receipts: a body is durable before it is signed, and signed before anybody sees it (receipt-v1 §3).
//!
//! What was found of a round is linked once its block is final, in the order of heights, so a reorganisation never has to undo
//! a link. Linking is one commit that rests on the ends of the chains as they were read and, where several processes share
//! the index, on the lease: two processes, or one that was killed at any moment, write one body for a place and no other.
//! Signing reads bodies from the index only; signing the same body again harms nobody.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use holdfast_engine::account::Account;
use holdfast_engine::receipt::{AnchoredPairs, Body, ChainKey, Receipt, Round, Subject};
use holdfast_engine::rejection::Rejection;
use holdfast_engine::signature::{Signature, Signer, verify};
use tokio::sync::mpsc;

use super::ValidatorError;
use super::store::{
    ANSWERS, AnswersRow, CURSORS, CursorRow, Finding, Part, RECEIPTS, ReceiptRow, TIPS, answers_key,
    cursor_key, tip_key,
};
use crate::index::lease::Lease;
use crate::index::{Changes, Index, IndexError, KeyRange, Row, Work, transact};

/// Receipts that are signed in one commit, and shown to a miner in one request.
pub const RECEIPTS_AT_ONCE: usize = 256;
/// Bytes of a miner's reason that are kept.
const REASON_BYTES_MAX: usize = 256;
/// Whoever reads no receipt of a history for so long gets no more of them.
const READ_TIMEOUT: Duration = Duration::from_secs(20);

/// The chains of one validator.
#[derive(Clone, Debug)]
pub struct Chains {
    index: Arc<dyn Index>,
    network: [u8; 32],
    signer: Arc<Signer>,
}

/// What a miner said of a receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Countersigned {
    /// Its signature.
    Signature(Signature),
    /// None, and why.
    Withheld(String),
}

impl Chains {
    /// Of the validator whose key this is.
    pub fn new(index: Arc<dyn Index>, network: [u8; 32], signer: Arc<Signer>) -> Chains {
        Chains { index, network, signer }
    }

    /// Links what was judged of one miner's round, whose block is final. Those of an earlier height were linked before. Done again,
    /// it changes nothing. Returns the sequence numbers of the receipts.
    ///
    /// A finding that we could not judge gets no receipt, nor does one that its chain has gone past.
    ///
    /// # Errors
    /// [`ValidatorError::NotInCharge`]; those of the index.
    pub async fn link(
        &self,
        lease: Option<&Lease>,
        (height, part): (u64, Part),
        miner: &Account,
    ) -> Result<(u64, u64), ValidatorError> {
        transact(&*self.index, |work| async move {
            self.check_lease(lease, &work).await?;
            let key = answers_key(height, part, miner);
            let Some(mut answers) = ANSWERS.read(&work, &key).await? else { return Ok((0, 0)) };
            if let Some(linked) = answers.linked {
                return Ok(linked);
            }
            let cursor = CURSORS.read(&work, &cursor_key(miner)).await?.unwrap_or_default();
            let mut sequence = cursor.linked_end;
            for finding in answers.findings.iter().filter(|_| answers.judged) {
                let Some(body) = self.next_body(&work, (miner, height), finding).await? else { continue };
                let row = ReceiptRow::new(&body, finding.clone());
                RECEIPTS.write(&work, &(*miner, sequence), &row)?;
                sequence += 1;
            }
            let linked = (cursor.linked_end, sequence);
            answers.linked = Some(linked);
            ANSWERS.write(&work, &key, &answers)?;
            CURSORS.write(&work, &cursor_key(miner), &CursorRow { linked_end: sequence, ..cursor })?;
            Ok::<_, ValidatorError>(linked)
        })
        .await
    }

    /// The body of a finding at the end of its chain, which moves on.
    async fn next_body(
        &self,
        work: &Work<'_>,
        (miner, height): (&Account, u64),
        finding: &Finding,
    ) -> Result<Option<Body>, ValidatorError> {
        let Some(accepted) = finding.accepted else { return Ok(None) };
        let subject = Subject::of_number(finding.subject);
        let key = tip_key(miner, subject);
        let mut tip = TIPS.read(work, &key).await?.unwrap_or_default();
        if tip.last_height(finding.kind).is_some_and(|last| last >= height) {
            return Ok(None);
        }
        let round = Round {
            key: ChainKey { validator: self.signer.account(), miner: *miner, subject },
            kind: finding.round_kind()?,
            height,
            challenge_seed: finding.challenge_seed.0,
            challenge_digest: [0; 32],
            deadline_ms: 0,
        };
        let answer = finding.response_digest.map(|digest| (digest.0, accepted));
        let body = Body::of(round, answer, tip.digest);
        tip.follow(&body, &self.network);
        TIPS.write(work, &key, &tip)?;
        Ok(Some(body))
    }

    /// Signs all of a miner's bodies that are linked and not signed. They are in the index, so durable.
    ///
    /// # Errors
    /// [`ValidatorError::NotInCharge`]; those of the index.
    pub async fn sign(&self, lease: Option<&Lease>, miner: &Account) -> Result<(), ValidatorError> {
        loop {
            let signed_all = transact(&*self.index, |work| async move {
                self.check_lease(lease, &work).await?;
                let mut cursor = CURSORS.read(&work, &cursor_key(miner)).await?.unwrap_or_default();
                let end = cursor.linked_end.min(cursor.signed_end + RECEIPTS_AT_ONCE as u64);
                for sequence in cursor.signed_end..end {
                    let key = (*miner, sequence);
                    let row = RECEIPTS.read(&work, &key).await?;
                    let mut row = row.ok_or_else(|| missing(miner, sequence))?;
                    let receipt = Receipt::issue(row.body()?, &self.network, &self.signer);
                    row.validator_signature = Some(receipt.validator_signature);
                    RECEIPTS.write(&work, &key, &row)?;
                }
                cursor.signed_end = end;
                CURSORS.write(&work, &cursor_key(miner), &cursor)?;
                Ok::<_, ValidatorError>(end == cursor.linked_end)
            });
            if signed_all.await? {
                return Ok(());
            }
        }
    }

    /// The receipts that are to be shown to a miner next, in the order of their chains: signed, and not shown before.
    ///
    /// # Errors
    /// Those of the index.
    pub async fn to_show(&self, miner: &Account) -> Result<Vec<(u64, Receipt)>, ValidatorError> {
        let cursor = CURSORS.get(&*self.index, &cursor_key(miner)).await?.unwrap_or_default();
        let range = RECEIPTS.between(&(*miner, cursor.shown_end), &(*miner, cursor.signed_end));
        let rows = RECEIPTS.scan(&*self.index, &range, RECEIPTS_AT_ONCE).await?;
        let receipt = |row: Row<(Account, u64), ReceiptRow>| {
            let receipt = row.value.receipt()?.ok_or_else(|| missing(miner, row.key.1))?;
            Ok((row.key.1, receipt))
        };
        rows.into_iter().map(receipt).collect()
    }

    /// Keeps what a miner said of receipts that were shown to it, from the first that was not shown before on. A signature that is
    /// wrong counts as none.
    ///
    /// # Errors
    /// Those of the index.
    pub async fn shown(
        &self,
        lease: Option<&Lease>,
        miner: &Account,
        said: &[(u64, Countersigned)],
    ) -> Result<(), ValidatorError> {
        transact(&*self.index, |work| async move {
            self.check_lease(lease, &work).await?;
            let mut cursor = CURSORS.read(&work, &cursor_key(miner)).await?.unwrap_or_default();
            for (sequence, countersigned) in said {
                if *sequence != cursor.shown_end || *sequence >= cursor.signed_end {
                    continue;
                }
                let key = (*miner, *sequence);
                let mut row = RECEIPTS.read(&work, &key).await?.ok_or_else(|| missing(miner, *sequence))?;
                let checked = self.check_countersigned(&row.body()?, countersigned);
                match checked {
                    Ok(signature) => row.miner_signature = Some(signature),
                    Err(why) => row.withheld = Some(why),
                }
                RECEIPTS.write(&work, &key, &row)?;
                cursor.shown_end += 1;
            }
            CURSORS.write(&work, &cursor_key(miner), &cursor)?;
            Ok::<_, ValidatorError>(())
        })
        .await
    }

    /// Tells the receipts that we signed of one miner or of all, for rounds of these heights: of each chain in its order. Ends when nobody
    /// listens any more, or takes none for 20 seconds: there are a few histories at a time only.
    ///
    /// # Errors
    /// Those of the index.
    pub async fn history(
        &self,
        miner: Option<Account>,
        heights: Range<u64>,
        listener: &mpsc::Sender<Result<Receipt, ValidatorError>>,
    ) -> Result<(), ValidatorError> {
        let range = miner.map_or_else(KeyRange::all, |miner| RECEIPTS.prefix(&miner));
        let mut pages = RECEIPTS.pages(&*self.index, range, RECEIPTS_AT_ONCE);
        while let Some(page) = pages.next().await? {
            for row in RECEIPTS.rows(&page)? {
                let Some(receipt) = row.value.receipt()? else { continue };
                if !heights.contains(&receipt.body.height) {
                    continue;
                }
                match tokio::time::timeout(READ_TIMEOUT, listener.send(Ok(receipt))).await {
                    Ok(Ok(())) => {}
                    Ok(Err(_)) | Err(_) => return Ok(()),
                }
            }
        }
        Ok(())
    }

    fn check_countersigned(&self, body: &Body, said: &Countersigned) -> Result<Signature, String> {
        match said {
            Countersigned::Withheld(why) => Err(why.chars().take(REASON_BYTES_MAX).collect()),
            Countersigned::Signature(signature) => {
                verify(&body.key.miner, &body.signing_digest(&self.network), signature)
                    .map(|()| *signature)
                    .map_err(|rejection| rejection.to_string())
            }
        }
    }

    /// The pairs that are anchored of these rows: all promises, whatever came of them.
    ///
    /// Refused: `equivocation` if one challenge has two, which no row that we write has.
    pub fn pairs<'r>(rows: impl IntoIterator<Item = &'r AnswersRow>) -> Result<AnchoredPairs, Rejection> {
        let findings = rows.into_iter().flat_map(|row| &row.findings);
        AnchoredPairs::new(
            findings.filter_map(|finding| Some((finding.challenge_seed.0, finding.response_digest?.0))),
        )
    }

    /// Puts a row of answers, if the lease is held.
    ///
    /// # Errors
    /// [`ValidatorError::NotInCharge`]; those of the index.
    pub async fn commit(&self, lease: Option<&Lease>, mut changes: Changes) -> Result<(), ValidatorError> {
        if let Some(lease) = lease {
            lease.guard(&mut changes)?;
        }
        match self.index.commit(changes).await {
            Err(IndexError::Conflict { .. }) if lease.is_some() => Err(self.not_in_charge()),
            committed => Ok(committed?),
        }
    }

    /// Makes a work rest on the lease.
    pub(super) async fn check_lease(
        &self,
        lease: Option<&Lease>,
        work: &Work<'_>,
    ) -> Result<(), ValidatorError> {
        match lease {
            Some(lease) if !lease.is_held(work).await? => Err(self.not_in_charge()),
            _ => Ok(()),
        }
    }

    fn not_in_charge(&self) -> ValidatorError {
        ValidatorError::NotInCharge { validator: self.signer.account() }
    }
}

fn missing(miner: &Account, sequence: u64) -> ValidatorError {
    let detail = format!("receipt {sequence} of {miner} is not there or not signed");
    ValidatorError::Damaged { what: "a chain of receipts", detail }
}

#[cfg(test)]
pub(super) mod failing;
#[cfg(test)]
mod tests;
