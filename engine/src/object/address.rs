//! Content addresses: CIDv1 of one raw block, by BLAKE3 and by SHA2-256 (commitment-v1 §7, object-v1 §1).

use std::fmt;
use std::str::FromStr;

use cid::multihash::Multihash;
use cid::{Cid, Version};
use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::rejection::{Class, Rejection};
use crate::tree;

/// Multicodec of bytes that are nothing but bytes.
const RAW: u64 = 0x55;
const BLAKE3: u64 = 0x1e;
const SHA2_256: u64 = 0x12;
/// A CID of ours has 60 characters in base32; in base 2 it would have 289.
const TEXT_BYTES_MAX: usize = 512;

/// A content address: the hash of the bytes, and which hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// The object's root.
    Blake3([u8; 32]),
    /// The SHA-256 of the object.
    Sha256([u8; 32]),
}

impl Address {
    /// The two addresses of bytes that are at hand.
    pub fn both_of(bytes: &[u8]) -> [Address; 2] {
        [Address::Blake3(tree::root(bytes)), Address::Sha256(Sha256::digest(bytes).into())]
    }

    /// The CID.
    pub fn cid(&self) -> Cid {
        let (code, digest) = match self {
            Address::Blake3(digest) => (BLAKE3, digest),
            Address::Sha256(digest) => (SHA2_256, digest),
        };
        Cid::new_v1(RAW, Multihash::wrap(code, digest).expect("32 bytes are at most 64"))
    }

    /// The address that a CID gives; refused (`malformed`) unless it is one of object-v1 §1.
    pub fn of_cid(cid: &Cid) -> Result<Address, Rejection> {
        if cid.version() != Version::V1 || cid.codec() != RAW {
            let (version, codec) = (u64::from(cid.version()), cid.codec());
            let detail = format!("a CID of version {version} and codec {codec:#x}, not 1 and 0x55 (raw)");
            return Err(Class::Malformed.because(detail));
        }
        let hash = cid.hash();
        match (hash.code(), hash.digest().try_into()) {
            (BLAKE3, Ok(digest)) => Ok(Address::Blake3(digest)),
            (SHA2_256, Ok(digest)) => Ok(Address::Sha256(digest)),
            (code, _) => {
                let bytes = hash.size();
                let detail = format!("a CID by hash {code:#x} of {bytes} bytes, not 0x1e or 0x12 of 32");
                Err(Class::Malformed.because(detail))
            }
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cid().fmt(out)
    }
}

/// Reads a CID in any multibase, or an object root as `b3sum` writes it.
impl FromStr for Address {
    type Err = Rejection;

    fn from_str(text: &str) -> Result<Address, Rejection> {
        let mut root = [0; 32];
        if hex::decode_to_slice(text, &mut root).is_ok() {
            return Ok(Address::Blake3(root));
        }
        let refused =
            |why: &str| Class::Malformed.because(format!("\"{}\" is no CID: {why}", shortened(text)));
        if text.len() > TEXT_BYTES_MAX {
            return Err(refused("it is too long"));
        }
        let (_, bytes) = cid::multibase::decode(text).map_err(|error| refused(&error.to_string()))?;
        let cid = Cid::try_from(bytes.as_slice()).map_err(|error| refused(&error.to_string()))?;
        // The crate takes bytes after the CID and integers written longer than they need be.
        if cid.to_bytes() != bytes {
            return Err(refused("it is not written in the one way there is"));
        }
        Address::of_cid(&cid)
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(80).collect::<String>().escape_default().to_string()
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed apart from this code, from Python's hashlib, base64 and blake3 alone. The SHA-256 of the empty string and of
    /// `abc` are also what FileTAO's `make_cid` gives (`ipfs_cid.cid_sha256_hash`), and the first is a CID that everybody
    /// on IPFS knows.
    #[test]
    fn known_answers() {
        let pattern: Vec<u8> = (0..100_000_u32).map(|at| (at % 251).to_le_bytes()[0]).collect();
        let cases: [(&[u8], &str, &str); 4] = [
            (
                b"",
                "bafkr4ifpcne3t5pzugtkaqcn5i3nzskjtpfslsnnyejlpte2spfoihzsmi",
                "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku",
            ),
            (
                b"abc",
                "bafkr4ideg6z2yocgkez77nr3outtvdnvjdcvqrs5phnqh7jvtrwnlpm5qu",
                "bafkreif2pall7dybz7vecqka3zo24irdwabwdi4wc55jznaq75q7eaavvu",
            ),
            (
                b"hello",
                "bafkr4ihkr4ld3m4gqkjf4reryxsy2s5tkbxprqkow6fin2iiyvreuzzab4",
                "bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq",
            ),
            (
                &pattern,
                "bafkr4igzhqr65wxrmwt6bpuqroug6gt2kigvndjncpg6pb6ilagfy4wmkq",
                "bafkreignfx3jjzbexr4wrtbx6r3vcam6lsqm2g67fzdz5jjxyoq4glxbvi",
            ),
        ];
        for (bytes, blake3, sha256) in cases {
            assert_eq!(Address::both_of(bytes).map(|address| address.to_string()), [blake3, sha256]);
        }
    }

    #[test]
    fn any_multibase_and_the_root_in_hex_lead_to_the_same_address() {
        let [blake3, sha256] = Address::both_of(b"abc");
        for address in [blake3, sha256] {
            for base in [cid::multibase::Base::Base58Btc, cid::multibase::Base::Base16Lower] {
                assert_eq!(address.cid().to_string_of_base(base).unwrap().parse(), Ok(address));
            }
            assert_eq!(address.to_string().parse(), Ok(address));
        }
        assert_eq!("6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85".parse(), Ok(blake3));
    }

    #[test]
    fn other_cids_and_other_texts_are_refused() {
        let of = |bytes: &[u8]| cid::multibase::encode(cid::multibase::Base::Base32Lower, bytes);
        let digest = [7; 32];
        let ours = [[0x01, 0x55, 0x1e, 0x20].as_slice(), &digest].concat();
        assert!(of(&ours).parse::<Address>().is_ok());
        let texts = [
            of(&[[0x01, 0x70, 0x12, 0x20].as_slice(), &digest].concat()), // dag-pb: the root of a UnixFS tree
            of(&[[0x01, 0x55, 0x13, 0x20].as_slice(), &digest].concat()), // another hash
            of(&[[0x01, 0x55, 0x1e, 0x1f].as_slice(), &digest[..31]].concat()), // a short digest
            of(&[&ours, [0].as_slice()].concat()),                        // a byte too many
            of(&ours[..35]),                                              // one too few
            of(&[[0x81, 0x00, 0x55, 0x1e, 0x20].as_slice(), &digest].concat()), // an integer longer than need be
            "QmWATWQ7fVPP2EFGu71UkfnqhYXDYH566qy47CnJDgvs8u".to_owned(),        // version 0
            format!("/ipfs/{}", of(&ours)),
            "ab".repeat(31),
            "../../etc/passwd".to_owned(),
            String::new(),
            "b".to_owned(),
            "b".repeat(100_000),
            "\u{1F680}\u{1F680}".to_owned(),
        ];
        for text in texts {
            let refused = text.parse::<Address>();
            assert_eq!(refused.map_err(|rejection| rejection.class), Err(Class::Malformed), "{text}");
        }
    }
}
