//! What a miner finds when somebody looks at its metrics.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use holdfast_partition::partition_file::OpenMode;
use tokio::sync::watch;

use crate::chain::{Chain, Head};
use crate::local::allocation::FileSystem;
use crate::local::failure::Failure;
use crate::miner::{Miner, blocking};
use crate::operation::metrics::{DirectoryLabels, Metrics};
use crate::operation::page::Observe;

/// Looks at chain and disks.
pub(super) struct Observer {
    miner: Arc<Miner>,
    heads: watch::Receiver<Head>,
}

/// One directory.
#[derive(Clone, Copy, Debug, Default)]
struct Directory {
    allocated_windows: u64,
    filled_windows: u64,
    free_bytes: u64,
}

impl Observer {
    pub(super) fn of(miner: &Arc<Miner>, chain: &dyn Chain) -> Observer {
        Observer { miner: Arc::clone(miner), heads: chain.heads() }
    }
}

#[async_trait]
impl Observe for Observer {
    async fn observe(&self, metrics: &Metrics) {
        metrics.note_head(*self.heads.borrow());
        let (objects, bytes) = self.miner.catalogue.all();
        metrics.objects.set(objects.cast_signed());
        metrics.object_bytes.set(bytes.cast_signed());
        metrics.income_share.set(self.miner.income().map_or(0.0, |income| income.share));
        let miner = Arc::clone(&self.miner);
        match blocking(move || look_at_disks(&miner)).await {
            Ok(Ok(directories)) => set(metrics, &directories),
            Ok(Err(error)) => tracing::warn!(%error, "the disks could not be looked at for the metrics"),
            Err(error) => tracing::warn!(%error, "the disks could not be looked at for the metrics"),
        }
    }
}

fn look_at_disks(miner: &Miner) -> Result<BTreeMap<PathBuf, Directory>, Failure> {
    let mut directories: BTreeMap<PathBuf, Directory> = BTreeMap::new();
    for share in miner.shares.all() {
        let partition = share.partition();
        let file = share.disk.open_file(partition, OpenMode::ReadOnly, miner.machine.io)?;
        let counts = file.counts().map_err(|error| Failure::partition(share.disk.path(partition), error))?;
        let directory = directories.entry(share.disk.directory.clone()).or_default();
        directory.allocated_windows += partition.windows;
        directory.filled_windows += counts.sealed;
    }
    for (path, directory) in &mut directories {
        directory.free_bytes = FileSystem::of(path)?.free_bytes;
    }
    Ok(directories)
}

fn set(metrics: &Metrics, directories: &BTreeMap<PathBuf, Directory>) {
    let families = [&metrics.allocated_windows, &metrics.filled_windows, &metrics.disk_free_bytes];
    // A directory that is gone is not shown as it was.
    families.iter().for_each(|family| family.clear());
    for (path, directory) in directories {
        let label = DirectoryLabels { directory: path.display().to_string() };
        let values = [directory.allocated_windows, directory.filled_windows, directory.free_bytes];
        for (family, value) in families.iter().zip(values) {
            family.get_or_create(&label).set(value.cast_signed());
        }
    }
}
