//! The rows of each table: fields, columns, and what is refused.

pub(super) mod anchors;
pub(super) mod blocks;
pub(super) mod events;
pub(super) mod partitions;
pub(super) mod receipts;
pub(super) mod records;
