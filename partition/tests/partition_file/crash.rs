//! Power cuts at every operation of random histories: what was acknowledged is there, what was not written is not
//! claimed, and the file goes on working. The medium is the one of partition-file-v1 §1, at its worst.

use std::collections::BTreeMap;
use std::sync::Arc;

use holdfast_partition::format::{RECORD_BYTES, REGISTRATION_BYTES, StoredState};
use holdfast_partition::io::faulty::Faults;
use holdfast_partition::io::{AlignedBuffer, BlockIo, FaultyIo, PAGE_BYTES};
use holdfast_partition::partition_file::{
    Mark, OpenMode, PartitionFile, PartitionFileError, SealedWindow, WindowState,
};

use super::disk::{Random, after_power_loss, new_disk};
use super::zeroed;

const WINDOW_CAP: u64 = 12;
const LAYERS: u8 = 2;
const HISTORIES: u64 = 14;
const STEPS: u64 = 14;

/// What the file must say. The tag tells the fillings of one window apart.
#[derive(Clone, Debug, Default, PartialEq)]
struct Model {
    windows: u64,
    scrub_position: u64,
    entries: BTreeMap<u64, (StoredState, Option<u64>)>,
}

#[derive(Clone, Debug)]
enum Change {
    Window(u64, StoredState, Option<u64>),
    Windows(u64),
    Scrub(u64),
}

impl Model {
    fn apply(&mut self, change: &Change) {
        match *change {
            Change::Window(index, StoredState::Empty, _) => drop(self.entries.remove(&index)),
            Change::Window(index, state, tag) => drop(self.entries.insert(index, (state, tag))),
            Change::Windows(windows) => {
                self.windows = windows;
                self.entries.retain(|&index, _| index < windows);
                self.scrub_position = if self.scrub_position > windows { 0 } else { self.scrub_position };
            }
            Change::Scrub(next) => self.scrub_position = next,
        }
    }

    /// What an opened file says.
    fn of(file: &PartitionFile) -> Result<Self, PartitionFileError> {
        let mut model = Self {
            windows: file.windows()?,
            scrub_position: file.scrub_position()?,
            entries: BTreeMap::new(),
        };
        for index in 0..model.windows {
            let entry = file.entry(index)?;
            let tag = entry.seal.map(|seal| u64::from_le_bytes(*seal.record.first_chunk().unwrap()));
            if entry.state != StoredState::Empty {
                model.entries.insert(index, (entry.state, tag));
            }
        }
        Ok(model)
    }
}

/// A history in progress: the model is what was acknowledged, `pending` what the last step was about to change.
struct History {
    random: Random,
    model: Model,
    pending: Vec<Change>,
}

impl History {
    fn step(&mut self, file: &PartitionFile) -> Result<(), PartitionFileError> {
        let windows = self.model.windows;
        match self.random.below(12) {
            0..=4 if windows > 0 => self.seal_some(file),
            5 if windows > 0 => self.mark_some(file),
            6 | 7 => {
                let windows = self.random.below(WINDOW_CAP + 1);
                self.pending = vec![Change::Windows(windows)];
                file.resize(windows, &mut |_| true)
            }
            8 => {
                // Sometimes many events at once, so that the journal fills and checkpoints by itself.
                let events = if self.random.below(8) == 0 { 200 } else { 3 };
                for _ in 0..events {
                    let next = self.random.below(windows + 1);
                    self.pending = vec![Change::Scrub(next)];
                    file.set_scrub_position(next)?;
                    self.acknowledge();
                }
                Ok(())
            }
            9 => file.checkpoint(),
            _ => {
                let next = self.random.below(windows + 1);
                self.pending = vec![Change::Scrub(next)];
                file.set_scrub_position(next)
            }
        }?;
        self.acknowledge();
        Ok(())
    }

    fn acknowledge(&mut self) {
        for change in self.pending.drain(..) {
            self.model.apply(&change);
        }
    }

    fn seal_some(&mut self, file: &PartitionFile) -> Result<(), PartitionFileError> {
        let mut sealed = Vec::new();
        let mut changes = Vec::new();
        for _ in 0..=self.random.below(5) {
            let index = self.random.below(self.model.windows);
            match file.window_state(index)? {
                WindowState::Filling => continue,
                WindowState::Empty | WindowState::Bad => {}
                WindowState::Sealed | WindowState::Data => {
                    self.pending = vec![Change::Window(index, StoredState::Empty, None)];
                    file.mark(index, Mark::Empty)?;
                    self.acknowledge();
                }
            }
            let tag = self.random.next() | 1;
            file.begin_filling(index)?;
            file.io().write_at(file.window_offset(index)?, &slot(file, tag))?;
            sealed.push(seal(index, tag));
            changes.push(Change::Window(index, StoredState::Sealed, Some(tag)));
        }
        self.pending = changes;
        file.seal(&sealed)
    }

    fn mark_some(&mut self, file: &PartitionFile) -> Result<(), PartitionFileError> {
        let index = self.random.below(self.model.windows);
        let tag = self.model.entries.get(&index).and_then(|&(_, tag)| tag);
        let (mark, state, tag) = match self.random.below(3) {
            0 => (Mark::Bad, StoredState::Bad, tag),
            1 => (Mark::Empty, StoredState::Empty, None),
            _ => (Mark::Data, StoredState::Data, None),
        };
        self.pending = vec![Change::Window(index, state, tag)];
        file.mark(index, mark)
    }

    /// The recovered file says what was acknowledged and a first part of what was pending; the bytes of every window
    /// that it calls sealed are those that were written.
    fn check_recovered(&mut self, file: &PartitionFile) -> Result<(), String> {
        let found = Model::of(file).map_err(|error| error.to_string())?;
        let mut allowed = self.model.clone();
        let mut pending = std::mem::take(&mut self.pending).into_iter();
        while allowed != found {
            let Some(change) = pending.next() else {
                return Err(format!("found {found:?}, acknowledged {:?}", self.model));
            };
            allowed.apply(&change);
        }
        for (&index, &(state, tag)) in &found.entries {
            if state == StoredState::Sealed {
                let expected = slot(file, tag.unwrap_or_default());
                let mut bytes = zeroed(expected.len());
                let offset = file.window_offset(index).map_err(|error| error.to_string())?;
                file.io().read_at(offset, &mut bytes).map_err(|error| format!("window {index}: {error}"))?;
                if *bytes != *expected {
                    return Err(format!("window {index} is called sealed and has other bytes"));
                }
            }
        }
        self.model = found;
        Ok(())
    }
}

fn registration() -> [u8; REGISTRATION_BYTES] {
    let mut registration = [0x5a; REGISTRATION_BYTES];
    (registration[4], registration[5]) = (10, LAYERS);
    registration[8..16].copy_from_slice(&WINDOW_CAP.to_le_bytes());
    registration
}

/// Window and outboard, with the tag in every page.
fn slot(file: &PartitionFile, tag: u64) -> AlignedBuffer {
    let mut bytes = zeroed(usize::try_from(file.geometry().slot_bytes()).unwrap());
    for (number, page) in (0..).zip(bytes.chunks_exact_mut(PAGE_BYTES)) {
        page.fill(number);
        page[..8].copy_from_slice(&tag.to_le_bytes());
        page[4088..].copy_from_slice(&tag.to_le_bytes());
    }
    bytes
}

fn seal(index: u64, tag: u64) -> SealedWindow {
    let mut record = [9; RECORD_BYTES];
    record[..8].copy_from_slice(&tag.to_le_bytes());
    SealedWindow { index, record, layer_roots: vec![[3; 32]; usize::from(LAYERS)] }
}

/// Plays a history until its end or the power cut. True when the partition was there before the power went.
fn play(disk: &Arc<FaultyIo>, history: &mut History, steps: u64, created: bool) -> bool {
    let io: Arc<dyn BlockIo> = Arc::clone(disk) as _;
    let file = if created {
        PartitionFile::open(io, OpenMode::ReadWrite).map(|(file, _)| file)
    } else {
        PartitionFile::create(io, registration())
    };
    let Ok(file) = file else { return created };
    for _ in 0..steps {
        if history.step(&file).is_err() {
            return true;
        }
    }
    let _ = file.close();
    true
}

/// One history with a power cut at `cut_at`, a second one during or after recovery, and a clean end.
fn survive(seed: u64, cut_at: u64, lies: bool) -> Result<(), String> {
    let mut history = History { random: Random(seed), model: Model::default(), pending: Vec::new() };
    let mut fate = Random(seed ^ cut_at.rotate_left(32));
    let mut disk = new_disk();
    disk.set_faults(Faults { seed, cut_at: Some(cut_at), syncs_lie: lies, ..Faults::default() });
    let mut created = play(&disk, &mut history, STEPS, false);
    for second in [true, false] {
        let second_cut_at = second.then(|| fate.below(24));
        let faults = Faults { seed, cut_at: second_cut_at, ..Faults::default() };
        disk = after_power_loss(&disk, &mut fate, faults);
        let opened = PartitionFile::open(Arc::clone(&disk) as _, OpenMode::ReadOnly);
        match opened {
            Ok((file, _)) => history.check_recovered(&file)?,
            Err(_) if !created => return Ok(()),
            Err(error) => return Err(format!("does not open again: {error}")),
        }
        created = true;
        play(&disk, &mut history, 4, created);
    }
    let (file, report) = PartitionFile::open(disk, OpenMode::ReadOnly).map_err(|error| error.to_string())?;
    if !report.is_clean() {
        return Err(format!("not clean after a clean close: {report:?}"));
    }
    history.check_recovered(&file)
}

/// Changing operations of a whole history without a cut.
fn operations(seed: u64) -> u64 {
    let disk = new_disk();
    let mut history = History { random: Random(seed), model: Model::default(), pending: Vec::new() };
    play(&disk, &mut history, STEPS, false);
    disk.operations()
}

#[test]
fn power_cuts_at_every_operation_lose_nothing_and_claim_nothing() {
    let mut cuts = 0;
    for seed in 0..HISTORIES {
        for cut_at in 0..=operations(seed) {
            if let Err(problem) = survive(seed, cut_at, false) {
                panic!("history {seed}, power cut at operation {cut_at}: {problem}");
            }
            cuts += 1;
        }
    }
    assert!(cuts >= 1000, "only {cuts} power cuts");
}

/// The harness can fail: a disk whose syncs do nothing loses what was acknowledged.
#[test]
fn a_disk_that_lies_about_syncs_is_found_out() {
    let found = (0..40).filter(|&seed| survive(seed, 30, true).is_err()).count();
    assert!(found >= 20, "only {found} of 40 histories noticed");
}

#[test]
fn after_a_failed_sync_everything_fails_for_good() {
    let disk = new_disk();
    let file = PartitionFile::create(Arc::clone(&disk) as _, registration()).unwrap();
    file.resize(4, &mut |_| true).unwrap();
    file.begin_filling(1).unwrap();
    disk.set_faults(Faults { fail_sync: true, ..Faults::default() });
    assert!(matches!(file.seal(&[seal(1, 7)]), Err(PartitionFileError::Io(_))));
    assert!(matches!(file.seal(&[seal(1, 7)]), Err(PartitionFileError::Closed)));
    assert!(matches!(file.entry(0), Err(PartitionFileError::Closed)));
    assert!(matches!(file.windows(), Err(PartitionFileError::Closed)));
    assert!(matches!(file.resize(5, &mut |_| true), Err(PartitionFileError::Closed)));
    assert!(matches!(file.checkpoint(), Err(PartitionFileError::Closed)));
    assert!(matches!(file.close(), Err(PartitionFileError::Closed)));
    let again = after_power_loss(&disk, &mut Random(1), Faults::default());
    let (file, _) = PartitionFile::open(again, OpenMode::ReadWrite).unwrap();
    assert_eq!(file.windows().unwrap(), 4);
    assert_eq!(file.window_state(1).unwrap(), WindowState::Empty);
}
