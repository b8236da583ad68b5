//! A validator over many miners for many rounds: thousands of challenges each, and neither memory nor tasks grow. The example
//! `network_soak` has the same with hundreds of miners in a process of their own, and measures what the validator computes.

#[path = "../../service/examples/network_soak/miner.rs"]
mod miner;
#[path = "../../service/examples/network_soak/usage.rs"]
mod usage;
#[path = "../../service/examples/network_soak/world.rs"]
mod world;

use std::sync::Arc;
use std::time::Duration;

use holdfast_service::index::{EmbeddedIndex, EmbeddedSettings};
use tokio::runtime::Handle;
use usage::resident_bytes;
use world::{Terms, World, closed};

const TERMS: Terms = Terms { miners: 64, partitions: 16, samples: 8 };
/// Until every partition has passed its seal audit, links are closed as fast as rounds begin, and caches are full.
const WARM_UP_ROUNDS: usize = 6;
const ROUNDS: usize = 8;
/// What the system's allocator may keep more. The answers of one round are about as many bytes.
const GROWTH_BYTES_MAX: u64 = 16 << 20;
/// How long tasks that are ending may take, and from one look to the next.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(20);
/// Small, so that it is full before memory is looked at.
const CACHE_BYTES: usize = 2 << 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_and_tasks_stay_the_same_over_many_rounds_with_many_miners() {
    let (world, held) = World::build(TERMS).expect("a network");
    for miner in held {
        let signer = Arc::clone(&miner.signer);
        world.announce(&signer, miner::serve(miner, world.network()).await.expect("serves"));
    }
    world.settle().expect("blocks");
    let folder = tempfile::tempdir().expect("a folder");
    let settings = EmbeddedSettings { cache_bytes: CACHE_BYTES };
    let index = EmbeddedIndex::open(&folder.path().join("index"), settings).await.expect("an index");
    let node = world.validator(Arc::new(index)).await.expect("opens");
    for _ in 0..WARM_UP_ROUNDS {
        world.round(&node).await.expect("a round");
    }
    let (resident, tasks) = (resident_bytes(std::process::id()), alive_tasks());
    for _ in 0..ROUNDS {
        world.round(&node).await.expect("a round");
    }
    let grown = resident_bytes(std::process::id()).saturating_sub(resident);
    assert!(grown <= GROWTH_BYTES_MAX, "{} KiB more after {ROUNDS} rounds", grown >> 10);
    assert!(ended_but_for(tasks).await, "{tasks} tasks before, {} after", alive_tasks());

    let (accepted, others) = closed(&node).await.expect("can be read");
    let asked_each_round = u64::from(TERMS.miners) * u64::from(TERMS.partitions);
    assert_eq!(others, 0, "all are honest, and nobody is late");
    assert!(accepted > asked_each_round * ROUNDS as u64, "{accepted} receipts");
}

fn alive_tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

/// Whether no more tasks than these are left once those that are just ending have ended. Any that a round leaves behind would stay.
async fn ended_but_for(tasks: usize) -> bool {
    let ended = async {
        while alive_tasks() > tasks {
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(PATIENCE, ended).await.is_ok()
}
