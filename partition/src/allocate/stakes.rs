//! The stake table: who is staked with how much, from JSON or CSV.

use std::collections::HashMap;
use std::path::Path;

use serde::Deserialize;

/// Largest stake accepted, in tokens: far above every token's supply, low enough for exact arithmetic.
pub const STAKE_MAXIMUM: f64 = 1e12;
/// Stakes are told apart to a billionth of a token (one rao).
const UNITS_PER_TOKEN: u32 = 1_000_000_000;
const HOTKEY_BYTES_MAXIMUM: usize = 128;

/// One validator of the table.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Stake {
    /// Its number in the network.
    pub uid: u32,
    /// Its account, as it is written in the network: an SS58 address, or a development name.
    pub hotkey: String,
    /// Tokens staked.
    pub stake: f64,
}

impl Stake {
    /// `stake + 1` in billionths of a token: the weight of the share.
    pub(super) fn weight(&self) -> u128 {
        #[expect(clippy::cast_possible_truncation, reason = "between 0 and 10^21, checked by the table")]
        let units = (self.stake * f64::from(UNITS_PER_TOKEN)).round() as u128;
        units + u128::from(UNITS_PER_TOKEN)
    }
}

/// Why a stake table was refused. Rows are counted from 1, without the heading of a CSV table.
#[derive(Debug, thiserror::Error)]
pub enum StakeError {
    /// The file cannot be read.
    #[error("{path}: {source}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// Not JSON of the right shape; the message has line and column.
    #[error("stake table: {0}; expected [{{\"uid\":0,\"hotkey\":\"5E…\",\"stake\":900.0}}, …]")]
    Json(#[from] serde_json::Error),
    /// Not CSV of the right shape; the message has the line.
    #[error("stake table: {0}; expected the columns uid,hotkey,stake")]
    Csv(#[from] csv::Error),
    /// Negative, infinite, not a number, or too large.
    #[error("stake table, row {row}: stake {stake} of {hotkey} is not between 0 and {STAKE_MAXIMUM:e}")]
    Stake {
        /// The row.
        row: usize,
        /// The validator.
        hotkey: String,
        /// Its stake.
        stake: f64,
    },
    /// A hotkey that cannot be one.
    #[error(
        "stake table, row {row}: hotkey {hotkey:?} is empty, longer than {HOTKEY_BYTES_MAXIMUM} bytes, or has a character that no hotkey has"
    )]
    Hotkey {
        /// The row.
        row: usize,
        /// What stands there.
        hotkey: String,
    },
    /// A hotkey or uid twice.
    #[error("stake table, row {row}: {field} {value} stands in row {first_row} already")]
    Duplicate {
        /// The row.
        row: usize,
        /// `hotkey` or `uid`.
        field: &'static str,
        /// The value.
        value: String,
        /// Where it stands first.
        first_row: usize,
    },
}

/// Checked rows: every stake is a number from 0 to [`STAKE_MAXIMUM`], no hotkey and no uid stands twice.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StakeTable(Vec<Stake>);

impl StakeTable {
    /// Checks rows that came from anywhere.
    ///
    /// # Errors
    /// The first row that is wrong.
    pub fn new(rows: Vec<Stake>) -> Result<Self, StakeError> {
        let mut rows_of_hotkeys = HashMap::new();
        let mut rows_of_uids = HashMap::new();
        for (row, stake) in (1..).zip(&rows) {
            check_row(row, stake)?;
            if let Some(first_row) = rows_of_hotkeys.insert(stake.hotkey.as_str(), row) {
                return Err(duplicate(row, "hotkey", stake.hotkey.clone(), first_row));
            }
            if let Some(first_row) = rows_of_uids.insert(stake.uid, row) {
                return Err(duplicate(row, "uid", stake.uid.to_string(), first_row));
            }
        }
        Ok(Self(rows))
    }

    /// Reads a file: CSV or JSON by the name's ending, else JSON when it begins with `[`.
    ///
    /// # Errors
    /// [`StakeError`].
    pub fn read(path: &Path) -> Result<Self, StakeError> {
        let bytes = std::fs::read(path)
            .map_err(|source| StakeError::Read { path: path.display().to_string(), source })?;
        let ending = path.extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase);
        match ending.as_deref() {
            Some("csv") => Self::from_csv(&bytes),
            Some("json") => Self::from_json(&bytes),
            _ if bytes.trim_ascii_start().first() == Some(&b'[') => Self::from_json(&bytes),
            _ => Self::from_csv(&bytes),
        }
    }

    /// From `[{"uid":0,"hotkey":"5E…","stake":900.0}, …]`; further fields are ignored.
    ///
    /// # Errors
    /// [`StakeError`].
    pub fn from_json(bytes: &[u8]) -> Result<Self, StakeError> {
        Self::new(serde_json::from_slice(bytes)?)
    }

    /// From lines under the heading `uid,hotkey,stake`, in any order of columns; further columns are ignored.
    ///
    /// # Errors
    /// [`StakeError`].
    pub fn from_csv(bytes: &[u8]) -> Result<Self, StakeError> {
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(bytes);
        Self::new(reader.deserialize().collect::<Result<_, _>>()?)
    }

    /// The rows in their order.
    pub fn iter(&self) -> std::slice::Iter<'_, Stake> {
        self.0.iter()
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn check_row(row: usize, stake: &Stake) -> Result<(), StakeError> {
    let hotkey = &stake.hotkey;
    // Hotkeys are shown on terminals and may become part of file names.
    let allowed = |c: char| !c.is_control() && !c.is_whitespace() && c != '/' && c != '\\';
    if hotkey.is_empty()
        || hotkey.len() > HOTKEY_BYTES_MAXIMUM
        || hotkey.starts_with('.')
        || !hotkey.chars().all(allowed)
    {
        return Err(StakeError::Hotkey { row, hotkey: hotkey.clone() });
    }
    if !(0.0..=STAKE_MAXIMUM).contains(&stake.stake) {
        return Err(StakeError::Stake { row, hotkey: hotkey.clone(), stake: stake.stake });
    }
    Ok(())
}

fn duplicate(row: usize, field: &'static str, value: String, first_row: usize) -> StakeError {
    StakeError::Duplicate { row, field, value, first_row }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = r#"[{"uid":0,"hotkey":"5Ea","stake":900.0},
        {"uid":7,"hotkey":"5Eb","stake":0,"vtrust":0.5}]"#;
    const CSV: &str = "hotkey,uid,stake,name\n5Ea,0,900.0,one\n 5Eb , 7, 0,two\n";

    #[test]
    fn json_and_csv_give_the_same_table() {
        let table = StakeTable::from_json(JSON.as_bytes()).unwrap();
        assert_eq!(table, StakeTable::from_csv(CSV.as_bytes()).unwrap());
        let weights: Vec<_> = table.iter().map(Stake::weight).collect();
        assert_eq!(weights, [901_000_000_000, 1_000_000_000]);
        assert_eq!(table.len(), 2);
    }

    #[test]
    fn a_file_is_read_by_its_ending_or_its_first_byte() {
        let directory = tempfile::tempdir().unwrap();
        let expected = StakeTable::from_csv(CSV.as_bytes()).unwrap();
        for (name, text) in [("a.json", JSON), ("a.CSV", CSV), ("json", JSON), ("csv.txt", CSV)] {
            let path = directory.path().join(name);
            std::fs::write(&path, text).unwrap();
            assert_eq!(StakeTable::read(&path).unwrap(), expected, "{name}");
        }
        let error = StakeTable::read(&directory.path().join("none")).unwrap_err();
        assert!(error.to_string().contains("none: No such file"), "{error}");
    }

    #[test]
    fn every_bad_row_is_refused_by_its_number_or_line() {
        let cases = [
            ("uid,hotkey,stake\n0,a,1\n1,b,NaN", "row 2: stake NaN of b"),
            ("uid,hotkey,stake\n0,a,inf", "row 1: stake inf"),
            ("uid,hotkey,stake\n0,a,-0.1", "row 1: stake -0.1"),
            ("uid,hotkey,stake\n0,a,1e13", "row 1: stake 10000000000000"),
            ("uid,hotkey,stake\n0,a,1\n1,a,1", "row 2: hotkey a stands in row 1"),
            ("uid,hotkey,stake\n3,a,1\n3,b,1", "row 2: uid 3 stands in row 1"),
            ("uid,hotkey,stake\n0,../a,1", "row 1: hotkey \"../a\""),
            ("uid,hotkey,stake\n0,,1", "row 1: hotkey \"\""),
            ("uid,hotkey,stake\n0,a,1\n1,b,much", "line: 3"),
            ("uid,hotkey,stake\n0,a,1\n1,b", "line: 3"),
            ("uid,hotkey\n0,a", "missing field `stake`"),
            ("uid,hotkey,stake\n-1,a,1", "line: 2"),
        ];
        for (text, expected) in cases {
            let message = StakeTable::from_csv(text.as_bytes()).unwrap_err().to_string();
            assert!(message.contains(expected), "{text}: {message}");
        }
        let cases = [
            (r#"[{"uid":0,"hotkey":"a","stake":1}"#, "line 1 column"),
            ("[{\"uid\":0,\n\"hotkey\":\"a\"}]", "missing field `stake` at line 2"),
            (r#"[{"uid":0,"hotkey":"a","stake":-1}]"#, "row 1: stake -1"),
            (r#"[{"uid":0,"hotkey":"a","stake":1e999}]"#, "number out of range at line 1"),
            (r#"{"uid":0}"#, "expected"),
        ];
        for (text, expected) in cases {
            let message = StakeTable::from_json(text.as_bytes()).unwrap_err().to_string();
            assert!(message.contains(expected), "{text}: {message}");
        }
    }
}
