//! What one commit does.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::{COMMIT_BYTES_MAX, COMMIT_ENTRIES_MAX, IndexError, KEY_BYTES_MAX, Table, VALUE_BYTES_MAX};

/// A condition: the key has this value when the changes are made, or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Where.
    pub table: Table,
    /// Which key.
    pub key: Bytes,
    /// The value it must have; `None` if it must have none.
    pub expected: Option<Bytes>,
}

/// Checks and writes. All checks see what was before all writes; of two writes of one key, the later counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    checks: Vec<Check>,
    writes: BTreeMap<(Table, Bytes), Option<Bytes>>,
}

impl Changes {
    /// None yet.
    pub fn new() -> Changes {
        Changes::default()
    }

    /// The commit is refused unless the key has this value (`None`: no value) then.
    pub fn check(&mut self, table: Table, key: impl Into<Bytes>, expected: Option<Bytes>) -> &mut Changes {
        self.checks.push(Check { table, key: key.into(), expected });
        self
    }

    /// Sets a value.
    pub fn put(&mut self, table: Table, key: impl Into<Bytes>, value: impl Into<Bytes>) -> &mut Changes {
        self.writes.insert((table, key.into()), Some(value.into()));
        self
    }

    /// Removes a value; nothing happens where there is none.
    pub fn delete(&mut self, table: Table, key: impl Into<Bytes>) -> &mut Changes {
        self.writes.insert((table, key.into()), None);
        self
    }

    /// The checks, in the order they were added.
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }

    /// The writes, in the order of tables and keys, each key once; `None` removes.
    pub fn writes(&self) -> impl Iterator<Item = (Table, &Bytes, Option<&Bytes>)> {
        self.writes.iter().map(|((table, key), value)| (*table, key, value.as_ref()))
    }

    /// Whether there is anything to write.
    pub fn has_writes(&self) -> bool {
        !self.writes.is_empty()
    }

    /// What these changes set a key to: `None` if they leave it alone, `Some(None)` if they remove it.
    pub fn written(&self, table: Table, key: &[u8]) -> Option<Option<&Bytes>> {
        self.writes.get(&(table, Bytes::copy_from_slice(key))).map(Option::as_ref)
    }

    /// Whether there is nothing to check or to write.
    pub fn is_empty(&self) -> bool {
        self.checks.is_empty() && self.writes.is_empty()
    }

    /// Bytes of all keys and values in it.
    pub fn size_bytes(&self) -> usize {
        self.pairs().map(|(key, value)| key.len() + value.map_or(0, Bytes::len)).sum()
    }

    /// Refuses what is beyond the limits of an index.
    ///
    /// # Errors
    /// [`IndexError::TooLarge`].
    pub fn check_limits(&self) -> Result<(), IndexError> {
        within("entries of one commit", self.checks.len() + self.writes.len(), COMMIT_ENTRIES_MAX)?;
        for (key, value) in self.pairs() {
            within("bytes of a key", key.len(), KEY_BYTES_MAX)?;
            within("bytes of a value", value.map_or(0, Bytes::len), VALUE_BYTES_MAX)?;
        }
        within("bytes of one commit", self.size_bytes(), COMMIT_BYTES_MAX)
    }

    /// The keys of checks and writes, with the values expected or written.
    fn pairs(&self) -> impl Iterator<Item = (&Bytes, Option<&Bytes>)> {
        let checks = self.checks.iter().map(|check| (&check.key, check.expected.as_ref()));
        checks.chain(self.writes.iter().map(|((_, key), value)| (key, value.as_ref())))
    }
}

fn within(what: &'static str, found: usize, limit: usize) -> Result<(), IndexError> {
    if found > limit { Err(IndexError::TooLarge { what, found, limit }) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
