//! What is to happen in a simulated network: who is there at the beginning, and what comes with which block.

use std::net::SocketAddr;
use std::path::Path;

use holdfast_engine::account::{Account, AccountSource};
use holdfast_engine::shared_file::SharedFile;
use serde::{Deserialize, Deserializer, Serialize, de};

use super::ChainError;

/// Larger files are refused.
const SCRIPT_BYTES_MAXIMUM: u64 = 64 << 20;

/// A script. Accounts are SS58 addresses, hex or development names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// Who is registered when the network begins, in this order. They have no effect on a network that exists.
    #[serde(default)]
    pub neurons: Vec<NewNeuron>,
    /// What comes later.
    #[serde(default)]
    pub events: Vec<Scripted>,
}

/// An event with its block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scripted {
    /// The block, from 1 on. Events of one block come in the order of the script.
    pub height: u64,
    /// What comes with it.
    pub event: Event,
}

/// What can be told to happen. One that cannot happen is noted as refused, and the chain goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum Event {
    /// A neuron comes.
    Register(NewNeuron),
    /// A neuron leaves, and its uid is free.
    Deregister {
        /// Who.
        #[serde(deserialize_with = "account")]
        hotkey: Account,
    },
    /// A neuron has another stake.
    SetStake {
        /// Who.
        #[serde(deserialize_with = "account")]
        hotkey: Account,
        /// Stake in rao.
        stake_rao: u64,
    },
    /// A neuron gets or loses the permit to set weights.
    SetPermit {
        /// Who.
        #[serde(deserialize_with = "account")]
        hotkey: Account,
        /// Whether it has one from now on.
        validator_permit: bool,
    },
    /// A neuron is said to be elsewhere, without its signature.
    SetEndpoint {
        /// Who.
        #[serde(deserialize_with = "account")]
        hotkey: Account,
        /// Where; absent for nowhere.
        #[serde(default)]
        endpoint: Option<SocketAddr>,
    },
    /// This block comes with others in place of so many before it, none of which may be final.
    Reorganise {
        /// How many.
        depth: u64,
    },
    /// No block becomes final from now on.
    StallFinality,
    /// Blocks become final again.
    ResumeFinality,
}

/// A neuron that is to be registered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewNeuron {
    /// The key that it signs with.
    #[serde(deserialize_with = "account")]
    pub hotkey: Account,
    /// The operator's key; absent if it is the hotkey.
    #[serde(default, deserialize_with = "some_account", skip_serializing_if = "Option::is_none")]
    pub coldkey: Option<Account>,
    /// Stake in rao.
    #[serde(default)]
    pub stake_rao: u64,
    /// Where it can be reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<SocketAddr>,
    /// Whether it may set weights.
    #[serde(default)]
    pub validator_permit: bool,
    /// The uid that it gets, whoever has it; absent for the first that is free, or in a full network that of the neuron without
    /// permit that has the least stake and was registered first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u16>,
}

impl NewNeuron {
    /// A neuron with no stake, permit or endpoint.
    pub fn of(hotkey: Account) -> NewNeuron {
        NewNeuron { hotkey, coldkey: None, stake_rao: 0, endpoint: None, validator_permit: false, uid: None }
    }
}

impl Script {
    /// Reads a script: TOML if the file's name ends in `.toml`, else JSON.
    ///
    /// # Errors
    /// A file that cannot be read, or is no script; the detail names the line.
    pub fn read(path: &Path) -> Result<Script, ChainError> {
        let bytes = SharedFile::new(path).read(SCRIPT_BYTES_MAXIMUM)?;
        let parsed = match path.extension().is_some_and(|extension| extension == "toml") {
            true => toml::from_slice(&bytes).map_err(|error| error.to_string()),
            false => serde_json::from_slice(&bytes).map_err(|error| error.to_string()),
        };
        let checked = parsed.and_then(|script: Script| script.check().map(|()| script));
        checked.map_err(|detail| ChainError::Unusable { path: path.to_owned(), detail })
    }

    /// The events that come with these blocks, in order.
    pub(super) fn events_from(&self, first_height: u64, last_height: u64) -> Vec<&Scripted> {
        let within = |scripted: &&Scripted| (first_height..=last_height).contains(&scripted.height);
        let mut events: Vec<_> = self.events.iter().filter(within).collect();
        events.sort_by_key(|scripted| scripted.height);
        events
    }

    fn check(&self) -> Result<(), String> {
        match self.events.iter().find(|scripted| scripted.height == 0) {
            Some(scripted) => Err(format!(
                "block 0 is there before anything happens, but it is to come with {:?}; list who is there then as neurons",
                scripted.event
            )),
            None => Ok(()),
        }
    }
}

/// An account in any notation, for people write scripts; but not a mistyped address, which would be taken for a name.
fn account<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Account, D::Error> {
    let text = String::deserialize(deserializer)?;
    match Account::parse(&text) {
        Ok((_, AccountSource::DevelopmentName { looks_like_ss58: true })) => Err(de::Error::custom(format!(
            "{text:?} looks like an address, but has a wrong checksum or network"
        ))),
        Ok((account, _)) => Ok(account),
        Err(error) => Err(de::Error::custom(error)),
    }
}

fn some_account<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Account>, D::Error> {
    account(deserializer).map(Some)
}
