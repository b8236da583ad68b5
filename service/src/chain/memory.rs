//! A chain in memory, for tests and demonstrations in one process.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use holdfast_engine::recorder::{SimulatedRecorder, SimulationSettings};

use super::{ChainError, Happening, LocalChain, Network, NetworkSettings, NetworkStore, NewNeuron};

/// A chain in memory.
pub type SimulatedChain = LocalChain<SimulatedRecorder, MemoryNetwork>;

impl SimulatedChain {
    /// A chain of one block, in which these were registered. A [`super::Driver`] adds blocks.
    ///
    /// # Errors
    /// Neurons that cannot all be registered.
    pub fn in_memory(
        simulation: SimulationSettings,
        settings: NetworkSettings,
        neurons: &[NewNeuron],
    ) -> Result<SimulatedChain, ChainError> {
        let network = MemoryNetwork::new(Network::new(settings, neurons, 0)?);
        LocalChain::new(SimulatedRecorder::new(simulation), network)
    }
}

/// A network in memory.
#[derive(Debug)]
pub struct MemoryNetwork(RwLock<State>);

#[derive(Debug)]
struct State {
    network: Arc<Network>,
    history: Vec<Happening>,
}

impl MemoryNetwork {
    fn new(mut network: Network) -> MemoryNetwork {
        let history = network.take_happened();
        MemoryNetwork(RwLock::new(State { network: Arc::new(network), history }))
    }
}

impl NetworkStore for MemoryNetwork {
    fn read(&self) -> Result<Arc<Network>, ChainError> {
        Ok(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner).network))
    }

    fn change<T>(&self, change: impl FnOnce(&mut Network) -> Result<T, ChainError>) -> Result<T, ChainError> {
        let mut state = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let mut network = Network::clone(&state.network);
        let result = change(&mut network)?;
        state.history.append(&mut network.take_happened());
        state.network = Arc::new(network);
        Ok(result)
    }

    fn history(&self) -> Result<Vec<Happening>, ChainError> {
        Ok(self.0.read().unwrap_or_else(PoisonError::into_inner).history.clone())
    }

    fn poll_interval(&self) -> Option<Duration> {
        None
    }
}
