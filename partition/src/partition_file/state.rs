//! What the events amount to: the one interpretation of the journal, used by replay and by the live writer.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::PartitionFileError;
use crate::format::{Event, FormatError, Geometry, StoredState, Structure, WindowEntry};

/// State of a window while the file is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowState {
    /// Nothing of value.
    Empty,
    /// Being written; known in memory only.
    Filling,
    /// Its bytes and record are durable.
    Sealed,
    /// Its bytes are not what the record says.
    Bad,
    /// Taken by user data.
    Data,
}

impl fmt::Display for WindowState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "empty",
            Self::Filling => "being filled",
            Self::Sealed => "sealed",
            Self::Bad => "bad",
            Self::Data => "taken by data",
        })
    }
}

/// How many windows are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StateCounts {
    /// Empty windows.
    pub empty: u64,
    /// Windows being filled.
    pub filling: u64,
    /// Sealed windows.
    pub sealed: u64,
    /// Bad windows.
    pub bad: u64,
    /// Windows taken by user data.
    pub data: u64,
}

/// All windows of a partition. Memory grows with the windows that are not empty, not with what a header claims.
#[derive(Debug, Default)]
pub(super) struct State {
    windows: u64,
    scrub_position: u64,
    /// Every window that is not empty.
    entries: BTreeMap<u64, WindowEntry>,
    filling: BTreeSet<u64>,
}

impl State {
    pub(super) fn new(windows: u64, scrub_position: u64) -> Self {
        Self { windows, scrub_position, ..Self::default() }
    }

    pub(super) fn windows(&self) -> u64 {
        self.windows
    }

    pub(super) fn scrub_position(&self) -> u64 {
        self.scrub_position
    }

    pub(super) fn entry(&self, index: u64) -> WindowEntry {
        self.entries.get(&index).cloned().unwrap_or(WindowEntry::EMPTY)
    }

    /// Windows up to the last that is not empty: the pages a checkpoint has to write.
    pub(super) fn windows_to_write(&self) -> u64 {
        self.entries.last_key_value().map_or(0, |(index, _)| index + 1)
    }

    pub(super) fn window_state(&self, index: u64) -> WindowState {
        if self.filling.contains(&index) {
            return WindowState::Filling;
        }
        match self.entries.get(&index).map_or(StoredState::Empty, |entry| entry.state) {
            StoredState::Empty => WindowState::Empty,
            StoredState::Sealed => WindowState::Sealed,
            StoredState::Bad => WindowState::Bad,
            StoredState::Data => WindowState::Data,
        }
    }

    pub(super) fn counts(&self) -> StateCounts {
        let mut counts = StateCounts { filling: self.filling.len() as u64, ..StateCounts::default() };
        for (_, entry) in self.entries.iter().filter(|(index, _)| !self.filling.contains(index)) {
            match entry.state {
                StoredState::Empty => {}
                StoredState::Sealed => counts.sealed += 1,
                StoredState::Bad => counts.bad += 1,
                StoredState::Data => counts.data += 1,
            }
        }
        counts.empty = self.windows - counts.filling - counts.sealed - counts.bad - counts.data;
        counts
    }

    pub(super) fn no_window(&self, index: u64) -> PartitionFileError {
        PartitionFileError::NoSuchWindow { index, windows: self.windows }
    }

    pub(super) fn check_index(&self, index: u64) -> Result<(), PartitionFileError> {
        if index < self.windows { Ok(()) } else { Err(self.no_window(index)) }
    }

    /// Refuses unless window `index` exists and is in one of `allowed`.
    pub(super) fn check_state(
        &self,
        index: u64,
        allowed: &[WindowState],
        action: &'static str,
    ) -> Result<(), PartitionFileError> {
        self.check_index(index)?;
        let found = self.window_state(index);
        if allowed.contains(&found) {
            return Ok(());
        }
        Err(PartitionFileError::WrongState { index, found, action })
    }

    pub(super) fn begin_filling(&mut self, index: u64) -> Result<(), PartitionFileError> {
        self.check_state(index, &[WindowState::Empty, WindowState::Bad], "fill")?;
        self.filling.insert(index);
        Ok(())
    }

    pub(super) fn end_filling(&mut self, index: u64) {
        self.filling.remove(&index);
    }

    /// The first window from `windows` on that is being filled.
    pub(super) fn filling_from(&self, windows: u64) -> Option<u64> {
        self.filling.range(windows..).next().copied()
    }

    /// An entry read from the table.
    pub(super) fn set(&mut self, index: u64, entry: WindowEntry) {
        if entry.state == StoredState::Empty {
            self.entries.remove(&index);
        } else {
            self.entries.insert(index, entry);
        }
    }

    /// Carries out an event that stands in the journal page at `offset`.
    ///
    /// # Errors
    /// [`FormatError::OutOfRange`] for an event that no correct writer makes.
    pub(super) fn apply(
        &mut self,
        event: &Event,
        geometry: &Geometry,
        offset: u64,
    ) -> Result<(), FormatError> {
        let at_most = |field, found: u64, limit: u64| {
            if found <= limit {
                return Ok(());
            }
            let structure = Structure::JournalPage;
            Err(FormatError::OutOfRange { structure, field, offset, minimum: 0, maximum: limit, found })
        };
        match event {
            Event::Window { index, entry } => {
                at_most("window index + 1", index.saturating_add(1), self.windows)?;
                self.filling.remove(index);
                self.set(*index, entry.clone());
            }
            Event::Resize { windows } => {
                at_most("number of windows", *windows, geometry.window_cap())?;
                self.entries.split_off(windows);
                self.windows = *windows;
                if self.scrub_position > *windows {
                    self.scrub_position = 0;
                }
            }
            Event::Scrub { next } => {
                at_most("scrub position", *next, self.windows)?;
                self.scrub_position = *next;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bad(index: u64) -> Event {
        Event::Window { index, entry: WindowEntry::LOST }
    }

    #[test]
    fn a_trimmed_window_forgets_everything() {
        let geometry = Geometry::new(10, 2, 8).unwrap();
        let mut state = State::new(4, 0);
        for event in [bad(3), Event::Scrub { next: 4 }, Event::Resize { windows: 3 }] {
            state.apply(&event, &geometry, 0).unwrap();
        }
        assert_eq!((state.windows_to_write(), state.scrub_position()), (0, 0));
        state.apply(&Event::Resize { windows: 8 }, &geometry, 0).unwrap();
        assert_eq!(state.entry(3), WindowEntry::EMPTY);
        assert_eq!(state.counts(), StateCounts { empty: 8, ..StateCounts::default() });
    }

    #[test]
    fn events_that_no_correct_writer_makes_are_refused() {
        let geometry = Geometry::new(10, 2, 8).unwrap();
        let events = [bad(4), bad(u64::MAX), Event::Resize { windows: 9 }, Event::Scrub { next: 5 }];
        for event in events {
            let error = State::new(4, 0).apply(&event, &geometry, 8192).unwrap_err();
            assert!(matches!(error, FormatError::OutOfRange { offset: 8192, .. }), "{event:?}: {error}");
        }
    }

    #[test]
    fn counts_add_up_and_filling_hides_the_state_on_disk() {
        let geometry = Geometry::new(10, 2, 8).unwrap();
        let mut state = State::new(4, 0);
        state.apply(&bad(0), &geometry, 0).unwrap();
        state.apply(&bad(1), &geometry, 0).unwrap();
        state.begin_filling(1).unwrap();
        state.begin_filling(2).unwrap();
        assert_eq!(state.counts(), StateCounts { empty: 1, filling: 2, bad: 1, ..StateCounts::default() });
        assert!(matches!(state.begin_filling(1), Err(PartitionFileError::WrongState { .. })));
        state.end_filling(1);
        assert_eq!(state.window_state(1), WindowState::Bad);
        assert_eq!(state.filling_from(2), Some(2));
        assert_eq!(state.filling_from(3), None);
    }
}
