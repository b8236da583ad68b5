//! The bytes of a manifest, and what may stand in one.

use std::collections::HashSet;

use holdfast_engine::account::Account;
use holdfast_engine::codec::Reader;
use holdfast_engine::rejection::{Class, Rejection};
use holdfast_engine::transcript::Context;
use holdfast_engine::tree;
use zeroize::Zeroizing;

use super::{Content, Holder, Manifest, Piece, PrivatePart, Segment};
use crate::pieces::{FileLayout, PlacementSecret, Policy};

/// The most bytes of a manifest: about ten million pieces.
pub const MANIFEST_BYTES_MAX: usize = 1 << 30;
/// The most bytes of a file's name.
pub const NAME_BYTES_MAX: usize = 4096;

const TAG: &[u8; 4] = b"HFM1";
const STRUCTURE: &str = "manifest";
const HEADER_BYTES: usize = 96;
/// Root and length of the file, and the length of its name, which follows.
const PRIVATE_BYTES: usize = 42;
const PIECE_BYTES: usize = 100;
const CHECKSUM_BYTES: usize = 32;
const NEVER: u64 = u64::MAX;

impl Manifest {
    /// Its bytes, the placement secret among them: see [`Manifest::seal`].
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let policy = self.policy;
        // Of the final size, so that no copy of the secret is left behind in memory.
        let mut bytes = Zeroizing::new(Vec::with_capacity(encoded_bytes(
            self.private.as_ref().map(|private| private.name.len()),
            self.segments.len() as u64,
            policy,
        )));
        let header: [&[u8]; 7] = [
            TAG,
            &[u8::from(self.private.is_some()), policy.data_shards(), policy.shards(), 0],
            &policy.segment_bytes().to_le_bytes(),
            &self.ciphertext.length_bytes.to_le_bytes(),
            &self.expires_at.unwrap_or(NEVER).to_le_bytes(),
            &self.ciphertext.root,
            &self.secret.0,
        ];
        header.iter().for_each(|field| bytes.extend_from_slice(field));
        if let Some(PrivatePart { name, file }) = &self.private {
            bytes.extend_from_slice(&file.root);
            bytes.extend_from_slice(&file.length_bytes.to_le_bytes());
            let name_bytes = u16::try_from(name.len()).expect("checked to be at most 4,096");
            bytes.extend_from_slice(&name_bytes.to_le_bytes());
            bytes.extend_from_slice(name.as_bytes());
        }
        for piece in self.segments.iter().flat_map(|segment| &segment.pieces) {
            let none = Holder { miner: Account([0; 32]), root: [0; 32] };
            let holder = piece.holder.unwrap_or(none);
            bytes.extend_from_slice(&piece.shard_root);
            bytes.extend_from_slice(&piece.generation.to_le_bytes());
            bytes.extend_from_slice(&holder.miner.0);
            bytes.extend_from_slice(&holder.root);
        }
        let checksum = Context::MANIFEST_CHECKSUM.derive(&[&bytes]);
        bytes.extend_from_slice(&checksum);
        bytes
    }

    /// Reads exactly what [`Manifest::encode`] writes.
    ///
    /// Refused: `wrong-length` (also more than 2^30 bytes), `malformed`.
    pub fn decode(bytes: &[u8]) -> Result<Manifest, Rejection> {
        if bytes.len() > MANIFEST_BYTES_MAX {
            let found = bytes.len();
            return Err(Class::WrongLength.because(format!("a manifest of {found} bytes, more than 2^30")));
        }
        let mut reader = Reader::new(STRUCTURE, bytes);
        reader.tag(TAG)?;
        let has_private = match reader.byte()? {
            0 => false,
            1 => true,
            other => return Err(malformed(format!("flags {other:#04x}; there is only bit 0"))),
        };
        let (data_shards, shards) = (reader.byte()?, reader.byte()?);
        reader.zeros::<1>()?;
        let policy = Policy::new(reader.u64()?, data_shards, shards);
        let policy = policy.map_err(|error| malformed(error.to_string()))?;
        let length_bytes = reader.u64()?;
        let expires_at = Some(reader.u64()?).filter(|&at| at != NEVER);
        let ciphertext = Content { root: reader.array()?, length_bytes };
        let secret = PlacementSecret::of_bytes(reader.array()?);
        let private = if has_private { Some(read_private(&mut reader)?) } else { None };

        let segment_count = FileLayout::new(length_bytes, policy).segment_count();
        let name_bytes = private.as_ref().map(|private| private.name.len());
        let expected = encoded_bytes(name_bytes, segment_count, policy);
        if bytes.len() != expected {
            let found = bytes.len();
            let detail = format!(
                "a manifest of {found} bytes, not {expected}, for {segment_count} segments of {shards} shards"
            );
            return Err(Class::WrongLength.because(detail));
        }
        let segments =
            (0..segment_count).map(|_| read_segment(&mut reader, shards)).collect::<Result<_, _>>()?;
        let (covered, checksum) = bytes.split_at(bytes.len() - CHECKSUM_BYTES);
        if Context::MANIFEST_CHECKSUM.derive(&[covered]) != *checksum {
            return Err(malformed("the checksum is wrong: the manifest was damaged"));
        }
        Manifest::new(private, ciphertext, policy, secret, expires_at, segments)
    }

    /// The rules of pieces-v1 §6.
    pub(super) fn check(&self) -> Result<(), Rejection> {
        let (policy, found) = (self.policy, self.segments.len() as u64);
        let length_bytes = self.ciphertext.length_bytes;
        let expected = self.layout().segment_count();
        if found != expected || u32::try_from(found).is_err() {
            let segment_bytes = policy.segment_bytes();
            return Err(malformed(format!(
                "{found} segments, not {expected}, for {length_bytes} bytes in segments of {segment_bytes}; \
                 2^32 are the most"
            )));
        }
        if length_bytes == 0 && self.ciphertext.root != tree::root(&[]) {
            return Err(malformed("an empty ciphertext whose root is not that of no bytes"));
        }
        if self.expires_at == Some(NEVER) {
            return Err(malformed("an expiry at 2^64 − 1, which is how never is written"));
        }
        self.private.as_ref().map_or(Ok(()), |private| check_private(private, length_bytes))?;
        let name_bytes = self.private.as_ref().map(|private| private.name.len());
        let bytes = encoded_bytes(name_bytes, found, policy);
        if bytes > MANIFEST_BYTES_MAX {
            return Err(malformed(format!(
                "{found} segments make a manifest of {bytes} bytes, more than 2^30"
            )));
        }
        let mut roots = HashSet::new();
        for (segment, number) in self.segments.iter().zip(0..) {
            check_segment(segment, number, policy, &mut roots)?;
        }
        Ok(())
    }
}

/// Bytes of a manifest with a name of so many bytes, if it has one; `usize::MAX` if they cannot be counted.
fn encoded_bytes(name_bytes: Option<usize>, segments: u64, policy: Policy) -> usize {
    let private = name_bytes.map_or(0, |bytes| PRIVATE_BYTES + bytes);
    let pieces = usize::try_from(segments).ok().and_then(|count| count.checked_mul(policy.shards().into()));
    let pieces = pieces.and_then(|count| count.checked_mul(PIECE_BYTES));
    pieces.and_then(|bytes| bytes.checked_add(HEADER_BYTES + private + CHECKSUM_BYTES)).unwrap_or(usize::MAX)
}

fn read_private(reader: &mut Reader<'_>) -> Result<PrivatePart, Rejection> {
    let file = Content { root: reader.array()?, length_bytes: reader.u64()? };
    let name_bytes = usize::from(u16::from_le_bytes(reader.array()?));
    let Some((name, _)) = reader.rest().split_at_checked(name_bytes) else {
        let left = reader.rest().len();
        return Err(Class::WrongLength.because(format!("a name of {name_bytes} bytes, and {left} are left")));
    };
    let name =
        std::str::from_utf8(name).map_err(|error| malformed(format!("a name that is no UTF-8: {error}")))?;
    let name = name.to_owned();
    (0..name_bytes).try_for_each(|_| reader.byte().map(drop))?;
    Ok(PrivatePart { name, file })
}

fn read_segment(reader: &mut Reader<'_>, shards: u8) -> Result<Segment, Rejection> {
    let pieces = (0..shards).map(|_| {
        let (shard_root, generation) = (reader.array()?, reader.u32()?);
        let holder = Holder { miner: Account(reader.array()?), root: reader.array()? };
        let is_none = holder.miner.0 == [0; 32] && holder.root == [0; 32];
        Ok(Piece { shard_root, generation, holder: (!is_none).then_some(holder) })
    });
    Ok(Segment { pieces: pieces.collect::<Result<_, Rejection>>()? })
}

fn check_private(private: &PrivatePart, ciphertext_bytes: u64) -> Result<(), Rejection> {
    let name_bytes = private.name.len();
    if name_bytes > NAME_BYTES_MAX {
        return Err(malformed(format!("a name of {name_bytes} bytes, more than {NAME_BYTES_MAX}")));
    }
    let file_bytes = private.file.length_bytes;
    if file_bytes > ciphertext_bytes {
        let detail = format!("a file of {file_bytes} bytes in a ciphertext of {ciphertext_bytes}");
        return Err(malformed(detail));
    }
    Ok(())
}

/// No two pieces are the same bytes, and no two of a segment are with one miner: they would be lost together.
fn check_segment(
    segment: &Segment,
    number: u64,
    policy: Policy,
    roots: &mut HashSet<[u8; 32]>,
) -> Result<(), Rejection> {
    let (found, shards) = (segment.pieces.len(), policy.shards());
    if found != usize::from(shards) {
        return Err(malformed(format!("segment {number} has {found} shards, not {shards}")));
    }
    let first = segment.pieces[0].shard_root;
    if policy.data_shards() == 1 && segment.pieces.iter().any(|piece| piece.shard_root != first) {
        return Err(malformed(format!("the replicas of segment {number} have different shard roots")));
    }
    let mut miners = HashSet::new();
    for (Holder { miner, root }, shard) in holders(segment) {
        if miner.0 == [0; 32] || root == [0; 32] {
            return Err(malformed(format!("shard {shard} of segment {number} has half a holder")));
        }
        if !miners.insert(miner) {
            return Err(malformed(format!("{miner} holds shard {shard} and another of segment {number}")));
        }
        if !roots.insert(root) {
            let root = hex::encode(root);
            return Err(malformed(format!(
                "shard {shard} of segment {number} and another have the same bytes, of root {root}"
            )));
        }
    }
    Ok(())
}

fn holders(segment: &Segment) -> impl Iterator<Item = (Holder, usize)> {
    segment.pieces.iter().enumerate().filter_map(|(shard, piece)| Some((piece.holder?, shard)))
}

fn malformed(detail: impl Into<String>) -> Rejection {
    Class::Malformed.because(detail)
}
