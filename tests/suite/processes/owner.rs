//! The owner of a network: commands, and permissions to store without them.

use age::secrecy::ExposeSecret;
use holdfast_engine::message::Ticket;
use holdfast_engine::signature::Signer;
use holdfast_service::encryption::OwnerKey;
use holdfast_service::pieces::Content;
use holdfast_service::proto;
use holdfast_service::wire::clock::{Clock, SystemClock};
use serde_json::Value;
use zeroize::Zeroizing;

use super::{Network, OWNER, VALIDATOR, account};
use crate::process::{Ended, Process};

impl Network {
    /// Begins a command of the owner.
    pub(crate) fn spawn_owner(&self, arguments: &[&str]) -> Process {
        let ca = self.authority.certificate.display().to_string();
        let tls: &[&str] = if self.terms.encrypted { &["--tls-ca", &ca] } else { &[] };
        self.spawn_owner_with(arguments, tls)
    }

    /// The same with these flags about connections.
    pub(crate) fn spawn_owner_with(&self, arguments: &[&str], connect: &[&str]) -> Process {
        let (chain, state) = (self.text("chain"), self.text("owner.state"));
        let owner = ["--chain", &chain, "--state", &state, "--development-name", OWNER];
        self.spawn(&[arguments, &owner, connect].concat())
    }

    pub(crate) fn owner(&self, arguments: &[&str]) -> Ended {
        self.spawn_owner(arguments).end()
    }

    /// Makes a file of so many bytes, and begins to store it.
    pub(crate) fn begin_put(&self, name: &str, length_bytes: usize, coding: &str) -> Process {
        self.begin_put_with(name, length_bytes, &["--coding", coding])
    }

    /// The same with these flags about pieces.
    pub(crate) fn begin_put_with(&self, name: &str, length_bytes: usize, pieces: &[&str]) -> Process {
        std::fs::write(self.path(name), bytes_of(name, length_bytes)).expect("writes");
        let (file, recipient) = (self.text(name), self.key.recipient());
        self.spawn_owner(&[&["put", &file, "--recipient", &recipient], pieces].concat())
    }

    /// Stores a file; its CID.
    #[track_caller]
    pub(crate) fn put(&self, name: &str, length_bytes: usize, coding: &str) -> String {
        cid_of(&self.begin_put(name, length_bytes, coding).end().json())
    }

    pub(crate) fn begin_get(&self, cid: &str, out: &str) -> Process {
        let (out, key) = (self.text(out), self.text("key.txt"));
        self.spawn_owner(&["get", cid, "--identity", &key, "--out", &out])
    }

    /// Gets a file back and compares it with what was stored; what the command told.
    #[track_caller]
    pub(crate) fn get_and_compare(&self, cid: &str, name: &str) -> Value {
        let out = format!("{name}.back");
        let told = self.begin_get(cid, &out).end().json();
        self.compare(&out, name);
        told
    }

    #[track_caller]
    pub(crate) fn compare(&self, out: &str, name: &str) {
        let [found, stored] = [out, name].map(|file| std::fs::read(self.path(file)).expect("reads"));
        assert!(found == stored, "{name} came back as another file");
    }

    /// The permission to store an object with a miner, as the validator gives it.
    pub(crate) fn ticket(&self, number: usize, content: Content) -> proto::Ticket {
        let now = SystemClock.now_seconds();
        let ticket = Ticket {
            network: self.network(),
            validator: account(VALIDATOR),
            owner: account(OWNER),
            miner: self.peer(number).account,
            root: content.root,
            length_bytes: content.length_bytes,
            use_until: now + 600,
            keep_until: now + 86_400,
        };
        let signature = Signer::development(VALIDATOR).sign(&ticket.signing_digest());
        proto::Ticket { ticket: ticket.encode().to_vec().into(), signature: signature.0.to_vec().into() }
    }
}

pub(crate) fn cid_of(stored: &Value) -> String {
    stored["cid"].as_str().expect("a CID").to_owned()
}

pub(super) fn secret(key: &OwnerKey) -> Zeroizing<String> {
    Zeroizing::new(key.identity_file().expose_secret().to_owned())
}

/// Bytes of no meaning that differ from file to file.
pub(crate) fn bytes_of(name: &str, length_bytes: usize) -> Vec<u8> {
    let mut bytes = vec![0; length_bytes];
    blake3::Hasher::new().update(name.as_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}
