//! Which answers were anchored, looked up round by round: all pairs of a long export do not fit into memory.

use std::collections::HashMap;
use std::collections::VecDeque;

use holdfast_engine::receipt::{AnchoredPairs, PairProof};
use holdfast_engine::recorder::Anchor;
use holdfast_engine::rejection::Class;

use super::row::decode;
use super::table_file::TableFile;
use super::{AnchorRow, ExportError, ExportReader, Table};

/// Rounds whose pairs are kept. Receipts come mostly in the order of their rounds; slow rounds end among later ones.
const ROUNDS_KEPT: usize = 8;

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
    file: Option<(usize, TableFile)>,
    rounds: VecDeque<(u64, AnchoredPairs)>,
}

impl<'a> TimelyPairs<'a> {
    /// Of an export whose anchors were read.
    pub(super) fn new(reader: &'a ExportReader, index: &'a AnchorIndex) -> TimelyPairs<'a> {
        TimelyPairs { reader, index, file: None, rounds: VecDeque::new() }
    }

    /// That an answer was among those of its round; `None` if the round was not anchored, or without it.
    ///
    /// # Errors
    /// The file changed since its anchors were read, or cannot be read.
    pub(super) fn prove(&mut self, height: u64, seed: &[u8; 32]) -> Result<Option<PairProof>, ExportError> {
        let Some((anchor, place)) = self.index.anchors.get(&height) else { return Ok(None) };
        if !self.rounds.iter().any(|(kept, _)| *kept == height) {
            let pairs = self.load(*place)?;
            if self.rounds.len() == ROUNDS_KEPT {
                self.rounds.pop_front();
            }
            self.rounds.push_back((height, pairs));
        }
        let pairs = self.rounds.iter().find(|(kept, _)| *kept == height);
        Ok(pairs.and_then(|(_, pairs)| pairs.prove(height, anchor.validator, seed)))
    }

    fn load(&mut self, (part, group, row): Place) -> Result<AnchoredPairs, ExportError> {
        let settings = self.reader.settings();
        let changed = || Class::WrongRecord.because("it is another file than when its anchors were read");
        let Some(at) = self.reader.parts(Table::Anchors).get(part) else {
            return Err(ExportError::rejected(self.reader.root(), changed()));
        };
        if self.file.as_ref().is_none_or(|(open, _)| *open != part) {
            self.file = Some((part, TableFile::open::<AnchorRow>(&at.path, settings)?));
        }
        let file = self.file.as_ref().filter(|(_, file)| group < file.groups());
        let rows = file.ok_or_else(changed).and_then(|(_, file)| file.group(group));
        let rows = rows.and_then(|batch| decode::<AnchorRow>(&batch, settings));
        let pairs = rows.and_then(|rows| rows.get(row).ok_or_else(changed)?.anchored());
        pairs.map_err(|rejection| ExportError::rejected(&at.path, rejection))
    }
}
