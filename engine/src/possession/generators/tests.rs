use super::*;
use ark_ec::AffineRepr;

/// RFC 9380, appendix J.9.1: messages and points of BLS12381G1_XMD:SHA-256_SSWU_RO_.
const RFC_TAG: &str = "QUUX-V01-CS02-with-BLS12381G1_XMD:SHA-256_SSWU_RO_";
const RFC_POINTS: [&str; 5] = [
    "052926add2207b76ca4fa57a8734416c8dc95e24501772c814278700eed6d1e4e8cf62d9c09db0fac349612b759e79a1\
     08ba738453bfed09cb546dbb0783dbb3a5f1f566ed67bb6be0e8c67e2e81a4cc68ee29813bb7994998f3eae0c9c6a265",
    "03567bc5ef9c690c2ab2ecdf6a96ef1c139cc0b2f284dca0a9a7943388a49a3aee664ba5379a7655d3c68900be2f6903\
     0b9c15f3fe6e5cf4211f346271d7b01c8f3b28be689c8429c85b67af215533311f0b8dfaaa154fa6b88176c229f2885d",
    "11e0b079dea29a68f0383ee94fed1b940995272407e3bb916bbf268c263ddd57a6a27200a784cbc248e84f357ce82d98\
     03a87ae2caf14e8ee52e51fa2ed8eefe80f02457004ba4d486d6aa1f517c0889501dc7413753f9599b099ebcbbd2d709",
    "15f68eaa693b95ccb85215dc65fa81038d69629f70aeee0d0f677cf22285e7bf58d7cb86eefe8f2e9bc3f8cb84fac488\
     1807a1d50c29f430b8cafc4f8638dfeeadf51211e1602a5f184443076715f91bb90a48ba1e370edce6ae1062f5e6dd38",
    "082aabae8b7dedb0e78aeb619ad3bfd9277a2f77ba7fad20ef6aabdc6c31d19ba5a6d12283553294c1825c4b3ca2dcfe\
     05b84ae5a942248eea39e1d91030458c40153f3b654ab7872d779ad1e942856a20c438e8d99bc8abfbf74729ce1f7ac8",
];

fn rfc_messages() -> [String; 5] {
    let (q128, a512) = (format!("q128_{}", "q".repeat(128)), format!("a512_{}", "a".repeat(512)));
    [String::new(), "abc".to_owned(), "abcdef0123456789".to_owned(), q128, a512]
}

/// Hashing by blst, an implementation that shares no code with arkworks.
fn by_blst(message: &[u8], tag: &str) -> [u8; POINT_BYTES] {
    // A signature under the secret key 1 is the hash of the message.
    let mut one = [0; 32];
    one[31] = 1;
    let key = blst::min_sig::SecretKey::from_bytes(&one).unwrap();
    key.sign(message, tag.as_bytes(), &[]).serialize()
}

#[test]
fn hashing_to_the_curve_is_that_of_the_rfc() {
    let hasher = Hasher::new(RFC_TAG.as_bytes()).unwrap();
    for (message, point) in rfc_messages().iter().zip(RFC_POINTS) {
        let hashed = encode_point(&hasher.hash(message.as_bytes()).unwrap());
        assert_eq!(hex::encode(hashed), point, "{message}");
        assert_eq!(hex::encode(by_blst(message.as_bytes(), RFC_TAG)), point, "{message}");
    }
}

/// The points that are built in are those of the specification, by two implementations.
#[test]
fn the_generators_are_the_derived_ones() {
    let derived = Generators::derive();
    if std::env::var_os("HOLDFAST_BLESS").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/possession/generators.bin");
        std::fs::write(path, derived.bytes().as_flattened()).unwrap();
    }
    assert_eq!(hex::encode(derived.digest()), hex::encode(GENERATORS_DIGEST));
    assert_eq!(Generators::standard(), &derived);
    let messages = (1..=529u32).map(|j| [b"generator".to_vec(), j.to_le_bytes().to_vec()].concat());
    for (point, message) in derived.all().iter().zip(messages.chain([b"blinding".to_vec()])) {
        assert_eq!(encode_point(point), by_blst(&message, HASH_TO_CURVE_TAG));
    }
}

/// A repeated or infinite generator would make commitments ambiguous.
#[test]
fn the_generators_are_distinct_points_of_the_group() {
    let all = Generators::standard().all();
    let distinct: std::collections::HashSet<_> = all.iter().map(encode_point).collect();
    assert_eq!((all.len(), distinct.len()), (530, 530));
    assert!(all.iter().all(|point| !point.is_zero() && point.is_in_correct_subgroup_assuming_on_curve()));
}
