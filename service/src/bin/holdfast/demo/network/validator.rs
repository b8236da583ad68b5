//! One validator of the demo, and what it thinks of the miners in the end.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use holdfast_engine::signature::Signer;
use holdfast_service::chain::{Chain, Head};
use holdfast_service::connect::Connector;
use holdfast_service::index::{EmbeddedIndex, EmbeddedSettings, Index};
use holdfast_service::listen::{self, Listener};
use holdfast_service::placement::{RebalanceRules, RepairRules};
use holdfast_service::proto::validator_server::ValidatorServer;
use holdfast_service::scoring::ScoringConfig;
use holdfast_service::validator::care::{CareSettings, Keeper};
use holdfast_service::validator::export::Export;
use holdfast_service::validator::holdings::Holdings;
use holdfast_service::validator::judge::Judge;
use holdfast_service::validator::node::{Node, Parts, Settings};
use holdfast_service::validator::peers::Peer;
use holdfast_service::validator::serve::{Care, SERVICE, Service};
use holdfast_service::validator::status::Status;
use holdfast_service::wire::Correspondent;
use holdfast_service::wire::clock::SystemClock;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::service::Routes;

use super::stage::Stage;
use crate::failure::Failure;

/// Tiers that move within twenty rounds.
const SCORING: &str = include_str!("scoring.toml");
/// Real networks wait for hours.
const ABSENT_SECONDS: u64 = 2;

pub(super) struct DemoValidator {
    pub(super) name: &'static str,
    node: Arc<Node>,
    keeper: Arc<Keeper>,
    pieces_made_anew: AtomicU64,
    directory: PathBuf,
    /// Where it serves owners, until it is dropped.
    address: SocketAddr,
    _serves: DropGuard,
}

impl DemoValidator {
    pub(super) async fn open(name: &'static str, stage: &Stage<'_>) -> Result<DemoValidator, Failure> {
        let failed = |error: Box<dyn std::error::Error + Send + Sync>| Failure::work("network", name, error);
        let directory = stage.directory().join(name);
        std::fs::create_dir(&directory).map_err(|error| Failure::file("create", &directory, error))?;
        let index = EmbeddedIndex::open(&directory.join("index"), EmbeddedSettings::default()).await;
        let index: Arc<dyn Index> = Arc::new(index.map_err(|error| failed(error.into()))?);
        let scoring = ScoringConfig::from_toml(SCORING).map_err(|error| failed(error.into()))?;
        let chain = stage.chain();
        let network = chain.ledger()?.settings().network;
        let care = CareSettings {
            repair: RepairRules {
                absent_seconds: ABSENT_SECONDS,
                failed_audits: 1,
                ..RepairRules::default()
            },
            // Nothing moves as long as nobody fails.
            rebalance: RebalanceRules { start_percent: 100, ..RebalanceRules::default() },
            scoring: scoring.clone(),
            // Miners are asked with every block.
            allocation_age_ms: 0,
            process: name.to_owned(),
            workshop: directory.clone(),
            ..CareSettings::default()
        };
        let settings = Settings {
            scoring,
            anchor_after_blocks: 2,
            tempo_blocks: 5,
            ping_every_blocks: 1,
            retrieve_every_blocks: 0,
            ..Settings::new(stage.policy.clone(), name)
        };
        let signer = Arc::new(Signer::development(name));
        let correspondent = Arc::new(Correspondent::new(network, signer, Arc::new(SystemClock)));
        let chain: Arc<dyn Chain> = Arc::new(chain);
        let keeper = Keeper::new(
            care,
            Arc::clone(&chain),
            Arc::clone(&index),
            Arc::clone(&correspondent),
            Connector::plain(),
            Arc::default(),
        );
        let node = Node::open(Parts {
            settings,
            chain,
            index,
            holdings: Arc::clone(&keeper) as Arc<dyn Holdings>,
            correspondent,
            connector: Connector::plain(),
            judge: Judge::new(stage.machine.backend, Arc::clone(&stage.machine.pool)),
            metrics: Arc::default(),
        });
        let node = node.await.map_err(|error| failed(error.into()))?;
        let (address, serves) =
            serve(Service::new(Arc::clone(&node), Some(Arc::clone(&keeper) as Arc<dyn Care>)))
                .await
                .map_err(|error| failed(error.into()))?;
        let pieces_made_anew = AtomicU64::new(0);
        Ok(DemoValidator { name, node, keeper, pieces_made_anew, directory, address, _serves: serves })
    }

    /// Where owners find it.
    pub(super) fn peer(&self) -> Peer {
        Peer { account: self.node.account(), endpoint: self.address }
    }

    pub(super) fn network(&self) -> [u8; 32] {
        self.node.correspondent().network()
    }

    /// Pieces that it had made anew so far.
    pub(super) fn pieces_made_anew(&self) -> u64 {
        self.pieces_made_anew.load(Ordering::Relaxed)
    }

    /// Does all that a block asks for.
    pub(super) async fn follow(&self, head: Head) -> Result<(), Failure> {
        self.node.on_head(head).await.map_err(|error| Failure::work("network", self.name, error))?;
        self.node.idle().await;
        let tended = self.keeper.tend().await;
        let tended = tended.map_err(|error| Failure::work("network", self.name, error))?;
        self.pieces_made_anew.fetch_add(tended.rebuilt_pieces, Ordering::Relaxed);
        Ok(())
    }

    pub(super) async fn status(&self) -> Result<Status, Failure> {
        self.node.status().await.map_err(|error| Failure::work("network", self.name, error))
    }

    /// Exports all that is final, and says how many receipts that are.
    pub(super) async fn export(&self) -> Result<(PathBuf, u64), Failure> {
        let directory = self.directory.join("export");
        let failed = |error| Failure::work("network", self.name, error);
        let mut export = Export::open(self.node.export_source(), &directory).await.map_err(failed)?;
        let exported = export.advance().await.map_err(failed)?;
        Ok((directory, exported.receipts))
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }
}

/// Serves on any port until the guard is dropped.
async fn serve(service: Service) -> Result<(SocketAddr, DropGuard), listen::ListenError> {
    let listener = Listener::bind(&listen::Settings::at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))).await?;
    let (address, end) = (listener.address(), CancellationToken::new());
    let ended = end.clone().cancelled_owned();
    let routes = Routes::new(ValidatorServer::new(service));
    // Whatever ends it: the owners see that nobody answers.
    tokio::spawn(async move { listener.serve(routes, &[SERVICE], ended).await });
    Ok((address, end.drop_guard()))
}
