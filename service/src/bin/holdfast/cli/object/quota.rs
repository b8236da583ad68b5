//! `holdfast object quota`: how much disk space objects may take.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::console::{Console, Exit, Report};
use crate::failure::Failure;
use crate::objects::{ObjectDirectory, UNLIMITED_BYTES};
use crate::table;
use holdfast_service::local::size;

/// Show or limit the disk space of objects in a directory that is not allocated
#[derive(Args, Debug)]
#[command(after_help = "\
In an allocated directory the partitions are the limit: `resize` and `trim` change them.")]
pub(crate) struct Arguments {
    /// Directory that holds objects, or will
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// Objects take no more than this from now on
    #[arg(long, value_name = "SIZE", value_parser = size)]
    bytes: Option<u64>,
}

impl Arguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let directory = ObjectDirectory::open(&self.dir)?;
        if directory.disk.is_some() {
            return Err(Failure::State {
                message: format!("{} is allocated: partitions are the limit", self.dir.display()),
                advice: "use `holdfast resize`".to_owned(),
            });
        }
        let shelf = directory.open_or_create(directory.plain())?;
        let store = shelf.objects.store();
        if let Some(bytes) = self.bytes {
            store.set_budget(bytes).map_err(|error| shelf.store_failed(error))?;
        }
        let budget_bytes = shelf.budget_bytes()?;
        console.report(&Quota {
            budget_bytes: (budget_bytes != UNLIMITED_BYTES).then_some(budget_bytes),
            object_bytes: store.object_bytes().map_err(|error| shelf.store_failed(error))?,
        })
    }
}

#[derive(Serialize)]
struct Quota {
    /// Absent if the disk is the only limit.
    budget_bytes: Option<u64>,
    /// Disk space that objects take.
    object_bytes: u64,
}

impl Report for Quota {
    fn text(&self, out: &mut String) {
        let most = self.budget_bytes.map_or("the whole disk".to_owned(), table::bytes);
        out.push_str(&format!("{} of {most} taken by objects\n", table::bytes(self.object_bytes)));
    }
}
