//! Plain text tables and numbers for people.

use std::fmt::Write;

pub use holdfast_partition::size::format_bytes as bytes;

/// Rows of cells; columns are as wide as their widest cell.
pub struct Table {
    align_right: Vec<bool>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these heads; a head that starts with `>` makes a right-aligned column.
    pub fn new(heads: &[&str]) -> Table {
        let align_right = heads.iter().map(|head| head.starts_with('>')).collect();
        let heads = heads.iter().map(|head| head.trim_start_matches('>').to_owned()).collect();
        Table { align_right, rows: vec![heads] }
    }

    /// Adds a row; cells that are missing stay empty.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Writes the table, each line after `indent`.
    pub fn write(&self, indent: &str, out: &mut String) {
        let widths: Vec<usize> = (0..self.align_right.len())
            .map(|c| self.rows.iter().filter_map(|row| row.get(c)).map(|cell| cell.chars().count()).max())
            .map(Option::unwrap_or_default)
            .collect();
        for row in &self.rows {
            let mut line = indent.to_owned();
            for ((cell, &width), &right) in row.iter().zip(&widths).zip(&self.align_right) {
                // Writing to a String cannot fail.
                let _ =
                    if right { write!(line, "{cell:>width$}  ") } else { write!(line, "{cell:<width$}  ") };
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
    }
}

/// Bytes per second for people.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // saturates, and what is no number becomes 0
pub fn rate(bytes_per_second: f64) -> String {
    format!("{}/s", bytes(bytes_per_second as u64))
}

/// Seconds as people say them: `0.8 s`, `2 min 5 s`, `3 h 20 min`, `4 d 2 h`.
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return "unknown".to_owned();
    }
    if seconds < 0.001 {
        return format!("{:.0} µs", seconds * 1e6);
    }
    if seconds < 1.0 {
        return format!("{:.1} ms", seconds * 1e3);
    }
    if seconds < 60.0 {
        return format!("{seconds:.1} s");
    }
    let (mut value, mut names) = ((seconds / 60.0).floor(), ["min", "s"]);
    let mut rest = seconds - value * 60.0;
    if value >= 60.0 {
        (rest, value, names) = (value % 60.0, (value / 60.0).floor(), ["h", "min"]);
        if value >= 48.0 {
            (rest, value, names) = (value % 24.0, (value / 24.0).floor(), ["d", "h"]);
        }
    }
    format!("{value:.0} {} {:.0} {}", names[0], rest.floor(), names[1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let mut table = Table::new(&["name", ">bytes"]);
        table.row(["a".to_owned(), "1".to_owned()]);
        table.row(["longer".to_owned(), "12345".to_owned()]);
        let mut out = String::new();
        table.write("  ", &mut out);
        assert_eq!(out, "  name    bytes\n  a           1\n  longer  12345\n");
    }

    #[test]
    fn durations_of_every_size() {
        let cases = [
            (0.000_002, "2 µs"),
            (0.25, "250.0 ms"),
            (59.9, "59.9 s"),
            (125.0, "2 min 5 s"),
            (12_000.0, "3 h 20 min"),
            (352_800.0, "4 d 2 h"),
            (f64::INFINITY, "unknown"),
        ];
        for (seconds, text) in cases {
            assert_eq!(duration(seconds), text);
        }
    }
}
