use std::fs;

use super::*;
use crate::registration::WindowShape;
use crate::signature::Signer;

const FINALITY_BLOCKS: u64 = 8;

fn intent(ordinal: u64) -> Intent {
    Intent {
        shape: WindowShape::new(10, 4).unwrap(),
        window_cap: 10,
        network: SimulationSettings::default().network,
        miner: Signer::development("miner").account(),
        validator: Signer::development("validator").account(),
        ordinal,
    }
}

fn claim(registration: &Registration, end: u64) -> BatchClaim {
    BatchClaim {
        partition_id: registration.partition_id,
        registration_digest: registration.digest(),
        end,
        partition_root: [u8::try_from(end).unwrap(); 32],
        signature: Signature::NONE,
    }
}

fn refusal<T: std::fmt::Debug>(result: Result<T, RecorderError>) -> Refusal {
    match result.unwrap_err() {
        RecorderError::Refused(refusal) => refusal,
        other => panic!("a failure, not a refusal: {other}"),
    }
}

/// A recorder whose partition 0 is registered.
fn registered() -> (SimulatedRecorder, Registration) {
    let recorder = SimulatedRecorder::new(SimulationSettings::default());
    recorder.advance(3).unwrap();
    let recorded = recorder.record_intent(&intent(0), &Signature::NONE).unwrap();
    assert_eq!(recorded, PartitionId { partition_id: 0, intent_height: 3 });
    recorder.advance(FINALITY_BLOCKS).unwrap();
    let registration = recorder.registration(0).unwrap().unwrap();
    (recorder, registration)
}

#[test]
fn the_registration_comes_with_its_beacon_and_not_before() {
    let (recorder, registration) = registered();
    let id = recorder.record_intent(&intent(1), &Signature::NONE).unwrap().partition_id;
    let early = BatchClaim { partition_id: id, ..claim(&registration, 1) };
    recorder.advance(FINALITY_BLOCKS - 1).unwrap();
    assert_eq!(recorder.registration(id).unwrap(), None);
    let height = recorder.height().unwrap();
    assert_eq!(
        refusal(recorder.record_batch(&early)),
        Refusal::NotRegistered { partition_id: id, beacon_height: height + 1, height }
    );
    recorder.advance(1).unwrap();
    let beacon = recorder.beacon(height + 1).unwrap().unwrap();
    assert_eq!(recorder.registration(id).unwrap().unwrap().beacon, beacon);
    assert_eq!(recorder.beacon(height + 2).unwrap(), None);
    assert_eq!(refusal(recorder.registration(9)), Refusal::UnknownPartition { partition_id: 9 });
}

#[test]
fn batches_add_and_trim_at_increasing_heights_within_the_cap() {
    let (recorder, registration) = registered();
    for end in [0, 11, u64::MAX] {
        let outside = Refusal::OutsideCap { partition_id: 0, end, window_cap: 10 };
        assert_eq!(refusal(recorder.record_batch(&BatchClaim { end, ..claim(&registration, 1) })), outside);
    }
    assert_eq!(recorder.record_batch(&claim(&registration, 10)).unwrap(), 11);
    let same_height = Refusal::SameHeight { partition_id: 0, height: 11 };
    assert_eq!(refusal(recorder.record_batch(&claim(&registration, 7))), same_height);
    recorder.advance(1).unwrap();
    let replaced = Refusal::Replaced { partition_id: 0, end: 10 };
    let other_root = BatchClaim { partition_root: [99; 32], ..claim(&registration, 10) };
    assert_eq!(refusal(recorder.record_batch(&other_root)), replaced);
    assert_eq!(recorder.record_batch(&claim(&registration, 7)).unwrap(), 12);
    let other = BatchClaim { registration_digest: [0; 32], ..claim(&registration, 8) };
    assert_eq!(refusal(recorder.record_batch(&other)), Refusal::WrongRegistration { partition_id: 0 });
    let entry = recorder.partition(0).unwrap().unwrap();
    assert_eq!(
        entry.batches.iter().map(|batch| (batch.end, batch.height)).collect::<Vec<_>>(),
        [(10, 11), (7, 12)]
    );
}

#[test]
fn the_format_has_room_for_so_many_batches() {
    let (recorder, registration) = registered();
    let result = recorder.change(|ledger| {
        for batch in 0..BATCHES_MAX as u64 {
            ledger.record_batch(&claim(&registration, 1 + batch % 2))?;
            ledger.advance(1);
        }
        ledger.record_batch(&claim(&registration, 1))
    });
    assert_eq!(refusal(result), Refusal::TooManyBatches { partition_id: 0, batches: BATCHES_MAX });
    assert!(
        recorder.partition(0).unwrap().unwrap().batches.is_empty(),
        "a refused change leaves nothing behind"
    );
}

/// A digest keeps the height of its first time, so nobody can make a record younger than it is.
#[test]
fn digests_of_object_records_keep_their_first_height() {
    let recorder = SimulatedRecorder::new(SimulationSettings::default());
    recorder.advance(3).unwrap();
    assert_eq!(recorder.object_height(&[1; 32]).unwrap(), None);
    assert_eq!(recorder.record_object(&[1; 32]).unwrap(), 3);
    recorder.advance(2).unwrap();
    assert_eq!(recorder.record_object(&[1; 32]).unwrap(), 3);
    assert_eq!(recorder.record_object(&[2; 32]).unwrap(), 5);
    let heights = [[1; 32], [2; 32]].map(|digest| recorder.object_height(&digest).unwrap());
    assert_eq!(heights, [Some(3), Some(5)]);
}

#[test]
fn signatures_are_checked_when_given_and_asked_for_when_required() {
    let settings = SimulationSettings { signatures_required: true, ..SimulationSettings::default() };
    let (miner, validator) = (Signer::development("miner"), Signer::development("validator"));
    for required in [true, false] {
        let settings = SimulationSettings { signatures_required: required, ..settings };
        let recorder = SimulatedRecorder::new(settings);
        let wrong = validator.sign(&intent(0).signing_digest());
        assert!(matches!(refusal(recorder.record_intent(&intent(0), &wrong)), Refusal::Signature(_)));
        if required {
            let unsigned = recorder.record_intent(&intent(0), &Signature::NONE);
            assert_eq!(refusal(unsigned), Refusal::Unsigned { what: "intent" });
        }
        recorder.record_intent(&intent(0), &miner.sign(&intent(0).signing_digest())).unwrap();
        recorder.advance(FINALITY_BLOCKS).unwrap();
        let registration = recorder.registration(0).unwrap().unwrap();
        let mut batch = claim(&registration, 2);
        batch.signature = miner.sign(&registration.commitment_signing_digest(3, &batch.partition_root));
        assert!(
            matches!(refusal(recorder.record_batch(&batch)), Refusal::Signature(_)),
            "signed for 3 windows"
        );
        batch.signature = miner.sign(&registration.commitment_signing_digest(2, &batch.partition_root));
        recorder.record_batch(&batch).unwrap();

        let mut anchor = AnchorClaim {
            height: 4,
            validator: validator.account(),
            root: [5; 32],
            count: 6,
            signature: Signature::NONE,
        };
        anchor.signature = validator.sign(&anchor.signing_digest(&[0; 32]));
        assert!(
            matches!(refusal(recorder.record_anchor(&anchor)), Refusal::Signature(_)),
            "another network's"
        );
        anchor.signature = validator.sign(&anchor.signing_digest(&settings.network));
        assert_eq!(recorder.record_anchor(&anchor).unwrap(), FINALITY_BLOCKS);
        let entry = recorder.partition(0).unwrap().unwrap();
        let digest = entry.withdrawal_signing_digest();
        assert!(matches!(refusal(recorder.withdraw(0, &validator.sign(&digest))), Refusal::Signature(_)));
        assert_eq!(recorder.withdraw(0, &miner.sign(&digest)).unwrap(), FINALITY_BLOCKS);
    }
}

#[test]
fn rounds_are_anchored_once_and_not_ahead_of_time() {
    let (recorder, _) = registered();
    let validator = Signer::development("validator").account();
    let anchor = AnchorClaim { height: 11, validator, root: [1; 32], count: 2, signature: Signature::NONE };
    let ahead = AnchorClaim { height: 12, ..anchor };
    assert_eq!(refusal(recorder.record_anchor(&ahead)), Refusal::NoSuchBlock { height: 12, newest: 11 });
    recorder.record_anchor(&anchor).unwrap();
    recorder.advance(5).unwrap();
    let again = AnchorClaim { root: [2; 32], ..anchor };
    assert_eq!(refusal(recorder.record_anchor(&again)), Refusal::RepeatedAnchor { height: 11 });
    recorder.record_anchor(&AnchorClaim { validator: Account([7; 32]), ..again }).unwrap();
    let found = recorder.anchor(11, &validator).unwrap().unwrap();
    assert_eq!((found.root, found.recorded_at), ([1; 32], 11));
    assert_eq!(recorder.anchor(11, &Account([7; 32])).unwrap().unwrap().recorded_at, 16);
    assert_eq!(recorder.anchor(10, &validator).unwrap(), None);
}

/// Blocks that are not final change; a registration that took its beacon from one changes with it, and what was committed
/// under the old one is void.
#[test]
fn reorganisations_reach_only_what_is_not_final() {
    let (recorder, old) = registered();
    recorder.record_batch(&claim(&old, 4)).unwrap();
    let stable = recorder.beacon(10).unwrap();
    assert_eq!(refusal(recorder.reorganise(3)), Refusal::Final { height: 3, newest: 11 });
    assert_eq!(refusal(recorder.reorganise(12)), Refusal::NoSuchBlock { height: 12, newest: 11 });
    assert!(recorder.is_final(3).unwrap() && !recorder.is_final(4).unwrap());
    recorder.reorganise(11).unwrap();
    assert_eq!(recorder.beacon(10).unwrap(), stable);
    let new = recorder.registration(0).unwrap().unwrap();
    assert_ne!(new.digest(), old.digest());
    assert_eq!(recorder.partition(0).unwrap().unwrap().batches, []);
    assert_eq!(
        refusal(recorder.record_batch(&claim(&old, 4))),
        Refusal::WrongRegistration { partition_id: 0 }
    );
    recorder.record_batch(&claim(&new, 4)).unwrap();
    recorder.advance(FINALITY_BLOCKS).unwrap();
    recorder.reorganise(12).unwrap();
    assert_eq!(recorder.registration(0).unwrap().unwrap(), new, "block 11 is final now");
    assert_eq!(recorder.partition(0).unwrap().unwrap().batches.len(), 1);
}

/// While finality stands still nothing becomes final however many blocks come, and all of them can be replaced: a program
/// that counts blocks instead of asking what is final is wrong here.
#[test]
fn stalled_finality_lets_reorganisations_reach_deeper() {
    let (recorder, old) = registered();
    assert_eq!(recorder.finalized_height().unwrap(), Some(3));
    recorder.record_batch(&claim(&old, 4)).unwrap();
    let stall = |ledger: &mut Ledger| {
        ledger.stall_finality();
        ledger.advance(50);
        ledger.stall_finality();
        Ok(())
    };
    recorder.change(stall).unwrap();
    assert_eq!(recorder.finalized_height().unwrap(), Some(3), "a stall that goes on began when it began");
    assert!(recorder.is_final(3).unwrap() && !recorder.is_final(4).unwrap());
    assert_eq!(refusal(recorder.reorganise(3)), Refusal::Final { height: 3, newest: 61 });
    recorder.reorganise(4).unwrap();
    assert_ne!(recorder.registration(0).unwrap().unwrap().digest(), old.digest());
    assert_eq!(recorder.partition(0).unwrap().unwrap().batches, [], "50 blocks deep");
    let resume = |ledger: &mut Ledger| {
        ledger.resume_finality();
        Ok(())
    };
    recorder.change(resume).unwrap();
    assert_eq!(recorder.finalized_height().unwrap(), Some(61 - FINALITY_BLOCKS));
    let young = SimulatedRecorder::new(SimulationSettings::default());
    young.advance(FINALITY_BLOCKS - 1).unwrap();
    assert_eq!(young.finalized_height().unwrap(), None);
    assert!(!young.is_final(0).unwrap());
}

/// A file keeps a stall, and one of before there were any is read and written as it was.
#[test]
fn a_stall_outlives_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("recorder.json");
    let recorder = FileRecorder::open_or_create(&path, SimulationSettings::default()).unwrap();
    recorder.advance(20).unwrap();
    assert!(!fs::read_to_string(&path).unwrap().contains("stalled"));
    let stall = |ledger: &mut Ledger| {
        ledger.stall_finality();
        Ok(())
    };
    recorder.change(stall).unwrap();
    let reopened = FileRecorder::open(&path).unwrap();
    reopened.advance(5).unwrap();
    assert_eq!(reopened.finalized_height().unwrap(), Some(12));
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("stalled_at\": 20", "stalled_at\": 26")).unwrap();
    assert!(matches!(FileRecorder::open(&path), Err(RecorderError::Unusable { .. })), "of the future");
}

#[test]
fn lookups_by_party_and_intent() {
    let recorder = SimulatedRecorder::new(SimulationSettings::default());
    let other = Signer::development("other").account();
    let intents = [intent(0), Intent { miner: other, ..intent(0) }, Intent { validator: other, ..intent(0) }];
    for intent in &intents {
        recorder.record_intent(intent, &Signature::NONE).unwrap();
    }
    let miner = Some(&intents[0].miner);
    assert_eq!(recorder.partitions_of(None, None).unwrap(), [0, 1, 2]);
    assert_eq!(recorder.partitions_of(miner, None).unwrap(), [0, 2]);
    assert_eq!(recorder.partitions_of(miner, Some(&other)).unwrap(), [2]);
    assert_eq!(recorder.find_intent(&intents[1]).unwrap(), Some(1));
    assert_eq!(recorder.find_intent(&intent(5)).unwrap(), None);
}

fn play(recorder: &impl Simulation) {
    recorder
        .record_intent(&intent(0), &Signer::development("miner").sign(&intent(0).signing_digest()))
        .unwrap();
    recorder.advance(FINALITY_BLOCKS).unwrap();
    recorder.reorganise(FINALITY_BLOCKS).unwrap();
    let registration = recorder.registration(0).unwrap().unwrap();
    recorder.record_batch(&claim(&registration, 2)).unwrap();
    let validator = intent(0).validator;
    let anchor = AnchorClaim { height: 8, validator, root: [1; 32], count: 1, signature: Signature::NONE };
    recorder.record_anchor(&anchor).unwrap();
    recorder.withdraw(0, &Signature::NONE).unwrap();
}

#[test]
fn equal_calls_leave_equal_files_and_the_same_chain_as_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let memory = SimulatedRecorder::new(SimulationSettings::default());
    play(&memory);
    for name in ["one.json", "two.json"] {
        let recorder = FileRecorder::open_or_create(path(name), SimulationSettings::default()).unwrap();
        play(&recorder);
        let reopened = FileRecorder::open(path(name)).unwrap();
        let ledger = reopened.read(Ledger::clone).unwrap();
        assert_eq!(ledger, memory.read(Ledger::clone).unwrap());
    }
    assert_eq!(fs::read(path("one.json")).unwrap(), fs::read(path("two.json")).unwrap());
    let kept = SimulationSettings { seed: [1; 32], ..SimulationSettings::default() };
    let reopened = FileRecorder::open_or_create(path("one.json"), kept).unwrap();
    assert_eq!(
        reopened.read(|ledger| ledger.settings().seed).unwrap(),
        [0; 32],
        "settings of a chain never change"
    );
    assert!(!path("one.json.new").exists());
}

#[test]
fn a_refused_change_leaves_the_file_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("recorder.json");
    let recorder = FileRecorder::open_or_create(&path, SimulationSettings::default()).unwrap();
    recorder.record_intent(&intent(0), &Signature::NONE).unwrap();
    let before = fs::read(&path).unwrap();
    let refused = recorder.record_intent(&intent(0), &Signature::NONE);
    assert_eq!(refusal(refused), Refusal::RepeatedIntent { partition_id: 0 });
    assert_eq!(fs::read(&path).unwrap(), before);
}

/// A crash between writing and renaming leaves half a file beside the good one.
#[test]
fn a_write_cut_short_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("recorder.json");
    let recorder = FileRecorder::open_or_create(&path, SimulationSettings::default()).unwrap();
    recorder.advance(5).unwrap();
    fs::write(folder.path().join("recorder.json.new"), b"{\"format\": \"holdf").unwrap();
    assert_eq!(FileRecorder::open(&path).unwrap().height().unwrap(), 5);
    recorder.advance(1).unwrap();
    assert_eq!(recorder.height().unwrap(), 6);
    assert!(!folder.path().join("recorder.json.new").exists());
}

/// A handle that has read the file before sees another's change of equal length and, on a coarse clock, equal times.
#[test]
fn what_others_change_is_seen_whatever_the_times_say() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("recorder.json");
    let recorder = FileRecorder::open_or_create(&path, SimulationSettings::default()).unwrap();
    recorder.advance(5).unwrap();
    let times = fs::metadata(&path).unwrap().modified().unwrap();
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("\"height\": 5", "\"height\": 7")).unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_modified(times).unwrap();
    assert_eq!(recorder.height().unwrap(), 7);
    assert_eq!(recorder.advance(1).unwrap(), 8);
}

/// Two handles, as two processes have them, lose none of each other's calls.
#[test]
fn writers_take_turns() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("recorder.json");
    FileRecorder::open_or_create(&path, SimulationSettings::default()).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let recorder = FileRecorder::open(&path).unwrap();
                for _ in 0..10 {
                    recorder.advance(1).unwrap();
                }
            });
        }
    });
    assert_eq!(FileRecorder::open(&path).unwrap().height().unwrap(), 40);
}

/// A file of before there were objects opens, and is written as it was while there are none.
#[test]
fn files_without_objects_are_those_of_before() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("recorder.json");
    let recorder = FileRecorder::open_or_create(&path, SimulationSettings::default()).unwrap();
    play(&recorder);
    let without = fs::read_to_string(&path).unwrap();
    assert!(!without.contains("objects"), "{without}");
    let height = recorder.record_object(&[7; 32]).unwrap();
    let with = fs::read(&path).unwrap();
    assert_eq!(recorder.record_object(&[7; 32]).unwrap(), height, "again, quietly");
    assert_eq!(fs::read(&path).unwrap(), with, "and nothing is recorded twice");
    assert_eq!(FileRecorder::open(&path).unwrap().object_height(&[7; 32]).unwrap(), Some(height));
    let younger = String::from_utf8(with).unwrap().replace(
        &format!("\"height\": {height}\n      }}\n    ]\n  }}"),
        &format!("\"height\": {}\n      }}\n    ]\n  }}", height + 1),
    );
    fs::write(&path, younger).unwrap();
    assert!(matches!(FileRecorder::open(&path), Err(RecorderError::Unusable { .. })), "of the future");
}

#[test]
fn foreign_and_damaged_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("recorder.json");
    assert!(matches!(FileRecorder::open(&path), Err(RecorderError::File { doing: "read", .. })));
    play(&FileRecorder::open_or_create(&path, SimulationSettings::default()).unwrap());
    let good = fs::read_to_string(&path).unwrap();
    for (from, to) in [
        ("holdfast-recorder", "another"),
        ("\"version\": 1", "\"version\": 2"),
        ("\"version\": 1", "\"version\": 1, \"more\": 0"),
        ("\"height\"", "\"heigth\""),
        ("\"partition_id\": 0", "\"partition_id\": 1"),
        ("\"intent_height\": 0", "\"intent_height\": 9"),
        ("484649310a04", "484649310904"),
        ("\"finality_blocks\": 8", "\"finality_blocks\": 0"),
        ("}", ""),
    ] {
        assert!(good.contains(from), "{from}");
        fs::write(&path, good.replacen(from, to, 1)).unwrap();
        assert!(matches!(FileRecorder::open(&path), Err(RecorderError::Unusable { .. })), "{from} -> {to}");
        let opened = FileRecorder::open_or_create(&path, SimulationSettings::default());
        assert!(matches!(opened, Err(RecorderError::Unusable { .. })), "a damaged file is not overwritten");
    }
}
