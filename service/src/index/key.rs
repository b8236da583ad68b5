//! Keys as bytes whose order is the order of the values.

use holdfast_engine::account::Account;
use thiserror::Error;

/// Something that is written as bytes in an order-preserving way, and known to end where it ends, so that keys can stand one
/// after the other: a tuple is ordered by its first part, then by the next.
pub trait Key: Sized {
    /// Appends the bytes.
    fn write(&self, out: &mut Vec<u8>);

    /// Takes the bytes of one key off the front.
    ///
    /// # Errors
    /// [`KeyError`], where [`Key::write`] writes no such bytes.
    fn read(input: &mut &[u8]) -> Result<Self, KeyError>;

    /// The bytes.
    fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }

    /// Reads bytes that hold this key and nothing else.
    ///
    /// # Errors
    /// As [`Key::read`], and if bytes are left over.
    fn from_bytes(mut bytes: &[u8]) -> Result<Self, KeyError> {
        let key = Self::read(&mut bytes)?;
        if bytes.is_empty() { Ok(key) } else { Err(KeyError::Trailing { bytes: bytes.len() }) }
    }
}

/// A first part of `K`: all keys that begin with it stand together.
pub trait KeyPrefix<K>: Key {}

/// Bytes that are no key of the type asked for.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum KeyError {
    /// It ends too early.
    #[error("the key ends after {found} of {needed} bytes")]
    Short {
        /// Bytes of the part that is cut.
        needed: usize,
        /// Bytes that are there.
        found: usize,
    },
    /// It goes on.
    #[error("the key has {bytes} bytes too many")]
    Trailing {
        /// Bytes left over.
        bytes: usize,
    },
    /// A text without its end mark, or with an escape that nobody writes.
    #[error("a text in the key is not written as texts are")]
    Text,
    /// A text that is not UTF-8.
    #[error("a text in the key is not UTF-8")]
    NotUtf8,
}

/// Big-endian, so that bytes compare as numbers do.
macro_rules! integer_key {
    ($($integer:ty),+) => {$(
        impl Key for $integer {
            fn write(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_be_bytes());
            }

            fn read(input: &mut &[u8]) -> Result<$integer, KeyError> {
                Ok(<$integer>::from_be_bytes(take(input)?))
            }
        }
    )+};
}

integer_key!(u8, u16, u32, u64);

impl<const BYTES: usize> Key for [u8; BYTES] {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }

    fn read(input: &mut &[u8]) -> Result<[u8; BYTES], KeyError> {
        take(input)
    }
}

impl Key for Account {
    fn write(&self, out: &mut Vec<u8>) {
        self.0.write(out);
    }

    fn read(input: &mut &[u8]) -> Result<Account, KeyError> {
        take(input).map(Account)
    }
}

/// The bytes, each 0 as 0 255, then 0 0: a text that goes on is larger than one that has ended.
impl Key for String {
    fn write(&self, out: &mut Vec<u8>) {
        for byte in self.bytes() {
            out.push(byte);
            if byte == 0 {
                out.push(u8::MAX);
            }
        }
        out.extend_from_slice(&[0, 0]);
    }

    fn read(input: &mut &[u8]) -> Result<String, KeyError> {
        let mut text = Vec::new();
        loop {
            match take::<1>(input).map_err(|_| KeyError::Text)? {
                [0] => match take::<1>(input).map_err(|_| KeyError::Text)? {
                    [0] => return String::from_utf8(text).map_err(|_| KeyError::NotUtf8),
                    [u8::MAX] => text.push(0),
                    _ => return Err(KeyError::Text),
                },
                [byte] => text.push(byte),
            }
        }
    }
}

/// No bytes: the key of a table with one value.
impl Key for () {
    fn write(&self, _: &mut Vec<u8>) {}

    fn read(_: &mut &[u8]) -> Result<(), KeyError> {
        Ok(())
    }
}

impl<A: Key, B: Key> Key for (A, B) {
    fn write(&self, out: &mut Vec<u8>) {
        self.0.write(out);
        self.1.write(out);
    }

    fn read(input: &mut &[u8]) -> Result<(A, B), KeyError> {
        Ok((A::read(input)?, B::read(input)?))
    }
}

impl<A: Key, B: Key, C: Key> Key for (A, B, C) {
    fn write(&self, out: &mut Vec<u8>) {
        self.0.write(out);
        self.1.write(out);
        self.2.write(out);
    }

    fn read(input: &mut &[u8]) -> Result<(A, B, C), KeyError> {
        Ok((A::read(input)?, B::read(input)?, C::read(input)?))
    }
}

impl<A: Key, B: Key> KeyPrefix<(A, B)> for A {}
impl<A: Key, B: Key, C: Key> KeyPrefix<(A, B, C)> for A {}
impl<A: Key, B: Key, C: Key> KeyPrefix<(A, B, C)> for (A, B) {}

fn take<const BYTES: usize>(input: &mut &[u8]) -> Result<[u8; BYTES], KeyError> {
    let short = KeyError::Short { needed: BYTES, found: input.len() };
    let (head, rest) = input.split_first_chunk().ok_or(short)?;
    *input = rest;
    Ok(*head)
}

#[cfg(test)]
mod tests;
