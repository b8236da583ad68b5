//! What of Vulkan is installed: the loader library, and the files by which drivers make themselves known to it.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use crate::report::Fact;

const LOADER: &str = "libvulkan.so.1";
/// Where the loader looks for drivers, unless a variable says otherwise.
const DRIVER_FOLDERS: [&str; 5] = [
    "/etc/vulkan/icd.d",
    "/usr/share/vulkan/icd.d",
    "/usr/local/share/vulkan/icd.d",
    "/usr/local/etc/vulkan/icd.d",
    "/etc/xdg/vulkan/icd.d",
];
/// They replace the folders: the first, or its older name.
const DRIVER_VARIABLES: [&str; 2] = ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"];

/// Loader and drivers, as facts of the machine. Names of files only: folders are nobody's business.
pub(crate) fn describe() -> Vec<Fact> {
    let loader = if has_loader() { format!("{LOADER} is installed") } else { missing_loader() };
    vec![
        Fact { name: "Vulkan loader", value: loader },
        Fact { name: "Vulkan drivers", value: drivers() },
        Fact { name: "NVIDIA driver", value: nvidia() },
    ]
}

fn missing_loader() -> String {
    format!("missing: {LOADER} (Debian and Ubuntu: package libvulkan1)")
}

/// In a folder of `LD_LIBRARY_PATH` or in the linker's cache.
fn has_loader() -> bool {
    let folders = env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    let cache = fs::read("/etc/ld.so.cache").unwrap_or_default();
    env::split_paths(&folders).any(|folder| folder.join(LOADER).exists())
        || cache.windows(LOADER.len()).any(|bytes| bytes == LOADER.as_bytes())
        || ["/usr/lib", "/usr/lib64", "/lib"].iter().any(|folder| Path::new(folder).join(LOADER).exists())
}

/// The driver files that the loader will read, and whether a variable chose them.
fn drivers() -> String {
    let chosen = DRIVER_VARIABLES.into_iter().find_map(|name| Some((name, env::var_os(name)?)));
    match chosen {
        Some((name, value)) => {
            let (there, missing): (Vec<_>, Vec<_>) = env::split_paths(&value).partition(|path| path.exists());
            let missing = match missing.len() {
                0 => String::new(),
                count => format!("; {count} of the files that it names do not exist"),
            };
            format!("{name} names {}{missing}", list(&there))
        }
        None => {
            list(&DRIVER_FOLDERS.iter().flat_map(|folder| files_in(Path::new(folder))).collect::<Vec<_>>())
        }
    }
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|end| end == "json")).collect();
    files.sort();
    files
}

fn list(paths: &[PathBuf]) -> String {
    let names: Vec<_> =
        paths.iter().filter_map(|path| path.file_name()).map(|name| name.to_string_lossy()).collect();
    if names.is_empty() { "none (no driver file, such as nvidia_icd.json)".into() } else { names.join(", ") }
}

/// The kernel module's version: it is there while the user's part of the driver, which Vulkan needs, may be missing.
fn nvidia() -> String {
    let version = fs::read_to_string("/proc/driver/nvidia/version").unwrap_or_default();
    match version.lines().next() {
        Some(line) => line.trim_start_matches("NVRM version:").trim().to_owned(),
        None => "no kernel module".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn driver_files_are_listed_by_name_and_their_absence_is_said() {
        let folder = tempfile::tempdir().unwrap();
        assert!(list(&files_in(folder.path())).starts_with("none"));
        for name in ["b_icd.json", "a_icd.json", "notes.txt"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        assert_eq!(list(&files_in(folder.path())), "a_icd.json, b_icd.json");
    }
}
