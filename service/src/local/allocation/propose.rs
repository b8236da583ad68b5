//! What an allocation would change on a disk. Nothing is written here.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use holdfast_engine::registration::{Profile, WindowShape};
use holdfast_partition::allocate::{self, AllocateError, DiskSpace, Plan, Share};
use holdfast_partition::format::Geometry;
use holdfast_partition::manifest::Partition;
use serde::Serialize;

use super::{FileSystem, Shares, default_window_bytes, shape};
use crate::local::disks::Disk;
use crate::local::failure::Failure;
use crate::local::objects;

/// What becomes of one validator's partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// A new partition is registered.
    Create,
    /// Nothing changes.
    Keep,
    /// Windows are appended.
    Grow,
    /// The last windows are given up.
    Shrink,
    /// The validator gets none: its share is below one window.
    LeftOut,
    /// The validator has a partition but no share any more; it is kept, and its bytes are not shared out.
    Outside,
}

/// One validator's line of a proposal.
#[derive(Clone, Debug, Serialize)]
pub struct ProposedPartition {
    /// Its number in the network.
    pub uid: u32,
    /// Its account, as in the stake table.
    pub validator: String,
    /// Tokens staked.
    pub stake: f64,
    /// What becomes of its partition.
    pub action: Action,
    /// Windows now.
    pub windows_before: u64,
    /// Windows afterwards.
    pub windows: u64,
    /// Disk space afterwards, in bytes.
    pub bytes: u64,
    /// The partition's file, once it has one.
    pub path: Option<PathBuf>,
}

/// What an allocation would make of one disk.
#[derive(Debug)]
pub struct Proposal {
    /// The directory.
    pub directory: PathBuf,
    /// What is there.
    pub disk: Option<Disk>,
    /// What the disk offers.
    pub file_system: FileSystem,
    /// The plan that it follows from.
    pub plan: Plan,
    /// Shape of all windows.
    pub shape: WindowShape,
    /// Share of the free bytes to use.
    pub threshold: f64,
    /// A line for each validator.
    pub partitions: Vec<ProposedPartition>,
}

impl Proposal {
    /// Windows that would be given up.
    pub fn windows_lost(&self) -> u64 {
        let lost = |line: &ProposedPartition| line.windows_before.saturating_sub(line.windows);
        self.partitions.iter().map(lost).sum()
    }
}

/// What the shares make of a directory, which may have been allocated before.
pub fn propose(directory: &Path, shares: &Shares) -> Result<Proposal, Failure> {
    let disk = Disk::find(directory)?;
    let file_system = FileSystem::of(directory)?;
    let existing: &[Partition] = disk.as_ref().map_or(&[], |disk| &disk.manifest.partitions);
    let staked =
        |partition: &Partition| shares.stakes.iter().any(|stake| stake.hotkey == partition.validator_hotkey);
    let (ours, outside): (Vec<&Partition>, Vec<&Partition>) = existing.iter().partition(|p| staked(p));
    let object_bytes = object_bytes_of(disk.as_ref())?;
    let occupied = |partitions: &[&Partition]| -> Result<u64, Failure> {
        let of_objects: u64 = partitions.iter().filter_map(|p| object_bytes.get(&p.path)).sum();
        let of_windows = partitions.iter().map(|partition| occupied_bytes(&directory.join(&partition.path)));
        Ok(of_windows.sum::<Result<u64, Failure>>()?.saturating_add(of_objects))
    };
    let outside_bytes = occupied(&outside)?;
    let space = DiskSpace {
        free_bytes: file_system.free_bytes,
        already_allocated_bytes: occupied(&ours)?,
        threshold: shares.threshold,
        max_bytes: shares.max_bytes.map(|bytes| bytes.saturating_sub(outside_bytes)),
    };
    let shape = window_shape(disk.as_ref(), shares, &space)?;
    let window = allocate::WindowShape { k: shape.log2_labels(), layers: shape.layers(), minimum_windows: 1 };
    let plan =
        allocate::plan(&shares.stakes, &space, &window).map_err(|error| plan_failure(directory, error))?;
    let window_bytes = bytes_per_window(&shape)?;
    let by_validator: HashMap<&str, &Partition> =
        ours.iter().map(|partition| (partition.validator_hotkey.as_str(), *partition)).collect();
    let mut partitions: Vec<ProposedPartition> = plan
        .shares
        .iter()
        .map(|share| {
            let partition = by_validator.get(share.validator.hotkey.as_str()).copied();
            let of_objects = partition.and_then(|partition| object_bytes.get(&partition.path));
            let taken = of_objects.map_or(0, |bytes| bytes.div_ceil(window_bytes));
            line_of(directory, share, partition, taken, shares.object_reserve)
        })
        .collect();
    partitions.extend(outside.iter().map(|partition| outside_line(directory, partition)));
    let (directory, threshold) = (directory.to_owned(), shares.threshold);
    Ok(Proposal { directory, file_system, plan, shape, threshold, partitions, disk })
}

fn plan_failure(directory: &Path, error: AllocateError) -> Failure {
    let message = format!("{}: {error}", directory.display());
    let advice = match error {
        AllocateError::NothingFits { .. } => "see --window, --threshold and --max-bytes",
        _ => "see holdfast allocate --help",
    };
    Failure::State { message, advice: advice.to_owned() }
}

/// The windows that are there already, or as asked for, or what suits the disk.
fn window_shape(disk: Option<&Disk>, shares: &Shares, space: &DiskSpace) -> Result<WindowShape, Failure> {
    let Some(disk) = disk.filter(|disk| !disk.manifest.partitions.is_empty()) else {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        // Only orders of magnitude matter here.
        let usable = (space.free_bytes as f64 * space.threshold) as u64;
        let usable = usable.min(space.max_bytes.unwrap_or(u64::MAX));
        let window_bytes = shares.window_bytes.unwrap_or_else(|| default_window_bytes(usable));
        return shape(window_bytes, shares.profile.unwrap_or(Profile::Standard));
    };
    let window = &disk.manifest.window;
    let there = shape(window.window_bytes, Profile::of_layers(window.layers))?;
    let asked = shape(
        shares.window_bytes.unwrap_or(there.bytes()),
        shares.profile.unwrap_or_else(|| there.profile()),
    )?;
    if asked != there {
        return Err(Failure::State {
            message: format!(
                "{} has windows of {} bytes with {} layers; {} bytes with {} layers were asked for",
                disk.directory.display(),
                there.bytes(),
                there.layers(),
                asked.bytes(),
                asked.layers()
            ),
            advice: "leave --window and --profile out, or use another directory".to_owned(),
        });
    }
    Ok(there)
}

/// `taken`: windows whose place objects have; `reserve`: part of the share that is kept for those to come.
fn line_of(
    directory: &Path,
    share: &Share,
    existing: Option<&Partition>,
    taken: u64,
    reserve: f64,
) -> ProposedPartition {
    let before = existing.map_or(0, |partition| partition.windows);
    // A registered cap is for good; a partition cannot grow beyond it. One with no share left keeps its first window:
    // taking a partition away is what `remove` is for.
    let cap = existing.map_or(u64::MAX, |partition| partition.window_cap);
    let least = u64::from(existing.is_some() || share.windows > 0);
    let windows_beside =
        |room: u64| share.windows.saturating_sub(taken.saturating_add(room)).clamp(least, cap);
    let room = part_of(share.windows, reserve);
    // Each change is recorded on the chain, so windows do not follow every object: they stay while the room beside them is
    // half to twice what it should be.
    let is_near = (windows_beside(room.saturating_mul(2))..=windows_beside(room / 2)).contains(&before);
    let windows = if existing.is_some() && is_near { before } else { windows_beside(room) };
    let action = match (existing, windows.cmp(&before)) {
        (None, _) if windows == 0 => Action::LeftOut,
        (None, _) => Action::Create,
        (Some(_), std::cmp::Ordering::Equal) => Action::Keep,
        (Some(_), std::cmp::Ordering::Greater) => Action::Grow,
        (Some(_), std::cmp::Ordering::Less) => Action::Shrink,
    };
    ProposedPartition {
        uid: share.validator.uid,
        validator: share.validator.hotkey.clone(),
        stake: share.validator.stake,
        action,
        windows_before: before,
        windows,
        bytes: share.size_bytes,
        path: existing.map(|partition| directory.join(&partition.path)),
    }
}

fn outside_line(directory: &Path, partition: &Partition) -> ProposedPartition {
    ProposedPartition {
        uid: partition.validator_uid,
        validator: partition.validator_hotkey.clone(),
        stake: 0.0,
        action: Action::Outside,
        windows_before: partition.windows,
        windows: partition.windows,
        bytes: partition.size_bytes,
        path: Some(directory.join(&partition.path)),
    }
}

/// A part of so many windows, rounded up.
fn part_of(windows: u64, part: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "saturates, and windows are far below 2^52"
    )]
    let windows = (windows as f64 * part).ceil() as u64;
    windows
}

/// Disk space of a window with all that belongs to it.
fn bytes_per_window(shape: &WindowShape) -> Result<u64, Failure> {
    let geometry = Geometry::new(shape.log2_labels(), shape.layers(), 1);
    geometry
        .map(|geometry| geometry.bytes_per_window())
        .map_err(|error| Failure::work("state", "a window", error))
}

/// Disk space of the objects of each partition that has any, by the partition's path.
fn object_bytes_of(disk: Option<&Disk>) -> Result<HashMap<String, u64>, Failure> {
    let mut of = HashMap::new();
    if let Some(disk) = disk {
        for (place, partition) in disk.manifest.partitions.iter().enumerate() {
            of.insert(partition.path.clone(), objects::object_bytes(disk, place)?);
        }
    }
    Ok(of)
}

/// Bytes that a file takes on the disk; none if it is not there.
fn occupied_bytes(path: &Path) -> Result<u64, Failure> {
    const BLOCK_BYTES: u64 = 512; // the unit of st_blocks, whatever the file system's is
    match std::fs::metadata(path) {
        Ok(metadata) => Ok(metadata.blocks() * BLOCK_BYTES),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(Failure::file("open", path, error)),
    }
}
