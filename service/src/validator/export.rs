//! The exports of a validator: what its index has of its rounds, appended to a directory of Parquet files as it becomes final
//! (export-v1).
//!
//! A block is written once all rounds up to F blocks before it are over and in the other tables, so an export never lacks what its
//! last block promises. The directory says how far it is: each table tells what comes next in it. Only which receipts of which
//! miner it has is noted in the index besides, so that nobody reads years of receipts to find out; what the note lacks is read.

mod progress;
mod receipts;
mod recorded;
mod step;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use holdfast_engine::account::Account;
use holdfast_engine::recorder::Recorder;
use serde::Serialize;

use super::ValidatorError;
use super::events::events_from;
use crate::chain::Chain;
use crate::export::{AnchorRow, AuditRates, BlockRow, ExportError, ExportSettings, Exporter, Table};
use crate::index::Index;
use crate::wire::clock::Clock;
use progress::Progress;
use step::Step;

/// Events and records that are written at a time.
const ROWS_AT_ONCE: usize = 8192;

/// What an export is made from.
#[derive(Clone, Debug)]
pub struct ExportSource {
    /// What the validator keeps.
    pub index: Arc<dyn Index>,
    /// The chain that it follows.
    pub chain: Arc<dyn Chain>,
    /// Who it is.
    pub validator: Account,
    /// How often its network audits: then who verifies can tell which rounds have no receipt.
    pub audits: Option<AuditRates>,
    /// A round is asked as long as its block is among so many newest ones.
    pub asked_within_blocks: u64,
    /// When rows are written.
    pub clock: Arc<dyn Clock>,
}

/// Rows that were written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Exported {
    /// Blocks.
    pub blocks: u64,
    /// Intents, batches and withdrawals of partitions.
    pub partitions: u64,
    /// Records of objects.
    pub records: u64,
    /// Anchors of rounds.
    pub anchors: u64,
    /// Receipts.
    pub receipts: u64,
    /// Events.
    pub events: u64,
    /// The last block that is in the export; `None` while there is none.
    pub through: Option<u64>,
}

/// An export that is being written. No other process can write to its directory meanwhile.
#[derive(Debug)]
pub struct Export {
    source: ExportSource,
    directory: PathBuf,
    exporter: Arc<Mutex<Exporter>>,
    finality_blocks: u64,
    progress: Progress,
    /// The round of the last anchor that is written.
    anchored: Option<u64>,
}

impl Export {
    /// Opens the export in a directory, or begins one.
    ///
    /// # Errors
    /// [`ValidatorError::Export`] if it is another validator's or network's, if another process writes to it, or if files are missing
    /// that are needed to go on; those of the index and the chain.
    pub async fn open(source: ExportSource, directory: &Path) -> Result<Export, ValidatorError> {
        let (recorder, validator, audits) = (source.chain.recorder(), source.validator, source.audits);
        let root = directory.to_owned();
        let opened = tokio::task::spawn_blocking(move || {
            let finality_blocks = recorder.finality_blocks()?;
            let settings = ExportSettings {
                network: recorder.network()?,
                validator,
                finality_blocks: finality_blocks.try_into().unwrap_or(std::num::NonZeroU64::MIN),
                audits,
            };
            let exporter = Exporter::open(root, settings)?;
            let anchored = exporter.last::<AnchorRow>()?.map(|row| row.height);
            Ok::<_, ValidatorError>((exporter, anchored, finality_blocks))
        });
        let (exporter, anchored, finality_blocks) = opened.await.map_err(ended)??;
        let exporter = Arc::new(Mutex::new(exporter));
        let progress = Progress::read(&*source.index, directory, &exporter).await?;
        let directory = directory.to_owned();
        Ok(Export { source, directory, exporter, finality_blocks, progress, anchored })
    }

    /// Where it is.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Writes all that has become final since. Cut off anywhere, it is gone on with by whoever opens the export next; after an error it
    /// must be opened again.
    ///
    /// # Errors
    /// [`ValidatorError::Export`]; those of the index and the chain.
    pub async fn advance(&mut self) -> Result<Exported, ValidatorError> {
        let mut exported = Exported::default();
        while let Some(step) = self.next_step().await? {
            self.write(step, &mut exported).await?;
        }
        exported.through = self.next(Table::Blocks).and_then(|next| next.checked_sub(1));
        Ok(exported)
    }

    /// Tables in the order in which nothing is said to be whole before it is.
    async fn write(&mut self, step: Step, exported: &mut Exported) -> Result<(), ValidatorError> {
        exported.partitions += self.write_partitions(step.last_block).await?;
        exported.records += self.write_records(step.export_begins).await?;
        exported.anchors += self.write_anchors(step.rounds_through).await?;
        exported.receipts += self.write_receipts(step.rounds_through).await?;
        exported.events += self.write_events().await?;
        exported.blocks += self.write_blocks(step).await?;
        self.progress.keep(&*self.source.index, &self.directory).await
    }

    async fn write_events(&self) -> Result<u64, ValidatorError> {
        let mut written = 0;
        loop {
            let next = self.next(Table::Events).unwrap_or_default();
            let rows = events_from(&*self.source.index, next, ROWS_AT_ONCE).await?;
            if rows.is_empty() {
                return Ok(written);
            }
            written += self.with(move |exporter| exporter.append_events(&rows)).await?.written;
        }
    }

    async fn write_blocks(&self, step: Step) -> Result<u64, ValidatorError> {
        let time_ms = self.source.clock.now_ms();
        let rows = self.recorder(move |recorder| {
            let block = |height| -> Result<BlockRow, ValidatorError> {
                let hash = recorder.beacon(height)?.ok_or_else(|| missing_block(height))?;
                Ok(BlockRow { height, time_ms, hash })
            };
            (step.first_block..=step.last_block).map(block).collect::<Result<Vec<_>, _>>()
        });
        let rows = rows.await?;
        Ok(self.with(move |exporter| exporter.append_blocks(&rows)).await?.written)
    }

    /// The number of the next row of a table.
    fn next(&self, table: Table) -> Option<u64> {
        self.exporter.lock().unwrap_or_else(PoisonError::into_inner).next(table)
    }

    /// Runs a call to the exporter where it may block.
    async fn with<T: Send + 'static>(
        &self,
        call: impl FnOnce(&mut Exporter) -> Result<T, ExportError> + Send + 'static,
    ) -> Result<T, ValidatorError> {
        with(&self.exporter, call).await
    }

    /// Runs a call to the recorder where it may block.
    async fn recorder<T: Send + 'static>(
        &self,
        call: impl FnOnce(&dyn Recorder) -> Result<T, ValidatorError> + Send + 'static,
    ) -> Result<T, ValidatorError> {
        let recorder = self.source.chain.recorder();
        tokio::task::spawn_blocking(move || call(&*recorder)).await.map_err(ended)?
    }
}

async fn with<T: Send + 'static>(
    exporter: &Arc<Mutex<Exporter>>,
    call: impl FnOnce(&mut Exporter) -> Result<T, ExportError> + Send + 'static,
) -> Result<T, ValidatorError> {
    let exporter = Arc::clone(exporter);
    let called = tokio::task::spawn_blocking(move || {
        call(&mut exporter.lock().unwrap_or_else(PoisonError::into_inner))
    });
    Ok(called.await.map_err(ended)??)
}

fn ended(error: tokio::task::JoinError) -> ValidatorError {
    ValidatorError::Ended { doing: "exporting", detail: error.to_string() }
}

fn missing_block(height: u64) -> ValidatorError {
    let detail = format!("block {height} is final and not there");
    ValidatorError::Ended { doing: "reading blocks", detail }
}
