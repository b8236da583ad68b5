//! `kill -9` of a real `holdfast miner run` in the middle of uploads, many times: nothing acknowledged is lost, nothing
//! half-kept is shown, chains of receipts go on and never fork.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use holdfast_engine::account::Account;
use holdfast_engine::challenge::Challenge;
use holdfast_engine::commitment::Commitment;
use holdfast_engine::message::Ticket;
use holdfast_engine::policy::Policy;
use holdfast_engine::receipt::{Body, Receipt, Timeliness};
use holdfast_engine::recorder::{FileRecorder, SimulationSettings};
use holdfast_engine::signature::{Signature, Signer};
use holdfast_service::chain::{Chain, Driver, NetworkFile, NetworkSettings, NewNeuron, Script};
use holdfast_service::proto::miner_client::MinerClient;
use holdfast_service::proto::{self, ObjectName};
use holdfast_service::wire::Correspondent;
use holdfast_service::wire::canonical::{Sealed, methods};
use holdfast_service::wire::clock::{Clock, SystemClock};
use tonic::Code;
use tonic::transport::Channel;

const KILLS: usize = 12;
const OBJECT_BYTES: usize = 1_500_000;
const PART_BYTES: usize = 100_000;
const MINER: &str = "miner";

type Blocks = Driver<FileRecorder, NetworkFile>;

fn account(name: &str) -> Account {
    Signer::development(name).account()
}

/// A chain in a directory, with one validator and the miner.
fn blocks(directory: &Path) -> Blocks {
    let simulation = SimulationSettings {
        finality_blocks: NonZeroU64::new(Policy::test().finality_blocks).expect("at least 1"),
        ..SimulationSettings::default()
    };
    let alice = NewNeuron { stake_rao: 1 << 40, validator_permit: true, ..NewNeuron::of(account("alice")) };
    let script = Script { neurons: vec![NewNeuron::of(account(MINER)), alice], events: Vec::new() };
    Driver::in_directory(directory, simulation, NetworkSettings::default(), script).expect("a chain")
}

fn configuration(folder: &Path) -> String {
    let [chain, disk] = ["chain", "disk"].map(|name| folder.join(name).display().to_string());
    format!(
        "policy = \"test\"\n[identity]\ndevelopment_name = \"{MINER}\"\n[chain]\ndirectory = \"{chain}\"\n\
         [server]\nlisten = \"127.0.0.1:0\"\n[[disk]]\ndirectory = \"{disk}\"\nmax = \"64MiB\"\n\
         [allocation]\nwindow = \"32KiB\"\nprofile = \"swift\"\nobject_reserve = 0.8\n[filling]\nthreads = 1\n"
    )
}

/// A miner's process, and where it serves.
struct Process {
    child: Child,
    address: SocketAddr,
}

impl Process {
    fn start(config: &Path) -> Process {
        let mut child = Command::new(env!("CARGO_BIN_EXE_holdfast"))
            .args(["miner", "run", "--config", config.to_str().expect("UTF-8")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("starts");
        let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        let mut told = String::new();
        let address = loop {
            let line = lines.next().unwrap_or_else(|| panic!("it ended: {told}")).expect("reads");
            if let Some((_, address)) = line.split_once(" serves at ") {
                break address.parse().expect("an address");
            }
            told.push_str(&line);
        };
        // Whoever does not read would let it wait.
        std::thread::spawn(move || lines.for_each(drop));
        Process { child, address }
    }
}

/// Without warning, and however a test ends.
impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Peer {
    client: MinerClient<Channel>,
    speaker: Correspondent,
}

impl Peer {
    async fn of(name: &str, process: &Process, network: [u8; 32]) -> Peer {
        let client = MinerClient::connect(format!("http://{}", process.address)).await.expect("connects");
        let signer = Arc::new(Signer::development(name));
        Peer { client, speaker: Correspondent::new(network, signer, Arc::new(SystemClock)) }
    }

    fn sealed<M: Sealed>(&self, method: &'static str, mut message: M) -> M {
        self.speaker.ask(method, account(MINER), &mut message);
        message
    }
}

fn name_of(bytes: &[u8]) -> ObjectName {
    ObjectName { root: blake3::hash(bytes).as_bytes().to_vec().into(), length_bytes: bytes.len() as u64 }
}

fn bytes_of(seed: usize) -> Vec<u8> {
    let mut bytes = vec![0; OBJECT_BYTES];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

/// An upload, in the middle of which the miner dies: after so many parts. True if it was acknowledged all the same.
async fn store_and_kill(
    (alice, owner): (&Peer, &mut Peer),
    process: Process,
    bytes: &[u8],
    after: usize,
) -> bool {
    let now = SystemClock.now_seconds();
    let ticket = Ticket {
        network: alice.speaker.network(),
        validator: account("alice"),
        owner: account("owner"),
        miner: account(MINER),
        root: *blake3::hash(bytes).as_bytes(),
        length_bytes: bytes.len() as u64,
        use_until: now + 600,
        keep_until: now + 86_400,
    };
    let signature = alice.speaker.signer().sign(&ticket.signing_digest());
    let ticket =
        proto::Ticket { ticket: ticket.encode().to_vec().into(), signature: signature.0.to_vec().into() };
    let open = proto::StoreOpen { ticket: Some(ticket), offset_bytes: 0, seal: None };
    let open = owner.sealed(methods::MINER_STORE, open);
    let mut messages = vec![proto::StoreRequest { open: Some(open), part: None }];
    for (at, part) in bytes.chunks(PART_BYTES).enumerate() {
        let part = proto::Part { offset_bytes: (at * PART_BYTES) as u64, bytes: part.to_vec().into() };
        messages.push(proto::StoreRequest { open: None, part: Some(part) });
    }
    let process = Arc::new(Mutex::new(Some(process)));
    let of_parts = Arc::clone(&process);
    let parts = messages.into_iter().enumerate().map(move |(number, message)| {
        if number == after {
            of_parts.lock().expect("no panic").take();
        }
        message
    });
    let durable = owner.client.store(tokio_stream::iter(parts)).await.is_ok();
    // Now at the latest.
    drop(process.lock().expect("no panic").take());
    durable
}

/// The object as the miner gives it, or that there is none.
async fn retrieve(owner: &mut Peer, bytes: &[u8]) -> Option<Vec<u8>> {
    let request =
        proto::RetrieveRequest { object: Some(name_of(bytes)), offset_bytes: 0, length_bytes: 0, seal: None };
    let request = owner.sealed(methods::MINER_RETRIEVE, request);
    let mut stream = match owner.client.retrieve(request).await {
        Ok(stream) => stream.into_inner(),
        Err(status) => {
            assert_eq!(status.code(), Code::NotFound, "{status}");
            return None;
        }
    };
    let mut got = Vec::new();
    while let Some(event) = stream.message().await.expect("goes on") {
        got.extend_from_slice(&event.blocks);
    }
    Some(got)
}

async fn allocation(alice: &mut Peer) -> Option<proto::AllocatedPartition> {
    let request = alice.sealed(methods::MINER_ALLOCATION, proto::AllocationRequest { seal: None });
    let answer = alice.client.allocation(request).await.expect("answers").into_inner();
    answer.partitions.into_iter().next()
}

async fn commitment(alice: &mut Peer, partition_id: u64) -> Commitment {
    let request = proto::CommitmentRequest { partition_id, seal: None };
    let request = alice.sealed(methods::MINER_COMMITMENT, request);
    let mut stream = alice.client.commitment(request).await.expect("answers").into_inner();
    let mut bytes = Vec::new();
    while let Some(part) = stream.message().await.expect("goes on") {
        bytes.extend_from_slice(&part.bytes);
    }
    Commitment::decode(&bytes).expect("a commitment")
}

/// One round and its receipt after `previous`; the miner's word about the receipt.
async fn round(
    alice: &mut Peer,
    blocks: &Blocks,
    commitment: &Commitment,
    previous: [u8; 32],
) -> (Body, String) {
    let policy = Policy::test();
    let head = blocks.chain().head().await.expect("a head");
    let challenge = Challenge::space(commitment, head.hash, head.height, 4, policy.deadline_ms);
    let challenges = vec![challenge.encode().to_vec().into()];
    let request = proto::ChallengeRequest { height: head.height, challenges, seal: None };
    let request = alice.sealed(methods::MINER_CHALLENGE, request);
    let mut stream = alice.client.challenge(request).await.expect("answers").into_inner();
    let mut timeliness = Timeliness::start(&challenge, 0);
    let mut body = Vec::new();
    while let Some(event) = stream.message().await.expect("goes on") {
        assert_eq!(event.refused, "");
        match event.part {
            Some(part) => body.extend_from_slice(&part.bytes),
            None => {
                let digest = event.response_digest.as_ref().try_into().expect("32 bytes");
                let signature = Signature(event.signature.as_ref().try_into().expect("64 bytes"));
                timeliness.digest_came(&digest, &signature, 0).expect("a promise");
            }
        }
    }
    timeliness.body_came(&body, 0).expect("what was promised");
    for _ in 0..policy.finality_blocks {
        blocks.step().expect("a block");
    }
    let receipt =
        Receipt::issue(timeliness.conclude(true, previous), &alice.speaker.network(), alice.speaker.signer());
    let request = proto::CountersignRequest { receipts: vec![receipt.encode().to_vec().into()], seal: None };
    let request = alice.sealed(methods::MINER_COUNTERSIGN, request);
    let answer = alice.client.countersign(request).await.expect("answers").into_inner();
    (receipt.body, answer.receipts[0].refused.clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_miner_that_is_killed_keeps_what_it_acknowledged_and_signs_nothing_twice() {
    let folder = tempfile::tempdir().expect("a directory");
    let blocks = blocks(&folder.path().join("chain"));
    let network = blocks.chain().recorder().network().expect("a network");
    let config = folder.path().join("miner.toml");
    std::fs::write(&config, configuration(folder.path())).expect("writes");

    let mut process = Process::start(&config);
    let mut alice = Peer::of("alice", &process, network).await;
    let filled = async {
        loop {
            if let Some(partition) = allocation(&mut alice).await
                && partition.windows_registered > 0
                && partition.windows_registered == partition.windows_allocated
            {
                return partition.partition_id;
            }
            blocks.step().expect("a block");
        }
    };
    let filled = tokio::time::timeout(Duration::from_secs(300), filled);
    let partition_id = filled.await.expect("is filled and recorded");
    for _ in 0..Policy::test().finality_blocks {
        blocks.step().expect("a block");
    }

    let parts = OBJECT_BYTES.div_ceil(PART_BYTES);
    let (mut acknowledged, mut previous, mut unacknowledged) = (Vec::new(), [0; 32], 0);
    for kill in 0..KILLS {
        let kept = commitment(&mut alice, partition_id).await;
        let (body, refused) = round(&mut alice, &blocks, &kept, previous).await;
        assert_eq!(refused, "", "kill {kill}: the chain goes on");
        let (_, forked) = round(&mut alice, &blocks, &kept, previous).await;
        assert!(forked.starts_with("broken-chain"), "kill {kill}: {forked}");
        previous = body.digest(&network);

        let bytes = bytes_of(kill);
        let mut owner = Peer::of("owner", &process, network).await;
        // Sometimes not at all: then it is killed after the acknowledgement.
        let after = 1 + kill * (parts + 1) / (KILLS - 2);
        let durable = store_and_kill((&alice, &mut owner), process, &bytes, after).await;
        process = Process::start(&config);
        alice = Peer::of("alice", &process, network).await;
        let mut owner = Peer::of("owner", &process, network).await;
        match retrieve(&mut owner, &bytes).await {
            Some(got) => assert_eq!(got, bytes, "kill {kill}: whole"),
            None => assert!(!durable, "kill {kill}: an acknowledged object is lost"),
        }
        if durable {
            acknowledged.push(bytes);
        } else {
            unacknowledged += 1;
        }
        for bytes in &acknowledged {
            assert_eq!(retrieve(&mut owner, bytes).await.as_ref(), Some(bytes), "kill {kill}");
        }
    }
    // Both sides of the moment were met.
    assert!(!acknowledged.is_empty() && unacknowledged > 0, "{} and {unacknowledged}", acknowledged.len());
}
