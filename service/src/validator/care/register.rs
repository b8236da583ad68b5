//! Taking a file into care: what miners acknowledged, and the records that audits will refer to.

use holdfast_engine::account::Account;
use holdfast_engine::possession::record::SignedRecord;
use holdfast_engine::rejection::{Class, Rejection};
use tonic::Code;

use super::claims::CLAIMED_ADVICE;
use super::delete::Silent;
use super::proof::{Proven, check_expiry, prove};
use super::rows::{FILES, FileKey, FileRow, PIECES};
use super::stored::StoredFile;
use super::{CareError, Keeper, blocking};
use crate::export::EventKind;
use crate::index::transact;
use crate::pieces::Manifest;
use crate::proto::RegisterRequest;

impl Keeper {
    pub(super) async fn register_file(
        &self,
        owner: Account,
        request: RegisterRequest,
    ) -> Result<(), CareError> {
        self.check_owner(owner)?;
        let head = self.chain.head().await?;
        let (network, now) = (self.peers.correspondent().network(), self.now_seconds());
        let keep_seconds_max = self.settings.keep_seconds_max;
        let record_height_max = head.height.saturating_add(self.settings.record_blocks_max);
        let checked = blocking("checking a file that is to be cared for", move || {
            let manifest = Manifest::decode(&request.manifest)?;
            let expires_at = check_expiry(&manifest, now, keep_seconds_max)?;
            let proven = prove(&manifest, &request, (&network, &owner), expires_at, record_height_max)?;
            Ok::<_, Rejection>((FileRow::new(&manifest, now, expires_at), manifest, proven))
        })
        .await?;
        let (row, manifest, proven) = checked?;
        let key: FileKey = (owner, manifest.ciphertext().root);
        if self.is_registered(&key, &manifest).await? {
            return Ok(());
        }
        self.check_room(owner, &manifest).await?;
        self.record_digests(proven.iter().map(|piece| piece.record.clone()).collect()).await?;
        let (row, pieces) = (&row, &proven);
        transact(&*self.index, |work| async move {
            if FILES.read(&work, &key).await?.is_some() {
                return Err(in_care(&key));
            }
            FILES.write(&work, &key, row)?;
            for piece in pieces {
                if let Some(held) = &piece.row.held {
                    held.claim(&work, row.expires_at).await?;
                }
                PIECES.write(&work, &(key, piece.id.segment, piece.id.shard), &piece.row)?;
            }
            Ok(())
        })
        .await?;
        let stored = proven.iter().map(|piece| (piece.id, piece.record.record.miner)).collect();
        self.note_pieces(EventKind::PieceStored, key, stored).await;
        for Proven { record, .. } in &proven {
            self.miners.arrived(&record.record.miner, record.record.replica.object_root());
        }
        let records = proven.into_iter().map(|piece| (piece.id, piece.record)).collect();
        self.hand_out(key, records, &Silent::default()).await
    }

    /// Whether this file is in care already, as it is told now: an answer may have been lost.
    async fn is_registered(&self, key: &FileKey, manifest: &Manifest) -> Result<bool, CareError> {
        if FILES.get(&*self.index, key).await?.is_none() {
            return Ok(false);
        }
        let stored = StoredFile::read(&*self.index, *key).await?;
        let same = !stored.row.releasing && manifest.clone().adopt(&stored.manifest()?).is_ok();
        if same { Ok(true) } else { Err(in_care(key)) }
    }

    /// Refuses what is more than one owner may have here.
    async fn check_room(&self, owner: Account, manifest: &Manifest) -> Result<(), CareError> {
        let mut pages = FILES.pages(&*self.index, FILES.prefix(&owner), super::PAGE_ROWS);
        let mut bytes = piece_bytes(&manifest.layout(), manifest.policy().shards());
        while let Some(page) = pages.next().await? {
            for row in FILES.rows(&page)? {
                let of_file = piece_bytes(&row.value.layout()?, row.value.policy()?.shards());
                bytes = bytes.saturating_add(of_file);
            }
        }
        let most = self.settings.owner_bytes_max;
        if bytes <= most {
            return Ok(());
        }
        Err(CareError::Refused {
            code: Code::ResourceExhausted,
            reason: "owner-full",
            message: format!("{owner} would have pieces of {bytes} bytes in care here; {most} are the most"),
            advice: "release files that are no longer needed, and wait some minutes; or ask another validator",
        })
    }

    /// Has the chain record the digests, each at the height that its record names or before.
    pub(super) async fn record_digests(&self, records: Vec<SignedRecord>) -> Result<(), CareError> {
        let recorder = self.chain.recorder();
        let recording = blocking("recording digests", move || {
            for SignedRecord { record, .. } in &records {
                let (recorded_at, named) = (recorder.record_object(&record.digest())?, record.height);
                if recorded_at > named {
                    let detail =
                        format!("recorded at height {recorded_at}; the record says {named} at the latest");
                    return Ok(Err(Class::WrongRecord.because(detail)));
                }
            }
            Ok::<_, CareError>(Ok(()))
        });
        Ok(recording.await???)
    }
}

/// Bytes of all pieces of a file.
fn piece_bytes(layout: &crate::pieces::FileLayout, shards: u8) -> u64 {
    let (count, shards) = (layout.segment_count(), u64::from(shards));
    let whole = layout.segment(0).map_or(0, |segment| segment.shard_bytes());
    let last = layout.segment(count.saturating_sub(1)).map_or(0, |segment| segment.shard_bytes());
    whole.saturating_mul(count.saturating_sub(1)).saturating_add(last).saturating_mul(shards)
}

fn in_care((owner, file): &FileKey) -> CareError {
    CareError::Refused {
        code: Code::AlreadyExists,
        reason: "in-care",
        message: format!("{owner} has a file {} in care here, with other pieces", hex::encode(file)),
        advice: CLAIMED_ADVICE,
    }
}
