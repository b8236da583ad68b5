//! What happened besides rounds, in the validator's own words: for its exports, and whoever reads them.

use std::sync::Arc;

use holdfast_engine::account::Account;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::ValidatorError;
use super::store::{Hex32, NUMBERS};
use crate::export::{self, EventKind, MESSAGE_BYTES_MAX};
use crate::index::{Index, Table, TypedTable, transact};
use crate::wire::clock::Clock;

/// Events by (6, number).
const EVENTS: TypedTable<(u8, u64), EventRow> = TypedTable::new(Table::Rounds);
const TAG: u8 = 6;
/// In [`NUMBERS`]: the number of the next event.
const NEXT: &str = "validator events";

/// Something that happened.
#[derive(Clone, Debug)]
pub struct Event {
    kind: EventKind,
    height: u64,
    miner: Option<Account>,
    validator: Option<Account>,
    object: Option<[u8; 32]>,
    message: String,
    details: Map<String, Value>,
}

impl Event {
    /// What happened when this was the newest block, in a sentence.
    pub fn new(kind: EventKind, height: u64, message: impl Into<String>) -> Event {
        let message = message.into();
        Event { kind, height, miner: None, validator: None, object: None, message, details: Map::new() }
    }

    /// It is about this miner.
    pub fn of_miner(self, miner: Account) -> Event {
        Event { miner: Some(miner), ..self }
    }

    /// It is about this other validator.
    pub fn of_validator(self, validator: Account) -> Event {
        Event { validator: Some(validator), ..self }
    }

    /// It is about the object with this root.
    pub fn of_object(self, root: [u8; 32]) -> Event {
        Event { object: Some(root), ..self }
    }

    /// With something for programs.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Event {
        self.details.insert(name.to_owned(), value.into());
        self
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EventRow {
    time_ms: u64,
    height: u64,
    kind: String,
    miner: Option<Account>,
    validator: Option<Account>,
    object: Option<Hex32>,
    message: String,
    details: Map<String, Value>,
}

/// Writes events down.
#[derive(Clone, Debug)]
pub struct Events {
    index: Arc<dyn Index>,
    clock: Arc<dyn Clock>,
}

impl Events {
    /// Into this index, at the times of this clock.
    pub fn new(index: Arc<dyn Index>, clock: Arc<dyn Clock>) -> Events {
        Events { index, clock }
    }

    /// Writes events down, in this order. They tell what was done, and nothing rests on them: that they could not be written is
    /// logged, and nothing more.
    pub async fn note(&self, events: impl IntoIterator<Item = Event>) {
        let time_ms = self.clock.now_ms();
        let rows: Vec<EventRow> = events.into_iter().map(|event| EventRow::of(event, time_ms)).collect();
        if rows.is_empty() {
            return;
        }
        let rows = &rows;
        let noted = transact(&*self.index, |work| async move {
            let mut next = NUMBERS.read(&work, &NEXT.to_owned()).await?.unwrap_or_default();
            for row in rows {
                EVENTS.write(&work, &(TAG, next), row)?;
                next += 1;
            }
            NUMBERS.write(&work, &NEXT.to_owned(), &next)?;
            Ok::<_, ValidatorError>(())
        });
        if let Err(error) = noted.await {
            tracing::warn!(%error, events = rows.len(), "events were not written down");
        }
    }
}

impl EventRow {
    fn of(event: Event, time_ms: u64) -> EventRow {
        let Event { kind, height, miner, validator, object, message, details } = event;
        EventRow {
            time_ms,
            height,
            kind: kind.name().to_owned(),
            miner,
            validator,
            object: object.map(Hex32),
            message: clip(&message, MESSAGE_BYTES_MAX),
            details,
        }
    }
}

/// The events from a number on, as an export has them; at most so many.
///
/// # Errors
/// Those of the index; [`ValidatorError::Damaged`].
pub async fn events_from(
    index: &dyn Index,
    first: u64,
    most: usize,
) -> Result<Vec<export::EventRow>, ValidatorError> {
    let rows = EVENTS.scan(index, &EVENTS.between(&(TAG, first), &(TAG + 1, 0)), most).await?;
    let event = |row: crate::index::Row<(u8, u64), EventRow>| {
        let (number, EventRow { time_ms, height, kind, miner, validator, object, message, details }) =
            (row.key.1, row.value);
        let unknown =
            || ValidatorError::Damaged { what: "an event", detail: format!("no kind is named \"{kind}\"") };
        let kind = EventKind::of_name(&kind).ok_or_else(unknown)?;
        let object = object.map(|object| object.0);
        Ok(export::EventRow { number, time_ms, height, kind, miner, validator, object, message, details })
    };
    rows.into_iter().map(event).collect()
}

/// The beginning of a text, of so many bytes at most.
pub(super) fn clip(text: &str, most: usize) -> String {
    text.get(..text.floor_char_boundary(most)).unwrap_or_default().to_owned()
}
