//! `holdfast chain show`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use holdfast_service::chain::{FileChain, Head, Metagraph, NetworkSettings, WeightsSet};
use serde::Serialize;

use super::simulate;
use crate::console::{Console, Exit, Report};
use crate::failure::Failure;
use crate::table::Table;

/// Show the newest block of a simulated chain, who takes part, and the weights
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The chain's directory
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

impl Arguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let chain = FileChain::open(&self.directory)?;
        let (head, network) = (chain.refresh()?, chain.network()?);
        let metagraph = network.metagraph();
        let weights = metagraph.neurons.iter().filter_map(|neuron| {
            let set = network.weights(&neuron.hotkey)?;
            Some((neuron.uid, set.clone()))
        });
        let (settings, weights) = (*network.settings(), weights.collect());
        console.report(&Shown { head, settings, metagraph, weights })
    }
}

#[derive(Serialize)]
struct Shown {
    head: Head,
    settings: NetworkSettings,
    metagraph: Metagraph,
    /// By the uid of who set them.
    weights: BTreeMap<u16, WeightsSet>,
}

impl Report for Shown {
    fn text(&self, out: &mut String) {
        out.push_str(&format!("{}\n", simulate::line(&self.head)));
        let Metagraph { height, neurons } = &self.metagraph;
        let (taken, seats) = (neurons.len(), self.settings.neurons_max);
        out.push_str(&format!("{taken} of {seats} uids are taken as of block {height}\n"));
        let mut table =
            Table::new(&[">uid", "hotkey", ">stake in rao", "permit", ">since block", "endpoint"]);
        for neuron in neurons {
            table.row([
                neuron.uid.to_string(),
                neuron.hotkey.to_string(),
                neuron.stake_rao.to_string(),
                if neuron.validator_permit { "yes" } else { "no" }.to_owned(),
                neuron.registered_at.to_string(),
                neuron.endpoint.map(|endpoint| endpoint.to_string()).unwrap_or_default(),
            ]);
        }
        table.write("  ", out);
        for (uid, WeightsSet { set_at, weights }) in &self.weights {
            let weights: Vec<_> =
                weights.iter().map(|(target, weight)| format!("{target}: {weight}")).collect();
            out.push_str(&format!("weights of uid {uid}, set at block {set_at}: {}\n", weights.join(", ")));
        }
    }
}
