//! Responses from standard input: a JSON object a line.

use std::io::{BufRead, Read, StdinLock};
use std::path::Path;

use holdfast_engine::rejection::{Class, Rejection};
use serde::Deserialize;

use crate::failure::Failure;
use crate::files;

/// No line is longer: the largest response in hex, many times over.
const LINE_BYTES_MAXIMUM: u64 = 64 << 20;

const STANDARD_INPUT: &str = "standard input";

/// One line.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line {
    /// Comes back with the verdict.
    #[serde(default)]
    pub(super) id: serde_json::Value,
    /// The commitment, unless it is given as a file.
    pub(super) commitment: Option<Bytes>,
    /// The challenge, unless it is given as a file.
    pub(super) challenge: Option<Bytes>,
    /// The response.
    pub(super) response: Bytes,
}

/// A path, or `hex:` and hex digits.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Bytes(String);

impl Bytes {
    /// The bytes; hex that is none is refused as theirs, a file that cannot be read is ours.
    pub(super) fn read(&self) -> Result<Result<Vec<u8>, Rejection>, Failure> {
        match self.0.strip_prefix("hex:") {
            Some(digits) => Ok(hex::decode(digits)
                .map_err(|error| Class::Malformed.because(format!("not hex digits: {error}")))),
            None => files::read(Path::new(&self.0)).map(Ok),
        }
    }
}

/// The lines of standard input.
pub(super) struct Lines {
    input: StdinLock<'static>,
    number: u64,
}

impl Lines {
    /// From the first one on.
    pub(super) fn new() -> Lines {
        Lines { input: std::io::stdin().lock(), number: 0 }
    }

    /// The next lines, `most` at most; none at the end.
    pub(super) fn next(&mut self, most: usize) -> Result<Vec<Line>, Failure> {
        let mut lines = Vec::new();
        while lines.len() < most {
            let mut text = Vec::new();
            let read = (&mut self.input).take(LINE_BYTES_MAXIMUM).read_until(b'\n', &mut text);
            if read.map_err(|error| Failure::file("read", STANDARD_INPUT, error))? == 0 {
                break;
            }
            self.number += 1;
            if !text.iter().all(u8::is_ascii_whitespace) {
                lines.push(self.decode(&text)?);
            }
        }
        Ok(lines)
    }

    fn decode(&self, text: &[u8]) -> Result<Line, Failure> {
        serde_json::from_slice(text).map_err(|error| Failure::Foreign {
            path: STANDARD_INPUT.into(),
            expected: "a JSON object a line",
            reason: format!("line {}: {error}", self.number),
        })
    }
}
