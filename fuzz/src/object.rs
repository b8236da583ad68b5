//! Entries of objects: what is accepted is canonical, the checksum being made right first. Addresses: what is accepted is the
//! address that it is written as again.

use holdfast_engine::object::Address;
use holdfast_partition::objects::{ENTRY_BYTES, Entry, ObjectName};

const CHECKSUM: &str = "holdfast v1 object entry checksum";
const CHECKSUM_AT: usize = ENTRY_BYTES - 32;

pub(crate) fn entry(bytes: &[u8]) -> bool {
    let front = bytes.len().min(CHECKSUM_AT);
    let mut entry = [0; ENTRY_BYTES];
    entry[..front].copy_from_slice(&bytes[..front]);
    let sum = blake3::derive_key(CHECKSUM, &entry[..CHECKSUM_AT]);
    entry[CHECKSUM_AT..].copy_from_slice(&sum);
    // As it came, and with a checksum that holds.
    let _ = Entry::decode(bytes);
    Entry::decode(&entry).is_ok_and(|decoded| {
        assert_eq!(decoded.encode(), entry);
        true
    })
}

pub(crate) fn entry_seeds() -> Vec<Vec<u8>> {
    let entry = |expires_at| Entry {
        name: ObjectName([1; 32]),
        second_digest: [2; 32],
        data_bytes: 100_000,
        outboard_bytes: 4096,
        stored_at: 1_700_000_000,
        expires_at,
    };
    [None, Some(1_800_000_000)].map(|expires_at| entry(expires_at).encode()[..CHECKSUM_AT].to_vec()).into()
}

pub(crate) fn address(bytes: &[u8]) -> bool {
    let Ok(address) = String::from_utf8_lossy(bytes).parse::<Address>() else { return false };
    assert_eq!(address.to_string().parse(), Ok(address));
    true
}

pub(crate) fn address_seeds() -> Vec<Vec<u8>> {
    let [blake3, sha256] = Address::both_of(b"abc");
    let root = blake3::hash(b"abc").to_hex().to_string();
    [blake3.to_string(), sha256.to_string(), root].map(String::into_bytes).into()
}
