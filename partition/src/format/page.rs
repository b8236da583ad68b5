//! Table page and journal page: one shape, two readings.

use std::sync::Arc;

use super::{
    CHECKSUM_AT, Digest, FormatError, JOURNAL_CHECKSUM, LAYERS_MAXIMUM, Page, Structure, TABLE_CHECKSUM,
    check_checksum, check_zero, get, get_u64, put, put_checksum,
};
use crate::io::PAGE_BYTES;

/// Bytes of a window record (space-v1 §6), opaque to this crate.
pub const RECORD_BYTES: usize = 1024;
const ROOT_BYTES: usize = 32;

const MAGIC_AT: usize = 0;
const EVENT_AT: usize = MAGIC_AT + 4;
const STATE_AT: usize = EVENT_AT + 1;
const PADDING_1_AT: usize = STATE_AT + 1;
const SEQUENCE_AT: usize = PADDING_1_AT + 2;
const VALUE_AT: usize = SEQUENCE_AT + 8;
const RECORD_AT: usize = VALUE_AT + 8;
const LAYER_ROOTS_AT: usize = RECORD_AT + RECORD_BYTES;
const PADDING_2_AT: usize = LAYER_ROOTS_AT + LAYERS_MAXIMUM as usize * ROOT_BYTES;
const _: () = assert!(LAYER_ROOTS_AT == 1048 && PADDING_2_AT == 3096, "the offsets of the specification");

const TABLE_MAGIC: [u8; 4] = *b"HFT1";
const JOURNAL_MAGIC: [u8; 4] = *b"HFJ1";
const EVENT_WINDOW: u8 = 1;
const EVENT_RESIZE: u8 = 2;
const EVENT_SCRUB: u8 = 3;

/// State of a window as the file knows it. (A window being filled is `Empty` here.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoredState {
    /// Nothing of value.
    Empty,
    /// Its bytes and record are durable.
    Sealed,
    /// Its bytes are not what the record says.
    Bad,
    /// Taken by user data.
    Data,
}

/// What was acknowledged when a window was sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    /// The window record.
    pub record: [u8; RECORD_BYTES],
    /// Roots of the layers, layer 1 first; as many as the registration has layers.
    pub layer_roots: Vec<Digest>,
}

/// All that the file knows of one window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WindowEntry {
    /// Its state.
    pub state: StoredState,
    /// Always there when sealed, perhaps when bad (if its table page was readable), else absent.
    pub seal: Option<Arc<Seal>>,
}

impl WindowEntry {
    /// A window never filled, or trimmed and appended again.
    pub const EMPTY: Self = Self { state: StoredState::Empty, seal: None };
    /// A window whose table page is damaged.
    pub const LOST: Self = Self { state: StoredState::Bad, seal: None };
}

/// A page of a window table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TablePage {
    /// The window.
    pub index: u64,
    /// First sequence number of the header that the page belongs to: tells a page that a lost write left behind.
    pub first_sequence: u64,
    /// What stands in it.
    pub entry: WindowEntry,
}

/// What a journal page says happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Window `index` is now `entry`.
    Window {
        /// The window.
        index: u64,
        /// Its new entry.
        entry: WindowEntry,
    },
    /// The partition now has this many windows; those appended are empty.
    Resize {
        /// New number of windows.
        windows: u64,
    },
    /// Scrub goes on at this window.
    Scrub {
        /// Next window to scrub.
        next: u64,
    },
}

/// A page of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalPage {
    /// Its place in the order of events.
    pub sequence: u64,
    /// The event.
    pub event: Event,
}

impl TablePage {
    /// The page's bytes.
    pub fn encode(&self) -> Box<Page> {
        let mut page = blank(TABLE_MAGIC, 0, self.first_sequence, self.index);
        put_entry(&mut page, &self.entry);
        put_checksum(TABLE_CHECKSUM, &mut page);
        page
    }

    /// Reads the page of window `index`, which stands at `offset` in the file, of the table whose header has
    /// `first_sequence`.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn decode(
        page: &Page,
        offset: u64,
        layers: u8,
        index: u64,
        first_sequence: u64,
    ) -> Result<Self, FormatError> {
        let reader = Reader { page, offset, structure: Structure::TablePage };
        reader.check_frame(TABLE_MAGIC, TABLE_CHECKSUM)?;
        reader.zero(EVENT_AT..STATE_AT)?;
        reader.expect("first sequence", SEQUENCE_AT, first_sequence)?;
        reader.expect("window index", VALUE_AT, index)?;
        Ok(Self { index, first_sequence, entry: reader.entry(layers)? })
    }
}

impl JournalPage {
    /// The page's bytes.
    pub fn encode(&self) -> Box<Page> {
        let (kind, value) = match &self.event {
            Event::Window { index, .. } => (EVENT_WINDOW, *index),
            Event::Resize { windows } => (EVENT_RESIZE, *windows),
            Event::Scrub { next } => (EVENT_SCRUB, *next),
        };
        let mut page = blank(JOURNAL_MAGIC, kind, self.sequence, value);
        if let Event::Window { entry, .. } = &self.event {
            put_entry(&mut page, entry);
        }
        put_checksum(JOURNAL_CHECKSUM, &mut page);
        page
    }

    /// Reads the journal page that stands at `offset` in the file, whatever its sequence number.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn decode(page: &Page, offset: u64, layers: u8) -> Result<Self, FormatError> {
        let reader = Reader { page, offset, structure: Structure::JournalPage };
        reader.check_frame(JOURNAL_MAGIC, JOURNAL_CHECKSUM)?;
        let value = get_u64(page, VALUE_AT);
        let event = match page[EVENT_AT] {
            EVENT_WINDOW => Event::Window { index: value, entry: reader.entry(layers)? },
            EVENT_RESIZE => {
                reader.without_entry()?;
                Event::Resize { windows: value }
            }
            EVENT_SCRUB => {
                reader.without_entry()?;
                Event::Scrub { next: value }
            }
            found => return Err(reader.out_of_range("event", EVENT_AT, 1, 3, found)),
        };
        Ok(Self { sequence: get_u64(page, SEQUENCE_AT), event })
    }
}

fn blank(magic: [u8; 4], event: u8, sequence: u64, value: u64) -> Box<Page> {
    let mut page = Box::new([0; PAGE_BYTES]);
    put(&mut page, MAGIC_AT, &magic);
    put(&mut page, EVENT_AT, &[event]);
    put(&mut page, SEQUENCE_AT, &sequence.to_le_bytes());
    put(&mut page, VALUE_AT, &value.to_le_bytes());
    page
}

fn put_entry(page: &mut Page, entry: &WindowEntry) {
    let state = match entry.state {
        StoredState::Empty => 0,
        StoredState::Sealed => 1,
        StoredState::Bad => 2,
        StoredState::Data => 3,
    };
    put(page, STATE_AT, &[state]);
    if let Some(seal) = &entry.seal {
        put(page, RECORD_AT, &seal.record);
        for (at, root) in (LAYER_ROOTS_AT..PADDING_2_AT).step_by(ROOT_BYTES).zip(&seal.layer_roots) {
            put(page, at, root);
        }
    }
}

#[derive(Clone, Copy)]
struct Reader<'a> {
    page: &'a Page,
    offset: u64,
    structure: Structure,
}

impl Reader<'_> {
    fn check_frame(self, magic: [u8; 4], context: &str) -> Result<(), FormatError> {
        let Self { page, offset, structure } = self;
        let found: [u8; 4] = get(page, MAGIC_AT);
        if found != magic {
            return Err(FormatError::BadMagic {
                structure,
                offset,
                expected: magic.into(),
                found: found.into(),
            });
        }
        check_checksum(context, page, structure, offset)?;
        self.zero(PADDING_1_AT..SEQUENCE_AT)?;
        self.zero(PADDING_2_AT..CHECKSUM_AT)
    }

    fn entry(self, layers: u8) -> Result<WindowEntry, FormatError> {
        let (state, may_have_record) = match self.page[STATE_AT] {
            0 => (StoredState::Empty, false),
            1 => (StoredState::Sealed, true),
            2 => (StoredState::Bad, true),
            3 => (StoredState::Data, false),
            found => return Err(self.out_of_range("state", STATE_AT, 0, 3, found)),
        };
        let record: [u8; RECORD_BYTES] = get(self.page, RECORD_AT);
        if !may_have_record || record.iter().all(|&byte| byte == 0) {
            if state == StoredState::Sealed {
                let (structure, offset, index) = (self.structure, self.offset, get_u64(self.page, VALUE_AT));
                return Err(FormatError::SealedWithoutRecord { structure, offset, index });
            }
            self.zero(RECORD_AT..PADDING_2_AT)?;
            return Ok(WindowEntry { state, seal: None });
        }
        let layer_roots_end = LAYER_ROOTS_AT + usize::from(layers.min(LAYERS_MAXIMUM)) * ROOT_BYTES;
        self.zero(layer_roots_end..PADDING_2_AT)?;
        let layer_roots =
            (LAYER_ROOTS_AT..layer_roots_end).step_by(ROOT_BYTES).map(|at| get(self.page, at)).collect();
        Ok(WindowEntry { state, seal: Some(Arc::new(Seal { record, layer_roots })) })
    }

    fn without_entry(self) -> Result<(), FormatError> {
        self.zero(STATE_AT..PADDING_1_AT)?;
        self.zero(RECORD_AT..PADDING_2_AT)
    }

    fn zero(self, range: std::ops::Range<usize>) -> Result<(), FormatError> {
        check_zero(self.page, range, self.structure, self.offset)
    }

    fn expect(self, field: &'static str, at: usize, expected: u64) -> Result<(), FormatError> {
        let found = get_u64(self.page, at);
        if found == expected {
            return Ok(());
        }
        let (structure, offset) = (self.structure, self.offset + at as u64);
        Err(FormatError::WrongField { structure, field, offset, expected, found })
    }

    fn out_of_range(
        self,
        field: &'static str,
        at: usize,
        minimum: u64,
        maximum: u64,
        found: u8,
    ) -> FormatError {
        let (structure, offset, found) = (self.structure, self.offset + at as u64, found.into());
        FormatError::OutOfRange { structure, field, offset, minimum, maximum, found }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LAYERS: u8 = 3;

    fn sealed(state: StoredState) -> WindowEntry {
        let layer_roots = vec![[1; 32], [2; 32], [3; 32]];
        WindowEntry { state, seal: Some(Arc::new(Seal { record: [5; RECORD_BYTES], layer_roots })) }
    }

    fn entries() -> [WindowEntry; 5] {
        let data = WindowEntry { state: StoredState::Data, seal: None };
        [WindowEntry::EMPTY, WindowEntry::LOST, data, sealed(StoredState::Sealed), sealed(StoredState::Bad)]
    }

    #[test]
    fn decoding_inverts_encoding() {
        let mut events = vec![Event::Resize { windows: 9 }, Event::Scrub { next: 3 }];
        for entry in entries() {
            let page = TablePage { index: 4, first_sequence: 11, entry: entry.clone() };
            assert_eq!(TablePage::decode(&page.encode(), 0, LAYERS, 4, 11).unwrap(), page);
            events.push(Event::Window { index: 4, entry });
        }
        for event in events {
            let page = JournalPage { sequence: 77, event };
            assert_eq!(JournalPage::decode(&page.encode(), 0, LAYERS).unwrap(), page);
        }
    }

    #[test]
    fn a_page_of_another_place_or_time_or_kind_is_refused() {
        let page = TablePage { index: 4, first_sequence: 11, entry: WindowEntry::EMPTY }.encode();
        let decode = |index, sequence| TablePage::decode(&page, 8192, LAYERS, index, sequence).unwrap_err();
        assert!(matches!(decode(5, 11), FormatError::WrongField { field: "window index", offset: 8208, .. }));
        assert!(matches!(
            decode(4, 12),
            FormatError::WrongField { field: "first sequence", offset: 8200, .. }
        ));
        assert!(matches!(JournalPage::decode(&page, 0, LAYERS), Err(FormatError::BadMagic { .. })));
        let journal = JournalPage { sequence: 4, event: Event::Scrub { next: 4 } }.encode();
        assert!(matches!(TablePage::decode(&journal, 0, LAYERS, 4, 4), Err(FormatError::BadMagic { .. })));
    }

    /// Each case changes one place, restores the checksum, and must be refused for that place.
    #[test]
    fn every_wrong_field_is_refused() {
        let window = |entry| JournalPage { sequence: 1, event: Event::Window { index: 0, entry } }.encode();
        let resize = || JournalPage { sequence: 1, event: Event::Resize { windows: 2 } }.encode();
        let cases: [(&str, Box<Page>, usize, u8, &str); 10] = [
            ("event 0", resize(), 4, 0, "event at offset 4 is 0"),
            ("event 4", resize(), 4, 4, "event at offset 4 is 4"),
            ("state of a resize", resize(), 5, 1, "byte at offset 5 is 1"),
            ("record of a resize", resize(), 24, 1, "byte at offset 24 is 1"),
            ("padding after the state", resize(), 6, 1, "byte at offset 6 is 1"),
            ("last padding byte", resize(), 4063, 1, "byte at offset 4063 is 1"),
            ("state 4", window(WindowEntry::EMPTY), 5, 4, "state at offset 5 is 4"),
            ("record of an empty window", window(WindowEntry::EMPTY), 1047, 1, "byte at offset 1047 is 1"),
            (
                "sealed without a record",
                window(WindowEntry::EMPTY),
                5,
                1,
                "window 0 is sealed and has no record",
            ),
            (
                "root after the last layer",
                window(sealed(StoredState::Sealed)),
                1048 + 96,
                1,
                "offset 1144 is 1",
            ),
        ];
        for (name, mut page, at, byte, expected) in cases {
            page[at] = byte;
            put_checksum(JOURNAL_CHECKSUM, &mut page);
            let message = JournalPage::decode(&page, 0, LAYERS).unwrap_err().to_string();
            assert!(message.contains(expected), "{name}: {message}");
        }
    }

    #[test]
    fn one_changed_bit_anywhere_is_refused() {
        let page = JournalPage { sequence: 1, event: Event::Resize { windows: 2 } }.encode();
        for at in 0..PAGE_BYTES {
            let mut changed = page.clone();
            changed[at] ^= 0x10;
            assert!(JournalPage::decode(&changed, 0, LAYERS).is_err(), "byte {at}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_decoded_or_refused(head: [u8; 32], at in 0..CHECKSUM_AT, byte: u8, layers: u8) {
            let entry = sealed(StoredState::Sealed);
            let mut page = JournalPage { sequence: 1, event: Event::Window { index: 0, entry } }.encode();
            put(&mut page, EVENT_AT, &head);
            page[at] = byte;
            put_checksum(JOURNAL_CHECKSUM, &mut page);
            if let Ok(decoded) = JournalPage::decode(&page, 0, layers) {
                prop_assert_eq!(decoded.encode(), page, "what is accepted is canonical");
            }
        }
    }
}
