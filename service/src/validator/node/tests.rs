mod exports;
mod hostile;
mod metrics;
mod miners;

use holdfast_engine::backend::{Choice, select};
use holdfast_engine::receipt::{ChainVerifier, Outcome, Receipt, find_equivocation};
use holdfast_engine::rejection::Class;

use super::super::fixture::{World, bytes};
use super::super::holdings::MemoryHoldings;
use super::super::receipts::failing::Failing;
use super::super::store::{RECEIPTS, ReceiptRow};
use super::*;
use crate::chain::Event;
use crate::index::EmbeddedIndex;
use crate::operation::counted::CountedIndex;
use crate::wire::clock::SystemClock;
use miners::{Behaviour, FakeMiner};

/// A chain, a validator's parts, and miners on real sockets.
struct Scene {
    world: World,
    index: Arc<dyn Index>,
    holdings: Arc<MemoryHoldings>,
    miners: Vec<Arc<FakeMiner>>,
    metrics: Arc<Metrics>,
    /// What processes export.
    export: Option<Exporting>,
}

impl Scene {
    /// Miners that have registered windows and one object each, all settled.
    async fn new(behaviours: &[(&str, Behaviour)]) -> Scene {
        let mut world = World::new();
        // Long enough for a busy machine; who is silent costs it once.
        (world.policy.deadline_ms, world.policy.objects.deadline_ms) = (4_000, 4_000);
        world.policy.seal_deadline_ms = 4_000;
        let holdings = Arc::new(MemoryHoldings::default());
        let mut miners = Vec::new();
        for (number, (name, behaviour)) in (0_u64..).zip(behaviours) {
            let mut held = world.miner(name, 6);
            holdings.add(world.store(&mut held, bytes(number, 50_000)));
            let miner = FakeMiner::serve(&world, held, *behaviour).await;
            world.register(miner.account(), miner.endpoint());
            miners.push(miner);
        }
        world.settle();
        let index: Arc<dyn Index> = Arc::new(EmbeddedIndex::in_memory().unwrap());
        Scene { world, index, holdings, miners, metrics: Arc::default(), export: None }
    }

    /// A validator's process over this index.
    async fn process(&self, name: &str, index: &Arc<dyn Index>) -> Arc<Node> {
        // Windows of a test are smaller than anything that is worth paying for.
        let mut scoring = ScoringConfig::standard();
        scoring.bytes.least_bytes = 1;
        let settings = Settings {
            scoring,
            tempo_blocks: 3,
            retrieve_every_blocks: 0,
            export: self.export.clone(),
            ..Settings::new(self.world.policy.clone(), name)
        };
        let pool = Arc::new(rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap());
        let signer = Arc::clone(&self.world.validator);
        let parts = Parts {
            settings,
            chain: Arc::new(self.world.driver.chain().clone()),
            index: CountedIndex::over(Arc::clone(index), &self.metrics),
            holdings: Arc::clone(&self.holdings) as Arc<dyn Holdings>,
            correspondent: Arc::new(Correspondent::new(self.world.network, signer, Arc::new(SystemClock))),
            connector: Connector::plain(),
            judge: Judge::new(select(Choice::Auto).unwrap(), pool),
            metrics: Arc::clone(&self.metrics),
        };
        Node::open(parts).await.unwrap()
    }

    /// Makes a block, lets the validator follow it, and waits until it has nothing more to do.
    async fn step(&self, node: &Arc<Node>) -> Head {
        let head = self.world.driver.step().unwrap();
        node.on_head(head).await.unwrap();
        node.idle().await;
        head
    }

    /// Steps until what is asked now is final and closed.
    async fn close_all(&self, node: &Arc<Node>) {
        for _ in 0..=self.world.policy.finality_blocks {
            self.step(node).await;
        }
    }

    async fn receipts(&self, miner: &FakeMiner) -> Vec<ReceiptRow> {
        let rows = RECEIPTS.scan(&*self.index, &RECEIPTS.prefix(&miner.account()), usize::MAX).await.unwrap();
        rows.into_iter().map(|row| row.value).collect()
    }

    /// All receipts that were signed, wherever they got to.
    async fn all_signed(&self) -> Vec<Receipt> {
        let mut all = Vec::new();
        for miner in &self.miners {
            all.extend(miner.seen());
            all.extend(self.receipts(miner).await.iter().filter_map(|row| row.receipt().unwrap()));
        }
        all
    }

    /// Verifies each miner's receipts as a third party would, and gives how many count.
    async fn verify(&self) -> u64 {
        let mut counting = 0;
        for miner in &self.miners {
            let verifier = ChainVerifier::new(self.world.network).with_recorder(&*self.world.recorder, 10);
            let records = self.holdings.records_of(&miner.account()).await.unwrap();
            let mut verifier = verifier.with_objects(&records).unwrap();
            for row in self.receipts(miner).await {
                verifier.push(&row.encode().unwrap().expect("signed")).unwrap();
            }
            let report = verifier.finish().unwrap();
            assert!(report.void.is_empty(), "{:?}", report.void);
            counting += report.receipts;
        }
        counting
    }

    fn all_behave(&self, behaviour: Behaviour) {
        self.miners.iter().for_each(|miner| miner.behave(behaviour));
    }
}

/// How the questions of a height came out: outcome and class of each.
fn of_height(rows: &[ReceiptRow], height: u64) -> Vec<(Outcome, Option<String>)> {
    let of = |row: &ReceiptRow| (row.finding.outcome().unwrap(), row.finding.class.clone());
    rows.iter().filter(|row| row.body().unwrap().height == height).map(of).collect()
}

/// One round in which every miner does what it does, over real sockets: each gets the receipt that it deserves, and nobody's
/// behaviour costs another's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_miner_gets_the_receipt_that_it_deserves() {
    let behaviours = [
        ("honest", Behaviour::Honest),
        ("wrong", Behaviour::Wrong),
        ("late", Behaviour::Late),
        ("silent", Behaviour::Silent),
        ("flooding", Behaviour::Flooding),
        ("replaying", Behaviour::Replaying),
        ("borrowing", Behaviour::Borrowing),
        ("garbage", Behaviour::Garbage),
        ("unreachable", Behaviour::Unreachable),
    ];
    let scene = Scene::new(&behaviours).await;
    let node = scene.process("one", &scene.index).await;
    // The first head fetches commitments and has a round in which nobody's is known; with the second, seals are passed.
    scene.all_behave(Behaviour::Honest);
    scene.miners[8].behave(Behaviour::Unreachable);
    scene.step(&node).await;
    scene.step(&node).await;
    scene.close_all(&node).await;
    for (miner, (_, behaviour)) in scene.miners.iter().zip(behaviours) {
        miner.behave(behaviour);
    }
    let asked = scene.step(&node).await.height;
    scene.all_behave(Behaviour::Honest);
    scene.miners[8].behave(Behaviour::Unreachable);
    scene.close_all(&node).await;

    let expected = [
        (Outcome::Accepted, None),
        (Outcome::Rejected, Some(Class::WrongRoot)),
        (Outcome::Missed, Some(Class::Late)),
        (Outcome::Missed, Some(Class::Late)),
        (Outcome::Missed, Some(Class::Policy)),
        (Outcome::Rejected, Some(Class::WrongChallenge)),
        (Outcome::Rejected, Some(Class::WrongChallenge)),
        (Outcome::Missed, Some(Class::Malformed)),
        (Outcome::Missed, None),
    ];
    for (place, (miner, (outcome, class))) in scene.miners.iter().zip(expected).enumerate() {
        let rows = scene.receipts(miner).await;
        let found = of_height(&rows, asked);
        assert_eq!(found.len(), 2, "windows and an object of {}", behaviours[place].0);
        for (found_outcome, found_class) in found {
            assert_eq!(found_outcome, outcome, "{}: {found_class:?}", behaviours[place].0);
            let class = class.map(|class| class.name().to_owned());
            assert!(class.is_none() || found_class == class, "{}: {found_class:?}", behaviours[place].0);
        }
        let answered = rows.iter().filter(|row| row.finding.response_digest.is_some());
        assert!(answered.clone().all(|row| row.miner_signature.is_some()), "{}", behaviours[place].0);
    }
    assert!(scene.verify().await >= 9 * 10);
    assert!(find_equivocation(&scene.world.network, &scene.all_signed().await).is_empty());
    // What came in time is anchored, in time.
    let anchor = scene.world.recorder.anchor(asked, &node.account()).unwrap().expect("anchored");
    assert_eq!(anchor.count, 2 * 4, "of the four that promised");
    assert!(anchor.recorded_at <= asked + 10);
    // Whoever was never there earns nothing, the others something.
    let weights = node.chain.weights(&node.account()).await.unwrap().expect("set").weights;
    let metagraph = node.chain.metagraph().await.unwrap();
    let uid = |place: usize| metagraph.neuron_of(&scene.miners[place].account()).unwrap().uid;
    assert!(weights.iter().any(|(paid, _)| *paid == uid(0)));
    assert!(weights.iter().all(|(paid, _)| *paid != uid(8)));
    // Owners' side learned of each audit of its objects.
    assert!(!scene.holdings.audits().is_empty());
}

/// The process is killed at one commit after the other, before and after it is made; another one goes on from the index. No party ever
/// signs two bodies for one place, and what a miner countersigned stays.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_anywhere_it_forks_no_chain() {
    for commit in (1..60).step_by(4) {
        let after = commit % 8 == 1;
        let scene = Scene::new(&[("one", Behaviour::Honest), ("two", Behaviour::Honest)]).await;
        let failing: Arc<dyn Index> = Arc::new(Failing::new(Arc::clone(&scene.index), commit, after));
        let killed = scene.process("first", &failing).await;
        for _ in 0..scene.world.policy.finality_blocks + 3 {
            let head = scene.world.driver.step().unwrap();
            // What fails is logged; nothing of it may be taken as done.
            let _ = killed.on_head(head).await;
            killed.idle().await;
        }
        drop(killed);
        let node = scene.process("first", &scene.index).await;
        scene.close_all(&node).await;
        scene.close_all(&node).await;
        let counting = scene.verify().await;
        assert!(
            counting >= 2 * 2 * scene.world.policy.finality_blocks,
            "commit {commit}: {counting} receipts"
        );
        assert!(
            find_equivocation(&scene.world.network, &scene.all_signed().await).is_empty(),
            "commit {commit}"
        );
        for miner in &scene.miners {
            let kept: Vec<Receipt> =
                scene.receipts(miner).await.iter().map(|row| row.receipt().unwrap().unwrap()).collect();
            let lost = miner.seen().into_iter().filter(|seen| kept.iter().all(|kept| kept.body != seen.body));
            assert_eq!(lost.count(), 0, "commit {commit}: what the miner signed is kept");
        }
    }
}

/// A block is replaced while its round is open: the round counts for nothing, and the one of the new block takes its place.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_round_of_a_replaced_block_is_void() {
    let scene = Scene::new(&[("miner", Behaviour::Honest)]).await;
    let node = scene.process("one", &scene.index).await;
    for _ in 0..4 {
        scene.step(&node).await;
    }
    let before = scene.world.beacon(scene.world.height());
    scene.world.driver.schedule(Event::Reorganise { depth: 2 });
    let height = scene.step(&node).await.height;
    assert_ne!(scene.world.beacon(height - 1), before, "the block was replaced");
    let row = ROUNDS.get(&*scene.index, &round_key(height - 2, Part::Samples)).await.unwrap().unwrap();
    assert!(matches!(row.stage, Stage::Void(_)), "too old to be asked again: {row:?}");
    let row = ROUNDS.get(&*scene.index, &round_key(height - 1, Part::Samples)).await.unwrap().unwrap();
    assert_eq!(row.beacon, scene.world.beacon(height - 1), "asked again with the new beacon");
    scene.close_all(&node).await;
    scene.close_all(&node).await;
    assert!(scene.verify().await > 0, "and every seed is of a block that stands");
    let rows = scene.receipts(&scene.miners[0]).await;
    assert!(of_height(&rows, height - 2).is_empty());
    assert!(!of_height(&rows, height - 1).is_empty());
}

/// Two processes share an index: one asks, the other takes over when the first is gone, and the chains go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_processes_one_runs_the_rounds() {
    let scene = Scene::new(&[("miner", Behaviour::Honest)]).await;
    let (one, two) = (scene.process("one", &scene.index).await, scene.process("two", &scene.index).await);
    for _ in 0..3 {
        let head = scene.world.driver.step().unwrap();
        one.on_head(head).await.unwrap();
        two.on_head(head).await.unwrap();
        one.idle().await;
        two.idle().await;
    }
    let rounds = scene.miners[0].rounds_asked();
    assert_eq!(rounds, 4 + 1, "the block before the first head, three more, and one seal audit: once each");
    let stop = CancellationToken::new();
    stop.cancel();
    Arc::clone(&one).run(stop).await.unwrap();
    scene.close_all(&two).await;
    scene.close_all(&two).await;
    scene.verify().await;
    let refused = one.void(Part::Samples, 1, "it thinks that it is still in charge").await;
    assert!(matches!(refused, Err(ValidatorError::NotInCharge { .. })));
    assert!(find_equivocation(&scene.world.network, &scene.all_signed().await).is_empty());
}
