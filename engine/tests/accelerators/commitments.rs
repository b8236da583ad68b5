//! Commitments by accelerators that compute on the processor and then do as they like.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use holdfast_engine::accelerator::{
    Accelerator, AcceleratorReport, CommitSlots, Devices, Fault, Interruption, ProcessorRole, WindowTarget,
};
use holdfast_engine::backend::{Choice, select};
use holdfast_engine::curve::{Fr, G1Affine, G1Projective, Table};
use holdfast_engine::possession::Replica;
use holdfast_engine::possession::blinding::BlindingKey;
use holdfast_engine::possession::commit::{Committer, Shares};
use holdfast_engine::possession::generators::Generators;
use holdfast_engine::registration::WindowShape;
use holdfast_engine::space::window::MadeWindow;
use holdfast_engine::tree::BLOCK_BYTES;

const BATCH_BLOCKS: usize = 4;

/// What an accelerator makes of right commitments.
type Conduct = fn(Vec<G1Projective>) -> Result<Vec<G1Projective>, Fault>;

#[derive(Debug)]
struct Pretender {
    conduct: Conduct,
    table: Table,
    batches: AtomicU64,
    taints: Mutex<Vec<Fault>>,
}

impl Pretender {
    fn new(conduct: Conduct) -> Arc<Pretender> {
        let table = Table::build(Generators::standard().all(), 4).expect("memory");
        Arc::new(Pretender { conduct, table, batches: AtomicU64::new(0), taints: Mutex::default() })
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
        Err("it only commits".into())
    }
    fn make_window(
        &self,
        _: WindowShape,
        _: &[u8; 32],
        _: &dyn WindowTarget,
    ) -> Result<MadeWindow, Interruption> {
        Err(Fault::Refused { message: "it only commits".into() }.into())
    }
    fn commit_slots(&self) -> Result<CommitSlots, String> {
        Ok(CommitSlots { batches: 2, batch_blocks: BATCH_BLOCKS })
    }
    fn commit(&self, blocks: &[&[u8]], blindings: &[Fr]) -> Result<Vec<G1Projective>, Fault> {
        self.batches.fetch_add(1, Ordering::Relaxed);
        let backend = select(Choice::Portable).expect("always present");
        (self.conduct)(backend.commit(&self.table, blocks, blindings))
    }
    fn taint(&self, session: u64, fault: Fault) {
        assert_eq!(session, self.session());
        self.taints.lock().expect("no panic").push(fault);
    }
    fn recover(&self, proceed: &dyn Fn() -> bool) -> bool {
        proceed()
    }
    fn report(&self) -> AcceleratorReport {
        AcceleratorReport::default()
    }
}

/// Nineteen blocks and a short one: five batches.
fn committed(devices: Devices) -> (Vec<[u8; 96]>, Shares) {
    let mut bytes = vec![0; 19 * BLOCK_BYTES + 40];
    blake3::Hasher::new().update(b"object").finalize_xof().fill(&mut bytes);
    let committer = Committer::for_blocks(select(Choice::Auto).expect("portable exists"), 1).expect("memory");
    let committer = committer.with_devices(devices);
    let replica = Replica::new([5; 32], bytes.len() as u64, 1).expect("a replica");
    let points = committer.points(&BlindingKey::from_bytes([9; 32]), &replica, 0, &bytes);
    (points, committer.take_shares())
}

fn alone(accelerator: &Arc<Pretender>) -> Devices {
    Devices { accelerators: vec![accelerator.clone()], processor: ProcessorRole::TakesOver }
}

#[test]
fn right_commitments_count_whoever_computes_them() {
    let (expected, _) = committed(Devices::default());
    let accelerator = Pretender::new(Ok);
    let (points, shares) = committed(alone(&accelerator));
    assert!(points == expected);
    assert_eq!((shares.accelerated_blocks, shares.redone_blocks), (20, 0));
    let both = Devices { processor: ProcessorRole::Shares, ..alone(&accelerator) };
    assert!(committed(both).0 == expected);
}

/// In a pool of one thread the processor both checks and commits: nobody waits for a thread that waits.
#[test]
fn one_thread_is_enough() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread");
    let accelerator = Pretender::new(Ok);
    let (points, shares) = pool.install(|| committed(alone(&accelerator)));
    assert!(points == committed(Devices::default()).0);
    assert_eq!(shares.accelerated_blocks, 20);
}

/// Every lie is found, whether its points are nonsense or right points in wrong places; the accelerator is told, and the processor
/// commits instead.
#[test]
fn no_lie_counts() {
    let (expected, _) = committed(Devices::default());
    let lies: [(&str, Conduct); 6] = [
        ("two commitments changed places", |mut points| {
            points.swap(0, 1);
            Ok(points)
        }),
        ("one is doubled", |mut points| {
            points[3] = points[3] + points[3];
            Ok(points)
        }),
        ("all are infinity", |points| Ok(vec![G1Projective::default(); points.len()])),
        // (0, 2) is on the curve and of order 3, so a cofactored check takes it for infinity.
        ("a point of small order", |mut points| {
            points[2] = G1Affine::new_unchecked(0.into(), 2.into()).into();
            Ok(points)
        }),
        ("a point off the curve", |mut points| {
            points[1] = G1Affine::new_unchecked(1.into(), 1.into()).into();
            Ok(points)
        }),
        ("one is missing", |mut points| {
            points.pop();
            Ok(points)
        }),
    ];
    for (what, conduct) in lies {
        let accelerator = Pretender::new(conduct);
        let (points, shares) = committed(alone(&accelerator));
        assert!(points == expected, "{what}");
        assert_eq!((shares.accelerated_blocks, shares.redone_blocks), (0, 20), "{what}");
        assert_eq!(shares.notices.len(), 5, "{what}: {shares:?}");
        let taints = accelerator.taints.lock().expect("no panic");
        assert!(
            taints.len() == 5 && taints.iter().all(|fault| fault.kind() == "wrong"),
            "{what}: {taints:?}"
        );
    }
}

#[test]
fn faults_are_made_again_by_the_processor() {
    let (expected, _) = committed(Devices::default());
    let accelerator = Pretender::new(|_| Err(Fault::OutOfMemory { bytes: 1 << 30 }));
    let (points, shares) = committed(alone(&accelerator));
    assert!(points == expected);
    assert_eq!((shares.accelerated_blocks, shares.redone_blocks), (0, 20));
    assert!(shares.notices[0].contains("1073741824 bytes"), "{shares:?}");
    assert_eq!(accelerator.batches.load(Ordering::Relaxed), 5);
}
