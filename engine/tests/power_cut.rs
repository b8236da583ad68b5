//! A fill on a medium that loses power: at any operation, with torn and reordered writes. Whatever was acknowledged is
//! there afterwards, and the resumed fill ends byte-equal to one that was never interrupted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use holdfast_engine::accelerator::Devices;
use holdfast_engine::account::Account;
use holdfast_engine::backend::{self, Choice};
use holdfast_engine::jobs::control::Control;
use holdfast_engine::jobs::fill::{FillOptions, fill};
use holdfast_engine::jobs::progress::{Snapshot, Watcher};
use holdfast_engine::jobs::scrub::scrub;
use holdfast_engine::registration::{Intent, Registration, WindowShape};
use holdfast_partition::io::faulty::{Faults, FaultyIo};
use holdfast_partition::io::{AlignedBuffer, BlockIo};
use holdfast_partition::partition_file::{OpenMode, PartitionFile, PartitionFileError, WindowState};

const WINDOWS: u64 = 8;
const SEEDS: u64 = 1_000;

fn registration() -> Registration {
    let intent = Intent {
        shape: WindowShape::new(10, 2).expect("in range"),
        window_cap: 8,
        network: [1; 32],
        miner: Account([2; 32]),
        validator: Account([3; 32]),
        ordinal: 0,
    };
    Registration { intent, partition_id: 7, intent_height: 100, beacon: [4; 32] }
}

fn options() -> FillOptions {
    FillOptions {
        place: "faulty".into(),
        backend: backend::select(Choice::Auto).expect("portable exists"),
        devices: Devices::default(),
        pool: Arc::new(rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread")),
        queue_depth: 3,
        staging_bytes: 0,
    }
}

/// Opens what the medium holds, or makes the partition if it did not come into being; then has `WINDOWS` slots.
fn open_or_create(io: Arc<FaultyIo>) -> Result<PartitionFile, String> {
    let opened = PartitionFile::open(Arc::clone(&io) as Arc<dyn BlockIo>, OpenMode::ReadWrite);
    let file = match opened {
        Ok((file, _)) => file,
        Err(_) => {
            io.set_len(0).map_err(|error| error.to_string())?;
            PartitionFile::create(io, registration().encode()).map_err(|error| error.to_string())?
        }
    };
    file.resize(WINDOWS, &mut |_| true).map_err(|error| error.to_string())?;
    Ok(file)
}

fn sealed(file: &PartitionFile) -> Vec<u64> {
    (0..file.windows().unwrap_or(0))
        .filter(|&w| file.window_state(w).ok() == Some(WindowState::Sealed))
        .collect()
}

/// The slots' bytes and the records: everything but headers and journal, whose course an interruption changes.
type Contents = Vec<(Vec<u8>, Vec<u8>)>;

fn contents(file: &PartitionFile) -> Contents {
    let slot = usize::try_from(file.geometry().slot_bytes()).expect("small");
    let content = |window| {
        let mut bytes = AlignedBuffer::zeroed(slot).expect("memory");
        file.io().read_at(file.window_offset(window).expect("exists"), &mut bytes).expect("reads");
        (bytes.to_vec(), file.entry(window).expect("exists").seal.expect("sealed").record.to_vec())
    };
    (0..WINDOWS).map(content).collect()
}

/// Keeps the windows that were reported done.
#[derive(Default)]
struct Reported(AtomicU64);

impl Watcher for Reported {
    fn report(&self, snapshot: &Snapshot) {
        self.0.store(snapshot.done_bytes / registration().intent.shape.bytes(), Ordering::Relaxed);
    }
}

/// Fills until the power goes; returns the windows reported done, or `None` if the fill ended before that.
fn fill_until_cut(io: &Arc<FaultyIo>, options: &FillOptions) -> Option<u64> {
    let Ok(file) = open_or_create(Arc::clone(io)) else { return Some(0) };
    let reported = Reported::default();
    match fill(&file, options, &Control::default(), &reported) {
        Ok(_) => None,
        Err(_) => Some(reported.0.into_inner()),
    }
}

/// One power cut. `Err` says what was lost.
fn round(
    seed: u64,
    operations: u64,
    options: &FillOptions,
    syncs_lie: bool,
) -> Result<PartitionFile, String> {
    // Spread over all operations, the last ones included.
    let cut_at = seed * operations / SEEDS;
    let io = Arc::new(FaultyIo::new(Faults { seed, cut_at: Some(cut_at), syncs_lie, ..Faults::default() }));
    let reported = fill_until_cut(&io, options).unwrap_or(WINDOWS);
    let after = Arc::new(FaultyIo::from_image(io.power_cut(seed), Faults::default()));
    let file = open_or_create(after)?;
    let before = sealed(&file);
    if (before.len() as u64) < reported {
        return Err(format!("{reported} windows were reported done, {} are there", before.len()));
    }
    let checked =
        scrub(&file, options, false, &Control::default(), &()).map_err(|error| error.to_string())?;
    if !checked.damaged.is_empty() {
        return Err(format!("recorded windows are damaged: {:?}", checked.damaged));
    }
    let resumed = fill(&file, options, &Control::default(), &()).map_err(|error| error.to_string())?;
    if resumed.windows_kept != before.len() as u64 {
        return Err(format!("{} windows were there, {} were kept", before.len(), resumed.windows_kept));
    }
    Ok(file)
}

/// Operations of an uninterrupted fill, and what it leaves.
fn uninterrupted(options: &FillOptions) -> (u64, Contents) {
    let io = Arc::new(FaultyIo::new(Faults::default()));
    assert_eq!(fill_until_cut(&io, options), None);
    let operations = io.operations();
    let file = open_or_create(io).expect("a whole file opens");
    (operations, contents(&file))
}

#[test]
fn a_fill_resumed_after_a_power_cut_ends_as_if_there_had_been_none() {
    let options = options();
    let (operations, expected) = uninterrupted(&options);
    for seed in 0..SEEDS {
        let file =
            round(seed, operations, &options, false).unwrap_or_else(|lost| panic!("seed {seed}: {lost}"));
        assert!(contents(&file) == expected, "seed {seed}");
    }
}

/// Negative control: the same rounds on a drive that only says that it has synced must lose something.
#[test]
fn a_drive_that_lies_about_syncs_is_found_out() {
    let options = options();
    let (operations, _) = uninterrupted(&options);
    let lost = (0..SEEDS).step_by(10).filter(|&seed| round(seed, operations, &options, true).is_err());
    assert!(lost.count() > 0);
}

#[test]
fn a_full_disk_is_a_clean_stop_that_resumes() {
    let options = options();
    let (_, expected) = uninterrupted(&options);
    // Room for headers, journal, tables and half of the slots; space is reserved first, so the reservation is what stops.
    let io = Arc::new(FaultyIo::new(Faults::default()));
    let file =
        PartitionFile::create(Arc::clone(&io) as Arc<dyn BlockIo>, registration().encode()).expect("creates");
    // The refused growth may keep the table pages that it had reserved, two for each window.
    let half_bytes = file.geometry().allocated_bytes(4).expect("small") + 2 * (WINDOWS - 4) * 4096;
    io.set_faults(Faults { capacity_bytes: Some(half_bytes), ..Faults::default() });
    let refused = file.resize(WINDOWS, &mut |_| true);
    assert!(matches!(&refused, Err(PartitionFileError::Io(error)) if error.is_disk_full()), "{refused:?}");
    assert_eq!(file.windows().expect("still usable"), 0, "everything is as before");
    file.resize(4, &mut |_| true).expect("fits");
    let half = fill(&file, &options, &Control::default(), &()).expect("fills what was reserved");
    assert_eq!(half.windows_filled, 4);
    io.set_faults(Faults::default());
    file.resize(WINDOWS, &mut |_| true).expect("space was freed");
    let rest = fill(&file, &options, &Control::default(), &()).expect("fills");
    assert_eq!((rest.windows_kept, rest.windows_filled), (4, 4));
    assert!(contents(&file) == expected);
}

#[test]
fn a_write_error_stops_the_fill_and_the_next_one_goes_on() {
    let options = options();
    let (operations, expected) = uninterrupted(&options);
    for fail_at in (0..operations).step_by(3) {
        let io = Arc::new(FaultyIo::new(Faults { fail_at: [fail_at].into(), ..Faults::default() }));
        let failed = fill_until_cut(&io, &options);
        // Windows that finish together share syncs, so a run may end before it comes to that operation.
        assert_eq!(failed.is_none(), io.operations() <= fail_at, "operation {fail_at}");
        io.set_faults(Faults::default());
        let whole = Arc::new(FaultyIo::from_image(io.to_bytes(), Faults::default()));
        let file = open_or_create(whole).unwrap_or_else(|error| panic!("operation {fail_at}: {error}"));
        assert!(failed.unwrap_or(WINDOWS) <= sealed(&file).len() as u64, "operation {fail_at}");
        fill(&file, &options, &Control::default(), &()).expect("fills");
        assert!(contents(&file) == expected, "operation {fail_at}");
    }
}
