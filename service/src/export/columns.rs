//! Columns of a table: made from rows, and read from what a file holds.

use std::sync::Arc;

use arrow_array::builder::FixedSizeBinaryBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{TimestampMillisecondType, UInt32Type, UInt64Type};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, FixedSizeBinaryArray, RecordBatch, StringArray,
    TimestampMillisecondArray, UInt32Array, UInt64Array,
};
use holdfast_engine::account::{Account, AccountSource};
use holdfast_engine::rejection::{Class, Rejection};

/// A column of a table.
pub struct Column {
    /// Its name.
    pub(super) name: &'static str,
    /// Its values, one a row.
    pub(super) values: ArrayRef,
    /// Whether a row may lack it.
    pub(super) nullable: bool,
}

impl Column {
    fn new(name: &'static str, values: impl Array + 'static) -> Column {
        Column { name, values: Arc::new(values), nullable: false }
    }

    fn nullable(name: &'static str, values: impl Array + 'static) -> Column {
        Column { name, values: Arc::new(values), nullable: true }
    }

    /// Integers of 64 bits.
    pub(super) fn unsigned(name: &'static str, values: impl Iterator<Item = u64>) -> Column {
        Column::new(name, UInt64Array::from_iter_values(values))
    }

    /// Integers of 64 bits, where there are any.
    pub(super) fn unsigned_or_null(name: &'static str, values: impl Iterator<Item = Option<u64>>) -> Column {
        Column::nullable(name, values.collect::<UInt64Array>())
    }

    /// Integers of 32 bits, where there are any.
    pub(super) fn unsigned_32_or_null(
        name: &'static str,
        values: impl Iterator<Item = Option<u32>>,
    ) -> Column {
        Column::nullable(name, values.collect::<UInt32Array>())
    }

    /// The column `time`, from milliseconds since 1970 in UTC.
    pub(super) fn time(times_ms: impl Iterator<Item = u64>) -> Column {
        // Rows are checked to be of the year 9999 at the latest.
        let times = times_ms.map(|time_ms| i64::try_from(time_ms).unwrap_or(i64::MAX));
        Column::new("time", TimestampMillisecondArray::from_iter_values(times).with_timezone("UTC"))
    }

    /// Yes or no.
    pub(super) fn flag(name: &'static str, values: impl Iterator<Item = bool>) -> Column {
        Column::new(name, values.map(Some).collect::<BooleanArray>())
    }

    /// Texts.
    pub(super) fn text<T: AsRef<str>>(name: &'static str, values: impl Iterator<Item = T>) -> Column {
        Column::new(name, StringArray::from_iter_values(values))
    }

    /// Texts, where there are any.
    pub(super) fn text_or_null<T: AsRef<str>>(
        name: &'static str,
        values: impl Iterator<Item = Option<T>>,
    ) -> Column {
        Column::nullable(name, values.collect::<StringArray>())
    }

    /// Bytes of one length.
    pub(super) fn fixed<const N: usize>(name: &'static str, values: impl Iterator<Item = [u8; N]>) -> Column {
        Column { nullable: false, ..Column::fixed_or_null(name, values.map(Some)) }
    }

    /// Bytes of one length, where there are any.
    pub(super) fn fixed_or_null<const N: usize>(
        name: &'static str,
        values: impl Iterator<Item = Option<[u8; N]>>,
    ) -> Column {
        let mut builder = FixedSizeBinaryBuilder::new(const { width(N) });
        for value in values {
            match value {
                // Fails for other lengths only, and N is the builder's.
                Some(value) => builder.append_value(value).expect("bytes of the column's length"),
                None => builder.append_null(),
            }
        }
        Column::nullable(name, builder.finish())
    }

    /// Bytes of any length.
    pub(super) fn bytes<T: AsRef<[u8]>>(name: &'static str, values: impl Iterator<Item = T>) -> Column {
        Column::new(name, BinaryArray::from_iter_values(values))
    }
}

/// A length as Arrow has it; no column is wider than a few hundred bytes.
const fn width(bytes: usize) -> i32 {
    assert!(bytes <= 1 << 16, "a column of so many bytes");
    #[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "asserted above")]
    let width = bytes as i32;
    width
}

/// The columns of rows that were read. They have the table's types, or asking for them fails as `malformed`.
pub struct Columns<'a>(pub(super) &'a RecordBatch);

impl<'a> Columns<'a> {
    fn column<T>(&self, name: &str, cast: impl FnOnce(&'a ArrayRef) -> Option<T>) -> Result<T, Rejection> {
        let wrong = || Class::Malformed.because(format!("column {name} is missing or of another type"));
        self.0.column_by_name(name).and_then(cast).ok_or_else(wrong)
    }

    /// Integers of 64 bits.
    pub(super) fn unsigned(&self, name: &str) -> Result<&'a UInt64Array, Rejection> {
        self.column(name, |column| column.as_primitive_opt::<UInt64Type>())
    }

    /// Integers of 32 bits.
    pub(super) fn unsigned_32(&self, name: &str) -> Result<&'a UInt32Array, Rejection> {
        self.column(name, |column| column.as_primitive_opt::<UInt32Type>())
    }

    /// The column `time` in milliseconds since 1970. Earlier times are refused as `malformed`.
    pub(super) fn times_ms(&self) -> Result<Vec<u64>, Rejection> {
        let times = self.column("time", |column| column.as_primitive_opt::<TimestampMillisecondType>())?;
        let time_ms = |time: &i64| {
            u64::try_from(*time)
                .map_err(|_| Class::Malformed.because(format!("the time {time} ms, before 1970")))
        };
        times.values().iter().map(time_ms).collect()
    }

    /// Texts.
    pub(super) fn text(&self, name: &str) -> Result<&'a StringArray, Rejection> {
        self.column(name, |column| column.as_string_opt::<i32>())
    }

    /// Bytes of any length.
    pub(super) fn bytes(&self, name: &str) -> Result<&'a BinaryArray, Rejection> {
        self.column(name, |column| column.as_binary_opt::<i32>())
    }

    /// Bytes of one length.
    pub(super) fn fixed<const N: usize>(&self, name: &str) -> Result<Fixed<'a, N>, Rejection> {
        let fixed = |column: &'a ArrayRef| {
            column.as_fixed_size_binary_opt().filter(|array| array.value_length() == const { width(N) })
        };
        self.column(name, fixed).map(Fixed)
    }
}

/// A column of byte strings of N bytes.
pub(super) struct Fixed<'a, const N: usize>(&'a FixedSizeBinaryArray);

impl<const N: usize> Fixed<'_, N> {
    /// The value of a row; `None` where there is none.
    pub(super) fn get(&self, row: usize) -> Option<[u8; N]> {
        self.0.is_valid(row).then(|| self.0.value(row).try_into().ok()).flatten()
    }

    /// The value of a row of a column that no row lacks.
    pub(super) fn value(&self, row: usize) -> Result<[u8; N], Rejection> {
        self.get(row)
            .ok_or_else(|| Class::Malformed.because(format!("row {row} of the group lacks {N} bytes")))
    }
}

/// The value of a row, where it has one.
pub(super) fn get<T>(array: &dyn Array, row: usize, value: impl FnOnce(usize) -> T) -> Option<T> {
    array.is_valid(row).then(|| value(row))
}

/// An SS58 address; names and hex digits are for people.
pub(super) fn account(text: &str) -> Result<Account, Rejection> {
    match Account::parse(text) {
        Ok((account, AccountSource::Ss58)) => Ok(account),
        _ => Err(Class::Malformed.because(format!("\"{}\" is no SS58 address", text.escape_default()))),
    }
}
