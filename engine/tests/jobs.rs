//! The jobs over real files and a fault-injecting medium: fill, answer, scrub, resume.

#[path = "support/partition.rs"]
mod partition;

use std::sync::Mutex;

use holdfast_engine::challenge::{Challenge, Terms};
use holdfast_engine::commitment::{Batch, Commitment, CommitmentFields};
use holdfast_engine::jobs::answer::{AnswerError, Answerer};
use holdfast_engine::jobs::control::Control;
use holdfast_engine::jobs::fill::{FillError, fill};
use holdfast_engine::jobs::progress::{Snapshot, Watcher};
use holdfast_engine::jobs::scrub::scrub;
use holdfast_engine::reference;
use holdfast_engine::registration::{Registration, WindowShape};
use holdfast_engine::signature::Signature;
use holdfast_engine::space::label::Layer;
use holdfast_engine::space::record::{WindowRecord, partition_root};
use holdfast_engine::space::seal::verify_seal;
use holdfast_engine::space::verify::verify_space;
use holdfast_engine::space::window::WindowMaker;
use holdfast_partition::io::{Access, IoChoice, OpenOptions, open};
use holdfast_partition::partition_file::{Mark, OpenMode, PartitionFile, WindowState};
use partition::{WINDOWS, create, options, read_window, real_file, registration};

/// The last layer of a window, by the reference alone.
fn reference_window(registration: &Registration, window: u64) -> Vec<u8> {
    let (key, shape) = (registration.window_key(window), registration.intent.shape);
    (1..=u32::from(shape.layers())).fold(Vec::new(), |previous, number| {
        let layer = Layer::derive(&key, number, shape.log2_labels());
        if number == 1 { reference::first_layer(&layer) } else { reference::next_layer(&layer, &previous) }
    })
}

fn commitment(file: &PartitionFile, registration: &Registration) -> Commitment {
    let windows = file.windows().expect("open");
    let records: Vec<_> = (0..windows)
        .map(|window| file.entry(window).expect("exists").seal.expect("sealed").record)
        .map(|record| WindowRecord::decode(&record).expect("ours"))
        .collect();
    let batch = Batch { end: windows, height: 110, partition_root: partition_root(&records) };
    let fields = CommitmentFields {
        registration: *registration,
        signature: Signature::NONE,
        batches: vec![batch],
        records,
    };
    Commitment::new(fields).expect("consistent")
}

#[test]
fn a_filled_partition_is_the_reference_s_on_every_way_of_doing_io() {
    let registration = registration(10, 3);
    for choice in [IoChoice::Pread, IoChoice::Auto] {
        let (_directory, file) = real_file(&registration, choice);
        let report = fill(&file, &options(), &Control::default(), &()).expect("fills");
        assert_eq!((report.windows_filled, report.windows_kept), (WINDOWS, 0));
        for window in 0..WINDOWS {
            assert_eq!(file.window_state(window).expect("exists"), WindowState::Sealed);
            assert!(read_window(&file, window) == reference_window(&registration, window), "window {window}");
        }
        let again = fill(&file, &options(), &Control::default(), &()).expect("nothing to do");
        assert_eq!((again.windows_filled, again.windows_kept, again.bytes_written), (0, WINDOWS, 0));
    }
}

#[test]
fn windows_of_one_page_and_of_several_answer() {
    // 32 KiB: one small page. 1 MiB: one full page. 4 MiB: four tiles, four pages with two siblings each.
    for k in [10, 15, 17] {
        let registration = registration(k, 2);
        let (_directory, file) = real_file(&registration, IoChoice::Auto);
        fill(&file, &options(), &Control::default(), &()).expect("fills");
        assert!(read_window(&file, 3) == reference_window(&registration, 3), "k = {k}");
        let commitment = commitment(&file, &registration);
        let backend = options().backend;
        let answerer = Answerer::new(&file, backend, 16).expect("usable");
        for beacon in 0..20 {
            let challenge = Challenge::space(&commitment, [beacon; 32], 200, 64, 5000);
            let response = answerer.space(&challenge).expect("answers");
            verify_space(backend, &commitment, &challenge, &response).expect("verifies");
        }
    }
}

#[test]
fn a_seal_audit_is_answered_by_making_windows_again() {
    let registration = registration(10, 4);
    let (_directory, file) = real_file(&registration, IoChoice::Auto);
    let options = options();
    fill(&file, &options, &Control::default(), &()).expect("fills");
    let commitment = commitment(&file, &registration);
    let challenge = Challenge::seal(&commitment, 0, [9; 32], 200, 44, 60_000).expect("a batch");
    let answerer = Answerer::new(&file, options.backend, 4).expect("usable");
    let mut maker =
        WindowMaker::new(registration.intent.shape, options.backend, options.pool).expect("memory");
    let response = answerer.seal(&challenge, &mut maker, &Control::default()).expect("answers");
    verify_seal(options.backend, &commitment, &challenge, &response).expect("verifies");
}

/// A hostile validator's challenge names this partition, but places by a larger k: outside the windows, and the miner must
/// neither panic nor read there.
#[test]
fn a_challenge_of_another_shape_does_not_reach_the_disk() {
    let registration = registration(10, 3);
    let (_directory, file) = real_file(&registration, IoChoice::Auto);
    fill(&file, &options(), &Control::default(), &()).expect("fills");
    let commitment = commitment(&file, &registration);
    let challenge = Challenge::space(&commitment, [9; 32], 200, 6, 5000);
    let answerer = Answerer::new(&file, options().backend, 4).expect("usable");
    answerer.space(&challenge).expect("the control");
    let changes: [fn(&mut Terms); 4] = [
        |terms| terms.shape = WindowShape::new(30, 3).expect("in range"),
        |terms| terms.shape = WindowShape::new(10, 64).expect("in range"),
        |terms| terms.network[0] ^= 1,
        |terms| terms.validator.0[0] ^= 1,
    ];
    for change in changes {
        let mut terms = Terms::clone(&challenge);
        change(&mut terms);
        let hostile = Challenge::new(terms).expect("in range");
        assert!(matches!(answerer.space(&hostile), Err(AnswerError::OtherPartition(_))));
    }
}

#[test]
fn answers_work_while_filling() {
    let registration = registration(10, 3);
    let (_directory, file) = real_file(&registration, IoChoice::Auto);
    fill(&file, &options(), &Control::default(), &()).expect("fills");
    let commitment = commitment(&file, &registration);
    file.resize(64, &mut |_| true).expect("grows");
    let backend = options().backend;
    let answerer = Answerer::new(&file, backend, 4).expect("usable");
    std::thread::scope(|threads| {
        let filling = threads.spawn(|| fill(&file, &options(), &Control::default(), &()));
        let mut rounds = 0u32;
        while !filling.is_finished() || rounds < 10 {
            rounds += 1;
            let mut beacon = [0; 32];
            beacon[..4].copy_from_slice(&rounds.to_le_bytes());
            let challenge = Challenge::space(&commitment, beacon, 200, 6, 5000);
            let response = answerer.space(&challenge).expect("answers");
            verify_space(backend, &commitment, &challenge, &response).expect("verifies");
        }
        filling.join().expect("no panic").expect("fills");
    });
    let challenge = Challenge::space(&self::commitment(&file, &registration), [8; 32], 200, 64, 5000);
    assert_eq!(challenge.samples, 64);
    answerer.space(&challenge).expect("the new windows answer too");
}

#[test]
fn unfilled_foreign_and_damaged_windows_are_named_and_no_answer_leaves() {
    let registration = registration(10, 3);
    let (_directory, file) = real_file(&registration, IoChoice::Auto);
    fill(&file, &options(), &Control::default(), &()).expect("fills");
    let commitment = commitment(&file, &registration);
    let challenge = Challenge::space(&commitment, [1; 32], 200, 6, 5000);
    let answerer = Answerer::new(&file, options().backend, 4).expect("usable");

    let (_elsewhere, other) = real_file(&Registration { partition_id: 8, ..registration }, IoChoice::Auto);
    let other = Answerer::new(&other, options().backend, 4).expect("usable").space(&challenge);
    assert!(matches!(other, Err(AnswerError::OtherPartition("partition id"))), "{other:?}");

    let sample = &challenge.space_samples()[0];
    flip(&file, file.window_offset(sample.window).expect("exists") + sample.chunk * 1024);
    let damaged = answerer.space(&challenge);
    assert!(matches!(damaged, Err(AnswerError::Damaged { window, .. }) if window == sample.window));

    file.mark(sample.window, Mark::Empty).expect("marks");
    let missing = answerer.space(&challenge);
    assert!(matches!(missing, Err(AnswerError::NotSealed { window }) if window == sample.window));
}

/// Flips one bit of the byte at `offset`.
fn flip(file: &PartitionFile, offset: u64) {
    let page = offset - offset % 4096;
    let mut bytes = holdfast_partition::io::AlignedBuffer::zeroed(4096).expect("memory");
    file.io().read_at(page, &mut bytes).expect("reads");
    bytes[usize::try_from(offset - page).expect("small")] ^= 1;
    file.io().write_at(page, &bytes).expect("writes");
}

#[test]
fn scrub_finds_what_was_flipped_and_repair_restores_it() {
    let registration = registration(12, 3);
    let (_directory, file) = real_file(&registration, IoChoice::Auto);
    fill(&file, &options(), &Control::default(), &()).expect("fills");
    let roots = commitment(&file, &registration).partition_root();
    let clean = scrub(&file, &options(), false, &Control::default(), &()).expect("scrubs");
    assert_eq!((clean.windows_checked, clean.damaged.len()), (WINDOWS, 0), "no false alarm");

    flip(&file, file.window_offset(1).expect("exists") + 3 * 16_384 + 5);
    flip(&file, file.window_offset(1).expect("exists") + 7 * 16_384 + 1);
    flip(&file, file.outboard_offset(4).expect("exists") + 33);
    flip(&file, file.outboard_offset(5).expect("exists") + 4095);
    let found = scrub(&file, &options(), false, &Control::default(), &()).expect("scrubs");
    let damaged: Vec<_> = found.damaged.iter().map(|d| (d.window, d.blocks.clone(), d.outboard)).collect();
    assert_eq!(damaged, [(1, vec![3, 7], false), (4, vec![], true), (5, vec![], true)]);
    assert_eq!(file.window_state(1).expect("exists"), WindowState::Bad);

    let repaired = scrub(&file, &options(), true, &Control::default(), &()).expect("scrubs");
    assert_eq!(repaired.repair.map(|report| report.windows_filled), Some(3));
    assert!(read_window(&file, 1) == reference_window(&registration, 1));
    assert_eq!(commitment(&file, &registration).partition_root(), roots);
    let clean = scrub(&file, &options(), false, &Control::default(), &()).expect("scrubs");
    assert_eq!((clean.windows_checked, clean.damaged.len()), (WINDOWS, 0));
}

/// Cancels the job at its first report.
struct CancelAtOnce<'c>(&'c Control, Mutex<Vec<Snapshot>>);
impl Watcher for CancelAtOnce<'_> {
    fn report(&self, snapshot: &Snapshot) {
        self.1.lock().expect("no panic").push(snapshot.clone());
        self.0.cancel();
    }
}

#[test]
fn a_cancelled_fill_keeps_what_it_acknowledged_and_resumes() {
    let registration = registration(16, 4);
    let (_directory, file) = real_file(&registration, IoChoice::Auto);
    file.resize(40, &mut |_| true).expect("grows");
    let control = Control::default();
    let watcher = CancelAtOnce(&control, Mutex::new(Vec::new()));
    let cancelled = fill(&file, &options(), &control, &watcher);
    assert!(matches!(cancelled, Err(FillError::Cancelled(_))), "{cancelled:?}");
    let acknowledged = watcher.1.lock().expect("no panic").last().expect("reported").done_bytes >> 21;
    let kept = file.counts().expect("open");
    assert!(kept.sealed >= acknowledged && kept.sealed < 40, "{kept:?}");
    assert_eq!(kept.filling, 0);
    let resumed = fill(&file, &options(), &Control::default(), &()).expect("fills");
    assert_eq!((resumed.windows_kept, resumed.windows_filled), (kept.sealed, 40 - kept.sealed));
}

#[test]
fn a_registered_window_that_comes_out_otherwise_is_not_sealed() {
    let registration = registration(10, 3);
    let (_directory, file) = real_file(&registration, IoChoice::Auto);
    fill(&file, &options(), &Control::default(), &()).expect("fills");
    // A record that this window cannot have, as if it had been made by a faulty processor.
    let mut seal = (*file.entry(2).expect("exists").seal.expect("sealed")).clone();
    file.mark(2, Mark::Empty).expect("marks");
    seal.record[60] ^= 1;
    let sealed = holdfast_partition::partition_file::SealedWindow {
        index: 2,
        record: seal.record,
        layer_roots: seal.layer_roots,
    };
    file.seal(&[sealed]).expect("the file takes any record");
    file.mark(2, Mark::Bad).expect("marks");
    let refused = fill(&file, &options(), &Control::default(), &());
    assert!(matches!(refused, Err(FillError::NotReproduced { window: 2 })), "{refused:?}");
    assert_eq!(file.window_state(2).expect("exists"), WindowState::Bad);
}

#[test]
fn opening_again_finds_everything() {
    let registration = registration(10, 3);
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("p");
    let io = open(&path, &OpenOptions::new(Access::CreateNew)).expect("opens").io;
    let file = create(io, &registration);
    fill(&file, &options(), &Control::default(), &()).expect("fills");
    let before = commitment(&file, &registration).encode();
    file.close().expect("closes");
    drop(file);
    let io = open(&path, &OpenOptions::new(Access::ReadWrite)).expect("opens").io;
    let (file, report) = PartitionFile::open(io, OpenMode::ReadWrite).expect("opens");
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(commitment(&file, &registration).encode(), before);
}
