//! Storing a file.

mod committing;
mod journal;
mod segment;

use std::fmt;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use holdfast_engine::object::Address;
use holdfast_engine::possession::Replica;
use holdfast_engine::possession::record::ObjectRecord;
use holdfast_engine::rejection::{Class, Rejection};

use super::library::PutDirectory;
use super::spool::{Plan, spool};
use super::tokens::TokenDirectory;
use super::{Client, ClientError, Watch, blocking};
use crate::encryption::Recipients;
use crate::pieces::{Holder, Manifest, ManifestError, Piece, Policy, Segment};
use crate::proto::{self, PingRequest, RegisterRequest};
use crate::validator::peers::PeerError;
use crate::wire::status::class_of;
use journal::Journal;

pub use committing::CommitCost;

/// Records name the height of the newest block and so many more: the validator has as long to record their digests.
const RECORD_BLOCKS: u64 = 20;
/// How often a registration is tried whose records came too late.
const REGISTERED_TRIES: usize = 3;

/// Segment and shard of a piece, and its record.
type OfPiece = ((u32, u8), ObjectRecord);

/// How a file is stored.
pub struct PutOptions {
    /// Its name, for the owner alone; at most 4,096 bytes.
    pub name: String,
    /// How it is coded.
    pub policy: Policy,
    /// Who can decrypt it; `None` stores it as it is, for everybody who is given its pieces.
    pub recipients: Option<Recipients>,
    /// How long it is to be kept, in seconds.
    pub keep_seconds: u64,
    /// Whether miners are to commit to their pieces, so that whole blocks are audited and nothing of them is shown. That is checked
    /// before the validator takes the file into its care, and takes the miners long: minutes a GiB.
    pub commit: bool,
    /// Sealed tokens that are made of each piece, each of which asks its miner once whether it has every byte ([`Client::audit_whole`]).
    /// A token costs a hash of all bytes; 0 makes none.
    pub tokens: u32,
    /// Who is told how far it is.
    pub watch: Arc<dyn Watch>,
}

impl fmt::Debug for PutOptions {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "PutOptions({:?}, {}, {:?})", self.name, self.policy, self.recipients)
    }
}

/// A file that is stored, and in a validator's care.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Root of what is stored: the file's address.
    pub root: [u8; 32],
    /// Everything that must be known to get it back, but the keys. The validator has it, too, without the private part.
    pub manifest: Manifest,
    /// What it cost to have the pieces committed to, if that was asked for.
    pub commit: Option<CommitCost>,
}

impl Stored {
    /// The address.
    pub fn address(&self) -> Address {
        Address::Blake3(self.root)
    }
}

impl Client {
    /// Stores what a source gives, of any length. The source is read once, to its end, before anything leaves; it takes as much space in the
    /// state directory as the encrypted file has. A put that fails later can be resumed, also by another process.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn put(
        &self,
        source: impl Read + Send + 'static,
        options: PutOptions,
    ) -> Result<Stored, ClientError> {
        let expires_at = self.now_seconds().saturating_add(options.keep_seconds);
        let (library, watch) = (self.library.clone(), Arc::clone(&options.watch));
        let (put, plan) =
            blocking("reading what is to be stored", move || spool(&library, source, &options, expires_at))
                .await?;
        self.finish_put(put, plan, &watch).await
    }

    /// Goes on with a put that was interrupted after its source had been read.
    ///
    /// # Errors
    /// [`ClientError::NoSuchPut`] and others.
    pub async fn resume_put(&self, root: &[u8; 32], watch: Arc<dyn Watch>) -> Result<Stored, ClientError> {
        let put = self.library.resume_put(root)?;
        let plan = Plan::read(&put)?;
        self.finish_put(put, plan, &watch).await
    }

    /// Roots of the puts that can be resumed.
    ///
    /// # Errors
    /// [`ClientError::File`].
    pub fn interrupted_puts(&self) -> Result<Vec<[u8; 32]>, ClientError> {
        self.library.interrupted_puts()
    }

    async fn finish_put(
        &self,
        put: PutDirectory,
        plan: Plan,
        watch: &Arc<dyn Watch>,
    ) -> Result<Stored, ClientError> {
        let expires_at = plan.manifest.expires_at().unwrap_or(u64::MAX);
        if expires_at <= self.now_seconds() {
            return Err(ClientError::Expired { expires_at });
        }
        let mut journal = Journal::open(&put.path, self.now_seconds())?;
        let plan = Arc::new(plan);
        watch.expect(plan.moved_bytes());
        for segment in 0..plan.segment_count() {
            self.put_segment(&put, &plan, segment, &mut journal, watch).await?;
        }
        let commit = match plan.commit {
            true => Some(self.commit_pieces(&put, &plan, &mut journal, watch).await?),
            false => None,
        };
        if plan.tokens > 0 {
            self.make_tokens(&put, &plan).await?;
        }
        let manifest = plan.with_holders(&journal)?;
        // Before the validator has it: whatever happens next, it can be found again.
        self.library.keep(&manifest)?;
        let tokens = (plan.tokens > 0).then(|| self.tokens_of(&plan.manifest.ciphertext().root));
        self.register((&manifest, tokens), &journal).await?;
        put.delete()?;
        Ok(Stored { root: manifest.ciphertext().root, manifest, commit })
    }

    /// Makes the tokens of all pieces, which are in the library before anything is signed of them.
    async fn make_tokens(&self, put: &PutDirectory, plan: &Arc<Plan>) -> Result<(), ClientError> {
        for segment in 0..plan.segment_count() {
            let (ciphertext, plan) = (ciphertext_path(put), Arc::clone(plan));
            let tokens = self.tokens_of(&plan.manifest.ciphertext().root);
            blocking("making tokens", move || tokens.make(&ciphertext, &plan, segment)).await?;
        }
        Ok(())
    }

    pub(super) fn tokens_of(&self, file: &[u8; 32]) -> TokenDirectory {
        TokenDirectory::at(self.library.tokens_path(file))
    }

    async fn register(
        &self,
        (manifest, tokens): (&Manifest, Option<TokenDirectory>),
        journal: &Journal,
    ) -> Result<(), ClientError> {
        let acknowledgement = |acknowledged: &journal::Acknowledged| proto::Acknowledgement {
            miner: acknowledged.miner.0.to_vec().into(),
            response: Some(acknowledged.response.clone()),
        };
        let acknowledgements: Vec<_> = journal.acknowledged().map(acknowledgement).collect();
        let mut tries = 0;
        loop {
            tries += 1;
            let head = self.peers.ping_validator(self.validator, PingRequest::default()).await?.head;
            let head = head.ok_or_else(|| Class::Malformed.because("no height in an answer to a ping"))?;
            let height = head.height.saturating_add(RECORD_BLOCKS);
            let records = self.records(manifest, journal, height)?;
            let request = RegisterRequest {
                manifest: manifest.for_repair().encode().to_vec().into(),
                acknowledgements: acknowledgements.clone(),
                records: self.sign(records, tokens.clone()).await?,
                seal: None,
            };
            match self.peers.register(self.validator, request).await {
                // Blocks came faster than the request.
                Err(PeerError::Status { status, .. })
                    if class_of(&status) == Some(Class::WrongRecord) && tries < REGISTERED_TRIES => {}
                registered => return Ok(registered.map(drop)?),
            }
        }
    }

    /// A record of each piece: that the miner acknowledged these bytes and, where that was checked, what it committed to.
    fn records(
        &self,
        manifest: &Manifest,
        journal: &Journal,
        height: u64,
    ) -> Result<Vec<OfPiece>, Rejection> {
        let mut records = Vec::new();
        for (number, segment) in (0_u32..).zip(manifest.segments()) {
            let length = manifest.layout().segment(number.into()).map_or(0, |segment| segment.shard_bytes());
            for (shard, piece) in (0..).zip(&segment.pieces) {
                let Some(Holder { miner, root }) = piece.holder else { continue };
                let record = ObjectRecord {
                    replica: Replica::new(root, length, 0)?,
                    height,
                    network: self.peers.correspondent().network(),
                    miner,
                    checker: self.account(),
                    table_root: journal.table_root((number, shard)),
                    tokens: None,
                };
                records.push(((number, shard), record));
            }
        }
        Ok(records)
    }

    /// Signs records, with the lists of tokens if there are any.
    async fn sign(
        &self,
        records: Vec<OfPiece>,
        tokens: Option<TokenDirectory>,
    ) -> Result<Vec<bytes::Bytes>, ClientError> {
        let signer = Arc::clone(self.peers.correspondent().signer());
        blocking("signing records", move || {
            let sign = |(place, record): OfPiece| {
                let signed = match &tokens {
                    None => record.sign(&signer),
                    Some(tokens) => tokens.sign(place, record, &signer)?,
                };
                Ok(signed.encode().to_vec().into())
            };
            records.into_iter().map(sign).collect()
        })
        .await
    }

    pub(super) fn now_seconds(&self) -> u64 {
        self.peers.correspondent().clock().now_seconds()
    }
}

impl Plan {
    fn segment_count(&self) -> u32 {
        u32::try_from(self.roots.len()).expect("a manifest has at most 2^32 − 1 segments")
    }

    /// Bytes of all pieces.
    fn moved_bytes(&self) -> u64 {
        let layout = self.manifest.layout();
        let segments = (0..layout.segment_count()).filter_map(|number| layout.segment(number));
        let shards = u64::from(self.manifest.policy().shards());
        segments.map(|segment| segment.shard_bytes().saturating_mul(shards)).sum()
    }

    /// The manifest with those who acknowledged.
    fn with_holders(&self, journal: &Journal) -> Result<Manifest, ClientError> {
        let manifest = &self.manifest;
        let mut segments: Vec<Segment> = Vec::with_capacity(self.roots.len());
        for (number, (segment, roots)) in (0..).zip(manifest.segments().iter().zip(&self.roots)) {
            let held = |((shard, piece), root): ((u8, &Piece), &[u8; 32])| Piece {
                holder: journal.holder(number, shard).map(|miner| Holder { miner, root: *root }),
                ..*piece
            };
            segments.push(Segment { pieces: (0..).zip(&segment.pieces).zip(roots).map(held).collect() });
        }
        let secret = manifest.secret().clone();
        let (private, ciphertext) = (manifest.private().cloned(), manifest.ciphertext());
        let made =
            Manifest::new(private, ciphertext, manifest.policy(), secret, manifest.expires_at(), segments);
        Ok(made.map_err(ManifestError::Rejected)?)
    }
}

/// Where the ciphertext of a put is.
fn ciphertext_path(put: &PutDirectory) -> std::path::PathBuf {
    Path::new(&put.path).join(super::library::CIPHERTEXT)
}
