//! Why a chain did not do what it was asked.

use std::net::SocketAddr;
use std::path::PathBuf;

use holdfast_engine::account::Account;
use holdfast_engine::recorder::RecorderError;
use holdfast_engine::rejection::Rejection;
use holdfast_engine::shared_file::SharedFileError;
use thiserror::Error;

/// A call to a chain that failed. Only [`ChainError::Refused`] is an answer; after any other the same call may succeed later.
#[derive(Debug, Error)]
pub enum ChainError {
    /// The chain works, and says no.
    #[error(transparent)]
    Refused(#[from] NetworkRefusal),
    /// What keeps the blocks failed.
    #[error(transparent)]
    Recorder(#[from] RecorderError),
    /// A file of the chain could not be read or written.
    #[error(transparent)]
    File(#[from] SharedFileError),
    /// A file of the chain is not one of this version, or was changed by hand so that it contradicts itself.
    #[error("{} is not a chain's file or script that can be used: {detail}", path.display())]
    Unusable {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// Two drivers would make blocks twice as fast.
    #[error("the chain in {} has a driver: another process makes its blocks", directory.display())]
    Driven {
        /// Where.
        directory: PathBuf,
    },
    /// The call did not run to its end: the program shuts down, or a thread of it panicked.
    #[error("the call to the chain was broken off: {0}")]
    BrokenOff(#[from] tokio::task::JoinError),
}

/// Why a network refuses a call or an event.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NetworkRefusal {
    /// No neuron has that hotkey.
    #[error("hotkey {hotkey} is not registered in this network")]
    NotRegistered {
        /// The hotkey.
        hotkey: Account,
    },
    /// A hotkey has one uid.
    #[error("hotkey {hotkey} is registered already, as uid {uid}")]
    RegisteredAlready {
        /// The hotkey.
        hotkey: Account,
        /// The uid that it has.
        uid: u16,
    },
    /// Uids end somewhere.
    #[error("uid {uid} does not exist in this network; it has {neurons_max}, from 0 on")]
    NoSuchUid {
        /// The uid.
        uid: u16,
        /// Number of uids.
        neurons_max: u16,
    },
    /// A full network in which all neurons have permits replaces none of them.
    #[error("all {neurons_max} uids are taken by neurons with a permit; name the uid that is to be replaced")]
    Full {
        /// Number of uids.
        neurons_max: u16,
    },
    /// Nobody can connect there.
    #[error("endpoint {endpoint} cannot be reached by anybody: give an address and a port of this machine")]
    Endpoint {
        /// The endpoint.
        endpoint: SocketAddr,
    },
    /// Weights are set by validators.
    #[error("hotkey {hotkey}, uid {uid}, has no validator permit and cannot set weights")]
    NoPermit {
        /// The hotkey.
        hotkey: Account,
        /// Its uid.
        uid: u16,
    },
    /// An empty list says nothing.
    #[error("weights for no uid at all cannot be set; give at least one, of 0 if need be")]
    NoWeights,
    /// A weight for nobody.
    #[error("weights name uid {uid}, which no neuron has")]
    UnknownUid {
        /// The uid.
        uid: u16,
    },
    /// Which of two weights counts would be anybody's guess.
    #[error("weights name uid {uid} twice")]
    RepeatedUid {
        /// The uid.
        uid: u16,
    },
    /// Weights for the predecessor.
    #[error(
        "weights of the metagraph at block {metagraph_height} name uid {uid}, which another neuron has since block \
         {registered_at}: compute them anew"
    )]
    Replaced {
        /// The uid.
        uid: u16,
        /// Since when it has another neuron.
        registered_at: u64,
        /// What the weights were computed from.
        metagraph_height: u64,
    },
    /// The rate limit.
    #[error(
        "weights were set at block {set_at} and can be set again at block {next_height}; the newest is {height}"
    )]
    TooSoon {
        /// The last time.
        set_at: u64,
        /// The first block that will do.
        next_height: u64,
        /// The newest block.
        height: u64,
    },
    /// The call was signed for another place in the order: it is repeated, another came between, or the uid is another's now.
    #[error("call {found} of hotkey {hotkey} as uid {uid} is out of turn; call {expected} is next")]
    OutOfTurn {
        /// The hotkey.
        hotkey: Account,
        /// The uid that was signed for.
        uid: u16,
        /// The number that was signed for.
        found: u64,
        /// The number that is next for this hotkey.
        expected: u64,
    },
    /// A signature that is not the hotkey's.
    #[error(transparent)]
    Signature(Rejection),
}
