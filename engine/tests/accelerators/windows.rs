//! Fills shared with accelerators that compute on the processor, or fail, or lie.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use holdfast_engine::accelerator::{
    Accelerator, AcceleratorReport, CommitSlots, Devices, Fault, Interruption, ProcessorRole, WindowTarget,
};
use holdfast_engine::backend::{Choice, select};
use holdfast_engine::curve::{Fr, G1Projective};
use holdfast_engine::jobs::control::Control;
use holdfast_engine::jobs::fill::{FillError, FillReport, fill};
use holdfast_engine::jobs::progress::{Snapshot, Watcher};
use holdfast_engine::registration::WindowShape;
use holdfast_engine::space::window::{MadeWindow, TileSink, WindowMaker};
use holdfast_partition::io::AlignedBuffer;
use holdfast_partition::partition_file::{Mark, PartitionFile};

use crate::partition::{contents, memory_file, options, options_with, registration};

/// What an accelerator does with its n-th window, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Conduct {
    Exact,
    /// Fails before the first byte.
    FailsAtOnce,
    /// Hands on the first tile, spoilt, and then fails.
    FailsAfterASpoiltTile,
    /// Hands on a window whose last tile is spoilt, and says that all is well: what a device does that errs in its copy.
    Lies,
}

/// An accelerator that computes on the processor.
#[derive(Debug)]
struct Pretender {
    conduct: fn(u64) -> Conduct,
    /// Whether it can be used again after a fault.
    recovers: bool,
    calls: AtomicU64,
    has_failed: AtomicBool,
    faults: Mutex<Vec<Fault>>,
}

impl Pretender {
    fn new(conduct: fn(u64) -> Conduct, recovers: bool) -> Arc<Pretender> {
        Arc::new(Pretender {
            conduct,
            recovers,
            calls: AtomicU64::new(0),
            has_failed: AtomicBool::new(false),
            faults: Mutex::default(),
        })
    }

    fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }
}

/// A window by the processor, in memory.
pub(crate) fn make(shape: WindowShape, window_key: &[u8; 32]) -> (Vec<u8>, MadeWindow) {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread");
    let backend = select(Choice::Auto).expect("portable exists");
    let mut maker = WindowMaker::new(shape, backend, Arc::new(pool)).expect("memory");
    let keep = Keep(Mutex::new(vec![0; usize::try_from(shape.bytes()).expect("small")]));
    let made = maker.make(window_key, &keep, &|| Ok(())).expect("never refused");
    (keep.0.into_inner().expect("no panic"), made)
}

struct Keep(Mutex<Vec<u8>>);

impl TileSink for Keep {
    type Error = std::convert::Infallible;

    fn take(&self, length: usize) -> Result<AlignedBuffer, Self::Error> {
        Ok(AlignedBuffer::zeroed(length).expect("memory"))
    }

    fn put(&self, offset: u64, buffer: AlignedBuffer) {
        let start = usize::try_from(offset).expect("small");
        self.0.lock().expect("no panic")[start..start + buffer.len()].copy_from_slice(&buffer);
    }
}

impl Accelerator for Pretender {
    fn id(&self) -> &str {
        "pretender"
    }
    fn session(&self) -> u64 {
        7
    }

    fn window_slots(&self, _: WindowShape) -> Result<usize, String> {
        Ok(2)
    }

    fn make_window(
        &self,
        shape: WindowShape,
        window_key: &[u8; 32],
        target: &dyn WindowTarget,
    ) -> Result<MadeWindow, Interruption> {
        let conduct = (self.conduct)(self.calls.fetch_add(1, Ordering::Relaxed));
        let fault = Fault::Lost { why: format!("{conduct:?}") };
        if matches!(conduct, Conduct::FailsAtOnce | Conduct::FailsAfterASpoiltTile) {
            self.has_failed.store(true, Ordering::Relaxed);
        }
        if conduct == Conduct::FailsAtOnce {
            return Err(fault.into());
        }
        let (bytes, made) = make(shape, window_key);
        for (tile, bytes) in bytes.chunks(1 << 20).enumerate() {
            if !target.proceed() {
                return Err(Interruption::Stopped);
            }
            let is_last = (tile + 1) << 20 >= 1 << (shape.log2_labels() + 5);
            let mut buffer = target.take(bytes.len()).ok_or(Interruption::Stopped)?;
            buffer.copy_from_slice(bytes);
            let spoils = match conduct {
                Conduct::FailsAfterASpoiltTile => true,
                Conduct::Lies => is_last,
                _ => false,
            };
            buffer[0] ^= u8::from(spoils);
            target.put((tile as u64) << 20, buffer);
            if conduct == Conduct::FailsAfterASpoiltTile {
                return Err(fault.into());
            }
        }
        Ok(made)
    }

    fn commit_slots(&self) -> Result<CommitSlots, String> {
        Err("it only makes windows".into())
    }

    fn commit(&self, _: &[&[u8]], _: &[Fr]) -> Result<Vec<G1Projective>, Fault> {
        Err(Fault::Refused { message: "it only makes windows".into() })
    }

    fn taint(&self, session: u64, fault: Fault) {
        assert_eq!(session, self.session());
        self.faults.lock().expect("no panic").push(fault);
    }

    fn recover(&self, proceed: &dyn Fn() -> bool) -> bool {
        let has_failed = self.has_failed.load(Ordering::Relaxed);
        !has_failed || (self.recovers && proceed())
    }

    fn report(&self) -> AcceleratorReport {
        AcceleratorReport::default()
    }
}

/// Two tiles a window.
const K: u8 = 16;
const LAYERS: u8 = 3;
const WINDOWS: u64 = 12;

fn filled(devices: Devices) -> (PartitionFile, FillReport, Vec<String>) {
    let file = memory_file(&registration(K, LAYERS), WINDOWS);
    let notices = Notices::default();
    let report = fill(&file, &options_with(devices), &Control::default(), &notices).expect("fills");
    (file, report, notices.0.into_inner().expect("no panic"))
}

#[derive(Default)]
struct Notices(Mutex<Vec<String>>);

impl Watcher for Notices {
    fn report(&self, _: &Snapshot) {}

    fn notice(&self, message: &str) {
        self.0.lock().expect("no panic").push(message.to_owned());
    }
}

fn by_the_processor() -> Vec<(Vec<u8>, Vec<u8>)> {
    contents(&filled(Devices::default()).0)
}

fn alone(accelerator: &Arc<Pretender>) -> Devices {
    Devices { accelerators: vec![accelerator.clone()], processor: ProcessorRole::TakesOver }
}

#[test]
fn an_accelerator_alone_makes_every_window_and_the_same_bytes() {
    let accelerator = Pretender::new(|_| Conduct::Exact, true);
    let (file, report, notices) = filled(alone(&accelerator));
    assert_eq!(
        (report.windows_filled, report.windows_accelerated, report.windows_redone),
        (WINDOWS, WINDOWS, 0)
    );
    assert_eq!(accelerator.calls(), WINDOWS);
    assert!(contents(&file) == by_the_processor());
    assert_eq!(notices, Vec::<String>::new());
}

#[test]
fn both_together_make_the_same_bytes_and_every_window_once() {
    let accelerator = Pretender::new(|_| Conduct::Exact, true);
    let devices = Devices { processor: ProcessorRole::Shares, ..alone(&accelerator) };
    let (file, report, _) = filled(devices);
    assert_eq!((report.windows_filled, report.windows_accelerated), (WINDOWS, accelerator.calls()));
    assert!(contents(&file) == by_the_processor());
}

/// Spoilt tiles that were handed on before the fault are written over, never the other way round.
#[test]
fn what_an_accelerator_fails_at_is_made_again_by_the_processor() {
    let conduct = |call| match call % 3 {
        0 => Conduct::Exact,
        1 => Conduct::FailsAfterASpoiltTile,
        _ => Conduct::FailsAtOnce,
    };
    for _ in 0..5 {
        let (file, report, notices) = filled(alone(&Pretender::new(conduct, true)));
        assert_eq!(report.windows_accelerated + report.windows_redone, WINDOWS);
        assert_eq!(notices.len() as u64, report.windows_redone, "{notices:?}");
        assert!(report.windows_redone >= WINDOWS / 2, "{report:?}");
        assert!(notices[0].contains("is made again by the processor"), "{notices:?}");
        assert!(contents(&file) == by_the_processor());
    }
}

#[test]
fn the_processor_finishes_what_a_given_up_accelerator_left() {
    let accelerator =
        Pretender::new(|call| if call < 2 { Conduct::Exact } else { Conduct::FailsAtOnce }, false);
    let (file, report, _) = filled(alone(&accelerator));
    // Two threads ask it; one ends at its first fault, the other then or at its own.
    assert_eq!(report.windows_accelerated, 2);
    assert!((1..=2).contains(&report.windows_redone), "{report:?}");
    assert_eq!(accelerator.calls(), 2 + report.windows_redone);
    assert!(contents(&file) == by_the_processor());
}

/// A record that was made before convicts an accelerator whose window comes out otherwise.
#[test]
fn a_window_that_differs_from_its_record_is_the_accelerator_s_fault_and_made_again() {
    let registration = registration(K, LAYERS);
    let file = memory_file(&registration, WINDOWS);
    fill(&file, &options(), &Control::default(), &()).expect("fills");
    let before = contents(&file);
    (0..WINDOWS).for_each(|window| file.mark(window, Mark::Bad).expect("marks"));
    let accelerator = Pretender::new(|_| Conduct::Exact, true);
    // It makes windows of another key: everything about them is consistent, and wrong.
    let wrong = Arc::new(WrongKey(accelerator.clone()));
    let devices = Devices { accelerators: vec![wrong], processor: ProcessorRole::TakesOver };
    let report = fill(&file, &options_with(devices), &Control::default(), &()).expect("fills");
    assert_eq!((report.windows_accelerated, report.windows_redone), (0, WINDOWS));
    assert_eq!(accelerator.faults.lock().expect("no panic").len() as u64, WINDOWS);
    assert!(contents(&file) == before);
}

#[derive(Debug)]
struct WrongKey(Arc<Pretender>);

impl Accelerator for WrongKey {
    fn id(&self) -> &str {
        self.0.id()
    }
    fn session(&self) -> u64 {
        7
    }
    fn window_slots(&self, shape: WindowShape) -> Result<usize, String> {
        self.0.window_slots(shape)
    }
    fn make_window(
        &self,
        shape: WindowShape,
        _: &[u8; 32],
        target: &dyn WindowTarget,
    ) -> Result<MadeWindow, Interruption> {
        self.0.make_window(shape, &[0; 32], target)
    }
    fn commit_slots(&self) -> Result<CommitSlots, String> {
        self.0.commit_slots()
    }
    fn commit(&self, blocks: &[&[u8]], blindings: &[Fr]) -> Result<Vec<G1Projective>, Fault> {
        self.0.commit(blocks, blindings)
    }
    fn taint(&self, session: u64, fault: Fault) {
        self.0.taint(session, fault);
    }
    fn recover(&self, proceed: &dyn Fn() -> bool) -> bool {
        self.0.recover(proceed)
    }
    fn report(&self) -> AcceleratorReport {
        self.0.report()
    }
}

/// Negative control: the comparison of contents sees one wrong byte in one tile.
#[test]
fn a_lie_is_seen_by_the_comparison() {
    let (file, ..) =
        filled(alone(&Pretender::new(|call| if call == 5 { Conduct::Lies } else { Conduct::Exact }, true)));
    let (made, right) = (contents(&file), by_the_processor());
    assert_eq!(made.iter().zip(&right).filter(|(made, right)| made != right).count(), 1);
}

/// Cancels at the first report.
struct CancelAtOnce<'c>(&'c Control);

impl Watcher for CancelAtOnce<'_> {
    fn report(&self, _: &Snapshot) {
        self.0.cancel();
    }
}

#[test]
fn a_cancelled_fill_of_an_accelerator_goes_on_where_it_was() {
    let file = memory_file(&registration(K, LAYERS), WINDOWS);
    let accelerator = Pretender::new(|_| Conduct::Exact, true);
    let control = Control::default();
    let cancelled = fill(&file, &options_with(alone(&accelerator)), &control, &CancelAtOnce(&control));
    assert!(matches!(cancelled, Err(FillError::Cancelled(_))), "{cancelled:?}");
    let kept = file.counts().expect("open");
    assert!(kept.sealed > 0 && kept.sealed < WINDOWS && kept.filling == 0, "{kept:?}");
    // Begun by the accelerator, finished by the processor.
    let resumed = fill(&file, &options(), &Control::default(), &()).expect("fills");
    assert_eq!((resumed.windows_kept, resumed.windows_filled), (kept.sealed, WINDOWS - kept.sealed));
    assert!(contents(&file) == by_the_processor());
}

#[test]
fn an_accelerator_that_cannot_make_the_shape_is_named_and_not_asked() {
    let file = memory_file(&registration(K, LAYERS), 2);
    let notices = Notices::default();
    let devices = Devices { accelerators: vec![Arc::new(TooSmall)], processor: ProcessorRole::TakesOver };
    fill(&file, &options_with(devices), &Control::default(), &notices).expect("fills");
    assert_eq!(*notices.0.lock().expect("no panic"), ["too small: not used for this fill: no room"]);
}

#[derive(Debug)]
struct TooSmall;

impl Accelerator for TooSmall {
    fn id(&self) -> &str {
        "too small"
    }
    fn session(&self) -> u64 {
        7
    }
    fn window_slots(&self, _: WindowShape) -> Result<usize, String> {
        Err("no room".into())
    }
    fn make_window(
        &self,
        _: WindowShape,
        _: &[u8; 32],
        _: &dyn WindowTarget,
    ) -> Result<MadeWindow, Interruption> {
        panic!("it was not to be asked")
    }
    fn commit_slots(&self) -> Result<CommitSlots, String> {
        Err("no room".into())
    }
    fn commit(&self, _: &[&[u8]], _: &[Fr]) -> Result<Vec<G1Projective>, Fault> {
        panic!("it was not to be asked")
    }
    fn taint(&self, _: u64, _: Fault) {}
    fn recover(&self, _: &dyn Fn() -> bool) -> bool {
        false
    }
    fn report(&self) -> AcceleratorReport {
        AcceleratorReport::default()
    }
}
