//! Which answers were anchored, looked up round by round: all pairs of a long export do not fit into memory.

use std::collections::{HashMap, VecDeque};

use holdfast_engine::receipt::{AnchoredPairs, PairProof};
use holdfast_engine::recorder::Anchor;
use holdfast_engine::rejection::{Class, Rejection};

use super::row::decode;
use super::table_file::TableFile;
use super::{AnchorRow, ExportError, ExportReader, Table};

/// Rounds and row groups that are kept. Receipts come mostly in the order of their rounds; slow rounds end among later ones.
const ROUNDS_KEPT: usize = 8;
const GROUPS_KEPT: usize = 2;

/// Where the pairs of a round are: file, row group, row.
type Place = (usize, usize, usize);

/// The anchors of an export, by round; their pairs stay on the disk.
#[derive(Debug, Default)]
pub(super) struct AnchorIndex {
    anchors: HashMap<u64, (Anchor, Place)>,
}

impl AnchorIndex {
    /// Reads the anchors, at most `most` of them.
    ///
    /// # Errors
    /// `Rejected`: see [`ExportReader::rows`]; as `wrong-record` if a round is anchored twice, as `wrong-length` if there are more.
    pub(super) fn read(reader: &ExportReader, most: u64) -> Result<AnchorIndex, ExportError> {
        let mut index = AnchorIndex::default();
        let mut groups = reader.rows::<AnchorRow>();
        while let Some((part, group, rows)) = groups.next_group()? {
            for (i, row) in rows.iter().enumerate() {
                let refuse =
                    |rejection| ExportError::rejected(reader.place_of(Table::Anchors, row.number), rejection);
                if row.number >= most {
                    return Err(refuse(Class::WrongLength.because(format!("more than {most} anchors"))));
                }
                let anchor = row.anchor(reader.settings()).map_err(refuse)?;
                if index.anchors.insert(row.height, (anchor, (part, group, i))).is_some() {
                    let detail = format!("the round at height {} is anchored twice", row.height);
                    return Err(refuse(Class::WrongRecord.because(detail)));
                }
            }
        }
        Ok(index)
    }

    /// The anchor of a round.
    pub(super) fn get(&self, height: u64) -> Option<&Anchor> {
        self.anchors.get(&height).map(|(anchor, _)| anchor)
    }

    /// All anchors, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Anchor> {
        self.anchors.values().map(|(anchor, _)| anchor)
    }
}

/// Shows pairs of anchored rounds.
#[derive(Debug)]
pub(super) struct TimelyPairs<'a> {
    reader: &'a ExportReader,
    index: &'a AnchorIndex,
    /// By file and row group: decoding one takes about as long whether it has one round or thousands.
    groups: VecDeque<((usize, usize), Vec<AnchorRow>)>,
    rounds: VecDeque<(u64, AnchoredPairs)>,
}

impl<'a> TimelyPairs<'a> {
    /// Of an export whose anchors were read.
    pub(super) fn new(reader: &'a ExportReader, index: &'a AnchorIndex) -> TimelyPairs<'a> {
        TimelyPairs { reader, index, groups: VecDeque::new(), rounds: VecDeque::new() }
    }

    /// That an answer was among those of its round; `None` if the round was not anchored, or without it.
    ///
    /// # Errors
    /// The file changed since its anchors were read, or cannot be read.
    pub(super) fn prove(&mut self, height: u64, seed: &[u8; 32]) -> Result<Option<PairProof>, ExportError> {
        let Some((anchor, place)) = self.index.anchors.get(&height) else { return Ok(None) };
        if !self.rounds.iter().any(|(kept, _)| *kept == height) {
            let pairs = self.load(*place)?;
            keep(&mut self.rounds, ROUNDS_KEPT, (height, pairs));
        }
        let pairs = self.rounds.iter().find(|(kept, _)| *kept == height);
        Ok(pairs.and_then(|(_, pairs)| pairs.prove(height, anchor.validator, seed)))
    }

    fn load(&mut self, (part, group, row): Place) -> Result<AnchoredPairs, ExportError> {
        if !self.groups.iter().any(|(kept, _)| *kept == (part, group)) {
            let rows = self.load_group(part, group)?;
            keep(&mut self.groups, GROUPS_KEPT, ((part, group), rows));
        }
        let rows = self.groups.iter().find(|(kept, _)| *kept == (part, group));
        let row = rows.and_then(|(_, rows)| rows.get(row)).ok_or_else(changed);
        row.and_then(AnchorRow::anchored).map_err(|rejection| self.rejected(part, rejection))
    }

    fn load_group(&self, part: usize, group: usize) -> Result<Vec<AnchorRow>, ExportError> {
        let settings = self.reader.settings();
        let Some(at) = self.reader.parts(Table::Anchors).get(part) else {
            return Err(self.rejected(part, changed()));
        };
        let file = TableFile::open::<AnchorRow>(&at.path, settings)?;
        let columns = if group < file.groups() { file.group(group) } else { Err(changed()) };
        let rows = columns.and_then(|columns| decode::<AnchorRow>(&columns, settings));
        rows.map_err(|rejection| self.rejected(part, rejection))
    }

    fn rejected(&self, part: usize, rejection: Rejection) -> ExportError {
        let at = self.reader.parts(Table::Anchors).get(part);
        ExportError::rejected(at.map_or(self.reader.root(), |at| &at.path), rejection)
    }
}

/// Files of an export never change.
fn changed() -> Rejection {
    Class::WrongRecord.because("it is another file than when its anchors were read")
}

/// Adds one, and drops the oldest where there are more than so many.
fn keep<T>(kept: &mut VecDeque<T>, most: usize, one: T) {
    if kept.len() >= most {
        kept.pop_front();
    }
    kept.push_back(one);
}
