//! The canonical encoding of messages (message-v1 §3): all fields but the seal, in the order of their numbers, whether or not
//! they are set. What is signed is this, never protobuf's bytes, which are not unique.

use crate::proto;

/// A message whose fields have one encoding.
pub trait Canonical {
    /// Appends all fields but the seal.
    fn encode(&self, out: &mut Encoder);
}

/// A message that is signed.
pub trait Sealed: Canonical {
    /// Its seal, if it has one.
    fn seal(&self) -> Option<&proto::Seal>;
    /// Gives it a seal.
    fn set_seal(&mut self, seal: proto::Seal);
}

/// The bytes of a message's fields.
#[derive(Debug, Default)]
pub struct Encoder(Vec<u8>);

impl Encoder {
    /// The canonical bytes of a message.
    pub fn of(message: &impl Canonical) -> Vec<u8> {
        let mut encoder = Encoder::default();
        message.encode(&mut encoder);
        encoder.0
    }

    fn unsigned(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn signed(&mut self, value: i64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn count(&mut self, count: usize) {
        self.unsigned(count as u64);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    fn message(&mut self, message: &impl Canonical) {
        message.encode(self);
    }

    fn optional<M: Canonical>(&mut self, message: Option<&M>) {
        self.0.push(u8::from(message.is_some()));
        if let Some(message) = message {
            message.encode(self);
        }
    }
}

pub use generated::methods;

/// What `build/canonical.rs` writes.
#[allow(clippy::useless_conversion)] // one text for all widths of integers
mod generated {
    use super::{Canonical, Encoder, Sealed, proto};

    include!(concat!(env!("OUT_DIR"), "/canonical.rs"));
}
