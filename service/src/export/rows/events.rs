//! `events`: what happened besides, in the validator's own words.

use holdfast_engine::account::Account;
use holdfast_engine::rejection::{Class, Rejection};
use serde_json::{Map, Value};

use crate::export::columns::{Column, Columns, account, get};
use crate::export::row::{Row, Sealed};
use crate::export::{ExportSettings, Table};

/// Most bytes of a message.
pub const MESSAGE_BYTES_MAX: usize = 4 << 10;
/// Most bytes of an event's details.
pub const DETAILS_BYTES_MAX: usize = 64 << 10;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// What happened. The names are registered in export-v1 §5.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum EventKind { $($(#[$doc])* $name,)* }
        impl EventKind {
            /// All kinds.
            pub const ALL: &[EventKind] = &[$(EventKind::$name),*];
            /// The name in the table.
            pub fn name(self) -> &'static str { match self { $(EventKind::$name => $text),* } }
            /// The kind of a name; `None` if there is none.
            pub fn of_name(name: &str) -> Option<EventKind> {
                EventKind::ALL.iter().copied().find(|kind| kind.name() == name)
            }
        }
    };
}

kinds! {
    /// The validator began to work.
    ValidatorStarted = "validator_started",
    /// The validator stopped in good order.
    ValidatorStopped = "validator_stopped",
    /// A round was closed.
    RoundClosed = "round_closed",
    /// The root of a round's answers was recorded.
    AnchorRecorded = "anchor_recorded",
    /// Weights were set.
    WeightsSet = "weights_set",
    /// A hotkey was registered.
    MinerJoined = "miner_joined",
    /// A hotkey is no longer registered.
    MinerLeft = "miner_left",
    /// A miner answered again, or no longer.
    MinerReachable = "miner_reachable",
    /// A miner's tier is another.
    TierChanged = "tier_changed",
    /// Two receipts contradict each other.
    Equivocation = "equivocation",
    /// Blocks were replaced by others.
    Reorganisation = "reorganisation",
    /// A miner took a piece, and it was checked.
    PieceStored = "piece_stored",
    /// A miner's piece was given up: another one counts in its place.
    PieceLost = "piece_lost",
    /// A lost piece was made again.
    PieceRepaired = "piece_repaired",
    /// A piece went to another miner.
    PieceMoved = "piece_moved",
    /// A piece's time is over, or its owner removed it.
    PieceEnded = "piece_ended",
}

/// One event.
#[derive(Clone, Debug, PartialEq)]
pub struct EventRow {
    /// Place among all events of the validator, from 0 on.
    pub number: u64,
    /// When it happened.
    pub time_ms: u64,
    /// The newest block then.
    pub height: u64,
    /// What happened.
    pub kind: EventKind,
    /// The miner that it is about.
    pub miner: Option<Account>,
    /// Another validator that it is about.
    pub validator: Option<Account>,
    /// Root of the object that it is about.
    pub object: Option<[u8; 32]>,
    /// A sentence for people.
    pub message: String,
    /// Whatever else there is to say, for programs; written as a JSON object.
    pub details: Map<String, Value>,
}

impl Row for EventRow {
    const TABLE: Table = Table::Events;

    fn number(&self) -> u64 {
        self.number
    }

    fn time_ms(&self) -> u64 {
        self.time_ms
    }
}

impl Sealed for EventRow {
    fn columns(rows: &[EventRow]) -> Vec<Column> {
        vec![
            Column::unsigned("number", rows.iter().map(|row| row.number)),
            Column::time(rows.iter().map(|row| row.time_ms)),
            Column::unsigned("height", rows.iter().map(|row| row.height)),
            Column::text("kind", rows.iter().map(|row| row.kind.name())),
            Column::text_or_null("miner", rows.iter().map(|row| row.miner.map(|miner| miner.to_ss58()))),
            Column::text_or_null(
                "validator",
                rows.iter().map(|row| row.validator.map(|other| other.to_ss58())),
            ),
            Column::fixed_or_null("object", rows.iter().map(|row| row.object)),
            Column::text("message", rows.iter().map(|row| &row.message)),
            Column::text("details", rows.iter().map(EventRow::details_text)),
        ]
    }

    fn read(columns: &Columns<'_>) -> Result<Vec<EventRow>, Rejection> {
        let (numbers, heights) = (columns.unsigned("number")?, columns.unsigned("height")?);
        let (kinds, messages) = (columns.text("kind")?, columns.text("message")?);
        let (miners, validators) = (columns.text("miner")?, columns.text("validator")?);
        let (objects, details) = (columns.fixed("object")?, columns.text("details")?);
        let row = |(i, time_ms): (usize, u64)| {
            // Before it is parsed: what a few bytes of JSON become takes many times their room.
            check_text("details", details.value(i), DETAILS_BYTES_MAX)?;
            let no_object =
                |error| Class::Malformed.because(format!("details that are no JSON object: {error}"));
            Ok(EventRow {
                number: numbers.value(i),
                time_ms,
                height: heights.value(i),
                kind: kind_of_name(kinds.value(i))?,
                miner: get(miners, i, |i| miners.value(i)).map(account).transpose()?,
                validator: get(validators, i, |i| validators.value(i)).map(account).transpose()?,
                object: objects.get(i),
                message: messages.value(i).to_owned(),
                details: serde_json::from_str(details.value(i)).map_err(no_object)?,
            })
        };
        columns.times_ms()?.into_iter().enumerate().map(row).collect()
    }

    fn check(&self, _: &ExportSettings) -> Result<(), Rejection> {
        check_text("message", &self.message, MESSAGE_BYTES_MAX)?;
        check_text("details", &self.details_text(), DETAILS_BYTES_MAX)
    }

    fn weight_bytes(&self) -> usize {
        self.message.len() + self.details_text().len()
    }
}

impl EventRow {
    /// One spelling for one object: keys sorted, no spaces.
    fn details_text(&self) -> String {
        Value::Object(self.details.clone()).to_string()
    }
}

fn kind_of_name(name: &str) -> Result<EventKind, Rejection> {
    EventKind::of_name(name)
        .ok_or_else(|| Class::Malformed.because(format!("event kind \"{}\"", name.escape_default())))
}

/// Refuses a text that is too long as `wrong-length`.
pub(super) fn check_text(what: &str, text: &str, most: usize) -> Result<(), Rejection> {
    let length = text.len();
    if length > most {
        return Err(Class::WrongLength.because(format!("a {what} of {length} bytes; {most} is the most")));
    }
    Ok(())
}
