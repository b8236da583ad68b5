//! A chain of this machine: blocks of a simulated recorder, and a network beside it, in memory or in files.

use std::fmt::Debug;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use holdfast_engine::account::Account;
use holdfast_engine::recorder::{Ledger, Recorder, Simulation};
use holdfast_engine::signature::Signer;
use tokio::sync::watch;

use super::{
    Chain, ChainError, EndpointClaim, Happening, Head, Inclusion, Metagraph, Network, NetworkRefusal,
    WeightsClaim, WeightsSet,
};

/// How often a call that others overtook is signed anew.
const ATTEMPTS: u32 = 16;

/// Where a [`Network`] is kept.
pub trait NetworkStore: Debug + Send + Sync + 'static {
    /// The network as it is now; of a file that cannot be used now, as it was last.
    fn read(&self) -> Result<Arc<Network>, ChainError>;

    /// Changes the network, wholly or, if `change` fails, not at all. Others wait; the change is durable when this returns.
    fn change<T>(&self, change: impl FnOnce(&mut Network) -> Result<T, ChainError>) -> Result<T, ChainError>;

    /// What happened so far, in order.
    fn history(&self) -> Result<Vec<Happening>, ChainError>;

    /// How often to look whether others have changed the chain; `None` if nobody else can.
    fn poll_interval(&self) -> Option<Duration>;
}

/// A chain of this machine. Clones are handles to the same one.
#[derive(Debug)]
pub struct LocalChain<R, N>(Arc<Local<R, N>>);

#[derive(Debug)]
struct Local<R, N> {
    recorder: Arc<R>,
    network: N,
    heads: watch::Sender<Head>,
    /// Held from looking at the head to telling of it, so that an older head is never told after a newer one.
    telling: Mutex<()>,
    /// Set once somebody looks whether others add blocks.
    following: OnceLock<()>,
}

impl<R, N> Clone for LocalChain<R, N> {
    fn clone(&self) -> LocalChain<R, N> {
        LocalChain(Arc::clone(&self.0))
    }
}

impl<R: Simulation + Debug + 'static, N: NetworkStore> LocalChain<R, N> {
    pub(super) fn new(recorder: R, network: N) -> Result<LocalChain<R, N>, ChainError> {
        let (heads, _) = watch::channel(recorder.read(head_of)?);
        let (recorder, telling, following) = (Arc::new(recorder), Mutex::default(), OnceLock::new());
        Ok(LocalChain(Arc::new(Local { recorder, network, heads, telling, following })))
    }

    /// Who takes part, with the rules that they are under.
    pub fn network(&self) -> Result<Arc<Network>, ChainError> {
        self.0.network.read()
    }

    /// What happened so far, in order; beside it only blocks came.
    pub fn history(&self) -> Result<Vec<Happening>, ChainError> {
        self.0.network.history()
    }

    /// A copy of the blocks and what is recorded in them; for many questions about one state, and for reports.
    pub fn ledger(&self) -> Result<Ledger, ChainError> {
        Ok(self.0.recorder.read(Ledger::clone)?)
    }

    pub(super) fn simulation(&self) -> &R {
        &self.0.recorder
    }

    pub(super) fn store(&self) -> &N {
        &self.0.network
    }

    /// Looks at the newest block, and tells who follows if it is another. Blocks, as with calls to files.
    pub fn refresh(&self) -> Result<Head, ChainError> {
        self.0.refresh()
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Local<R, N>) -> Result<T, ChainError> + Send + 'static,
    ) -> Result<T, ChainError> {
        let local = Arc::clone(&self.0);
        tokio::task::spawn_blocking(move || work(&local)).await?
    }

    /// Signs a call and has it taken up; anew if another call of the hotkey came between.
    async fn call<C: Send + 'static>(
        &self,
        sign: impl Fn(&Network, &[u8; 32]) -> Result<C, NetworkRefusal> + Sync,
        take_up: fn(&mut Network, &[u8; 32], C, u64) -> Result<(), NetworkRefusal>,
    ) -> Result<Inclusion, ChainError> {
        for attempt in 1.. {
            let read = |local: &Local<R, N>| Ok((local.network.read()?, local.recorder.network()?));
            let (state, network) = self.blocking(read).await?;
            let claim = sign(&state, &network)?;
            match self.blocking(move |local| local.take_up(network, claim, take_up)).await {
                Err(ChainError::Refused(NetworkRefusal::OutOfTurn { .. })) if attempt < ATTEMPTS => {}
                answer => return answer,
            }
        }
        unreachable!("the last attempt returns")
    }
}

impl<R: Simulation + Debug + 'static, N: NetworkStore> Local<R, N> {
    fn refresh(&self) -> Result<Head, ChainError> {
        let _turn = self.telling.lock().unwrap_or_else(PoisonError::into_inner);
        let head = self.recorder.read(head_of)?;
        self.heads.send_if_modified(|told| {
            let changed = *told != head;
            *told = head;
            changed
        });
        Ok(head)
    }

    /// A call goes into the newest block, as calls to the recorder do.
    fn take_up<C>(
        &self,
        network: [u8; 32],
        claim: C,
        take_up: fn(&mut Network, &[u8; 32], C, u64) -> Result<(), NetworkRefusal>,
    ) -> Result<Inclusion, ChainError> {
        self.network.change(|state| {
            let Head { height, hash, .. } = self.recorder.read(head_of)?;
            take_up(state, &network, claim, height)?;
            Ok(Inclusion { height, block_hash: hash })
        })
    }

    /// Looks at the chain again and again, as long as anybody has a handle to it.
    fn follow(self: &Arc<Local<R, N>>, interval: Duration) {
        let local = Arc::downgrade(self);
        let watch = move || {
            let mut failure = String::new();
            while let Some(local) = local.upgrade() {
                let looked = local.refresh().and_then(|_| local.network.read().map(drop));
                let said = looked.err().map(|error| error.to_string()).unwrap_or_default();
                if said != failure && !said.is_empty() {
                    tracing::warn!(error = %said, "the chain cannot be followed");
                }
                failure = said;
                drop(local);
                std::thread::sleep(interval);
            }
        };
        let started = std::thread::Builder::new().name("chain watch".to_owned()).spawn(watch);
        if let Err(error) = started {
            tracing::error!(%error, "no thread to follow the chain with: new blocks go unnoticed");
        }
    }
}

#[async_trait]
impl<R: Simulation + Debug + 'static, N: NetworkStore> Chain for LocalChain<R, N> {
    fn recorder(&self) -> Arc<dyn Recorder> {
        Arc::clone(&self.0.recorder) as Arc<dyn Recorder>
    }

    async fn head(&self) -> Result<Head, ChainError> {
        self.blocking(Local::refresh).await
    }

    async fn block_hash(&self, height: u64) -> Result<Option<[u8; 32]>, ChainError> {
        self.blocking(move |local| Ok(local.recorder.beacon(height)?)).await
    }

    async fn metagraph(&self) -> Result<Metagraph, ChainError> {
        self.blocking(|local| Ok(local.network.read()?.metagraph())).await
    }

    async fn announce(&self, hotkey: &Signer, endpoint: SocketAddr) -> Result<Inclusion, ChainError> {
        let sign = |state: &Network, network: &[u8; 32]| {
            Ok(EndpointClaim::sign(state.next_call(&hotkey.account())?, endpoint, hotkey, network))
        };
        self.call(sign, Network::announce).await
    }

    async fn set_weights(
        &self,
        validator: &Signer,
        weights: &[(u16, u16)],
        metagraph_height: u64,
    ) -> Result<Inclusion, ChainError> {
        let sign = |state: &Network, network: &[u8; 32]| {
            let call = state.next_call(&validator.account())?;
            Ok(WeightsClaim::sign(call, weights, metagraph_height, validator, network))
        };
        self.call(sign, Network::set_weights).await
    }

    async fn weights(&self, validator: &Account) -> Result<Option<WeightsSet>, ChainError> {
        let validator = *validator;
        self.blocking(move |local| Ok(local.network.read()?.weights(&validator).cloned())).await
    }

    fn heads(&self) -> watch::Receiver<Head> {
        let receiver = self.0.heads.subscribe();
        if let Some(interval) = self.0.network.poll_interval() {
            self.0.following.get_or_init(|| self.0.follow(interval));
        }
        receiver
    }
}

fn head_of(ledger: &Ledger) -> Head {
    let (height, finalized_height) = (ledger.height(), ledger.finalized_height());
    // The newest block has a beacon: there is none above the newest height only.
    let hash = ledger.beacon(height).unwrap_or_default();
    Head { height, hash, finalized_height }
}
