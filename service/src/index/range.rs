//! Ranges of keys.

use bytes::Bytes;

/// The keys from `start` on and below `end`, forwards or backwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRange {
    start: Bytes,
    end: Option<Bytes>,
    descending: bool,
}

impl KeyRange {
    /// Every key.
    pub fn all() -> KeyRange {
        KeyRange { start: Bytes::new(), end: None, descending: false }
    }

    /// From a key (inclusive) on, and below another. Empty if they are in the wrong order.
    pub fn new(start: impl Into<Bytes>, end: impl Into<Bytes>) -> KeyRange {
        KeyRange { start: start.into(), end: Some(end.into()), descending: false }
    }

    /// From a key (inclusive) on.
    pub fn from(start: impl Into<Bytes>) -> KeyRange {
        KeyRange { start: start.into(), end: None, descending: false }
    }

    /// Every key that begins so.
    pub fn prefix(prefix: impl Into<Bytes>) -> KeyRange {
        let start = prefix.into();
        let end = next_prefix(&start);
        KeyRange { start, end, descending: false }
    }

    /// The same keys, the largest first.
    pub fn descending(self) -> KeyRange {
        KeyRange { descending: true, ..self }
    }

    /// The keys of this range that come after `key` in its direction: what is left when `key` was the last one seen.
    pub fn beyond(self, key: &[u8]) -> KeyRange {
        if self.descending {
            let end = match self.end {
                Some(end) if *end <= *key => end,
                _ => Bytes::copy_from_slice(key),
            };
            return KeyRange { end: Some(end), ..self };
        }
        let start = self.start.max(successor(key));
        KeyRange { start, ..self }
    }

    /// The first key that may be in it.
    pub fn start(&self) -> &[u8] {
        &self.start
    }

    /// The first key above it; `None` if it has no end.
    pub fn end(&self) -> Option<&[u8]> {
        self.end.as_deref()
    }

    /// Whether the largest key comes first.
    pub fn is_descending(&self) -> bool {
        self.descending
    }

    /// Whether no key can be in it.
    pub fn is_empty(&self) -> bool {
        self.end.as_ref().is_some_and(|end| *end <= self.start)
    }
}

/// The smallest key above all that begin with `prefix`: none if it consists of 0xff only.
fn next_prefix(prefix: &[u8]) -> Option<Bytes> {
    let last = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut next = prefix[..=last].to_vec();
    next[last] += 1;
    Some(next.into())
}

/// The smallest key above `key`.
fn successor(key: &[u8]) -> Bytes {
    let mut next = Vec::with_capacity(key.len() + 1);
    next.extend_from_slice(key);
    next.push(0);
    next.into()
}

#[cfg(test)]
mod tests;
