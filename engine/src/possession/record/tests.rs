use super::*;
use crate::possession::fixture::record;
use crate::recorder::{SimulatedRecorder, Simulation, SimulationSettings};

fn class<T>(result: Result<T, Rejection>) -> Option<Class> {
    result.err().map(|refused| refused.class)
}

/// Offsets by the specification's table, not by the encoder's order.
#[test]
fn bytes_are_the_specs() {
    let record = record(100_000);
    let signed = record.clone().sign(&Signer::development("checker"));
    let bytes = signed.encode();
    assert_eq!((&bytes[..8], bytes.len()), (&b"HFD1\x01\0\0\0"[..], 296));
    let u64_at = |at: usize| u64::from_le_bytes(*bytes[at..].first_chunk().unwrap());
    assert_eq!((u64_at(8), u64_at(16), u64_at(24), u64_at(224)), (100_000, 7, record.height, 3));
    let fields =
        [record.network, record.miner.0, record.checker.0, *record.replica.object_root(), [6; 32], [7; 32]];
    assert_eq!(bytes[32..224], *fields.as_flattened());
    assert_eq!(bytes[232..], signed.signature.0);
    assert_eq!(record.digest(), Context::OBJECT_RECORD.derive(&[&bytes[..232]]));
    assert_eq!(record.signing_digest(), Context::OBJECT_SIGNING.derive(&[&record.digest()]));
    assert_eq!(SignedRecord::decode(&bytes), Ok(signed));
}

#[test]
fn records_without_table_or_tokens_go_round() {
    let bare = ObjectRecord { table_root: None, tokens: None, ..record(0) };
    let signed = bare.sign(&Signer::development("checker"));
    let bytes = signed.encode();
    assert_eq!((bytes[4], &bytes[160..232]), (0, &[0; 72][..]));
    assert_eq!(SignedRecord::decode(&bytes), Ok(signed));
}

/// Each change makes a record that says two things, or one that nobody could have written.
#[test]
fn contradictions_are_malformed() {
    let good = record(100_000).sign(&Signer::development("checker")).encode();
    let changes: [(&str, usize, &[u8]); 9] = [
        ("tag", 0, b"HFD2"),
        ("encoding 2", 4, &[2]),
        ("no table, yet a root", 4, &[0]),
        ("a table without a root", 160, &[0; 32]),
        ("zero field", 7, &[1]),
        ("2^50 + 1 bytes", 8, &((1u64 << 50) + 1).to_le_bytes()),
        ("tokens without a root", 192, &[0; 32]),
        ("a token root without tokens", 224, &[0; 8]),
        ("2^20 + 1 tokens", 224, &((1u64 << 20) + 1).to_le_bytes()),
    ];
    for (what, at, change) in changes {
        let mut bytes = good;
        bytes[at..at + change.len()].copy_from_slice(change);
        assert_eq!(class(SignedRecord::decode(&bytes)), Some(Class::Malformed), "{what}");
    }
    assert_eq!(class(SignedRecord::decode(&good[1..])), Some(Class::WrongLength));
    assert!(SignedRecord::decode(&good).is_ok());
}

#[test]
fn only_the_checkers_signature_holds() {
    let signed = record(1).sign(&Signer::development("checker"));
    assert_eq!(signed.check_signature(), Ok(()));
    let by_another = record(1).sign(&Signer::development("miner"));
    assert_eq!(class(by_another.check_signature()), Some(Class::BadSignature));
    let mut changed = signed.clone();
    changed.record.height += 1;
    assert_eq!(class(changed.check_signature()), Some(Class::BadSignature));
    let unsigned = SignedRecord { signature: Signature::NONE, ..signed };
    assert_eq!(class(unsigned.check_signature()), Some(Class::BadSignature));
}

/// A record made after the beacon that it would be challenged by claims an earlier height.
#[test]
fn a_record_counts_only_if_it_was_recorded_by_its_height() {
    let recorder = SimulatedRecorder::new(SimulationSettings::default());
    let record = ObjectRecord { height: 10, ..record(1) };
    assert_eq!(class(record.check_recorded(&recorder).unwrap()), Some(Class::WrongRecord));
    recorder.advance(10).unwrap();
    recorder.record_object(&record.digest()).unwrap();
    assert_eq!(record.check_recorded(&recorder).unwrap(), Ok(()));
    let late = ObjectRecord { height: 9, ..record };
    recorder.record_object(&late.digest()).unwrap();
    assert_eq!(class(late.check_recorded(&recorder).unwrap()), Some(Class::WrongRecord));
}

/// One copy of the bytes, recorded as two replicas.
#[test]
fn twins_are_refused() {
    let one = record(1);
    let twin = ObjectRecord { replica: Replica { replica_id: 8, ..one.replica }, ..one.clone() };
    let other = ObjectRecord { replica: Replica { object_root: [9; 32], ..one.replica }, ..one.clone() };
    assert_eq!(refuse_twins([&one, &other]), Ok(()));
    assert_eq!(class(refuse_twins([&one, &other, &twin])), Some(Class::WrongRecord));
}
