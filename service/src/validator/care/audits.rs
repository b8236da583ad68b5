//! What rounds audit of the files in care, and what follows from how they came out.

use async_trait::async_trait;
use holdfast_engine::account::Account;
use holdfast_engine::receipt::Outcome;

use super::held::{BY_DIGEST, FAILED_LINKS, FailedLinkRow, HELD, HeldRow, failed_by, held_by};
use super::rows::PIECES;
use super::{Keeper, PAGE_ROWS};
use crate::index::{Key, KeyRange, Row, Work, transact};
use crate::pieces::PieceId;
use crate::validator::ValidatorError;
use crate::validator::holdings::{Held, Holdings};

/// How long it is remembered that a miner did not pass a link: three months of blocks of 12 s.
const FAILED_LINK_BLOCKS: u64 = 650_000;

/// Key and value of a link that was not passed.
type FailedLink = Row<((u8, Account), [u8; 32]), FailedLinkRow>;

#[async_trait]
impl Holdings for Keeper {
    async fn held(&self, miner: &Account) -> Result<Held, ValidatorError> {
        let failed_since = self.failed_since(miner).await?;
        let mut pages = HELD.pages(&*self.index, HELD.prefix(&held_by(miner)), PAGE_ROWS);
        // Before an answer came, what is in its last moments could be expired by its miner's clock.
        let ends = self.now_seconds().saturating_add(self.settings.question_seconds);
        let mut held = Held::default();
        while let Some(page) = pages.next().await? {
            for row in HELD.rows(&page)?.iter().filter(|row| row.value.expires_at > ends) {
                let (_, digest) = row.key;
                let signed = row.value.signed_record()?;
                if row.value.is_doubted(&signed.record, failed_since) {
                    held.doubted.insert(digest);
                }
                held.records.push(signed);
            }
        }
        Ok(held)
    }

    async fn miners(&self) -> Result<Vec<Account>, ValidatorError> {
        let mut miners = Vec::new();
        let mut range =
            HELD.between(&(held_by(&Account([0; 32])), [0; 32]), &((1, Account([0; 32])), [0; 32]));
        // Each miner has many rows: from one to the next.
        while let [row] = &HELD.scan(&*self.index, &range, 1).await?[..] {
            let (_, miner) = row.key.0;
            miners.push(miner);
            range = KeyRange::beyond(range, &(held_by(&miner), [u8::MAX; 32]).to_bytes());
        }
        Ok(miners)
    }

    async fn audited(
        &self,
        record_digest: &[u8; 32],
        height: u64,
        outcome: Outcome,
    ) -> Result<(), ValidatorError> {
        // What was released or made anew meanwhile is nobody's business.
        let Some(held) = BY_DIGEST.get(&*self.index, &(1, *record_digest)).await? else { return Ok(()) };
        let key = &held.piece_key();
        transact(&*self.index, |work| async move {
            let Some(mut piece) = PIECES.read(&work, key).await? else { return Ok(()) };
            let PieceId { generation, .. } = held.piece;
            if piece.generation != generation || piece.audited_at.is_some_and(|before| before >= height) {
                return Ok(());
            }
            piece.audited_at = Some(height);
            match outcome {
                // Commitments of other bytes pass all audits but links: only a link makes up for one.
                Outcome::Accepted if held.failed_link => {}
                Outcome::Accepted => (piece.failed_audits, piece.missed_audits) = (0, 0),
                Outcome::Missed => piece.missed_audits = piece.missed_audits.saturating_add(1),
                _ => piece.failed_audits = piece.failed_audits.saturating_add(1),
            }
            PIECES.write(&work, key, &piece)?;
            Ok::<_, ValidatorError>(())
        })
        .await
    }

    async fn linked(
        &self,
        (miner, record_digest): (&Account, &[u8; 32]),
        height: u64,
        passed: bool,
    ) -> Result<(), ValidatorError> {
        let failed_key = &(failed_by(miner), *record_digest);
        transact(&*self.index, |work| async move {
            let held = BY_DIGEST.read(&work, &(1, *record_digest)).await?;
            if is_late(&work, held.as_ref(), height).await? {
                return Ok(());
            }
            let before = FAILED_LINKS.read(&work, failed_key).await?;
            match &before {
                Some(before) if before.height > height => return Ok(()),
                Some(_) if passed => FAILED_LINKS.remove(&work, failed_key),
                Some(before) if before.height == height => {}
                _ if passed => {}
                _ => FAILED_LINKS.write(&work, failed_key, &FailedLinkRow::after(before.as_ref(), height))?,
            }
            let Some(held) = held else { return Ok(()) };
            let after = held.after_link(passed);
            if after != held {
                after.write(&work)?;
            }
            Ok::<_, ValidatorError>(())
        })
        .await
    }
}

/// Whether the outcome of a newer round is known: it says more of a record than an older one that comes after it.
async fn is_late(work: &Work<'_>, held: Option<&HeldRow>, height: u64) -> Result<bool, ValidatorError> {
    let Some(held) = held else { return Ok(false) };
    let piece = PIECES.read(work, &held.piece_key()).await?;
    let piece = piece.filter(|piece| piece.generation == held.piece.generation);
    Ok(piece.and_then(|piece| piece.audited_at).is_some_and(|newest| newest > height))
}

impl Keeper {
    /// Height of the first link that a miner did not pass and has not made up for since, as long as that is remembered.
    async fn failed_since(&self, miner: &Account) -> Result<Option<u64>, ValidatorError> {
        let oldest = self.chain.heads().borrow().height.saturating_sub(FAILED_LINK_BLOCKS);
        let (mut since, mut lapsed) = (None, Vec::new());
        let range = FAILED_LINKS.prefix(&failed_by(miner));
        let mut pages = FAILED_LINKS.pages(&*self.index, range, PAGE_ROWS);
        while let Some(page) = pages.next().await? {
            for row in FAILED_LINKS.rows(&page)? {
                match row.value.height >= oldest {
                    true => since = since.into_iter().chain([row.value.since()]).min(),
                    false => lapsed.push(row),
                }
            }
        }
        self.forget_failed(&lapsed).await?;
        Ok(since)
    }

    async fn forget_failed(&self, lapsed: &[FailedLink]) -> Result<(), ValidatorError> {
        if lapsed.is_empty() {
            return Ok(());
        }
        transact(&*self.index, |work| async move {
            for row in lapsed {
                // Unless it has failed once more meanwhile.
                if FAILED_LINKS.read(&work, &row.key).await?.as_ref() == Some(&row.value) {
                    FAILED_LINKS.remove(&work, &row.key);
                }
            }
            Ok(())
        })
        .await
    }
}
