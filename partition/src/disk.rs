//! The disk under a directory: how much is free, which device it is, what kind.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::io::IoError;

/// Bytes of the unit in which `stat` counts allocated space, on every system.
const STAT_UNIT_BYTES: u64 = 512;

/// A mounted file system and the device below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disk {
    /// Number that is equal for two paths on one file system (`st_dev`).
    pub device: u64,
    /// Size in bytes.
    pub total_bytes: u64,
    /// Bytes that a process without privileges may still allocate.
    pub free_bytes: u64,
    /// Type, such as `ext4`, where the system says it.
    pub file_system: Option<String>,
    /// Name of the whole disk, such as `sda` or `nvme0n1`, where there is one below.
    pub name: Option<String>,
    /// True for spinning disks, where the system says it. Virtual disks may say anything.
    pub rotational: Option<bool>,
}

/// The disk that holds `path`, which exists.
pub fn disk_of(path: &Path) -> Result<Disk, IoError> {
    let failed = |error: io::Error| IoError::from_os(&error, "look at the disk of", path, 0, 0);
    let device = fs::metadata(path).map_err(failed)?.dev();
    let space = rustix::fs::statvfs(path).map_err(|error| failed(error.into()))?;
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let queue = whole_disk(Path::new(&format!("/sys/dev/block/{major}:{minor}")));
    Ok(Disk {
        device,
        total_bytes: space.f_blocks.saturating_mul(space.f_frsize),
        free_bytes: space.f_bavail.saturating_mul(space.f_frsize),
        file_system: file_system(&mounts, &format!("{major}:{minor}")),
        name: queue.as_ref().and_then(|disk| Some(disk.file_name()?.to_str()?.to_owned())),
        rotational: queue.and_then(|disk| rotational(&disk)),
    })
}

/// Bytes of disk space that a file takes, holes not counted.
pub fn allocated_bytes(path: &Path) -> Result<u64, IoError> {
    let metadata =
        fs::metadata(path).map_err(|error| IoError::from_os(&error, "look at the size of", path, 0, 0))?;
    Ok(metadata.blocks().saturating_mul(STAT_UNIT_BYTES))
}

/// The directory in `/sys` of the disk that a block device is, or is a partition of.
fn whole_disk(device: &Path) -> Option<PathBuf> {
    let device = device.canonicalize().ok()?;
    device.ancestors().take(2).find(|place| place.join("queue").is_dir()).map(Path::to_path_buf)
}

fn rotational(disk: &Path) -> Option<bool> {
    match fs::read_to_string(disk.join("queue/rotational")).ok()?.trim() {
        "0" => Some(false),
        "1" => Some(true),
        _ => None,
    }
}

/// Type of the file system with this `major:minor` in the text of `/proc/self/mountinfo` (proc_pid_mountinfo(5)): the third
/// field is the device, the one after a lone `-` the type.
fn file_system(mounts: &str, device: &str) -> Option<String> {
    let line = mounts.lines().find(|line| line.split(' ').nth(2) == Some(device))?;
    line.split(' ').skip_while(|&field| field != "-").nth(1).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_stands_after_any_number_of_optional_fields() {
        let mounts = "22 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n\
                      23 22 0:21 / /dev/shm rw shared:2 master:1 - tmpfs tmpfs rw\n\
                      broken line\n";
        assert_eq!(file_system(mounts, "254:0").as_deref(), Some("ext4"));
        assert_eq!(file_system(mounts, "0:21").as_deref(), Some("tmpfs"));
        assert_eq!(file_system(mounts, "9:9"), None);
        assert_eq!(file_system("1 2 9:9", "9:9"), None);
    }

    #[test]
    fn a_partition_is_found_to_be_part_of_its_disk() {
        let sys = tempfile::tempdir().unwrap();
        let root = sys.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("sda/queue")).unwrap();
        fs::create_dir_all(root.join("sda/sda1")).unwrap();
        fs::write(root.join("sda/queue/rotational"), "1\n").unwrap();
        for device in ["sda", "sda/sda1"] {
            let disk = whole_disk(&root.join(device));
            assert_eq!(disk, Some(root.join("sda")), "{device}");
            assert_eq!(rotational(&root.join("sda")), Some(true));
        }
        assert_eq!(whole_disk(&root.join("sdb")), None);
    }

    #[test]
    fn space_taken_by_a_file_is_not_free_and_a_hole_takes_none() {
        let directory = tempfile::tempdir().unwrap();
        let disk = disk_of(directory.path()).unwrap();
        assert!(disk.free_bytes <= disk.total_bytes && disk.total_bytes > 0);
        let path = directory.path().join("file");
        let file = fs::File::create(&path).unwrap();
        file.set_len(1 << 20).unwrap();
        assert!(allocated_bytes(&path).unwrap() < 1 << 20, "a hole was counted");
        fs::write(&path, vec![1; 1 << 20]).unwrap();
        fs::File::open(&path).unwrap().sync_all().unwrap();
        assert!(allocated_bytes(&path).unwrap() >= 1 << 20);
        assert_eq!(disk_of(&path).unwrap().device, disk.device);
        let missing = disk_of(&directory.path().join("missing")).unwrap_err().to_string();
        assert!(missing.contains("missing") && missing.contains("No such file"), "{missing}");
    }
}
