//! The record of one window (space-v1 §6): one chunk of the window table.

use crate::codec::Reader;
use crate::registration::WindowShape;
use crate::rejection::Rejection;
use crate::tree;

/// Bytes of a record: one chunk, so that a record is opened like any other chunk.
pub const RECORD_BYTES: usize = tree::CHUNK_BYTES;

const TAG: &[u8; 4] = b"HFW1";
const PADDING_BYTES: usize = 912;

/// What is registered of one window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WindowRecord {
    /// k and ℓ.
    pub shape: WindowShape,
    /// Index of the window in its partition.
    pub window: u64,
    /// `window key(w)`.
    pub window_key: [u8; 32],
    /// Root of layer ℓ, the window's bytes.
    pub root: [u8; 32],
    /// Root of the list of layer roots ([`layers_root`]).
    pub layers_root: [u8; 32],
}

impl WindowRecord {
    /// The record's bytes.
    pub fn encode(&self) -> [u8; RECORD_BYTES] {
        let fields: [&[u8]; 8] = [
            TAG,
            &[self.shape.log2_labels(), self.shape.layers()],
            &[0; 2],
            &self.window.to_le_bytes(),
            &self.window_key,
            &self.root,
            &self.layers_root,
            &[0; PADDING_BYTES],
        ];
        let mut bytes = [0; RECORD_BYTES];
        bytes.copy_from_slice(&fields.concat());
        bytes
    }

    /// Reads a record alone; whether it belongs to a partition is for [`crate::commitment::Commitment`] to say.
    ///
    /// Refused: `wrong-length`, `malformed` (tag, k, ℓ, zero fields).
    pub fn decode(bytes: &[u8]) -> Result<WindowRecord, Rejection> {
        let mut reader = Reader::exactly("window record", bytes, RECORD_BYTES)?;
        reader.tag(TAG)?;
        let shape = WindowShape::new(reader.byte()?, reader.byte()?)?;
        reader.zeros::<2>()?;
        let record = WindowRecord {
            shape,
            window: reader.u64()?,
            window_key: reader.array()?,
            root: reader.array()?,
            layers_root: reader.array()?,
        };
        reader.zeros::<PADDING_BYTES>()?;
        Ok(record)
    }
}

/// Root of the list of a window's layer roots, layer 1 first.
pub fn layers_root(layer_roots: &[[u8; 32]]) -> [u8; 32] {
    tree::root(layer_roots.as_flattened())
}

/// Root of the window table: what a batch registers.
pub fn partition_root(records: &[WindowRecord]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    for record in records {
        hasher.update(&record.encode());
    }
    *hasher.finalize().as_bytes()
}
