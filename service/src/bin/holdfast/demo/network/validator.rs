//! One validator of the demo, and what it thinks of the miners in the end.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use holdfast_engine::receipt::encode_chain_header;
use holdfast_engine::signature::Signer;
use holdfast_service::chain::Head;
use holdfast_service::connect::Connector;
use holdfast_service::index::{EmbeddedIndex, EmbeddedSettings, Index};
use holdfast_service::scoring::ScoringConfig;
use holdfast_service::validator::holdings::MemoryHoldings;
use holdfast_service::validator::judge::Judge;
use holdfast_service::validator::node::{Node, Parts, Settings};
use holdfast_service::validator::status::Status;
use holdfast_service::wire::Correspondent;
use holdfast_service::wire::clock::SystemClock;

use super::stage::Stage;
use crate::failure::Failure;

const RECEIPTS_WAITING: usize = 64;
/// Tiers that move within twenty rounds.
const SCORING: &str = include_str!("scoring.toml");

pub(super) struct DemoValidator {
    pub(super) name: &'static str,
    node: Arc<Node>,
    directory: PathBuf,
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
        let settings = Settings {
            scoring,
            anchor_after_blocks: 2,
            tempo_blocks: 5,
            ping_every_blocks: 1,
            retrieve_every_blocks: 0,
            ..Settings::new(stage.policy.clone(), name)
        };
        let signer = Arc::new(Signer::development(name));
        let node = Node::open(Parts {
            settings,
            chain: Arc::new(chain),
            index,
            holdings: Arc::new(MemoryHoldings::default()),
            correspondent: Arc::new(Correspondent::new(network, signer, Arc::new(SystemClock))),
            connector: Connector::plain(),
            judge: Judge::new(stage.machine.backend, Arc::clone(&stage.machine.pool)),
            metrics: Arc::default(),
        });
        Ok(DemoValidator { name, node: node.await.map_err(|error| failed(error.into()))?, directory })
    }

    /// Does all that a block asks for.
    pub(super) async fn follow(&self, head: Head) -> Result<(), Failure> {
        self.node.on_head(head).await.map_err(|error| Failure::work("network", self.name, error))?;
        self.node.idle().await;
        Ok(())
    }

    pub(super) async fn status(&self) -> Result<Status, Failure> {
        self.node.status().await.map_err(|error| Failure::work("network", self.name, error))
    }

    /// Writes all receipts to a chain file, and says how many.
    pub(super) async fn write_receipts(&self) -> Result<(PathBuf, u64), Failure> {
        let path = self.directory.join("receipts.chain");
        let failed = |error| Failure::file("write to", &path, error);
        let mut file = File::create(&path).map_err(failed)?;
        file.write_all(&encode_chain_header(&self.node.correspondent().network())).map_err(failed)?;
        let (sender, mut receipts) = tokio::sync::mpsc::channel(RECEIPTS_WAITING);
        let node = Arc::clone(&self.node);
        let told = tokio::spawn(async move { node.chains().history(None, 0..u64::MAX, &sender).await });
        let kept = |error| Failure::work("network", self.name, error);
        let mut count = 0;
        while let Some(receipt) = receipts.recv().await {
            file.write_all(&receipt.map_err(kept)?.encode()).map_err(failed)?;
            count += 1;
        }
        let told = told.await.map_err(|error| Failure::work("network", self.name, error))?;
        told.map_err(kept)?;
        file.sync_all().map_err(failed)?;
        Ok((path.clone(), count))
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }
}
