//! pieces-v1.

use std::io::{self, Read};

use holdfast_service::pieces::{
    Content, EncodedSegment, Encoder, FileLayout, Holder, Manifest, Piece, PieceId, PieceSource,
    PlacementSecret, Policy, PrivatePart, Segment, SegmentCode,
};
use serde_json::{Value, json};

use super::edits::{apply, case, insert, original, overwrite, remove};
use super::files::{assert_verdict, bytes, cases, digest, dump, name, number, read};
use super::plain::{derive, string};
use super::plain_pieces::{Coding, Field, covered, layer_key, shards};

const FILE: &str = "tests/vectors/pieces-v1.json";
const SECRET: [u8; 32] = [0x55; 32];

fn coding(segment_bytes: u64, k: u8, n: u8) -> Coding {
    Coding { segment_bytes, k, n }
}

pub(crate) fn vectors() -> Value {
    json!({
        "parity": parities(),
        "layer": layers(),
        "file": files(),
        "manifest": [manifest("for its owner", Some("film.mkv")), manifest("for repair", None)],
        "decode_manifest": manifest_defects(),
    })
}

/// Data shard j has the 64 bytes `251·j + t`, modulo 256.
fn data_shards(k: u8) -> Vec<Vec<u8>> {
    (0..u16::from(k)).map(|j| (0..64).map(|t| (251 * j + t) as u8).collect()).collect()
}

fn parities() -> Vec<Value> {
    let field = Field::new();
    [(1, 3), (2, 3), (2, 4), (3, 5), (10, 16), (5, 16), (4, 12)]
        .into_iter()
        .map(|(k, n)| {
            let parity = field.parity(&data_shards(k), n.into());
            let count = usize::from(n - k);
            let coefficient = |i| move |j| (i, j);
            let rows = (0..if k == 1 { 0 } else { count }).map(|i| {
                (0..k.into()).map(coefficient(i)).map(|(i, j)| field.coefficient(i, j, count)).collect()
            });
            json!({
                "name": format!("{k} of {n}"),
                "k": k,
                "n": n,
                "coefficients": rows.collect::<Vec<Vec<u16>>>(),
                "parity": parity.iter().map(hex::encode).collect::<Vec<_>>(),
            })
        })
        .collect()
}

fn layers() -> Vec<Value> {
    let layer = |name: &str, coding: Coding, segment: u32, shard: u8, generation: u32| {
        let key = layer_key(&SECRET, coding, segment, shard, generation);
        json!({
            "name": name,
            "segment_bytes": coding.segment_bytes,
            "k": coding.k,
            "n": coding.n,
            "segment": segment,
            "shard": shard,
            "generation": generation,
            "key": hex::encode(key),
            "first_bytes": hex::encode(covered(&key, &[0; 100])),
        })
    };
    let some = coding(1 << 28, 3, 5);
    vec![
        layer("a piece", some, 0, 0, 0),
        layer("another segment", some, 1, 0, 0),
        layer("another shard", some, 0, 1, 0),
        layer("another generation", some, 0, 0, 1),
        layer("other segments", coding(1 << 27, 3, 5), 0, 0, 0),
        layer("another k", coding(1 << 28, 2, 5), 0, 0, 0),
        layer("another n", coding(1 << 28, 3, 6), 0, 0, 0),
        layer("the largest numbers", coding(1 << 31, 255, 255), u32::MAX, 254, u32::MAX),
    ]
}

fn files() -> Vec<Value> {
    let field = Field::new();
    let file = |length: u64, coding: Coding| {
        let bytes = string(length);
        let segments = bytes.chunks(coding.segment_bytes as usize).zip(0..).map(|(segment, number)| {
            let shards = shards(&field, segment, coding);
            let piece = |generation| {
                let covered = shards.iter().zip(0..).map(move |(shard, at)| {
                    covered(&layer_key(&SECRET, coding, number, at, generation), shard)
                });
                covered.map(|piece| blake3::hash(&piece).to_hex().to_string()).collect::<Vec<_>>()
            };
            json!({
                "bytes": segment.len(),
                "piece_bytes": shards[0].len(),
                "shard_roots": shards.iter().map(|shard| blake3::hash(shard).to_hex().to_string()).collect::<Vec<_>>(),
                "piece_roots": piece(0),
                "piece_roots_of_generation_1": piece(1),
            })
        });
        json!({
            "name": format!("{length} bytes, {} of {}, segments of {}", coding.k, coding.n, coding.segment_bytes),
            "file": { "bytes": length, "rule": "t mod 251" },
            "segment_bytes": coding.segment_bytes,
            "k": coding.k,
            "n": coding.n,
            "secret": hex::encode(SECRET),
            "root": blake3::hash(&bytes).to_hex().to_string(),
            "segments": segments.collect::<Vec<_>>(),
        })
    };
    vec![
        file(0, coding(1 << 28, 3, 5)),
        file(1, coding(1 << 28, 3, 5)),
        file(100, coding(1 << 28, 2, 4)),
        file(1_000, coding(300, 1, 3)),
        file(2 * 16_384, coding(1 << 28, 2, 3)),
        file(2 * 16_384 + 1, coding(1 << 28, 2, 3)),
        file(100_000, coding(40_000, 3, 7)),
        file(10 * 16_384 - 1, coding(1 << 28, 10, 16)),
    ]
}

/// Two segments of 100 bytes and one, 2 of 3; the last piece has no holder.
fn manifest(name: &str, file_name: Option<&str>) -> Value {
    let (field, coding, file) = (Field::new(), coding(100, 2, 3), string(101));
    let mut encoded = [&b"HFM1"[..], &[u8::from(file_name.is_some()), 2, 3, 0]].concat();
    for number in [100u64, 101, 2_000_000_000] {
        encoded.extend(number.to_le_bytes());
    }
    encoded.extend(blake3::hash(&file).as_bytes());
    encoded.extend(SECRET);
    if let Some(name) = file_name {
        encoded.extend([0x99; 32]);
        encoded.extend(90u64.to_le_bytes());
        encoded.extend((name.len() as u16).to_le_bytes());
        encoded.extend(name.bytes());
    }
    for (segment, number) in file.chunks(100).zip(0u32..) {
        for (shard, at) in shards(&field, segment, coding).iter().zip(0u8..) {
            let generation = u32::from(at == 1);
            encoded.extend(blake3::hash(shard).as_bytes());
            encoded.extend(generation.to_le_bytes());
            if (number, at) == (1, 2) {
                encoded.extend([0; 64]);
            } else {
                encoded.extend([0x20 + at; 32]);
                let piece = covered(&layer_key(&SECRET, coding, number, at, generation), shard);
                encoded.extend(blake3::hash(&piece).as_bytes());
            }
        }
    }
    let checksum = derive("manifest checksum", &[&encoded]);
    encoded.extend(checksum);
    json!({ "name": name, "manifest": hex::encode(encoded) })
}

/// One lie each, under a checksum that is right.
fn manifest_defects() -> Vec<Value> {
    let good = manifest("", None);
    let good = bytes(&good["manifest"]);
    let end = good.len() - 32;
    let lie = |name: &str, edit: Value, rejection: &str| {
        let changed = apply(&json!({ "edits": [edit] }), &good[..end]);
        let checksum = overwrite(changed.len(), &derive("manifest checksum", &[&changed]));
        case(name, "for repair", &[edit, checksum], rejection)
    };
    let piece = |number: usize| 96 + 100 * number;
    vec![
        lie("another tag", overwrite(0, b"HFM2"), "malformed"),
        lie("a flag that there is not", overwrite(4, &[2]), "malformed"),
        lie("k = 0", overwrite(5, &[0]), "malformed"),
        lie("k above n", overwrite(5, &[4]), "malformed"),
        lie("a zero field", overwrite(7, &[1]), "malformed"),
        lie("segments of no bytes", overwrite(8, &[0; 8]), "malformed"),
        lie("segments of more than 64 GiB", overwrite(8, &((64u64 << 30) + 1).to_le_bytes()), "malformed"),
        lie("a segment more", overwrite(16, &201u64.to_le_bytes()), "wrong-length"),
        lie("a segment less", overwrite(16, &[100]), "wrong-length"),
        lie("2^64 − 1 bytes", overwrite(16, &[255; 8]), "wrong-length"),
        lie("a byte more", insert(end, &[0]), "wrong-length"),
        lie("a byte less", remove(end - 1, 1), "wrong-length"),
        lie("a miner twice in a segment", overwrite(piece(1) + 36, &[0x20; 32]), "malformed"),
        lie("the same bytes twice", overwrite(piece(3) + 68, &good[piece(0) + 68..piece(1)]), "malformed"),
        lie("a root without a miner", overwrite(piece(0) + 36, &[0; 32]), "malformed"),
        lie("a miner without a root", overwrite(piece(0) + 68, &[0; 32]), "malformed"),
        case("another checksum", "for repair", &[overwrite(end, &[0; 32])], "malformed"),
        case("damage", "for repair", &[overwrite(40, &[0])], "malformed"),
    ]
}

/// The smallest file that shows everything but several stripes.
pub(crate) fn worked_example() -> String {
    let (field, coding, file) = (Field::new(), coding(1 << 28, 2, 4), string(100));
    let mut text = "```text\ncoefficients\n".to_owned();
    for i in 0..2 {
        let row: Vec<String> = (0..2).map(|j| format!("{:04x}", field.coefficient(i, j, 2))).collect();
        text += &format!("parity shard {i}  {}\n", row.join(" "));
    }
    for (shard, at) in shards(&field, &file, coding).iter().zip(0..) {
        let key = layer_key(&SECRET, coding, 0, at, 0);
        let piece = covered(&key, shard);
        text += &format!("\nshard {at}: 64 bytes, root {}\n{}", blake3::hash(shard).to_hex(), dump(shard));
        text += &format!("key of its layer {}\n", hex::encode(key));
        text += &format!("piece {at}: root {}\n{}", blake3::hash(&piece).to_hex(), dump(&piece));
    }
    text + "```\n"
}

fn policy_of(case: &Value) -> Policy {
    let byte = |field: &str| u8::try_from(number(&case[field])).expect("a byte");
    Policy::new(number(&case["segment_bytes"]), byte("k"), byte("n")).expect("a policy")
}

/// What the service codes a file to.
fn encoded(
    file: impl Read,
    policy: Policy,
    secret: &PlacementSecret,
) -> (Vec<EncodedSegment<Vec<u8>>>, Content) {
    let mut encoder = Encoder::new(file, policy, secret);
    let mut segments = Vec::new();
    while let Some(segment) = encoder.next_segment(|_| Ok(Vec::new())).expect("memory can be written to") {
        segments.push(segment);
    }
    (segments, encoder.content())
}

fn roots(list: &Value) -> Vec<[u8; 32]> {
    list.as_array().expect("a list").iter().map(digest).collect()
}

/// The service's pieces, without their layers, against the formula.
#[test]
fn parity_and_layers() {
    for case in cases(&read(FILE), "parity") {
        let policy =
            Policy::new(1 << 28, number(&case["k"]) as u8, number(&case["n"]) as u8).expect("a policy");
        let data = data_shards(policy.data_shards());
        let secret = PlacementSecret::of_bytes(SECRET);
        let (segments, _) = encoded(&data.concat()[..], policy, &secret);
        let expected = case["parity"].as_array().expect("a list").iter().map(bytes);
        let coding = coding(1 << 28, policy.data_shards(), policy.shards());
        for (shard, expected) in segments[0].shards.iter().zip(data.into_iter().chain(expected)) {
            let key = layer_key(&SECRET, coding, 0, shard.piece.shard, 0);
            assert_eq!(hex::encode(covered(&key, &shard.sink)), hex::encode(expected), "{}", name(case));
        }
    }
}

/// Keystreams, as the rebuilt pieces of shards of zeros show them.
#[test]
fn keystreams() {
    for case in cases(&read(FILE), "layer") {
        let policy = policy_of(case);
        let (segment, shard, generation) = (
            number(&case["segment"]) as u32,
            number(&case["shard"]) as u8,
            number(&case["generation"]) as u32,
        );
        let secret = PlacementSecret::of_bytes(SECRET);
        // A file that ends with the segment, whose last stripe is two units of 64 bytes a shard.
        let stripe = 128 * u64::from(policy.data_shards());
        let length =
            policy.segment_bytes().checked_mul(segment.into()).and_then(|start| start.checked_add(stripe));
        let layout = FileLayout::new(length.expect("below 2^64"), policy);
        let code = SegmentCode::new(&layout, policy, &secret, segment).expect("the last segment");
        let source = PieceId { segment, shard, generation: generation ^ 1 };
        let coding = coding(policy.segment_bytes(), policy.data_shards(), policy.shards());
        let covered = covered(&layer_key(&SECRET, coding, segment, shard, source.generation), &[0; 128]);
        let roots = vec![*blake3::hash(&[0; 128]).as_bytes(); policy.shards().into()];
        let sources = vec![PieceSource { piece: source, reader: &covered[..] }];
        let target = PieceId { generation, ..source };
        let moved = code.rebuild(target, sources, &roots, Vec::new()).expect("a good piece");
        assert_eq!(hex::encode(&moved.sink[..100]), case["first_bytes"], "{}", name(case));
    }
}

#[test]
fn files_are_coded_to_these_pieces_and_back() {
    for case in cases(&read(FILE), "file") {
        let (policy, secret) = (policy_of(case), PlacementSecret::of_bytes(digest(&case["secret"])));
        let file = string(number(&case["file"]["bytes"]));
        let (segments, content) = encoded(&file[..], policy, &secret);
        assert_eq!(content, Content { root: digest(&case["root"]), length_bytes: file.len() as u64 });
        let expected = case["segments"].as_array().expect("a list");
        assert_eq!(segments.len(), expected.len(), "{}", name(case));
        let layout = FileLayout::new(content.length_bytes, policy);
        let mut found = Vec::new();
        for (segment, expected) in segments.iter().zip(expected) {
            assert_eq!(segment.length_bytes, number(&expected["bytes"]));
            let shard_roots: Vec<_> = segment.shards.iter().map(|shard| shard.shard_root).collect();
            assert_eq!(shard_roots, roots(&expected["shard_roots"]), "{}", name(case));
            let piece_roots: Vec<_> = segment.shards.iter().map(|shard| shard.content.root).collect();
            assert_eq!(piece_roots, roots(&expected["piece_roots"]), "{}", name(case));
            let code = SegmentCode::new(&layout, policy, &secret, segment.segment).expect("a segment");
            assert_eq!(code.layout().shard_bytes(), number(&expected["piece_bytes"]));
            let sources = |but: Option<u8>| -> Vec<PieceSource<&[u8]>> {
                let others = segment.shards.iter().rev().filter(|shard| Some(shard.piece.shard) != but);
                let k = policy.data_shards().into();
                others
                    .take(k)
                    .map(|shard| PieceSource { piece: shard.piece, reader: &shard.sink[..] })
                    .collect()
            };
            code.decode(0..segment.length_bytes, sources(None), &mut found).expect("whole pieces");
            for (root, shard) in roots(&expected["piece_roots_of_generation_1"]).iter().zip(0..) {
                let target = PieceId { segment: segment.segment, shard, generation: 1 };
                let made = code.rebuild(target, sources(Some(shard)), &shard_roots, io::sink());
                assert_eq!(made.expect("whole pieces").content.root, *root, "{}", name(case));
            }
        }
        assert!(found == file, "{}", name(case));
    }
}

#[test]
fn manifests() {
    let vectors = read(FILE);
    for case in cases(&vectors, "manifest") {
        let encoded = bytes(&case["manifest"]);
        let manifest = Manifest::decode(&encoded).expect("a good manifest");
        assert!(*manifest.encode() == encoded, "{}", name(case));
    }
    for case in cases(&vectors, "decode_manifest") {
        let of = original(&vectors, "manifest", case);
        assert_verdict(case, Manifest::decode(&apply(case, &bytes(&of["manifest"]))));
    }
}

/// What stands in the first of them, field by field.
#[test]
fn a_manifest_says_what_was_put_into_it() {
    let vectors = read(FILE);
    let manifest =
        Manifest::decode(&bytes(&cases(&vectors, "manifest")[0]["manifest"])).expect("a good manifest");
    let file = Content { root: [0x99; 32], length_bytes: 90 };
    assert_eq!(manifest.private(), Some(&PrivatePart { name: "film.mkv".to_owned(), file }));
    let policy = Policy::new(100, 2, 3).expect("a policy");
    let secret = PlacementSecret::of_bytes(SECRET);
    let (segments, ciphertext) = encoded(&string(101)[..], policy, &secret);
    let segments = segments.iter().map(|segment| {
        let piece = |shard: &holdfast_service::pieces::EncodedShard<Vec<u8>>| {
            let at = shard.piece.shard;
            let id = PieceId { generation: u32::from(at == 1), ..shard.piece };
            let layout = FileLayout::new(101, policy);
            let code = SegmentCode::new(&layout, policy, &secret, id.segment).expect("a segment");
            let sources = vec![PieceSource { piece: shard.piece, reader: &shard.sink[..] }];
            let roots: Vec<_> = segment.shards.iter().map(|shard| shard.shard_root).collect();
            let root = code.rebuild(id, sources, &roots, io::sink()).expect("a good piece").content.root;
            let holder = Holder { miner: holdfast_engine::account::Account([0x20 + at; 32]), root };
            let holder = ((id.segment, at) != (1, 2)).then_some(holder);
            Piece { shard_root: shard.shard_root, generation: id.generation, holder }
        };
        Segment { pieces: segment.shards.iter().map(piece).collect() }
    });
    let same = Manifest::new(
        manifest.private().cloned(),
        ciphertext,
        policy,
        secret.clone(),
        Some(2_000_000_000),
        segments.collect(),
    );
    assert!(*same.expect("it is consistent").encode() == *manifest.encode());
}
