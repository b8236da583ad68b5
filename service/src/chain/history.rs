//! What happened in a simulated network, kept to be read afterwards.

use holdfast_engine::account::Account;
use serde::{Deserialize, Serialize};

use super::{EndpointClaim, Event, WeightsClaim};

/// One thing that happened, in the order in which it did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Happening {
    /// The block.
    pub height: u64,
    /// What.
    pub happened: Happened,
}

/// What can happen. Calls are kept with their signatures, so that they can be checked again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum Happened {
    /// An event that is not a registration took place.
    Scripted(Event),
    /// A neuron was registered.
    Registered {
        /// The uid that it got.
        uid: u16,
        /// Its hotkey.
        hotkey: Account,
        /// The hotkey that had the uid until then.
        replaced: Option<Account>,
    },
    /// An event could not take place.
    Refused {
        /// The event.
        event: Event,
        /// Why.
        reason: String,
    },
    /// The driver ended after it had made blocks and before it had recorded what they changed; it is recorded now. Whether the
    /// chain refused a reorganisation of theirs is not known.
    CaughtUp {
        /// The first of those blocks.
        first_height: u64,
    },
    /// A hotkey said where it can be reached.
    Announced(EndpointClaim),
    /// A validator set weights.
    WeightsSet(WeightsClaim),
}
