//! `holdfast engine devices`.

use clap::Args;
use holdfast_service::proto::DevicesRequest;
use serde::Serialize;
use serde_json::Value;

use super::EngineArguments;
use crate::cli::worker::write_workers;
use crate::console::{Console, Exit, Report};
use crate::failure::Failure;
use crate::table::Table;

/// Show what an engine's machine computes with and writes to, and what its workers did
#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    engine: EngineArguments,
}

impl Arguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let mut connected = self.engine.connect()?;
        let told = connected.runtime.block_on(connected.client.devices(DevicesRequest {}));
        let json = told.map_err(|status| connected.refused(status))?.into_inner().json;
        console.report(&Told { devices: serde_json::from_str(&json).map_err(Failure::json)? })
    }
}

#[derive(Serialize)]
#[serde(transparent)]
struct Told {
    devices: Value,
}

impl Report for Told {
    fn text(&self, out: &mut String) {
        let word = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        out.push_str(&format!("{} cores\n", self.devices["cores"]));
        let mut lines = Table::new(&["", "", ""]);
        for backend in list(&self.devices["backends"]) {
            let state = if backend["present"] == true { "present" } else { "absent" };
            lines.row(["back end".to_owned(), word(&backend["name"]), state.to_owned()]);
        }
        for gpu in list(&self.devices["gpus"]) {
            lines.row(["graphics processor".to_owned(), word(&gpu["id"]), word(&gpu["name"])]);
        }
        for disk in list(&self.devices["disks"]) {
            let free = disk["free_bytes"].as_u64().unwrap_or_default();
            let free = format!("{} free", crate::table::bytes(free));
            lines.row(["disk".to_owned(), word(&disk["directory"]), free]);
        }
        lines.write("  ", out);
        write_workers(&self.devices["workers"], out);
    }
}
