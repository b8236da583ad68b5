//! `chain verify` on rounds of a partition and of an object of one pair.

use holdfast_engine::possession::challenge::AuditKind;
use holdfast_engine::receipt::{Receipt, encode_chain_header};
use holdfast_engine::recorder::{Ledger, Simulation};
use holdfast_tests::rounds::Rounds;
use serde_json::json;

use crate::support::Place;

/// Writes what the simulated chain holds as a recorder's file, receipts as a chain file, and the object's record.
fn scene() -> (Place, Vec<Receipt>) {
    let (place, rounds) = (Place::new(), Rounds::new());
    let object = rounds.object(1);
    let height = rounds.first_object_height(&object);
    let mut receipts = rounds.receipts(3);
    receipts.extend(rounds.object_receipts(&object, &AuditKind::ALL.map(|kind| (kind, height))));
    let mut chain = encode_chain_header(&rounds.network()).to_vec();
    chain.extend(receipts.iter().flat_map(Receipt::encode));
    let ledger = rounds.recorder.read(Ledger::clone).expect("in memory");
    let recorder = json!({ "format": "holdfast-recorder", "version": 1, "chain": ledger });
    place.write("receipts.chain", chain);
    place.write("recorder.json", recorder.to_string());
    place.write("object.record", object.encode());
    (place, receipts)
}

#[test]
fn rounds_of_objects_are_verified_with_their_records() {
    let (place, receipts) = scene();
    let number = receipts[3].body.key.subject.number();
    let asked = "chain verify receipts.chain --recorder recorder.json";
    let known = place.run(&format!("{asked} --object object.record --json")).expect(0).json();
    assert_eq!(known["void"], json!([]));
    assert_eq!(known["chains"][0]["partition_id"], 0);
    assert_eq!(known["chains"][1]["object_number"], number.to_string());
    assert_eq!(known["chains"][1]["accepted"], 4);

    let unknown = place.run(&format!("{asked} --json")).expect(0).json();
    let reasons: Vec<_> =
        unknown["void"].as_array().expect("a list").iter().map(|void| &void["reason"]).collect();
    assert_eq!(reasons, ["unknown_record"; 4]);

    let text = place.run(&format!("{asked} --object object.record")).expect(0).stdout;
    for subject in ["partition 0".to_owned(), format!("object {number}")] {
        assert!(text.contains(&subject), "{subject} in {text}");
    }
}

#[test]
fn records_that_are_wrong_are_refused() {
    let (place, _) = scene();
    let asked = "chain verify receipts.chain --recorder recorder.json --object";
    place.run("chain verify receipts.chain --object object.record").expect(64);
    place.run(&format!("{asked} nowhere")).expect(1);
    place.run(&format!("{asked} object.record object.record")).expect(2);
    let mut record = place.read("object.record");
    record[24] ^= 1;
    place.write("object.record", record);
    let refused = place.run(&format!("{asked} object.record --json")).expect(2).json();
    assert_eq!(refused["class"], "bad-signature");
}
