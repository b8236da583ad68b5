//! Reading fixed fields of untrusted bytes, in order, without a panic.

use crate::rejection::{Class, Rejection};

/// A cursor over a structure; every read says what it was after when the bytes end early.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    structure: &'static str,
}

impl<'a> Reader<'a> {
    /// A reader of `structure`, whose name goes into messages.
    pub fn new(structure: &'static str, bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes, structure }
    }

    /// Refuses a structure of any other length, with class `wrong-length`.
    pub fn exactly(
        structure: &'static str,
        bytes: &'a [u8],
        expected: usize,
    ) -> Result<Reader<'a>, Rejection> {
        if bytes.len() != expected {
            let found = bytes.len();
            return Err(Class::WrongLength.because(format!("{structure} of {found} bytes, not {expected}")));
        }
        Ok(Reader { bytes, structure })
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Rejection> {
        let (head, rest) = self.bytes.split_first_chunk().ok_or_else(|| {
            let left = self.bytes.len();
            Class::WrongLength.because(format!("{} ends early: {left} bytes left of {N}", self.structure))
        })?;
        self.bytes = rest;
        Ok(*head)
    }

    /// The next byte.
    pub fn byte(&mut self) -> Result<u8, Rejection> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    /// The next 32-bit integer.
    pub fn u32(&mut self) -> Result<u32, Rejection> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    /// The next 64-bit integer.
    pub fn u64(&mut self) -> Result<u64, Rejection> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// Refuses any four bytes but the structure's tag.
    pub fn tag(&mut self, tag: &[u8; 4]) -> Result<(), Rejection> {
        let found: [u8; 4] = self.array()?;
        if found != *tag {
            let (found, tag) = (found.escape_ascii(), tag.escape_ascii());
            return Err(
                Class::Malformed.because(format!("{} starts with {found}, not {tag}", self.structure))
            );
        }
        Ok(())
    }

    /// Refuses a byte other than zero in a field of `N` zeros.
    pub fn zeros<const N: usize>(&mut self) -> Result<(), Rejection> {
        if self.array::<N>()? != [0; N] {
            return Err(Class::Malformed.because(format!("a zero field of {} is not zero", self.structure)));
        }
        Ok(())
    }

    /// What has not been read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.bytes
    }
}
