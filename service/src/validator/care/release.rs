//! The end of the care of a file: no more audits, and some time later its pieces are deleted.

use holdfast_engine::account::Account;

use super::held::end_audits;
use super::rows::{FILES, FileKey, PIECES, PieceRow};
use super::stored::StoredFile;
use super::{CareError, Keeper};
use crate::export::EventKind;
use crate::index::transact;
use crate::pieces::PieceId;
use crate::proto::{ReleaseRequest, ReleaseResponse};
use crate::wire::bytes32;

impl Keeper {
    pub(super) async fn release_file(
        &self,
        owner: Account,
        request: &ReleaseRequest,
    ) -> Result<ReleaseResponse, CareError> {
        let key: FileKey = (owner, bytes32("file root", &request.file_root)?);
        self.end_care(key).await?;
        // Whoever tends to the files deletes: two that delete at the same time could meet bytes that were stored anew in between.
        let file = StoredFile::read(&*self.index, key).await?;
        let (held, gone): (Vec<&PieceRow>, Vec<_>) = file.pieces.iter().partition(|row| row.held.is_some());
        let count = |rows: Vec<&PieceRow>| u32::try_from(rows.len()).unwrap_or(u32::MAX);
        Ok(ReleaseResponse { deleted_pieces: count(gone), pending_pieces: count(held), seal: None })
    }

    /// Nothing of the file is audited or repaired any more, and its owner no longer sees it. Its pieces are still there, for those who are
    /// being asked about them.
    pub(super) async fn end_care(&self, key: FileKey) -> Result<(), CareError> {
        let file = StoredFile::read(&*self.index, key).await?;
        let (file, delete_from) = (&file, self.delete_from(file.row.expires_at));
        transact(&*self.index, |work| async move {
            let (owner, root) = key;
            let row = FILES.read(&work, &key).await?;
            let mut row = row.ok_or(CareError::NoSuchFile { owner, file: root })?;
            // Whoever releases it again waits no longer.
            if row.releasing {
                return Ok(());
            }
            (row.releasing, row.delete_from) = (true, delete_from);
            FILES.write(&work, &key, &row)?;
            for (id, _) in file.ids() {
                let piece = PIECES.read(&work, &(key, id.segment, id.shard)).await?;
                if let Some(held) = piece.and_then(|piece| piece.held) {
                    end_audits(&work, &held)?;
                }
            }
            Ok::<_, CareError>(())
        })
        .await?;
        let held = |(id, row): (PieceId, &PieceRow)| Some((id, row.held.as_ref()?.miner));
        let ended = file.ids().filter(|_| !file.row.releasing).filter_map(held).collect();
        self.note_pieces(EventKind::PieceEnded, key, ended).await;
        Ok(())
    }
}
