//! Names of objects: 32 bytes, written as 64 lower-case hex digits and in no other way, so that no name leads anywhere
//! but into its store's directory.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// The name of an object. What it means is its user's business (a content address); here it only names a directory.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectName(pub [u8; 32]);

/// A text that is not 64 lower-case hex digits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{}\" is not the name of an object: 64 hex digits in lower case", .0.escape_default())]
pub struct NameError(pub String);

impl fmt::Display for ObjectName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for ObjectName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "ObjectName({self})")
    }
}

impl FromStr for ObjectName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let mut name = [0; 32];
        let decoded = hex::decode_to_slice(text, &mut name);
        let found = Self(name);
        // One name has one text: capitals would be a second one.
        match decoded {
            Ok(()) if found.to_string() == text => Ok(found),
            _ => Err(NameError(text.chars().take(80).collect())),
        }
    }
}

impl Serialize for ObjectName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_64_lower_case_hex_digits_and_nothing_else() {
        let name = ObjectName([0xab; 32]);
        assert_eq!(name.to_string().parse(), Ok(name));
        let long = "ab".repeat(33);
        let capital = "AB".repeat(32);
        let up = format!("../{}", "ab".repeat(30));
        for text in ["", "..", "/etc/passwd", "ab", &long, &capital, &up, &"é".repeat(32), &"\0".repeat(64)]
        {
            assert!(text.parse::<ObjectName>().is_err(), "{text:?}");
        }
    }
}
