//! An owner who has a file in two pieces, and tokens to ask its miners for every byte.

use std::time::Duration;

use bytes::Bytes;
use holdfast_engine::possession::record::ObjectRecord;
use holdfast_engine::possession::token::{Token, TokenChallenge};
use holdfast_service::chain::Head;
use holdfast_service::client::{Client, PutOptions, WholeAudit, WholeOptions, WholeOutcome};
use holdfast_service::miner::limits::Limits;
use holdfast_service::validator::collect::Asker;
use holdfast_service::validator::peers::{Peer, Peers};
use holdfast_tests::tokens::{PieceTokens, token_challenge};
use tokio_stream::StreamExt;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::disk::RealMiner;
use super::files::{SEGMENT_BYTES, options, try_put};
use super::scene::{Scene, account, bytes_of};

pub(crate) const FILE_BYTES: usize = 300_000;
/// The name of the owner.
pub(crate) const OWNER: &str = "owner";
const TOKENS: u32 = 2;
/// Long enough for a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The owner of a file with tokens.
pub(crate) struct Owner<'a> {
    scene: &'a Scene,
    pub(crate) client: Client,
    /// The root of its file.
    pub(crate) file: [u8; 32],
}

/// What a miner answers to one challenge.
#[derive(Debug, Default)]
pub(crate) struct Answered {
    /// Why not, for people and for programs.
    pub(crate) refused: String,
    pub(crate) reason: String,
    pub(crate) body: Vec<u8>,
}

impl Owner<'_> {
    /// Stores the file, once the validator knows the miners.
    pub(crate) async fn new(scene: &Scene, tokens: u32) -> Owner<'_> {
        Owner::at(scene, scene.owner(OWNER), tokens).await
    }

    /// The same by somebody else's validator.
    pub(crate) async fn at(scene: &Scene, client: Client, tokens: u32) -> Owner<'_> {
        scene.step().await;
        let with_tokens = PutOptions { tokens, ..options("replicate-2", SEGMENT_BYTES) };
        let stored = try_put(&client, &bytes_of(FILE_BYTES, 1), with_tokens).await.expect("stores");
        Owner { scene, client, file: stored.root }
    }

    /// The same, with records that are settled.
    pub(crate) async fn settled(scene: &Scene) -> Owner<'_> {
        let owner = Owner::new(scene, TOKENS).await;
        scene.pass_record_heights();
        owner
    }

    /// Asks for every byte of all pieces.
    pub(crate) async fn audit(&self) -> Vec<WholeAudit> {
        self.client.audit_whole(&self.file, whole_options(self.scene)).await.expect("asks")
    }

    /// What it keeps of a piece.
    pub(crate) fn tokens(&self, shard: u8) -> PieceTokens {
        PieceTokens::read(&self.scene.folder.path().join(format!("{OWNER}.state")), &self.file, shard)
    }

    /// Its tokens of the piece that a miner has.
    pub(crate) fn tokens_at(&self, miner: &RealMiner) -> PieceTokens {
        let mut pieces = (0..2).map(|shard| self.tokens(shard));
        pieces.find(|tokens| tokens.record.record.miner == miner.account()).expect("has a piece")
    }

    /// A challenge by hand.
    pub(crate) fn challenge(
        &self,
        record: &ObjectRecord,
        head: &Head,
        token: (u64, &Token),
    ) -> TokenChallenge {
        let block = (head.hash, head.height);
        token_challenge(record, account(OWNER), block, &self.scene.policy, token)
    }
}

/// Asks a miner in somebody's name.
pub(crate) async fn ask(peers: &Peers, miner: Peer, challenge: &TokenChallenge) -> Result<Answered, Status> {
    let (height, bytes) = (challenge.challenge().height, Bytes::copy_from_slice(&challenge.encode()));
    let mut events = peers.challenge(&miner.account, miner.endpoint, height, vec![bytes]).await?;
    let mut answered = Answered::default();
    while let Some(event) = events.next().await {
        let event = event?;
        answered.refused.push_str(&event.refused);
        answered.reason.push_str(&event.reason);
        answered.body.extend(event.part.into_iter().flat_map(|part| part.bytes));
    }
    Ok(answered)
}

/// Whoever passed, by miner.
pub(crate) fn accepted(audits: &[WholeAudit]) -> Vec<bool> {
    audits.iter().map(|audit| matches!(audit.outcome, WholeOutcome::Accepted { .. })).collect()
}

pub(crate) fn whole_options(scene: &Scene) -> WholeOptions {
    let (policy, stop) = (scene.policy.clone(), CancellationToken::new());
    WholeOptions { policy, patience: PATIENCE, stop }
}

/// Miners that rest no time between two reads.
pub(crate) async fn restless(scene: &Scene, name: &str) -> RealMiner {
    let miner = RealMiner::start(scene, name, Limits { whole_pause_ms: 0, ..Limits::default() }).await;
    scene.register(miner.account(), miner.server.address);
    miner
}
