//! The engine against the vectors of commitment-v1.

use holdfast_engine::object::Address;
use holdfast_engine::possession::Replica;
use holdfast_engine::possession::blinding::BlindingKey;
use holdfast_engine::possession::check::{Accumulator, CheckFailure};
use holdfast_engine::possession::commitment_table::CommitmentTable;
use holdfast_engine::possession::encode::block_scalars;
use holdfast_engine::possession::generators::Generators;
use holdfast_engine::possession::points::{decode_point, encode_point};
use holdfast_engine::possession::points_file::{PointsFileError, PointsHeader};
use holdfast_engine::possession::record::{ObjectRecord, SignedRecord, refuse_twins};
use holdfast_engine::possession::scalars::{decode_scalar, encode_scalar};
use holdfast_engine::reference::possession as reference;
use holdfast_engine::rejection::Rejection;
use holdfast_engine::signature::Signer;
use serde_json::Value;

use super::commitment::FILE;
use super::edits::{apply, original};
use super::files::{assert_verdict, bytes, cases, digest, name, number, read};
use super::plain;

/// The bytes of a case.
pub(crate) fn string_of(value: &Value) -> Vec<u8> {
    let length = number(&value["bytes"]);
    match value["rule"].as_str() {
        Some("t mod 251") => plain::string(length),
        Some("255") => vec![255; length as usize],
        other => panic!("no rule {other:?}"),
    }
}

#[test]
fn blocks_as_scalars() {
    for case in cases(&read(FILE), "encoding") {
        let scalars = block_scalars(&string_of(&case["block"])).map(|scalar| encode_scalar(&scalar));
        assert_eq!(scalars.len() as u64, number(&case["scalars"]), "{}", name(case));
        assert_eq!(scalars[0], digest(&case["first"]), "{}", name(case));
        assert_eq!(scalars[528], digest(&case["last"]), "{}", name(case));
        let all = *blake3::hash(scalars.as_flattened()).as_bytes();
        assert_eq!(all, digest(&case["blake3_of_scalars"]), "{}", name(case));
    }
}

#[test]
fn generators() {
    let vectors = read(FILE);
    let all = Generators::standard().all();
    assert_eq!(all.len(), 530);
    for (case, index) in cases(&vectors, "generator").iter().zip([0, 1, 256, 528, 529]) {
        assert_eq!(encode_point(&all[index]).to_vec(), bytes(&case["point"]), "{}", name(case));
    }
    assert_eq!(Generators::standard().digest(), digest(&cases(&vectors, "generators_digest")[0]["digest"]));
}

#[test]
fn points_and_scalars() {
    let vectors = read(FILE);
    for case in cases(&vectors, "point") {
        let point: [u8; 96] = bytes(&case["point"]).try_into().expect("96 bytes");
        let decoded = decode_point(&point);
        assert!(
            decoded.as_ref().is_err() || decoded.as_ref().map(encode_point) == Ok(point),
            "{}",
            name(case)
        );
        assert_verdict(case, decoded);
    }
    for case in cases(&vectors, "scalar") {
        let scalar = digest(&case["scalar"]);
        let decoded = decode_scalar(&scalar);
        assert!(decoded.is_err() || decoded.as_ref().map(encode_scalar) == Ok(scalar), "{}", name(case));
        assert_verdict(case, decoded);
    }
}

#[test]
fn commitments_and_tables() {
    for case in cases(&read(FILE), "commitment") {
        let (string, key) = (string_of(&case["string"]), digest(&case["blinding_key"]));
        let replica_id = number(&case["replica_id"]);
        let replica = Replica::new(digest(&case["object_root"]), string.len() as u64, replica_id);
        let replica = replica.expect("not too long");
        let blinding_key = BlindingKey::from_bytes(key);
        for (block, scalar) in (0..).zip(cases(case, "blinding_scalars")) {
            assert_eq!(
                encode_scalar(&blinding_key.scalar(&replica, block)),
                digest(scalar),
                "{}",
                name(case)
            );
        }
        let points = reference::commitments(&key, &string, replica_id);
        let encoded: Vec<_> = points.iter().map(encode_point).map(|point| point.to_vec()).collect();
        let expected: Vec<_> = cases(case, "commitments").iter().map(bytes).collect();
        assert_eq!(encoded, expected, "{}", name(case));
        let table = CommitmentTable::of_points(&points);
        assert_eq!(table.root(), digest(&case["table_root"]), "{}", name(case));
        let header = PointsHeader { replica, key: blinding_key };
        let file = [&header.encode()[..], table.bytes()].concat();
        assert_eq!(file, bytes(&case["points_file"]), "{}", name(case));
        assert_eq!(check(&string, &file), Ok(table.root()), "{}", name(case));
    }
}

/// What a checker says of a points file, who has the bytes: the table's root, or why not.
fn check(string: &[u8], mut file: &[u8]) -> Result<[u8; 32], Rejection> {
    let mut accumulator = Accumulator::new().expect("randomness");
    accumulator.update(string);
    let header = PointsHeader::take(&mut file).map_err(|error| match error {
        PointsFileError::Refused(refused) => refused,
        other => panic!("{other}"),
    })?;
    accumulator.finish().check(&header.replica, &header.key, file).map_err(|failure| match failure {
        CheckFailure::Refused(refused) => refused,
        other => panic!("{other}"),
    })
}

#[test]
fn points_files_are_checked_against_the_bytes() {
    let vectors = read(FILE);
    for case in cases(&vectors, "points_file") {
        let of = original(&vectors, "commitment", case);
        let file = apply(case, &bytes(&of["points_file"]));
        assert_verdict(case, check(&string_of(&of["string"]), &file));
    }
}

fn decode_and_check(record: &[u8]) -> Result<ObjectRecord, Rejection> {
    let signed = SignedRecord::decode(record)?;
    signed.check_signature()?;
    Ok(signed.record)
}

#[test]
fn records() {
    let vectors = read(FILE);
    for case in cases(&vectors, "record") {
        let signed = SignedRecord::decode(&bytes(&case["record"])).expect("valid");
        assert_eq!(signed.encode().to_vec(), bytes(&case["record"]), "{}", name(case));
        assert_eq!(signed.record.digest(), digest(&case["digest"]), "{}", name(case));
        assert_eq!(signed.record.signing_digest(), digest(&case["signing_digest"]), "{}", name(case));
        assert_eq!(signed.record.checker.0, digest(&case["checker"]), "{}", name(case));
        assert_eq!(signed.record.clone().sign(&Signer::development("checker")), signed, "{}", name(case));
        assert_verdict(case, decode_and_check(&bytes(&case["record"])));
    }
    for case in cases(&vectors, "decode_record") {
        let record = bytes(&original(&vectors, "record", case)["record"]);
        assert_verdict(case, decode_and_check(&apply(case, &record)));
    }
}

#[test]
fn sets_of_records() {
    for case in cases(&read(FILE), "record_set") {
        let records: Vec<_> = cases(case, "records")
            .iter()
            .map(|record| decode_and_check(&bytes(record)).expect("valid"))
            .collect();
        assert_verdict(case, refuse_twins(&records));
    }
}

#[test]
fn content_identifiers() {
    for case in cases(&read(FILE), "cid") {
        let texts = [&case["blake3"], &case["sha2_256"]].map(|text| text.as_str().expect("text"));
        let addresses = Address::both_of(&bytes(&case["bytes"]));
        assert_eq!(addresses.each_ref().map(ToString::to_string), texts, "{}", name(case));
        assert_eq!(
            texts.map(|text| text.parse::<Address>().expect("a content identifier")),
            addresses,
            "{}",
            name(case)
        );
    }
}
