//! The root of a stream that can be gone on with later, from the values of what came before.

use super::{BLOCK_BYTES, ChainingValue, PAGE_BLOCKS, level_above, root_value};
use blake3::hazmat::HasherExt;

/// Bytes of a group: the blocks under one outboard page.
pub const GROUP_BYTES: usize = PAGE_BLOCKS * BLOCK_BYTES;

/// The root of a byte string that comes as a stream. What it needs of whole groups are their values, 32 bytes a MiB: whoever keeps
/// them goes on behind those groups without having their bytes.
#[derive(Clone, Debug, Default)]
pub struct GroupHasher {
    values: Vec<ChainingValue>,
    /// The group that is not closed yet: only the next byte tells that it is not the last.
    group: blake3::Hasher,
}

impl GroupHasher {
    /// Behind groups that have these values.
    pub fn behind(values: Vec<ChainingValue>) -> GroupHasher {
        let group = group_at(values.len());
        GroupHasher { values, group }
    }

    /// Takes the next bytes.
    pub fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            // A hasher counts from the beginning of its group.
            let mut room = GROUP_BYTES - usize::try_from(self.group.count()).unwrap_or(GROUP_BYTES);
            if room == 0 {
                self.values.push(self.group.finalize_non_root());
                self.group = group_at(self.values.len());
                room = GROUP_BYTES;
            }
            let (next, rest) = bytes.split_at(room.min(bytes.len()));
            self.group.update(next);
            bytes = rest;
        }
    }

    /// Values of the groups behind which bytes came.
    pub fn values(&self) -> &[ChainingValue] {
        &self.values
    }

    /// The root of the bytes so far, at least one of which came behind the groups that it began behind.
    pub fn root(&self) -> [u8; 32] {
        if self.values.is_empty() {
            return *self.group.finalize().as_bytes();
        }
        let mut level = self.values.clone();
        if self.group.count() > 0 {
            level.push(self.group.finalize_non_root());
        }
        loop {
            level = match level.as_slice() {
                [left, right] => return root_value(left, right),
                // Nothing came behind a lone group, whose value does not give the root.
                [lone] => return *lone,
                _ => level_above(&level),
            };
        }
    }
}

/// A hasher of the group of this number.
fn group_at(number: usize) -> blake3::Hasher {
    let mut group = blake3::Hasher::new();
    group.set_input_offset(number as u64 * (GROUP_BYTES as u64));
    group
}

#[cfg(test)]
mod tests {
    use super::super::CHUNK_BYTES;
    use super::*;

    fn bytes(length: usize) -> Vec<u8> {
        (0..length).map(|at| (at % 251).to_le_bytes()[0] ^ (at >> 20).to_le_bytes()[0]).collect()
    }

    /// At a boundary a group may be the last one: closed too early, a string of one group would have no root.
    #[test]
    fn roots_are_blake3s_whatever_the_lengths_and_parts() {
        for length in [
            0,
            1,
            CHUNK_BYTES,
            GROUP_BYTES - 1,
            GROUP_BYTES,
            GROUP_BYTES + 1,
            5 * GROUP_BYTES,
            7 * GROUP_BYTES + 77,
        ] {
            let bytes = bytes(length);
            for part in [1 << 12, 300_001, GROUP_BYTES, 3 * GROUP_BYTES + 5] {
                let mut hasher = GroupHasher::default();
                bytes.chunks(part).for_each(|part| hasher.update(part));
                assert_eq!(
                    hasher.root(),
                    *blake3::hash(&bytes).as_bytes(),
                    "{length} bytes in parts of {part}"
                );
            }
        }
    }

    #[test]
    fn it_goes_on_behind_any_groups_and_notices_a_wrong_value() {
        let bytes = bytes(5 * GROUP_BYTES + 9);
        let mut whole = GroupHasher::default();
        whole.update(&bytes);
        assert_eq!(whole.values().len(), 5);
        for groups in 0..=5 {
            let mut rest = GroupHasher::behind(whole.values()[..groups].to_vec());
            rest.update(&bytes[groups * GROUP_BYTES..]);
            assert_eq!((rest.root(), rest.values()), (whole.root(), whole.values()), "behind {groups}");
        }
        let mut wrong = whole.values()[..2].to_vec();
        wrong[1][0] ^= 1;
        let mut rest = GroupHasher::behind(wrong);
        rest.update(&bytes[2 * GROUP_BYTES..]);
        assert_ne!(rest.root(), whole.root());
    }
}
