//! commitment-v1 as plainly as it is written; see `plain.rs` and `plain_curve.rs`.

use holdfast_engine::signature::Signer;

use super::plain::{derive, string};
use super::plain_curve::{Point, Scalar, generators, stream, sum, wide_scalar};
use super::plain_space::join;

/// Bytes of a block.
pub(crate) const BLOCK: usize = 16_384;
pub(crate) const NETWORK: [u8; 32] = [0x11; 32];
pub(crate) const MINER: [u8; 32] = [0x22; 32];
/// The height in every record here.
pub(crate) const RECORD_HEIGHT: u64 = 2_000;

/// Who signs the records: a development key, whose signatures repeat.
pub(crate) fn checker() -> Signer {
    Signer::development("checker")
}

/// What the miner and the checker have of one replica.
pub(crate) struct Object {
    pub(crate) bytes: Vec<u8>,
    pub(crate) replica_id: u64,
    pub(crate) blinding_key: [u8; 32],
}

impl Object {
    /// The string of this length; its key is 32 times 0x77.
    pub(crate) fn new(length: u64) -> Object {
        Object { bytes: string(length), replica_id: 3, blinding_key: [0x77; 32] }
    }

    pub(crate) fn length(&self) -> u64 {
        self.bytes.len() as u64
    }

    pub(crate) fn root(&self) -> [u8; 32] {
        *blake3::hash(&self.bytes).as_bytes()
    }

    /// B.
    pub(crate) fn blocks(&self) -> u64 {
        self.length().div_ceil(BLOCK as u64).max(1)
    }

    /// The bytes of block `i`, as they are.
    pub(crate) fn block(&self, i: u64) -> &[u8] {
        let start = i as usize * BLOCK;
        &self.bytes[start..self.bytes.len().min(start + BLOCK)]
    }

    /// r_i.
    pub(crate) fn blinding(&self, i: u64) -> Scalar {
        let parts: [&[u8]; 5] = [
            &self.blinding_key,
            &self.root(),
            &self.length().to_le_bytes(),
            &self.replica_id.to_le_bytes(),
            &i.to_le_bytes(),
        ];
        wide_scalar(&mut stream("blinding", &parts))
    }

    /// d_i1 … d_is, r_i: what the generators are multiplied by.
    pub(crate) fn vector(&self, i: u64) -> Vec<Scalar> {
        let mut vector = encode(self.block(i));
        vector.push(self.blinding(i));
        vector
    }

    /// C_i.
    pub(crate) fn commitment(&self, i: u64) -> Point {
        sum(&self.vector(i), generators())
    }

    /// Ten points in each KiB.
    pub(crate) fn table(&self) -> Vec<u8> {
        let points: Vec<_> = (0..self.blocks()).map(|i| self.commitment(i).bytes()).collect();
        let chunk = |points: &[[u8; 96]]| {
            let mut chunk = points.concat();
            chunk.resize(1024, 0);
            chunk
        };
        points.chunks(10).flat_map(chunk).collect()
    }

    pub(crate) fn points_file(&self, table: &[u8]) -> Vec<u8> {
        join(&[
            b"HFT1\0\0\0\0",
            &self.length().to_le_bytes(),
            &self.replica_id.to_le_bytes(),
            &self.root(),
            &self.blinding_key,
            table,
        ])
    }

    /// The record without its signature; without a table there is no table root.
    pub(crate) fn unsigned_record(&self, table: Option<&[u8]>, tokens: &[[u8; 32]]) -> Vec<u8> {
        let token_root = match tokens {
            [] => [0; 32],
            _ => *blake3::hash(&tokens.concat()).as_bytes(),
        };
        let table_root = table.map_or([0; 32], |table| *blake3::hash(table).as_bytes());
        join(&[
            b"HFD1",
            &[u8::from(table.is_some()), 0, 0, 0],
            &self.length().to_le_bytes(),
            &self.replica_id.to_le_bytes(),
            &RECORD_HEIGHT.to_le_bytes(),
            &NETWORK,
            &MINER,
            &checker().account().0,
            &self.root(),
            &table_root,
            &token_root,
            &(tokens.len() as u64).to_le_bytes(),
        ])
    }

    /// The record, signed by the checker.
    pub(crate) fn record(&self, table: Option<&[u8]>, tokens: &[[u8; 32]]) -> Vec<u8> {
        signed(&self.unsigned_record(table, tokens))
    }
}

/// d_1 … d_529.
pub(crate) fn encode(block: &[u8]) -> Vec<Scalar> {
    let mut padded = block.to_vec();
    padded.resize(BLOCK, 0);
    padded.chunks(31).map(Scalar::of).collect()
}

pub(crate) fn record_digest(record: &[u8]) -> [u8; 32] {
    derive("object record", &[&record[..232]])
}

pub(crate) fn record_signing_digest(record: &[u8]) -> [u8; 32] {
    derive("object signing", &[&record_digest(record)])
}

/// A record with the checker's signature.
pub(crate) fn signed(unsigned: &[u8]) -> Vec<u8> {
    join(&[&unsigned[..232], &checker().sign(&record_signing_digest(unsigned)).0])
}

pub(crate) fn generators_digest() -> [u8; 32] {
    let bytes: Vec<u8> = generators().iter().flat_map(Point::bytes).collect();
    derive("generators", &[&bytes])
}

/// A content identifier of the raw codec: version 1, 0x55, the multihash's code and length.
pub(crate) fn cid(multihash: u8, digest: &[u8; 32]) -> String {
    let bytes = join(&[&[1, 0x55, multihash, 32], digest]);
    let bits: String = bytes.iter().map(|byte| format!("{byte:08b}")).collect();
    let letter = |bits: &[u8]| {
        let bits = format!("{:0<5}", String::from_utf8_lossy(bits));
        let value = usize::from_str_radix(&bits, 2).expect("five bits");
        char::from(b"abcdefghijklmnopqrstuvwxyz234567"[value])
    };
    std::iter::once('b').chain(bits.as_bytes().chunks(5).map(letter)).collect()
}
