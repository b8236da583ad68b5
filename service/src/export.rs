//! The export: what a validator recorded of its rounds, as Parquet files that are written once (export-v1).
//!
//! [`Exporter`] appends, [`ExportReader`] reads what anybody may have written, [`verify_export`] judges it: the receipts with
//! everything that is needed to check them, so that neither the validator nor the chain has to be asked.

mod columns;
mod compare;
mod error;
mod layout;
mod page;
mod parts;
mod reader;
mod recorder;
mod resume;
mod row;
mod rows;
mod settings;
mod table_file;
mod timely;
mod verify;
mod writer;

pub use error::ExportError;
pub use reader::{ExportReader, RowGroups};
pub use recorder::ExportedRecorder;
pub use row::Row;
pub use rows::anchors::{AnchorRow, PAIRS_MAX};
pub use rows::blocks::BlockRow;
pub use rows::events::{DETAILS_BYTES_MAX, EventKind, EventRow, MESSAGE_BYTES_MAX};
pub use rows::partitions::{PartitionChange, PartitionRow};
pub use rows::receipts::ReceiptRow;
pub use rows::records::RecordRow;
pub use settings::{AuditRates, ExportSettings, SETTINGS_FILE, is_export};
pub use verify::{ExportReport, Trusted, verify_export};
pub use writer::{Appended, Exporter};

/// The tables of an export. Each is a log: its rows are numbered without a gap, and what is written stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Table {
    /// Signed receipts, with what the validator measured.
    Receipts,
    /// What happened besides, in the validator's own words.
    Events,
    /// Heights and hashes: the beacons. A block says that all of the rounds up to it is in the other tables.
    Blocks,
    /// Intents, batches and withdrawals of the validator's partitions.
    Partitions,
    /// Signed records of objects.
    Records,
    /// What the validator anchored of its rounds.
    Anchors,
}

impl Table {
    /// All tables, blocks last: in this order nothing is said to be whole before it is.
    pub const ALL: [Table; 6] =
        [Table::Partitions, Table::Records, Table::Anchors, Table::Receipts, Table::Events, Table::Blocks];

    /// The name of its folder.
    pub fn name(self) -> &'static str {
        match self {
            Table::Receipts => "receipts",
            Table::Events => "events",
            Table::Blocks => "blocks",
            Table::Partitions => "partitions",
            Table::Records => "records",
            Table::Anchors => "anchors",
        }
    }

    /// The number of its first row; blocks are numbered by their heights, from any on.
    fn first_number(self) -> Option<u64> {
        (self != Table::Blocks).then_some(0)
    }
}

/// Limits of one file. Writers stay below them, and readers check them before they make room for anything.
mod limits {
    /// Bytes of a file.
    pub(super) const FILE_BYTES_MAX: u64 = 64 << 20;
    /// Bytes of the metadata at a file's end.
    pub(super) const FOOTER_BYTES_MAX: u32 = 1 << 20;
    /// Rows of a file.
    pub(super) const FILE_ROWS_MAX: usize = 1 << 16;
    /// Rows of a row group.
    pub(super) const GROUP_ROWS_MAX: usize = 1 << 13;
    /// Bytes of a row group before compression.
    pub(super) const GROUP_BYTES_MAX: u64 = 64 << 20;
    /// Bytes of rows of no fixed size after which a writer begins another row group.
    pub(super) const GROUP_WEIGHT_BYTES: usize = 4 << 20;
    /// The same for another file.
    pub(super) const FILE_WEIGHT_BYTES: usize = 16 << 20;
    /// Rows of a table that must be kept while verifying: blocks, partitions' changes, records, anchors.
    pub(super) const KEPT_ROWS_MAX: u64 = 1 << 24;
}

#[cfg(test)]
mod tests;
