//! What this machine can compute with and write to.

use std::path::{Path, PathBuf};

use holdfast_engine::accelerator::discovery::{self, Found, Wanted};
use holdfast_engine::backend::{self, State};
use serde::Serialize;

use crate::local::allocation::FileSystem;
use crate::local::console::Report;
use crate::local::failure::Failure;
use crate::local::medium::{self, Device};
use crate::local::table::{self, Table};

/// Processors, graphics processors and disks.
#[derive(Debug, Serialize)]
pub struct Devices {
    cores: usize,
    backends: Vec<Device>,
    gpus: Vec<Found>,
    /// Why there are none.
    no_gpus_because: Option<&'static str>,
    disks: Vec<DiskDevices>,
}

#[derive(Debug, Serialize)]
struct DiskDevices {
    directory: PathBuf,
    total_bytes: u64,
    free_bytes: u64,
    io: Vec<Device>,
}

impl DiskDevices {
    fn of(directory: &Path) -> Result<DiskDevices, Failure> {
        let FileSystem { total_bytes, free_bytes } = FileSystem::of(directory)?;
        let io = medium::survey(directory);
        Ok(DiskDevices { directory: directory.to_owned(), total_bytes, free_bytes, io })
    }
}

fn backends() -> Vec<Device> {
    let devices = backend::survey().into_iter().map(|presence| match presence.state {
        State::Present(_) => Device { name: presence.name, present: true, why: None },
        State::Absent(why) => Device { name: presence.name, present: false, why: Some(why.to_owned()) },
    });
    devices.collect()
}

fn write_devices(devices: &[Device], out: &mut String) {
    let mut lines = Table::new(&["", ""]);
    for device in devices {
        let state = match (device.present, &device.why) {
            (true, None) => "present".to_owned(),
            (true, Some(note)) => format!("present: {note}"),
            (false, why) => format!("absent: {}", why.as_deref().unwrap_or("unknown")),
        };
        lines.row([device.name.to_owned(), state]);
    }
    lines.write("  ", out);
}

impl Devices {
    /// Looks at this machine and at the disks of these directories; software graphics processors count as usable or not. Asks
    /// drivers, which may take seconds.
    pub fn survey(directories: &[PathBuf], allow_software: bool) -> Result<Devices, Failure> {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let disks = directories.iter().map(|dir| DiskDevices::of(dir)).collect::<Result<Vec<_>, _>>()?;
        let gpus = discovery::survey(&Wanted { allow_software, ..Wanted::default() });
        let no_gpus_because = match (gpus.is_empty(), discovery::absent_from_build()) {
            (false, _) => None,
            (true, Some(why)) => Some(why),
            (true, None) => Some("no Vulkan loader, or no driver that it finds (is libvulkan1 installed?)"),
        };
        Ok(Devices { cores, backends: backends(), gpus, no_gpus_because, disks })
    }

    fn write_gpus(&self, out: &mut String) {
        if let Some(why) = self.no_gpus_because {
            out.push_str(&format!("\n  absent: {why}\n"));
            return;
        }
        let mut lines = Table::new(&["", "", "", ""]);
        for gpu in &self.gpus {
            let state = match &gpu.unused_because {
                None if gpu.can_commit => "usable".to_owned(),
                None => "usable for windows; commitments take 64-bit integers, which it lacks".to_owned(),
                Some(why) => format!("not used: {why}"),
            };
            lines.row([gpu.id.clone(), gpu.name.clone(), gpu.kind.clone(), state]);
        }
        lines.write("  ", out);
    }
}

impl Report for Devices {
    fn text(&self, out: &mut String) {
        out.push_str(&format!("back ends ({} cores)", self.cores));
        write_devices(&self.backends, out);
        out.push_str("\ngraphics processors");
        self.write_gpus(out);
        for disk in &self.disks {
            out.push_str(&format!(
                "\n{}: {} free of {}",
                disk.directory.display(),
                table::bytes(disk.free_bytes),
                table::bytes(disk.total_bytes)
            ));
            write_devices(&disk.io, out);
        }
    }
}
