//! Exporting what becomes final, every so many blocks and when the validator stops.

use std::sync::Arc;

use super::Node;
use crate::chain::Head;
use crate::export::AuditRates;
use crate::validator::ValidatorError;
use crate::validator::export::{Export, ExportSource};

/// The export, and when it is written next.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// Open as long as this process is in charge.
    pub(super) export: Option<Export>,
    due_height: u64,
}

impl Node {
    /// What exports of this validator are made from.
    pub fn export_source(&self) -> ExportSource {
        ExportSource {
            index: Arc::clone(&self.index),
            chain: Arc::clone(&self.chain),
            validator: self.account(),
            audits: AuditRates::of(&self.settings.policy).map(AuditRates::without_lottery),
            asked_within_blocks: self.settings.asked_within_blocks,
            clock: Arc::clone(self.correspondent().clock()),
        }
    }

    /// Writes if it is due; whoever comes meanwhile leaves it to the next head.
    pub(super) async fn export_due(&self, head: Head) {
        let Some(exporting) = &self.settings.export else { return };
        let Ok(mut written) = self.export.try_lock() else { return };
        if head.height < written.due_height {
            return;
        }
        written.due_height = head.height.saturating_add(exporting.every_blocks);
        if let Err(error) = self.export(&mut written).await {
            tracing::error!(%error, "nothing was exported; it is tried again when it is due");
        }
    }

    /// Writes what has become final since, and closes the export.
    pub(super) async fn export_last(&self) {
        let mut written = self.export.lock().await;
        if let Err(error) = self.export(&mut written).await {
            tracing::error!(%error, "not all was exported; the rest is when the validator runs again");
        }
        written.export = None;
    }

    async fn export(&self, written: &mut Written) -> Result<(), ValidatorError> {
        let Some(exporting) = &self.settings.export else { return Ok(()) };
        // After an error it is opened again, so it is taken out until all went well.
        let mut export = match written.export.take() {
            Some(export) => export,
            None => Export::open(self.export_source(), &exporting.directory).await?,
        };
        let exported = export.advance().await?;
        tracing::info!(receipts = exported.receipts, through = exported.through, "exported");
        written.export = Some(export);
        Ok(())
    }
}
