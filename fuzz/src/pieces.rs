//! Manifests of files (pieces-v1 §6).

use holdfast_service::pieces::{Encoder, Manifest, PlacementSecret, Policy, PrivatePart, Segment};

/// Law: what is accepted is canonical.
pub(crate) fn manifest(bytes: &[u8]) -> bool {
    let Ok(manifest) = Manifest::decode(bytes) else { return false };
    assert!(*manifest.encode() == bytes, "a second encoding of a manifest");
    true
}

/// The same under a checksum that is right, without which no damage would get past it.
pub(crate) fn manifest_body(body: &[u8]) -> bool {
    let checksum = blake3::derive_key("holdfast v1 manifest checksum", body);
    manifest(&[body, &checksum].concat())
}

pub(crate) fn manifest_seeds() -> Vec<Vec<u8>> {
    ["replicate-3", "3-of-5"]
        .into_iter()
        .flat_map(|coding| [seed(coding, false), seed(coding, true)])
        .collect()
}

pub(crate) fn manifest_body_seeds() -> Vec<Vec<u8>> {
    let without_checksum = |mut bytes: Vec<u8>| {
        bytes.truncate(bytes.len() - 32);
        bytes
    };
    manifest_seeds().into_iter().map(without_checksum).collect()
}

/// Of two segments; all pieces but the last have a holder.
fn seed(coding: &str, has_private: bool) -> Vec<u8> {
    let policy: Policy = coding.parse().expect("a named policy");
    let policy = policy.with_segments_of(100).expect("within bounds");
    let secret = PlacementSecret::of_bytes([7; 32]);
    let mut encoder = Encoder::new(&[1; 150][..], policy, &secret);
    let mut segments = Vec::new();
    while let Some(encoded) = encoder.next_segment(|_| Ok(std::io::sink())).expect("memory can be read") {
        let miners: Vec<_> = (1..policy.shards())
            .map(|number| Some(holdfast_engine::account::Account([number; 32])))
            .collect();
        segments.push(Segment::of(&encoded, &miners));
    }
    let ciphertext = encoder.content();
    let private = has_private.then(|| PrivatePart { name: "name".to_owned(), file: ciphertext });
    let manifest = Manifest::new(private, ciphertext, policy, secret.clone(), None, segments);
    manifest.expect("it is consistent").encode().to_vec()
}
