//! A whole validator from its configuration: chain, index, node, service.

use std::net::SocketAddr;
use std::sync::Arc;

use holdfast_engine::account::Account;
use holdfast_engine::signature::Signer;
use serde::Serialize;
use thiserror::Error;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

use super::ValidatorError;
use super::care::Keeper;
use super::config::{Config, ConfigError};
use super::holdings::Holdings;
use super::judge::Judge;
use super::node::{Node, Observer, Parts};
use super::serve::{Care, SERVICE, Service};
use crate::chain::{Chain, FileChain};
use crate::connect::{ConnectError, Connector};
use crate::index::{self, IndexError};
use crate::listen::{ListenError, Listener};
use crate::local::failure::Failure;
use crate::local::machine::Machine;
use crate::operation::counted::{CountedChain, CountedIndex};
use crate::operation::metrics::Metrics;
use crate::operation::page::{self, Page, PageError};
use crate::proto::validator_server::ValidatorServer;
use crate::wire::Correspondent;
use crate::wire::clock::SystemClock;

/// Why a validator did not start, or ended.
#[derive(Debug, Error)]
pub enum RunError {
    /// Its configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Its own work.
    #[error(transparent)]
    Validator(#[from] ValidatorError),
    /// Its index.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// How it is to connect.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// Its server.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// Its metrics.
    #[error(transparent)]
    Metrics(#[from] PageError),
    /// This machine.
    #[error(transparent)]
    Machine(#[from] Failure),
}

/// What is known once a validator serves.
#[derive(Clone, Debug, Serialize)]
pub struct Ready {
    /// Who it is.
    pub validator: Account,
    /// Where it serves.
    pub address: SocketAddr,
    /// The newest block.
    pub height: u64,
    /// Where its metrics are, if it was told to show them.
    pub metrics: Option<SocketAddr>,
}

/// Runs a validator until it is told to stop. `ready` is called once it serves.
///
/// # Errors
/// [`RunError`].
pub async fn run(
    config: &Config,
    signer: Arc<Signer>,
    stop: CancellationToken,
    ready: impl FnOnce(&Ready),
) -> Result<(), RunError> {
    let directory = config.chain.directory.clone();
    let opened = tokio::task::spawn_blocking(move || FileChain::open(&directory));
    let ended = |error: tokio::task::JoinError| ValidatorError::Ended {
        doing: "opening the chain",
        detail: error.to_string(),
    };
    let metrics = Arc::new(Metrics::new());
    let chain = opened.await.map_err(ended)?.map_err(ValidatorError::from)?;
    let chain = CountedChain::over(Arc::new(chain), &metrics);
    let network = chain.recorder().network().map_err(ValidatorError::from)?;
    let machine = Machine::of_this_host(None)?;
    let correspondent = Arc::new(Correspondent::new(network, Arc::clone(&signer), Arc::new(SystemClock)));
    let connector = Connector::new(&config.connect)?;
    let index = CountedIndex::over(index::open(&config.index.location).await?, &metrics);
    let keeper = Keeper::new(
        config.care_settings()?,
        Arc::clone(&chain),
        Arc::clone(&index),
        Arc::clone(&correspondent),
        connector.clone(),
        Arc::clone(&metrics),
    );
    let node = Node::open(Parts {
        settings: config.settings()?,
        chain: Arc::clone(&chain),
        index,
        holdings: Arc::clone(&keeper) as Arc<dyn Holdings>,
        correspondent,
        connector,
        judge: Judge::new(machine.backend, machine.pool),
        metrics: Arc::clone(&metrics),
    })
    .await?;
    let page = page::open(&config.metrics, &metrics, Arc::new(Observer::of(&node))).await?;
    let listener = Listener::bind(&config.server).await?.counting(metrics);
    let address = listener.address();
    announce(&*chain, &signer, address).await;
    let head = chain.head().await.map_err(ValidatorError::from)?;
    let shown_at = page.as_ref().map(Page::address);
    ready(&Ready { validator: node.account(), address, height: head.height, metrics: shown_at });

    // Files that are in care already are audited and kept whole, whether or not others are taken.
    let care = config.care.serve.then(|| Arc::clone(&keeper) as Arc<dyn Care>);
    let service = ValidatorServer::new(Service::new(Arc::clone(&node), care))
        .max_decoding_message_size(config.server.message_bytes);
    let stopped = stop.clone();
    let serving = listener.serve(Routes::new(service), &[SERVICE], stopped.cancelled_owned());
    let running = node.run(stop.clone());
    // Whichever ends first by itself takes the other with it.
    let (served, ran, (), ()) = tokio::join!(
        async {
            let served = serving.await;
            stop.cancel();
            served
        },
        async {
            let ran = running.await;
            stop.cancel();
            ran
        },
        keeper.run(stop.clone()),
        page::serve(page, stop.clone()),
    );
    ran?;
    Ok(served?)
}

/// Says on the chain where this validator can be reached, unless it says so already. Who is not registered only follows.
async fn announce(chain: &dyn Chain, signer: &Signer, address: SocketAddr) {
    let known = match chain.metagraph().await {
        Ok(metagraph) => metagraph.neuron_of(&signer.account()).and_then(|neuron| neuron.endpoint),
        Err(_) => None,
    };
    if known != Some(address)
        && let Err(error) = chain.announce(signer, address).await
    {
        tracing::warn!(%error, %address, "nobody is told where this validator is");
    }
}
