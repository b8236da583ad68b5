//! Windows are made in the background, disk by disk, and recorded as they are complete.

use std::sync::Arc;

use holdfast_engine::jobs::control::Control;
use holdfast_engine::jobs::fill::fill;
use holdfast_partition::manifest::Partition;
use holdfast_partition::partition_file::OpenMode;
use tokio::task::JoinSet;

use crate::local::disks::Disk;
use crate::local::failure::Failure;
use crate::local::gpus::Work;
use crate::miner::Miner;
use crate::workers::Exchange;

/// Fills of several disks that go on.
#[derive(Debug)]
pub(super) struct Filling {
    control: Arc<Control>,
    disks: JoinSet<()>,
}

impl Filling {
    /// Begins.
    pub(super) fn start(miner: &Arc<Miner>, disks: Vec<Arc<Disk>>, bytes_per_second: Option<u64>) -> Filling {
        let control = Arc::new(Control::with_rate_limit(bytes_per_second));
        let mut tasks = JoinSet::new();
        for disk in disks {
            let (miner, control) = (Arc::clone(miner), Arc::clone(&control));
            tasks.spawn_blocking(move || {
                for partition in &disk.manifest.partitions {
                    match fill_partition(&disk, partition, &miner, &control) {
                        Ok(()) => {}
                        Err(Failure::Cancelled(_)) => return,
                        Err(error) => tracing::error!(%error, "a partition was not filled"),
                    }
                }
            });
        }
        Filling { control, disks: tasks }
    }

    /// Ready when all disks are done.
    pub(super) async fn done(&mut self) {
        while self.disks.join_next().await.is_some() {}
    }

    /// Ends it after the windows in flight; what is complete stays.
    pub(super) async fn stop(mut self) {
        self.control.cancel();
        self.done().await;
    }
}

/// A filling that is dropped would go on for days.
impl Drop for Filling {
    fn drop(&mut self) {
        self.control.cancel();
    }
}

fn fill_partition(
    disk: &Disk,
    partition: &Partition,
    miner: &Miner,
    control: &Control,
) -> Result<(), Failure> {
    control.checkpoint()?;
    let machine = &miner.machine;
    let path = disk.path(partition);
    let bytes = partition.windows.saturating_mul(disk.manifest.window.window_bytes);
    let mut devices = machine.gpus.devices(Work::Windows, bytes, |message| tracing::info!("{message}"))?;
    devices.accelerators.extend(miner.workers.as_ref().map(Exchange::accelerators).unwrap_or_default());
    let file = disk.open_file(partition, OpenMode::ReadWrite, machine.io)?;
    fill(&file, &machine.fill_options(&path, &devices), control, &())
        .map_err(|error| Failure::fill(&path, error))?;
    file.close().map_err(|error| Failure::partition(&path, error))
}
