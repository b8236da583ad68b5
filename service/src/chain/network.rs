//! The participants of a simulated network: their state and the rules of every change, wherever it is kept.

mod claims;

use std::collections::BTreeSet;
use std::net::SocketAddr;

use holdfast_engine::account::Account;
use serde::{Deserialize, Serialize};

use super::{Event, Happened, Happening, Metagraph, NetworkRefusal, Neuron, NewNeuron, WeightsSet};

pub use claims::{CallId, EndpointClaim, WeightsClaim};

/// What a network is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct NetworkSettings {
    /// Number of uids.
    pub neurons_max: u16,
    /// Blocks from one setting of a validator's weights to the next, at least.
    pub weights_interval_blocks: u64,
}

impl Default for NetworkSettings {
    /// 256 uids and 100 blocks, as subnets of Bittensor have them.
    fn default() -> NetworkSettings {
        NetworkSettings { neurons_max: 256, weights_interval_blocks: 100 }
    }
}

/// Who takes part, as of one block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Network {
    #[serde(default)]
    settings: NetworkSettings,
    /// The block up to which all events have taken place.
    #[serde(default)]
    height: u64,
    /// By ascending uid; hotkeys are unique.
    neurons: Vec<Entry>,
    /// What happened since this was read, to be kept with it.
    #[serde(skip)]
    happened: Vec<Happening>,
}

/// A neuron, and what it said last. All of it goes when the neuron is replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Entry {
    /// Its number, below `neurons_max`; each once.
    uid: u16,
    /// The key that it signs with, as an SS58 address; each once.
    #[cfg_attr(test, schemars(with = "String"))]
    hotkey: Account,
    /// The operator's key, as an SS58 address.
    #[cfg_attr(test, schemars(with = "String"))]
    coldkey: Account,
    /// Stake in rao, 10^-9 of a token.
    stake_rao: u64,
    /// Address and port where it can be reached.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    endpoint: Option<SocketAddr>,
    /// Whether it may set weights.
    validator_permit: bool,
    /// The block since which the hotkey has the uid; at most `height`.
    #[serde(default)]
    registered_at: u64,
    /// How many calls of the hotkey were taken up since then.
    #[serde(default)]
    calls: u64,
    /// The weights that it set last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    weights: Option<WeightsSet>,
}

impl Network {
    /// A network in which these were registered at a height, one after the other.
    ///
    /// # Errors
    /// Those of a registration.
    pub fn new(
        settings: NetworkSettings,
        neurons: &[NewNeuron],
        height: u64,
    ) -> Result<Network, NetworkRefusal> {
        let mut network = Network { settings, height, neurons: vec![], happened: vec![] };
        for neuron in neurons {
            network.register(neuron, height)?;
        }
        Ok(network)
    }

    /// What it is made of.
    pub fn settings(&self) -> &NetworkSettings {
        &self.settings
    }

    /// The block up to which all events have taken place.
    pub fn height(&self) -> u64 {
        self.height
    }

    /// Who takes part.
    pub fn metagraph(&self) -> Metagraph {
        let neurons = self.neurons.iter().map(Entry::neuron).collect();
        Metagraph { height: self.height, neurons }
    }

    /// The weights that a registered validator set last.
    pub fn weights(&self, validator: &Account) -> Option<&WeightsSet> {
        self.entry(validator)?.weights.as_ref()
    }

    /// What a hotkey has to name in its next call.
    ///
    /// # Errors
    /// A hotkey that is not registered.
    pub fn next_call(&self, hotkey: &Account) -> Result<CallId, NetworkRefusal> {
        let entry = self.entry(hotkey).ok_or(NetworkRefusal::NotRegistered { hotkey: *hotkey })?;
        Ok(entry.next_call())
    }

    /// Notes that all events up to a block have taken place.
    pub(super) fn close_block(&mut self, height: u64) {
        self.height = height;
    }

    /// Notes what happened without any neuron changing.
    pub(super) fn note(&mut self, height: u64, happened: Happened) {
        self.happened.push(Happening { height, happened });
    }

    /// Takes what happened, to be kept.
    pub(super) fn take_happened(&mut self) -> Vec<Happening> {
        std::mem::take(&mut self.happened)
    }

    /// Lets an event of a block take place, or notes why it cannot. What concerns blocks is the recorder's.
    pub(super) fn apply(&mut self, event: &Event, height: u64) {
        let done = match event {
            Event::Register(neuron) => self.register(neuron, height),
            Event::Deregister { hotkey } => self.deregister(hotkey),
            Event::SetStake { hotkey, stake_rao } => self.set(hotkey, |entry| entry.stake_rao = *stake_rao),
            Event::SetPermit { hotkey, validator_permit } => {
                self.set(hotkey, |entry| entry.validator_permit = *validator_permit)
            }
            Event::SetEndpoint { hotkey, endpoint } => self.set(hotkey, |entry| entry.endpoint = *endpoint),
            Event::Reorganise { .. } | Event::StallFinality | Event::ResumeFinality => Ok(()),
        };
        match (done, event) {
            (Ok(()), Event::Register(_)) => {} // noted with its uid
            (Ok(()), event) => self.note(height, Happened::Scripted(event.clone())),
            (Err(refusal), event) => {
                let reason = refusal.to_string();
                self.note(height, Happened::Refused { event: event.clone(), reason });
            }
        }
    }

    /// Takes up where a hotkey says that it can be reached.
    pub fn announce(
        &mut self,
        network: &[u8; 32],
        claim: EndpointClaim,
        height: u64,
    ) -> Result<(), NetworkRefusal> {
        let endpoint = claim.endpoint;
        let ip = endpoint.ip();
        if ip.is_unspecified() || ip.is_multicast() || endpoint.port() == 0 {
            return Err(NetworkRefusal::Endpoint { endpoint });
        }
        claim.call.check_turn(&self.next_call(&claim.call.hotkey)?)?;
        claim.verify(network)?;
        self.set(&claim.call.hotkey, |entry| {
            entry.calls += 1;
            entry.endpoint = Some(endpoint);
        })?;
        self.note(height, Happened::Announced(claim));
        Ok(())
    }

    /// Takes up a validator's weights.
    pub fn set_weights(
        &mut self,
        network: &[u8; 32],
        claim: WeightsClaim,
        height: u64,
    ) -> Result<(), NetworkRefusal> {
        claim.call.check_turn(&self.next_call(&claim.call.hotkey)?)?;
        self.check_weights(&claim, height)?;
        claim.verify(network)?;
        let weights = WeightsSet { set_at: height, weights: claim.weights.clone() };
        self.set(&claim.call.hotkey, |entry| {
            entry.calls += 1;
            entry.weights = Some(weights);
        })?;
        self.note(height, Happened::WeightsSet(claim));
        Ok(())
    }

    fn check_weights(&self, claim: &WeightsClaim, height: u64) -> Result<(), NetworkRefusal> {
        let hotkey = claim.call.hotkey;
        let entry = self.entry(&hotkey).ok_or(NetworkRefusal::NotRegistered { hotkey })?;
        if !entry.validator_permit {
            return Err(NetworkRefusal::NoPermit { hotkey, uid: entry.uid });
        }
        if let Some(WeightsSet { set_at, .. }) = entry.weights {
            let next_height = set_at.saturating_add(self.settings.weights_interval_blocks);
            if height < next_height {
                return Err(NetworkRefusal::TooSoon { set_at, next_height, height });
            }
        }
        if claim.weights.is_empty() {
            return Err(NetworkRefusal::NoWeights);
        }
        let mut seen = BTreeSet::new();
        for &(uid, _) in &claim.weights {
            let target = self.place(uid).ok().and_then(|place| self.neurons.get(place));
            let target = target.ok_or(NetworkRefusal::UnknownUid { uid })?;
            if !seen.insert(uid) {
                return Err(NetworkRefusal::RepeatedUid { uid });
            }
            let (registered_at, metagraph_height) = (target.registered_at, claim.metagraph_height);
            if registered_at > metagraph_height {
                return Err(NetworkRefusal::Replaced { uid, registered_at, metagraph_height });
            }
        }
        Ok(())
    }

    fn register(&mut self, neuron: &NewNeuron, height: u64) -> Result<(), NetworkRefusal> {
        let hotkey = neuron.hotkey;
        if let Some(&Entry { uid, .. }) = self.entry(&hotkey) {
            return Err(NetworkRefusal::RegisteredAlready { hotkey, uid });
        }
        let uid = self.uid_for(neuron)?;
        let entry = Entry {
            uid,
            hotkey,
            coldkey: neuron.coldkey.unwrap_or(hotkey),
            stake_rao: neuron.stake_rao,
            endpoint: neuron.endpoint,
            validator_permit: neuron.validator_permit,
            registered_at: height,
            calls: 0,
            weights: None,
        };
        let replaced = match self.place(uid) {
            Ok(place) => Some(std::mem::replace(&mut self.neurons[place], entry).hotkey),
            Err(place) => {
                self.neurons.insert(place, entry);
                None
            }
        };
        self.note(height, Happened::Registered { uid, hotkey, replaced });
        Ok(())
    }

    /// The uid asked for, the first that is free, or that of whom the network can best do without.
    fn uid_for(&self, neuron: &NewNeuron) -> Result<u16, NetworkRefusal> {
        let neurons_max = self.settings.neurons_max;
        if let Some(uid) = neuron.uid {
            return if uid < neurons_max {
                Ok(uid)
            } else {
                Err(NetworkRefusal::NoSuchUid { uid, neurons_max })
            };
        }
        if let Some(free) = (0..neurons_max).find(|uid| self.place(*uid).is_err()) {
            return Ok(free);
        }
        let expendable = self.neurons.iter().filter(|entry| !entry.validator_permit);
        let least = expendable.min_by_key(|entry| (entry.stake_rao, entry.registered_at, entry.uid));
        least.map(|entry| entry.uid).ok_or(NetworkRefusal::Full { neurons_max })
    }

    fn deregister(&mut self, hotkey: &Account) -> Result<(), NetworkRefusal> {
        let uid = self.entry(hotkey).ok_or(NetworkRefusal::NotRegistered { hotkey: *hotkey })?.uid;
        self.neurons.retain(|entry| entry.uid != uid);
        Ok(())
    }

    fn set(&mut self, hotkey: &Account, change: impl FnOnce(&mut Entry)) -> Result<(), NetworkRefusal> {
        let entry = self.neurons.iter_mut().find(|entry| entry.hotkey == *hotkey);
        change(entry.ok_or(NetworkRefusal::NotRegistered { hotkey: *hotkey })?);
        Ok(())
    }

    fn entry(&self, hotkey: &Account) -> Option<&Entry> {
        self.neurons.iter().find(|entry| entry.hotkey == *hotkey)
    }

    fn place(&self, uid: u16) -> Result<usize, usize> {
        self.neurons.binary_search_by_key(&uid, |entry| entry.uid)
    }

    /// Puts a network that was read from a file in order; says what it does not satisfy.
    pub(super) fn check_consistency(&mut self) -> Result<(), String> {
        self.neurons.sort_by_key(|entry| entry.uid);
        let neurons_max = self.settings.neurons_max;
        let (mut uids, mut hotkeys) = (BTreeSet::new(), BTreeSet::new());
        for entry in &self.neurons {
            let uid = entry.uid;
            if uid >= neurons_max {
                return Err(format!("uid {uid} is none of the network's {neurons_max}"));
            }
            if !uids.insert(uid) {
                return Err(format!("uid {uid} is there twice"));
            }
            if !hotkeys.insert(entry.hotkey) {
                return Err(format!("hotkey {} is there twice", entry.hotkey));
            }
            if entry.registered_at > self.height {
                return Err(format!("uid {uid} was registered after block {}", self.height));
            }
            let weights = entry.weights.iter().flat_map(|set| &set.weights);
            if weights.clone().map(|(target, _)| target).collect::<BTreeSet<_>>().len() != weights.count() {
                return Err(format!("the weights of uid {uid} name a uid twice"));
            }
        }
        Ok(())
    }
}

impl Entry {
    fn neuron(&self) -> Neuron {
        Neuron {
            uid: self.uid,
            hotkey: self.hotkey,
            coldkey: self.coldkey,
            stake_rao: self.stake_rao,
            endpoint: self.endpoint,
            validator_permit: self.validator_permit,
            registered_at: self.registered_at,
        }
    }

    fn next_call(&self) -> CallId {
        let Entry { uid, hotkey, registered_at, calls, .. } = *self;
        CallId { hotkey, uid, registered_at, number: calls }
    }
}

#[cfg(test)]
mod tests;
