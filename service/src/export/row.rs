//! What all tables have in common: rows that become columns, and columns that are checked by making them again.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{ArrowError, Field, Schema, SchemaRef};
use holdfast_engine::rejection::{Class, Rejection};

use super::columns::{Column, Columns};
use super::error::unreadable;
use super::{ExportSettings, Table};

mod sealed {
    /// Only the tables of an export have rows.
    pub trait Sealed: Sized {
        /// All columns of these rows, those that only repeat what others say among them.
        fn columns(rows: &[Self]) -> Vec<super::Column>;

        /// The rows, from the columns that do not follow from others.
        fn read(columns: &super::Columns<'_>) -> Result<Vec<Self>, super::Rejection>;

        /// Refuses what must not be in an export of these settings, as the class says.
        fn check(&self, settings: &super::ExportSettings) -> Result<(), super::Rejection>;

        /// Bytes of the parts that have no fixed size.
        fn weight_bytes(&self) -> usize {
            0
        }
    }
}

pub(super) use sealed::Sealed;

/// A row of a table.
pub trait Row: Sealed {
    /// The table.
    const TABLE: Table;

    /// Its place in the table: one more than that of the row before.
    fn number(&self) -> u64;

    /// Milliseconds since 1970 in UTC, by the validator's clock. The day is that of the row's file.
    fn time_ms(&self) -> u64;
}

/// The columns of a table.
pub(super) fn schema<R: Row>() -> SchemaRef {
    let field = |column: &Column| Field::new(column.name, column.values.data_type().clone(), column.nullable);
    Arc::new(Schema::new(R::columns(&[]).iter().map(field).collect::<Vec<_>>()))
}

/// The rows as columns.
pub(super) fn encode<R: Row>(rows: &[R]) -> Result<RecordBatch, ArrowError> {
    let columns = R::columns(rows).into_iter().map(|column| column.values).collect();
    RecordBatch::try_new(schema::<R>(), columns)
}

/// The rows of columns that were read. Whatever a column repeats must be what it repeats.
///
/// Refused: `wrong-record` for a column that says something else than the bytes it stands for, and as the table's rows are.
pub(super) fn decode<R: Row>(batch: &RecordBatch, settings: &ExportSettings) -> Result<Vec<R>, Rejection> {
    let rows = R::read(&Columns(batch))?;
    for row in &rows {
        row.check(settings).map_err(|Rejection { class, detail }| {
            class.because(format!("row {}: {detail}", row.number()))
        })?;
    }
    let again = encode(&rows).map_err(|error| unreadable(&error))?;
    for (field, (found, expected)) in
        batch.schema_ref().fields().iter().zip(batch.columns().iter().zip(again.columns()))
    {
        if found != expected {
            let differs = |place: &usize| found.slice(*place, 1) != expected.slice(*place, 1);
            let number = (0..rows.len()).find(differs).and_then(|place| rows.get(place)).map_or(0, R::number);
            let name = field.name();
            return Err(Class::WrongRecord
                .because(format!("row {number}: column {name} says something else than the bytes")));
        }
    }
    Ok(rows)
}
