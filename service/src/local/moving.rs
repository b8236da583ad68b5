//! Moving an allocated directory to another disk: everything is copied and compared first, then the manifest goes, and with it
//! the directory. The source keeps its bytes until somebody deletes them.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use holdfast_engine::jobs::control::Control;
use holdfast_partition::manifest::{MANIFEST_NAME, Manifest};
use serde::Serialize;

use crate::local::disks::{Disk, lock};
use crate::local::failure::Failure;

/// Added to the name of a manifest whose directory has moved.
pub const MOVED_SUFFIX: &str = ".moved";
/// Added to a file's name until it is complete and compared.
const MOVING_SUFFIX: &str = ".moving";
/// Read, compared and written at once. A piece of zeros stays a hole.
const PIECE_BYTES: usize = 1 << 20;

/// What was moved.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Moved {
    /// Files in all.
    pub files: u64,
    /// Of them, those that an earlier run had copied; they were compared again.
    pub files_kept: u64,
    /// Bytes that this run wrote.
    pub bytes_written: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// The manifest of the source, under its new name.
    pub source_manifest: PathBuf,
}

/// Moves a directory. Broken off anywhere, it is carried on by asking again: until its end the source is the one that
/// counts, and afterwards the target.
///
/// # Errors
/// The source was not allocated, or is in use; the target has something else; a copy is not what was read.
pub fn move_directory(source: &Path, target: &Path, control: &Control) -> Result<Moved, Failure> {
    let moved_manifest = source.join(format!("{MANIFEST_NAME}{MOVED_SUFFIX}"));
    let disk = Disk::open(source)?;
    let _lock = disk.lock()?;
    fs::create_dir_all(target).map_err(|error| Failure::file("create", target, error))?;
    let _target_lock = lock(target)?;
    refuse_other_directory(&disk, target)?;
    let mut moved = Moved { source_manifest: moved_manifest.clone(), ..Moved::default() };
    copy_directory(source, target, control, &mut moved)?;
    disk.manifest.write(target).map_err(|error| Failure::work("io", target, error))?;
    // From here on the target is the one: two of one registration would sign against each other.
    let manifest = Manifest::path(source);
    fs::rename(&manifest, &moved_manifest).map_err(|error| Failure::file("rename", &manifest, error))?;
    sync(source)?;
    Ok(moved)
}

/// A target that was allocated for something else stays what it is.
fn refuse_other_directory(disk: &Disk, target: &Path) -> Result<(), Failure> {
    match Disk::find(target)? {
        Some(other) if other.manifest != disk.manifest => Err(Failure::State {
            message: format!(
                "{} is allocated already, and not as {} is",
                target.display(),
                disk.directory.display()
            ),
            advice: "choose a directory that is empty".to_owned(),
        }),
        _ => Ok(()),
    }
}

fn copy_directory(source: &Path, target: &Path, control: &Control, moved: &mut Moved) -> Result<(), Failure> {
    let failed = |error| Failure::file("read directory", source, error);
    let mut entries: Vec<_> = fs::read_dir(source).and_then(Iterator::collect).map_err(failed)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (name, from) = (entry.file_name(), entry.path());
        let to = target.join(&name);
        let name = name.to_string_lossy();
        let kind = entry.file_type().map_err(failed)?;
        // Locks are of processes; the manifest goes last.
        if name == MANIFEST_NAME || name.ends_with(".lock") || name.ends_with(MOVED_SUFFIX) {
            continue;
        }
        if kind.is_dir() {
            make_directory(&from, &to)?;
            copy_directory(&from, &to, control, moved)?;
        } else if kind.is_file() {
            copy_file(&from, &to, control, moved)?;
        } else {
            let reason = "it is neither a file nor a directory, and was not made by holdfast".to_owned();
            return Err(Failure::Foreign { path: from, expected: "a file to move", reason });
        }
    }
    sync(target)
}

fn make_directory(from: &Path, to: &Path) -> Result<(), Failure> {
    let failed = |error| Failure::file("create", to, error);
    match fs::create_dir(to) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(failed(error)),
        _ => {}
    }
    let mode = fs::metadata(from).map_err(|error| Failure::file("read", from, error))?.mode();
    fs::set_permissions(to, fs::Permissions::from_mode(mode & 0o7777)).map_err(failed)
}

/// Copies a file that is not there yet, and compares it. One that is there is compared, and copied again if it differs.
fn copy_file(from: &Path, to: &Path, control: &Control, moved: &mut Moved) -> Result<(), Failure> {
    let length = fs::metadata(from).map_err(|error| Failure::file("read", from, error))?.len();
    moved.files += 1;
    moved.bytes += length;
    if to.exists() && is_same(from, to, control)? {
        moved.files_kept += 1;
        return Ok(());
    }
    let mut name = to.file_name().unwrap_or_default().to_owned();
    name.push(MOVING_SUFFIX);
    let new = to.with_file_name(name);
    moved.bytes_written += write_copy(from, &new, control)?;
    if !is_same(from, &new, control)? {
        return Err(Failure::State {
            message: format!("{} is not what was read from {}", new.display(), from.display()),
            advice: "do not trust this disk, or nobody else may change the source meanwhile".to_owned(),
        });
    }
    fs::rename(&new, to).map_err(|error| Failure::file("rename", &new, error))
}

fn write_copy(from: &Path, to: &Path, control: &Control) -> Result<u64, Failure> {
    let (reading, writing) =
        (|error| Failure::file("read", from, error), |error| Failure::file("write", to, error));
    let mut source = File::open(from).map_err(reading)?;
    let metadata = source.metadata().map_err(reading)?;
    let target = File::create(to).map_err(writing)?;
    target.set_permissions(fs::Permissions::from_mode(metadata.mode() & 0o7777)).map_err(writing)?;
    let mut piece = vec![0; PIECE_BYTES];
    let (mut at, mut written) = (0_u64, 0_u64);
    loop {
        control.spend(PIECE_BYTES as u64)?;
        let read = fill(&mut source, &mut piece).map_err(reading)?;
        if read == 0 {
            break;
        }
        if piece[..read].iter().any(|byte| *byte != 0) {
            target.write_all_at(&piece[..read], at).map_err(writing)?;
            written += read as u64;
        }
        at += read as u64;
    }
    target.set_len(at).and_then(|()| target.sync_all()).map_err(writing)?;
    Ok(written)
}

fn is_same(one: &Path, other: &Path, control: &Control) -> Result<bool, Failure> {
    let open = |path: &Path| File::open(path).map_err(|error| Failure::file("read", path, error));
    let (mut first, mut second) = (open(one)?, open(other)?);
    let (mut first_piece, mut second_piece) = (vec![0; PIECE_BYTES], vec![0; PIECE_BYTES]);
    loop {
        control.checkpoint()?;
        let read = fill(&mut first, &mut first_piece).map_err(|error| Failure::file("read", one, error))?;
        let of_other =
            fill(&mut second, &mut second_piece).map_err(|error| Failure::file("read", other, error))?;
        if first_piece[..read] != second_piece[..of_other] {
            return Ok(false);
        }
        if read == 0 {
            return Ok(true);
        }
    }
}

/// Reads until the piece is full or the file ends.
fn fill(file: &mut File, piece: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < piece.len() {
        match file.read(&mut piece[filled..]) {
            Ok(0) => break,
            Ok(bytes) => filled += bytes,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

fn sync(directory: &Path) -> Result<(), Failure> {
    let synced = File::open(directory).and_then(|directory| directory.sync_all());
    synced.map_err(|error| Failure::file("sync directory", directory, error))
}
