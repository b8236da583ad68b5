//! One validator of the demo, and what it thinks of the miners in the end.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use holdfast_engine::signature::Signer;
use holdfast_service::chain::Head;
use holdfast_service::index::{EmbeddedIndex, EmbeddedSettings, Index};
use holdfast_service::scoring::ScoringConfig;
use holdfast_service::validator::export::Export;
use holdfast_service::validator::holdings::MemoryHoldings;
use holdfast_service::validator::judge::Judge;
use holdfast_service::validator::node::{Node, Parts, Settings};
use holdfast_service::validator::status::Status;
use holdfast_service::wire::Correspondent;
use holdfast_service::wire::clock::SystemClock;

use super::stage::Stage;
use crate::failure::Failure;

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
            judge: Judge::new(stage.machine.backend, Arc::clone(&stage.machine.pool)),
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
