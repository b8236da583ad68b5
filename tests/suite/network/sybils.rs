//! One disk under several names.

use std::sync::Arc;

use holdfast_engine::challenge::{Challenge, Kind};
use holdfast_engine::commitment::{Commitment, CommitmentFields};
use holdfast_engine::receipt::Outcome;
use holdfast_engine::recorder::BatchClaim;
use holdfast_engine::reference;
use holdfast_engine::registration::{Intent, Registration};
use holdfast_engine::signature::Signer;
use holdfast_engine::space::label::Layer;
use holdfast_engine::space::record::{WindowRecord, partition_root};
use holdfast_engine::space::response::encode_response;
use holdfast_engine::space::seal::{LayerObserver, WindowProver};
use holdfast_engine::tree::Outboard;
use holdfast_service::chain::Chain;
use holdfast_service::local::audits::AnyChallenge;
use holdfast_service::local::commit;
use holdfast_service::proto::{ChallengeEvent, ChallengeRequest, CommitmentRequest, Part};
use tonic::{Status, async_trait};

use super::disk::RealMiner;
use super::scene::{ACCEPTED, Scene};
use super::station::{Asked, Conduct, Events, Me, Station, body, listed};

/// Has registered the roots of another miner's windows as its own, and answers from that one's disk.
struct Copying {
    commitment: Commitment,
    windows: Vec<Vec<u8>>,
}

impl Copying {
    /// Registers a partition whose windows have the roots of somebody else's.
    fn register(scene: &Scene, signer: &Signer, original: &RealMiner) -> Copying {
        let recorder = scene.driver.chain().recorder();
        let disk = original.disk();
        let partition = &disk.manifest.partitions[0];
        let copied = commit::commitment_at(&disk, partition, &*recorder, Some(&original.signer));
        let copied = copied.expect("is recorded");
        let intent = Intent { miner: signer.account(), ordinal: 0, ..copied.registration.intent };
        let recorded = recorder.record_intent(&intent, &signer.sign(&intent.signing_digest()));
        let partition_id = recorded.expect("a new intent").partition_id;
        for _ in 0..2 * scene.policy.finality_blocks {
            scene.block();
        }
        let registration = recorder.registration(partition_id).expect("reads").expect("registered");
        let renamed = |window: u64| WindowRecord {
            window_key: registration.window_key(window),
            ..copied.record(window).expect("is there").clone()
        };
        let records: Vec<WindowRecord> = (0..copied.window_count()).map(renamed).collect();
        let (end, root) = (copied.window_count(), partition_root(&records));
        let signature = signer.sign(&registration.commitment_signing_digest(end, &root));
        let registration_digest = registration.digest();
        let claim = BatchClaim { partition_id, registration_digest, end, partition_root: root, signature };
        recorder.record_batch(&claim).expect("nobody sees what it is");
        let batches = recorder.partition(partition_id).expect("reads").expect("recorded").batches;
        let fields = CommitmentFields { registration, signature, batches, records };
        let commitment = Commitment::new(fields).expect("it agrees with itself");
        Copying { commitment, windows: original.windows() }
    }

    fn answer(&self, challenge: &Challenge) -> Vec<u8> {
        let samples: Vec<Vec<u8>> = match challenge.kind {
            Kind::Space => {
                let open = |sample: holdfast_engine::challenge::SpaceSample| {
                    let window = &self.windows[usize::try_from(sample.window).expect("small")];
                    Outboard::of(window).open(window, sample.chunk)
                };
                challenge.space_samples().into_iter().map(open).collect()
            }
            Kind::Seal => {
                let registration = &self.commitment.registration;
                challenge
                    .windows()
                    .into_iter()
                    .map(|window| replay(challenge, registration, window))
                    .collect()
            }
        };
        encode_response(challenge, &samples)
    }
}

/// Makes a window as it has to be under this registration, and shows that.
fn replay(challenge: &Challenge, registration: &Registration, window: u64) -> Vec<u8> {
    let (key, shape) = (registration.window_key(window), registration.intent.shape);
    let mut prover = WindowProver::new(challenge, window, &key);
    let mut previous: Option<Vec<u8>> = None;
    for number in 1..=shape.layers() {
        let layer = Layer::derive(&key, u32::from(number), shape.log2_labels());
        let bytes = match &previous {
            None => reference::first_layer(&layer),
            Some(previous) => reference::next_layer(&layer, previous),
        };
        prover.layer(u32::from(number), &bytes, &Outboard::of(&bytes));
        previous = Some(bytes);
    }
    prover.finish()
}

#[async_trait]
impl Conduct for Copying {
    async fn commitment(&self, _: &Me, _: CommitmentRequest) -> Result<Events<Part>, Status> {
        Ok(listed(vec![Part { offset_bytes: 0, bytes: self.commitment.encode().into() }]))
    }

    async fn challenge(&self, me: &Me, request: ChallengeRequest) -> Result<Events<ChallengeEvent>, Status> {
        let mut events = Vec::new();
        for (place, bytes) in (0..).zip(&request.challenges) {
            let challenge = AnyChallenge::decode(bytes).expect("a challenge");
            let AnyChallenge::Partition(of_partition) = &challenge else { continue };
            let response = self.answer(of_partition);
            events.push(me.promise(&Asked { place, challenge, honest: None }, &response));
            events.extend(body(place, &response));
        }
        Ok(listed(events))
    }
}

/// A7: the bytes are there when they are asked for, and yet they are not those of this partition: no seal, so nothing is paid.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_with_the_windows_of_another_is_worth_nothing() {
    let scene = Scene::new().await;
    let honest = scene.honest("honest").await;
    let signer = Arc::new(Signer::development("sybil"));
    let copying = Copying::register(&scene, &signer, &honest);
    let sybil = Station::alone(&scene, signer, honest.server.address, copying).await;
    scene.register(sybil.account(), sybil.address());
    scene.settle().await;
    let receipts = scene.receipts(sybil.account()).await;
    let outcomes = |kind: &str| -> Vec<Outcome> {
        let bodies = receipts.iter().map(|row| row.body().expect("a body"));
        bodies.filter(|body| body.kind.name() == kind).map(|body| body.outcome).collect()
    };
    assert!(outcomes("space").contains(&ACCEPTED.0), "it answers from the other's disk: {receipts:?}");
    assert!(!outcomes("seal").is_empty());
    assert!(outcomes("seal").iter().all(|outcome| *outcome == Outcome::Rejected), "{receipts:?}");
    assert_eq!((scene.score(sybil.account()).await, scene.weight(sybil.account()).await), (0.0, 0));
    assert!(scene.weight(honest.account()).await > 0);
}
