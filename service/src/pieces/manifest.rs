//! What has to be kept of a file to get it back: where its pieces are (pieces-v1 §6).

mod codec;

use std::ops::Range;

use holdfast_engine::account::Account;
use holdfast_engine::rejection::Rejection;
use thiserror::Error;

use super::{Content, EncodedSegment, FileLayout, PieceId, PlacementSecret, Policy, SegmentCode};
use crate::encryption::{DecryptionError, EncryptionError, Identities, Recipients};

pub use codec::{MANIFEST_BYTES_MAX, NAME_BYTES_MAX};

/// What only the owner knows: not for those who repair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrivatePart {
    /// The file's name, at most 4,096 bytes of UTF-8; may be empty.
    pub name: String,
    /// The file before encryption.
    pub file: Content,
}

/// Who holds a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The miner; not the account of zeros.
    pub miner: Account,
    /// Root of the piece as it is stored: the shard with its outer layer.
    pub root: [u8; 32],
}

/// A shard of a segment, and its piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Root of the shard without its outer layer. It never changes, so whoever makes the piece anew can be checked.
    pub shard_root: [u8; 32],
    /// The latest generation that was made.
    pub generation: u32,
    /// Its holder; `None` if it was not placed yet, or was lost.
    pub holder: Option<Holder>,
}

/// The pieces of a segment, in the order of shards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// One for each shard of the policy.
    pub pieces: Vec<Piece>,
}

/// Everything that must be known to get a file back, and to keep it whole. It holds a secret: see [`Manifest::seal`].
#[derive(Clone, Debug)]
pub struct Manifest {
    private: Option<PrivatePart>,
    ciphertext: Content,
    policy: Policy,
    secret: PlacementSecret,
    expires_at: Option<u64>,
    segments: Vec<Segment>,
}

/// Why a manifest could not be changed, sealed or opened.
#[derive(Debug, Error)]
pub enum ManifestError {
    /// A piece that the file does not have.
    #[error("there is no piece of {piece}: the file has {segments} segments of {shards} shards")]
    NoSuchPiece {
        /// What was named.
        piece: PieceId,
        /// Number of segments.
        segments: usize,
        /// n.
        shards: u8,
    },
    /// A generation that was made before.
    #[error("the piece of {piece} does not follow generation {latest}")]
    OldGeneration {
        /// What was named.
        piece: PieceId,
        /// The latest one.
        latest: u32,
    },
    /// A miner, or bytes, in two places: they could be lost together.
    #[error("the holder of {piece}, {miner}, {what} of {other}")]
    NotApart {
        /// What was to be held.
        piece: PieceId,
        /// By whom.
        miner: Account,
        /// What is the same.
        what: &'static str,
        /// The piece that is held already.
        other: PieceId,
    },
    /// Manifests of two files.
    #[error("the other manifest is of another ciphertext, coding or secret")]
    AnotherFile,
    /// The bytes are no manifest.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// It could not be sealed.
    #[error(transparent)]
    Encryption(#[from] EncryptionError),
    /// It could not be opened.
    #[error(transparent)]
    Decryption(#[from] DecryptionError),
}

impl Segment {
    /// Of a segment that was coded, with a holder for each piece that was placed.
    pub fn of<W>(encoded: &EncodedSegment<W>, miners: &[Option<Account>]) -> Segment {
        let miners = miners.iter().copied().chain(std::iter::repeat(None));
        let piece = |(shard, miner): (&super::EncodedShard<W>, Option<Account>)| Piece {
            shard_root: shard.shard_root,
            generation: shard.piece.generation,
            holder: miner.map(|miner| Holder { miner, root: shard.content.root }),
        };
        Segment { pieces: encoded.shards.iter().zip(miners).map(piece).collect() }
    }

    /// Pieces that have a holder.
    pub fn held(&self) -> usize {
        self.pieces.iter().filter(|piece| piece.holder.is_some()).count()
    }
}

impl Manifest {
    /// Of a file that was coded; `expires_at` in seconds since 1970.
    ///
    /// # Errors
    /// Refused: `malformed` if it contradicts itself (see pieces-v1 §6).
    pub fn new(
        private: Option<PrivatePart>,
        ciphertext: Content,
        policy: Policy,
        secret: PlacementSecret,
        expires_at: Option<u64>,
        segments: Vec<Segment>,
    ) -> Result<Manifest, Rejection> {
        let manifest = Manifest { private, ciphertext, policy, secret, expires_at, segments };
        manifest.check()?;
        Ok(manifest)
    }

    /// Name and plaintext; `None` in a manifest for those who repair.
    pub fn private(&self) -> Option<&PrivatePart> {
        self.private.as_ref()
    }

    /// What was cut into pieces; its root is the file's address.
    pub fn ciphertext(&self) -> Content {
        self.ciphertext
    }

    /// How it was coded.
    pub fn policy(&self) -> Policy {
        self.policy
    }

    /// From which the outer layers follow.
    pub fn secret(&self) -> &PlacementSecret {
        &self.secret
    }

    /// From when on its pieces are expired, in seconds since 1970; `None` for never.
    pub fn expires_at(&self) -> Option<u64> {
        self.expires_at
    }

    /// All segments, in order.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// How the ciphertext is cut.
    pub fn layout(&self) -> FileLayout {
        FileLayout::new(self.ciphertext.length_bytes, self.policy)
    }

    /// What reads and rebuilds a segment.
    pub fn code(&self, segment: u32) -> Option<SegmentCode<'_>> {
        SegmentCode::new(&self.layout(), self.policy, &self.secret, segment)
    }

    /// Roots of a segment's shards, for [`SegmentCode::rebuild`].
    pub fn shard_roots(&self, segment: u32) -> Vec<[u8; 32]> {
        let pieces = self.segments.get(segment as usize).map(|segment| &segment.pieces[..]);
        pieces.unwrap_or_default().iter().map(|piece| piece.shard_root).collect()
    }

    /// A piece and its whole identity; `None` if the file has no such shard.
    pub fn piece(&self, segment: u32, shard: u8) -> Option<(PieceId, Piece)> {
        let piece = *self.segments.get(segment as usize)?.pieces.get(usize::from(shard))?;
        Some((PieceId { segment, shard, generation: piece.generation }, piece))
    }

    /// What the shard's next piece will be; `None` if there is no such shard or no further generation.
    pub fn next_piece(&self, segment: u32, shard: u8) -> Option<PieceId> {
        let (latest, _) = self.piece(segment, shard)?;
        Some(PieceId { generation: latest.generation.checked_add(1)?, ..latest })
    }

    /// The segments that hold bytes of the ciphertext, each with the range of its own bytes.
    pub fn segments_over(&self, range: &Range<u64>) -> impl Iterator<Item = (u64, Range<u64>)> + use<> {
        self.layout().segments_over(range)
    }

    /// The same without what only the owner knows: for those who repair. They can make pieces, and so tell which miners' pieces are
    /// of one segment, but not read the file.
    pub fn for_repair(&self) -> Manifest {
        Manifest { private: None, ..self.clone() }
    }

    /// Says that the piece of a later generation is held, and the one before no longer counts.
    ///
    /// # Errors
    /// [`ManifestError::NoSuchPiece`], [`ManifestError::OldGeneration`], [`ManifestError::NotApart`].
    pub fn place(&mut self, piece: PieceId, holder: Holder) -> Result<(), ManifestError> {
        let latest = self.known(piece)?.generation;
        if piece.generation <= latest {
            return Err(ManifestError::OldGeneration { piece, latest });
        }
        self.check_apart(piece, holder)?;
        let known = self.known(piece)?;
        known.generation = piece.generation;
        known.holder = Some(holder);
        Ok(())
    }

    /// Says that nobody holds a piece any more. Nothing changes if it is of another generation than the latest.
    ///
    /// # Errors
    /// [`ManifestError::NoSuchPiece`].
    pub fn lose(&mut self, piece: PieceId) -> Result<(), ManifestError> {
        let known = self.known(piece)?;
        if known.generation == piece.generation {
            known.holder = None;
        }
        Ok(())
    }

    /// Takes over what another copy of this manifest knows of later generations, as one that a repairer sends back. Returns how
    /// many pieces changed.
    ///
    /// # Errors
    /// [`ManifestError::AnotherFile`], [`ManifestError::NotApart`]. After an error nothing has changed.
    pub fn adopt(&mut self, other: &Manifest) -> Result<usize, ManifestError> {
        let roots = |manifest: &Manifest| -> Vec<[u8; 32]> {
            manifest
                .segments
                .iter()
                .flat_map(|segment| &segment.pieces)
                .map(|piece| piece.shard_root)
                .collect()
        };
        let same = self.ciphertext == other.ciphertext
            && self.policy == other.policy
            && self.secret.0 == other.secret.0
            && roots(self) == roots(other);
        if !same {
            return Err(ManifestError::AnotherFile);
        }
        let mut merged = self.segments.clone();
        let pairs = merged.iter_mut().zip(&other.segments);
        let pieces = pairs.flat_map(|(ours, theirs)| ours.pieces.iter_mut().zip(&theirs.pieces));
        let later = pieces.filter(|(ours, theirs)| theirs.generation > ours.generation);
        let changed = later.map(|(ours, theirs)| *ours = *theirs).count();
        let merged = Manifest { segments: merged, ..self.clone() };
        merged.check()?;
        self.segments = merged.segments;
        Ok(changed)
    }

    /// Its bytes, encrypted to its owner: what may be kept anywhere.
    ///
    /// # Errors
    /// [`ManifestError::Encryption`].
    pub fn seal(&self, recipients: &Recipients) -> Result<Vec<u8>, ManifestError> {
        let mut sealed = Vec::new();
        recipients.encrypt_replicas(&self.encode()[..], &mut [&mut sealed])?;
        Ok(sealed)
    }

    /// Reads what was sealed.
    ///
    /// # Errors
    /// [`ManifestError::Decryption`]; refused: as [`Manifest::decode`].
    pub fn open(sealed: &[u8], identities: &Identities) -> Result<Manifest, ManifestError> {
        let mut encoded = zeroize::Zeroizing::new(Vec::with_capacity(sealed.len()));
        identities.decrypt(sealed, &mut *encoded)?;
        Ok(Manifest::decode(&encoded)?)
    }

    fn known(&mut self, piece: PieceId) -> Result<&mut Piece, ManifestError> {
        let (segments, shards) = (self.segments.len(), self.policy.shards());
        let segment = self.segments.get_mut(piece.segment as usize);
        let known = segment.and_then(|segment| segment.pieces.get_mut(usize::from(piece.shard)));
        known.ok_or(ManifestError::NoSuchPiece { piece, segments, shards })
    }

    /// Refuses a miner that holds another shard of the segment, and bytes that stand elsewhere in it.
    fn check_apart(&self, piece: PieceId, holder: Holder) -> Result<(), ManifestError> {
        for shard in (0..self.policy.shards()).filter(|&shard| shard != piece.shard) {
            let Some((other, Piece { holder: Some(held), .. })) = self.piece(piece.segment, shard) else {
                continue;
            };
            let what = match (held.miner == holder.miner, held.root == holder.root) {
                (true, _) => "is that",
                (false, true) => "has the bytes",
                (false, false) => continue,
            };
            return Err(ManifestError::NotApart { piece, miner: holder.miner, what, other });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
