//! What a worker says, taken apart and held to its form.

use bytes::Bytes;
use holdfast_engine::rejection::{Class, Rejection};

use crate::proto::{WorkerEvent, WorkerOffer};

/// Most characters of a worker's name.
const NAME_BYTES_MAXIMUM: usize = 64;
/// Most bytes of what a worker says about its device.
const DEVICE_BYTES_MAXIMUM: usize = 256;
/// Most characters of what a worker says when it fails that are looked at.
const FAILURE_CHARACTERS: usize = 256;

/// One event of a worker.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Event {
    Ping,
    Step(Step),
}

/// A step of an order.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Step {
    pub(super) order: u64,
    pub(super) what: Progress,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Progress {
    Layer { number: u32, root: Bytes },
    Answer { number: u32, openings: Bytes },
    Part { offset_bytes: u64, bytes: Bytes },
    Failure { message: String },
}

impl Event {
    /// Refused: `malformed`.
    pub(super) fn read(event: WorkerEvent) -> Result<Event, Rejection> {
        let WorkerEvent { offer, ping, layer, answer, part, failure } = event;
        let layer = layer.map(|layer| Step {
            order: layer.order,
            what: Progress::Layer { number: layer.layer, root: layer.root },
        });
        let answer = answer.map(|answer| Step {
            order: answer.order,
            what: Progress::Answer { number: answer.layer, openings: answer.openings },
        });
        let part = part.map(|part| {
            let bytes = part.part.unwrap_or_default();
            let what = Progress::Part { offset_bytes: bytes.offset_bytes, bytes: bytes.bytes };
            Step { order: part.order, what }
        });
        let failure = failure.map(|failure| Step {
            order: failure.order,
            what: Progress::Failure { message: shown(&failure.message, FAILURE_CHARACTERS) },
        });
        let steps = [layer, answer, part, failure].into_iter().flatten().map(Event::Step);
        let mut events = ping.map(|_| Event::Ping).into_iter().chain(steps);
        match (offer, events.next(), events.next()) {
            (None, Some(event), None) => Ok(event),
            (Some(_), ..) => Err(Class::Malformed.because("an offer after the first event")),
            _ => Err(Class::Malformed.because("an event that says nothing, or several things at once")),
        }
    }
}

/// What a worker offers in its first event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Offer {
    pub(super) name: String,
    pub(super) device: String,
    pub(super) window_bytes_maximum: u64,
}

impl Offer {
    /// Refused: `malformed`.
    pub(super) fn read(event: WorkerEvent) -> Result<Offer, Rejection> {
        let Some(offer) = event.offer else {
            return Err(Class::Malformed.because("the first event of a worker is not its offer"));
        };
        let WorkerOffer { name, device, window_bytes_maximum } = offer;
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if name.is_empty() || name.len() > NAME_BYTES_MAXIMUM || !name.bytes().all(allowed) {
            return Err(Class::Malformed.because(format!(
                "the name {:?} is not 1 to {NAME_BYTES_MAXIMUM} letters, digits, '.', '_' and '-'",
                shown(&name, NAME_BYTES_MAXIMUM)
            )));
        }
        if device.len() > DEVICE_BYTES_MAXIMUM {
            let found = device.len();
            return Err(Class::Malformed
                .because(format!("{found} bytes about a device, of {DEVICE_BYTES_MAXIMUM} at most")));
        }
        Ok(Offer { name, device: shown(&device, DEVICE_BYTES_MAXIMUM), window_bytes_maximum })
    }
}

/// Foreign text that can be shown: without control characters, and short.
fn shown(text: &str, characters: usize) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(characters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::{WorkerLayer, WorkerPing};

    fn offer(name: &str) -> WorkerEvent {
        let offer = WorkerOffer { name: name.to_owned(), device: String::new(), window_bytes_maximum: 1 };
        WorkerEvent { offer: Some(offer), ..WorkerEvent::default() }
    }

    #[test]
    fn names_are_short_and_plain() {
        assert!(Offer::read(offer("gpu-box_1.example")).is_ok());
        for name in ["", "a b", "ü", "a\n", &"x".repeat(65)] {
            let refused = Offer::read(offer(name)).expect_err("not a name");
            assert_eq!(refused.class, Class::Malformed, "{name}");
        }
        assert!(Offer::read(WorkerEvent::default()).is_err());
    }

    #[test]
    fn an_event_says_one_thing_and_offers_come_first() {
        let ping = WorkerEvent { ping: Some(WorkerPing {}), ..WorkerEvent::default() };
        assert_eq!(Event::read(ping.clone()), Ok(Event::Ping));
        let both = WorkerEvent { layer: Some(WorkerLayer::default()), ..ping };
        for event in [both, WorkerEvent::default(), offer("a")] {
            assert_eq!(Event::read(event).expect_err("refused").class, Class::Malformed);
        }
    }

    #[test]
    fn what_a_worker_says_for_people_cannot_move_the_cursor() {
        assert_eq!(shown("a\u{1b}[2Jb\n", 10), "a[2Jb");
        assert_eq!(shown("abc", 2), "ab");
    }
}
