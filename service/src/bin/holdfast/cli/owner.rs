//! `holdfast put`, `get`, `ls`, `rm`, `audit` and `status`: an owner's files in a network.

pub(crate) mod audit;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod put;
pub(crate) mod remove;
pub(crate) mod status;
mod watch;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use holdfast_engine::account::Account;
use holdfast_engine::object::Address;
use holdfast_engine::rejection::Class;
use holdfast_engine::signature::Signer;
use holdfast_service::chain::{Chain, FileChain, Metagraph};
use holdfast_service::client::{Client, ClientError};
use holdfast_service::identity::{DevelopmentNames, Identity};
use holdfast_service::pieces::PieceError;
use holdfast_service::validator::peers::Peer;
use holdfast_service::wire::Correspondent;
use holdfast_service::wire::clock::SystemClock;
use tokio::runtime::Runtime;

use super::connect::{ConnectArguments, peer_failure};
use super::object::address;
use crate::allocation::NamedAccount;
use crate::console::Console;
use crate::failure::Failure;
use crate::identity::IdentityArguments;
use crate::settings;

/// Whose files, and which validator cares for them.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Network")]
struct OwnerArguments {
    /// Directory of the chain
    #[arg(long, value_name = "DIR")]
    chain: PathBuf,
    #[command(flatten)]
    parties: PartyArguments,
}

/// Whose files, and who cares for them.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Network")]
struct PartyArguments {
    /// The validator: an SS58 address, hex, or a development name [default: the one with the most stake]
    #[arg(long, value_name = "ACCOUNT")]
    validator: Option<String>,
    /// Where it serves [default: what it announced on the chain]
    #[arg(long, value_name = "ADDRESS:PORT", requires = "validator")]
    at: Option<SocketAddr>,
    /// Directory of what is known of files: secrets, and puts under way [default: ~/.local/share/holdfast/owner]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// In simulations: the owner is a name whose key everybody has
    #[arg(long, value_name = "NAME", conflicts_with_all = ["wallet", "hotkey", "wallet_dir", "key_file"])]
    development_name: Option<String>,
    #[command(flatten)]
    identity: IdentityArguments,
    #[command(flatten)]
    connect: ConnectArguments,
}

/// A file by its address.
#[derive(Args, Clone, Debug)]
struct FileArguments {
    /// The file: the CID that `holdfast put` printed, or its root in hex
    #[arg(value_name = "CID", value_parser = root)]
    cid: Root,
}

/// Root of a file's ciphertext.
#[derive(Clone, Copy, Debug)]
struct Root([u8; 32]);

/// An owner, and the threads to talk with.
struct Owner {
    runtime: Runtime,
    client: Client,
}

impl OwnerArguments {
    fn open(&self, console: &Console) -> Result<Owner, Failure> {
        self.parties.open(&self.chain, console)
    }
}

impl PartyArguments {
    fn open(&self, chain: &Path, console: &Console) -> Result<Owner, Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Failure::file("start threads for", "this process", error))?;
        let chain = FileChain::open(chain)?;
        let validator = self.validator(&runtime.block_on(chain.metagraph())?, console)?;
        let signer = self.signer(console)?;
        let state = self.state.clone().map_or_else(default_state, Ok)?.join(signer.account().to_ss58());
        let network = chain.recorder().network()?;
        let correspondent = Correspondent::new(network, Arc::new(signer), Arc::new(SystemClock));
        let connector = self.connect.connector()?;
        let client = Client::new(Arc::new(correspondent), connector, validator, &state).map_err(failure)?;
        Ok(Owner { runtime, client })
    }

    fn signer(&self, console: &Console) -> Result<Signer, Failure> {
        if let Some(name) = &self.development_name {
            return Ok(Signer::development(name));
        }
        let (source, passwords) = (self.identity.source(), self.identity.passwords());
        let identity = Identity::load(&source, DevelopmentNames::Refused, &passwords)?;
        if let Some(exposed) = identity.exposed() {
            console.warn(exposed.to_string());
        }
        Ok(identity.into_signer())
    }

    fn validator(&self, metagraph: &Metagraph, console: &Console) -> Result<Peer, Failure> {
        let account: Account = match &self.validator {
            Some(name) => NamedAccount::parse(name, console)?.account,
            None => {
                let reachable = metagraph
                    .neurons
                    .iter()
                    .filter(|neuron| neuron.validator_permit && neuron.endpoint.is_some());
                let most = reachable.max_by_key(|neuron| neuron.stake_rao);
                let none =
                    || Failure::NotFound("no validator of this network has announced an endpoint".to_owned());
                most.ok_or_else(none)?.hotkey
            }
        };
        let announced = || metagraph.neuron_of(&account).and_then(|neuron| neuron.endpoint);
        let unknown =
            || Failure::NotFound(format!("{account} has announced no endpoint; say where it is with --at"));
        let endpoint = self.at.or_else(announced).ok_or_else(unknown)?;
        Ok(Peer { account, endpoint })
    }
}

fn default_state() -> Result<PathBuf, Failure> {
    let data = settings::data_directory();
    let homeless = || Failure::Usage("there is no home directory: give --state".to_owned());
    data.map(|data| data.join("holdfast").join("owner")).ok_or_else(homeless)
}

/// A CID of a file in a network, or a root in hex.
fn root(word: &str) -> Result<Root, String> {
    match address(word)? {
        Address::Blake3(root) => Ok(Root(root)),
        Address::Sha256(_) => Err("files in a network are found by their BLAKE3 address alone".to_owned()),
    }
}

fn cid(root: &[u8; 32]) -> String {
    Address::Blake3(*root).to_string()
}

/// What ended an owner's command.
fn failure(error: ClientError) -> Failure {
    let state = |message: String, advice: &str| Failure::State { message, advice: advice.to_owned() };
    match error {
        ClientError::Peer(error) => peer_failure(error),
        ClientError::Rejected(rejection) => Failure::rejected("the validator's answer", rejection),
        ClientError::File { doing, path, source } => Failure::file(doing, path, source),
        ClientError::Damaged { path, reason } => {
            Failure::Foreign { path, expected: "a file that an owner's commands wrote", reason }
        }
        ClientError::Pieces(PieceError::Source { error, .. }) => {
            Failure::file("read", "what is to be stored", error)
        }
        ClientError::Encryption(error) => Failure::encryption("what is to be stored", error),
        ClientError::Decryption(error) => Failure::decryption("what is stored", error),
        ClientError::WrongFile { .. } => {
            Failure::rejected("what came from miners", Class::WrongRoot.because(error.to_string()))
        }
        ClientError::Busy(path) => Failure::Locked(path),
        ClientError::NoSuchPut(_) | ClientError::NoTokens(_) => Failure::NotFound(error.to_string()),
        ClientError::Tokens(error) => error.into(),
        ClientError::OutOfRange { .. } => Failure::Usage(error.to_string()),
        ClientError::NotTaken { .. } => state(
            error.to_string(),
            "what is stored so far is kept: go on with `holdfast put --resume`, and the CID that `holdfast ls` shows",
        ),
        ClientError::Unreadable { .. } => {
            state(error.to_string(), "try again; what came is kept, and the validator repairs what it can")
        }
        ClientError::Expired { .. } => state(error.to_string(), "put the file anew"),
        error => Failure::work("state", "the owner's side", error),
    }
}
