//! How rounds of a network ended, as receipts have it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use super::{Network, VALIDATOR, account};
use crate::process::wait_in_steps;

/// How rounds with one miner ended, as its receipts have it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rounds {
    pub(crate) accepted: u64,
    pub(crate) countersigned: u64,
    pub(crate) rejected: u64,
    pub(crate) missed: u64,
}

impl Network {
    /// How rounds ended so far, by the name of the miner. Fails the test unless all receipts are whole, in their chains and of the
    /// rounds that the chain had, and unless nobody has ever signed two for one place.
    #[track_caller]
    pub(crate) fn rounds(&self) -> BTreeMap<String, Rounds> {
        let (chain, out) = (self.text("chain"), self.text("receipts.chain"));
        let of_validator = ["--validator", VALIDATOR, "--chain", &chain];
        self.run(&[&["validator", "history", "--out", &out], &of_validator[..]].concat()).json();
        let recorder = self.text("chain/recorder.json");
        let report = self.run(&["chain", "verify", &out, "--recorder", &recorder]).json();
        let status = self.run(&[&["validator", "status"], &of_validator[..]].concat()).json();
        assert_eq!(status["evidence"], json!([]), "nobody has signed two for one place");
        let mut rounds: BTreeMap<String, Rounds> = BTreeMap::new();
        let names: BTreeMap<String, String> =
            self.miners.iter().map(|miner| (account(&miner.name).to_ss58(), miner.name.clone())).collect();
        for chain in report["chains"].as_array().expect("chains") {
            let name = &names[chain["miner"].as_str().expect("an address")];
            let count = |field: &str| chain[field].as_u64().unwrap_or_else(|| panic!("{field} in {chain}"));
            let of_miner = rounds.entry(name.clone()).or_default();
            of_miner.accepted += count("accepted");
            of_miner.countersigned += count("accepted_signed_by_both");
            of_miner.rejected += count("rejected");
            of_miner.missed += count("missed");
        }
        rounds
    }

    pub(crate) fn rounds_of(&self, number: usize) -> Rounds {
        self.rounds().get(&self.miners[number].name).copied().unwrap_or_default()
    }

    /// Waits until rounds with a miner have come so far.
    #[track_caller]
    pub(crate) fn wait_for_rounds(&self, number: usize, what: &str, far: impl Fn(&Rounds) -> bool) -> Rounds {
        // With every block there may be others.
        let pause = Duration::from_millis(self.terms.block_ms.into());
        wait_in_steps(what, pause, || Some(self.rounds_of(number)).filter(&far))
    }
}
