//! A miner on a socket, with filled shares for two validators, and who talks to it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use holdfast_engine::commitment::Commitment;
use holdfast_engine::jobs::control::Control;
use holdfast_engine::jobs::fill::fill;
use holdfast_engine::message::Ticket;
use holdfast_engine::policy::Policy;
use holdfast_engine::possession::Replica;
use holdfast_engine::possession::record::{ObjectRecord, SignedRecord};
use holdfast_engine::recorder::{FileRecorder, Recorder, Simulation};
use holdfast_engine::signature::Signer;
use holdfast_partition::io::IoChoice;
use holdfast_partition::partition_file::OpenMode;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::transport::{Channel, Endpoint};
use tonic::{Status, Streaming};

use crate::index::{EmbeddedIndex, EmbeddedSettings};
use crate::listen::{Listener, Settings};
use crate::local::allocation::NamedAccount;
use crate::local::commit;
use crate::local::disks::{Disk, RECORDER_NAME};
use crate::local::fixture::allocated;
pub(super) use crate::local::fixture::console;
use crate::local::machine::Machine;
use crate::local::objects::ObjectDirectory;
use crate::local::recording::Registrar;
use crate::miner::limits::Limits;
use crate::miner::{Miner, Parts, SERVICE, Validators};
use crate::proto::miner_client::MinerClient;
use crate::proto::{self, ObjectName};
use crate::wire::Correspondent;
use crate::wire::canonical::methods;
use crate::wire::clock::{Clock, ManualClock};

pub(super) const MINER: &str = "miner";
pub(super) const VALIDATORS: [(&str, u64); 2] = [("alice", 3_000_000_000_000), ("bob", 1_000_000_000_000)];
pub(super) const NOW_SECONDS: u64 = 1_900_000_000;
/// Room for objects beside the windows of each share.
const OBJECT_BYTES: u64 = 8 << 20;

/// What outlives a miner's process: its disk, the chain, its index.
pub(super) struct Ground {
    pub(super) folder: TempDir,
    pub(super) policy: Policy,
    pub(super) clock: Arc<ManualClock>,
    pub(super) limits: Limits,
    pub(super) disk_name: &'static str,
}

impl Ground {
    /// A directory that is allocated, filled and recorded.
    pub(super) fn new() -> Ground {
        let folder = tempfile::tempdir().expect("a directory");
        let policy = Policy::test();
        let clock = Arc::new(ManualClock::at(NOW_SECONDS * 1000));
        let ground = Ground { folder, policy, clock, limits: Limits::default(), disk_name: "disk" };
        ground.allocate();
        ground
    }

    pub(super) fn disk_path(&self) -> PathBuf {
        self.folder.path().join(self.disk_name)
    }

    pub(super) fn recorder(&self) -> FileRecorder {
        FileRecorder::open(self.disk_path().join(RECORDER_NAME)).expect("a recorder")
    }

    pub(super) fn disk(&self) -> Disk {
        Disk::open(&self.disk_path()).expect("allocated")
    }

    fn allocate(&self) {
        let path = self.disk_path();
        let miner = NamedAccount::parse(MINER, &console()).expect("a name");
        let (disk, chain) = allocated(&path, &miner, &VALIDATORS, (&self.policy, 16 << 20));
        let machine = Machine::of_this_host(Some(1)).expect("a machine");
        for partition in &disk.manifest.partitions {
            let file = disk.open_file(partition, OpenMode::ReadWrite, IoChoice::Pread).expect("opens");
            let options = machine.fill_options(&disk.path(partition), &Default::default());
            fill(&file, &options, &Control::default(), &()).expect("fills");
            file.close().expect("closes");
        }
        commit::record_batches(&disk, Registrar { recording: &chain, miner: &miner }).expect("records");
        chain.advance(self.policy.finality_blocks).expect("advances");
        let objects = ObjectDirectory::open(&path).expect("opens");
        for (place, partition) in disk.manifest.partitions.iter().enumerate() {
            let shelf = objects.open_or_create(objects.beside(place).expect("a partition")).expect("a store");
            shelf.objects.store().set_budget(partition.size_bytes + OBJECT_BYTES).expect("has room");
        }
    }

    /// Starts the miner on what is there.
    pub(super) async fn start(&self) -> Running {
        let path = self.folder.path().join("index");
        let index = EmbeddedIndex::open(&path, EmbeddedSettings::default()).await.expect("an index");
        let miner = Miner::open(Parts {
            signer: Arc::new(Signer::development(MINER)),
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            recorder: Arc::new(self.recorder()),
            index: Arc::new(index),
            policy: self.policy.clone(),
            machine: Machine::of_this_host(Some(1)).expect("a machine"),
            directories: vec![self.disk_path()],
            limits: self.limits.clone(),
            validators: Validators::of(
                VALIDATORS.map(|(name, stake)| (Signer::development(name).account(), stake)),
            ),
            metrics: Arc::default(),
            workers: None,
        })
        .await
        .expect("opens");
        let settings = Settings::at(SocketAddr::from(([127, 0, 0, 1], 0)));
        let listener = Listener::bind(&settings).await.expect("binds");
        let address = listener.address();
        let (stop, stopped) = oneshot::channel::<()>();
        let routes = miner.routes(settings.message_bytes);
        let served = tokio::spawn(async move {
            let shutdown = async {
                let _ = stopped.await;
            };
            listener.serve(routes, &[SERVICE], shutdown).await.expect("a clean end");
        });
        Running { miner, address, stop, served }
    }
}

/// A miner that serves.
pub(super) struct Running {
    pub(super) miner: Arc<Miner>,
    pub(super) address: SocketAddr,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

impl Running {
    /// Somebody who talks to the miner.
    pub(super) async fn peer(&self, ground: &Ground, name: &str) -> Peer {
        let channel = Endpoint::from_shared(format!("http://{}", self.address)).expect("an address");
        let client = MinerClient::new(channel.connect().await.expect("connects"));
        let network = self.miner.correspondent.network();
        let signer = Arc::new(Signer::development(name));
        let speaker = Correspondent::new(network, signer, Arc::clone(&ground.clock) as Arc<dyn Clock>);
        Peer { client, speaker, miner: self.miner.account() }
    }

    /// Ends the miner and everything that it holds.
    pub(super) async fn end(self) {
        let Running { miner, stop, served, .. } = self;
        let _ = stop.send(());
        served.await.expect("no panic");
        // Streams that were going on hold it for a moment more.
        let mut miner = Some(miner);
        while let Some(held) = miner.take() {
            miner = Arc::try_unwrap(held).err();
            tokio::task::yield_now().await;
        }
    }
}

/// One who talks to a miner.
pub(super) struct Peer {
    pub(super) client: MinerClient<Channel>,
    pub(super) speaker: Correspondent,
    pub(super) miner: holdfast_engine::account::Account,
}

impl Peer {
    /// A ticket of this peer's for bytes of somebody's.
    pub(super) fn ticket(&self, owner: &Peer, bytes: &[u8]) -> Ticket {
        Ticket {
            network: self.speaker.network(),
            validator: self.speaker.account(),
            owner: owner.speaker.account(),
            miner: self.miner,
            root: *blake3::hash(bytes).as_bytes(),
            length_bytes: bytes.len() as u64,
            use_until: NOW_SECONDS + 600,
            keep_until: NOW_SECONDS + 86_400,
        }
    }

    pub(super) fn sign(&self, ticket: &Ticket) -> proto::Ticket {
        let signature = self.speaker.signer().sign(&ticket.signing_digest());
        proto::Ticket { ticket: ticket.encode().to_vec().into(), signature: signature.0.to_vec().into() }
    }

    /// The messages of an upload from an offset on.
    pub(super) fn upload(
        &self,
        ticket: &proto::Ticket,
        bytes: &[u8],
        offset: usize,
    ) -> Vec<proto::StoreRequest> {
        let mut open =
            proto::StoreOpen { ticket: Some(ticket.clone()), offset_bytes: offset as u64, seal: None };
        self.speaker.ask(methods::MINER_STORE, self.miner, &mut open);
        let mut messages = vec![proto::StoreRequest { open: Some(open), part: None }];
        for (at, part) in bytes[offset..].chunks(100_000).enumerate() {
            let offset_bytes = (offset + at * 100_000) as u64;
            let part = proto::Part { offset_bytes, bytes: part.to_vec().into() };
            messages.push(proto::StoreRequest { open: None, part: Some(part) });
        }
        messages
    }

    pub(super) async fn store(
        &mut self,
        ticket: &proto::Ticket,
        bytes: &[u8],
    ) -> Result<proto::StoreResponse, Status> {
        let messages = self.upload(ticket, bytes, 0);
        Ok(self.client.store(tokio_stream::iter(messages)).await?.into_inner())
    }

    /// How many bytes are kept of an upload, and whether that is all.
    pub(super) async fn progress(&mut self, ticket: &proto::Ticket) -> (u64, bool) {
        let mut request = proto::StoreProgressRequest { ticket: Some(ticket.clone()), seal: None };
        self.speaker.ask(methods::MINER_STORE_PROGRESS, self.miner, &mut request);
        let progress = self.client.store_progress(request).await.expect("answers").into_inner();
        (progress.kept_bytes, progress.complete)
    }

    pub(super) async fn retrieve(
        &mut self,
        bytes: &[u8],
        offset: u64,
        length: u64,
    ) -> Result<Vec<u8>, Status> {
        let mut request = proto::RetrieveRequest {
            object: Some(name_of(bytes)),
            offset_bytes: offset,
            length_bytes: length,
            seal: None,
        };
        self.speaker.ask(methods::MINER_RETRIEVE, self.miner, &mut request);
        let stream = self.client.retrieve(request).await?.into_inner();
        checked_blocks(stream, blake3::hash(bytes).as_bytes(), bytes.len() as u64).await
    }

    pub(super) async fn delete(&mut self, bytes: &[u8]) -> Result<u64, Status> {
        let mut request = proto::DeleteRequest { object: Some(name_of(bytes)), seal: None };
        self.speaker.ask(methods::MINER_DELETE, self.miner, &mut request);
        Ok(self.client.delete(request).await?.into_inner().freed_bytes)
    }

    /// What an owner says of bytes that a validator's miner keeps.
    pub(super) fn record(&self, bytes: &[u8], height: u64) -> ObjectRecord {
        let length = bytes.len() as u64;
        ObjectRecord {
            replica: Replica::new(*blake3::hash(bytes).as_bytes(), length, 0).expect("a replica"),
            height,
            network: self.speaker.network(),
            miner: self.miner,
            checker: self.speaker.account(),
            table_root: None,
            tokens: None,
        }
    }

    pub(super) async fn keep_record(&mut self, record: &SignedRecord) -> Result<(), Status> {
        let mut request = proto::KeepRecordRequest { record: record.encode().to_vec().into(), seal: None };
        self.speaker.ask(methods::MINER_KEEP_RECORD, self.miner, &mut request);
        self.client.keep_record(request).await.map(drop)
    }

    pub(super) async fn commitment(&mut self) -> Result<Commitment, Status> {
        let mut request = proto::AllocationRequest { seal: None };
        self.speaker.ask(methods::MINER_ALLOCATION, self.miner, &mut request);
        let allocation = self.client.allocation(request).await?.into_inner();
        let partition = allocation.partitions.first().expect("a share");
        let mut request = proto::CommitmentRequest { partition_id: partition.partition_id, seal: None };
        self.speaker.ask(methods::MINER_COMMITMENT, self.miner, &mut request);
        let mut stream = self.client.commitment(request).await?.into_inner();
        let mut bytes = Vec::new();
        while let Some(part) = stream.message().await? {
            assert_eq!(part.offset_bytes, bytes.len() as u64);
            bytes.extend_from_slice(&part.bytes);
        }
        assert_eq!(bytes.len() as u64, partition.commitment_bytes);
        Ok(Commitment::decode(&bytes).expect("a commitment"))
    }

    /// The events of a round, by place: promises, bodies, refusals.
    pub(super) async fn challenge(
        &mut self,
        height: u64,
        challenges: &[Vec<u8>],
    ) -> Result<Vec<Got>, Status> {
        let challenges_bytes = challenges.iter().map(|bytes| bytes.clone().into()).collect();
        let mut request = proto::ChallengeRequest { height, challenges: challenges_bytes, seal: None };
        self.speaker.ask(methods::MINER_CHALLENGE, self.miner, &mut request);
        let mut stream = self.client.challenge(request).await?.into_inner();
        let mut got: Vec<Got> = challenges.iter().map(|_| Got::default()).collect();
        while let Some(event) = stream.message().await? {
            let of_place = &mut got[event.place as usize];
            if !event.refused.is_empty() {
                of_place.refused = event.refused;
            } else if let Some(part) = event.part {
                assert_eq!(part.offset_bytes, of_place.body.len() as u64);
                of_place.body.extend_from_slice(&part.bytes);
                of_place.complete = event.last;
            } else {
                of_place.digest = event.response_digest.to_vec();
                of_place.signature = event.signature.to_vec();
            }
        }
        Ok(got)
    }

    pub(super) async fn countersign(
        &mut self,
        receipts: &[Vec<u8>],
    ) -> Result<Vec<proto::CountersignedReceipt>, Status> {
        let receipts = receipts.iter().map(|bytes| bytes.clone().into()).collect();
        let mut request = proto::CountersignRequest { receipts, seal: None };
        let asked = self.speaker.ask(methods::MINER_COUNTERSIGN, self.miner, &mut request);
        let response = self.client.countersign(request).await?.into_inner();
        self.speaker.hear_answer(&asked, &response).expect("is the miner's");
        Ok(response.receipts)
    }
}

/// What came of one challenge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Got {
    pub(super) digest: Vec<u8>,
    pub(super) signature: Vec<u8>,
    pub(super) body: Vec<u8>,
    pub(super) complete: bool,
    pub(super) refused: String,
}

pub(super) fn name_of(bytes: &[u8]) -> ObjectName {
    ObjectName { root: blake3::hash(bytes).as_bytes().to_vec().into(), length_bytes: bytes.len() as u64 }
}

/// Bytes with a pattern that no two blocks share.
pub(super) fn bytes_of(length: usize, seed: u8) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().update(&[seed]).finalize_xof().fill(&mut bytes);
    bytes
}

/// The joined blocks of a retrieval, each checked against the root.
async fn checked_blocks(
    mut stream: Streaming<proto::RetrieveEvent>,
    root: &[u8; 32],
    length: u64,
) -> Result<Vec<u8>, Status> {
    use holdfast_engine::tree::{BLOCK_BYTES, block_value, verify_page};
    let mut bytes = Vec::new();
    while let Some(event) = stream.message().await? {
        if event.page.is_empty() {
            assert_eq!(blake3::hash(&event.blocks).as_bytes(), root, "a lone block");
        } else {
            let page = event.page.as_ref().try_into().expect("a page");
            let values = verify_page(page, event.group, length, root).expect("is under the root");
            let first = event.offset_bytes / BLOCK_BYTES as u64;
            for (block, bytes) in (first..).zip(event.blocks.chunks(BLOCK_BYTES)) {
                let place = usize::try_from(block % 64).expect("fits");
                assert_eq!(block_value(block, bytes), values[place], "block {block}");
            }
        }
        bytes.extend_from_slice(&event.blocks);
    }
    Ok(bytes)
}

/// A copy of a directory's files, for comparing what is there before and after.
pub(super) fn names_under(path: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(path).expect("reads") {
        let entry = entry.expect("reads");
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    names
}

/// Height of the newest block and its beacon.
pub(super) fn newest(recorder: &dyn Recorder) -> (u64, [u8; 32]) {
    let height = recorder.height().expect("a height");
    (height, recorder.beacon(height).expect("reads").expect("a beacon"))
}
