//! `holdfast object rm`: delete objects.

use std::path::PathBuf;

use clap::Args;
use holdfast_engine::object::Address;
use holdfast_partition::objects::ObjectName;
use holdfast_partition::partition_file::OpenMode;
use serde::Serialize;

use super::address;
use crate::committing;
use crate::console::{Console, Exit, Report};
use crate::failure::Failure;
use crate::objects::{ObjectDirectory, OpenShelf, now};
use crate::table;

/// Delete objects, their commitments and their blinding keys; `holdfast fill` fills the space again
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// Directory that holds the objects
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// The objects: CIDs or roots in hex
    #[arg(value_name = "CID", value_parser = address, required_unless_present = "expired")]
    cids: Vec<Address>,
    /// All objects that are expired
    #[arg(long)]
    expired: bool,
}

impl Arguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let directory = ObjectDirectory::open(&self.dir)?;
        let mut report = Removed::default();
        for cid in &self.cids {
            let shelf = directory.find(cid, OpenMode::ReadWrite)?;
            let name = shelf.objects.find(cid).map_err(|error| shelf.failed(error))?;
            report.bytes_freed += shelf.objects.remove(cid).map_err(|error| shelf.failed(error))?;
            report.forget(&directory, name)?;
        }
        if self.expired {
            for shelf in directory.shelves() {
                let shelf = directory.open_shelf(shelf, OpenMode::ReadWrite)?;
                report.collect(&directory, &shelf)?;
            }
        }
        console.report(&report)
    }
}

#[derive(Default, Serialize)]
struct Removed {
    bytes_freed: u64,
    /// Roots of what was deleted.
    removed: Vec<String>,
}

impl Removed {
    fn collect(&mut self, directory: &ObjectDirectory, shelf: &OpenShelf) -> Result<(), Failure> {
        let collected = shelf.objects.collect_garbage(now()).map_err(|error| shelf.failed(error))?;
        self.bytes_freed += collected.bytes_freed;
        collected.removed.into_iter().try_for_each(|name| self.forget(directory, name))
    }

    fn forget(&mut self, directory: &ObjectDirectory, name: ObjectName) -> Result<(), Failure> {
        self.removed.push(name.to_string());
        committing::forget(directory, name)
    }
}

impl Report for Removed {
    fn text(&self, out: &mut String) {
        self.removed.iter().for_each(|root| out.push_str(&format!("{root} deleted\n")));
        out.push_str(&format!("{} free again\n", table::bytes(self.bytes_freed)));
    }
}
