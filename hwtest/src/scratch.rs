//! A folder for files of this run, removed with all that is in it.

use std::io;
use std::path::{Path, PathBuf};

/// A new folder in a directory; removed when it is dropped.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new(directory: &Path, purpose: &str) -> io::Result<Scratch> {
        let path = directory.join(format!(".holdfast-hwtest-{}-{purpose}", std::process::id()));
        std::fs::create_dir(&path)?;
        Ok(Scratch(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // If it cannot be removed, its name says whose it is.
        let _leftover = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_and_nobody_s_folder_is_taken() {
        let directory = tempfile::tempdir().unwrap();
        let scratch = Scratch::new(directory.path(), "a").unwrap();
        std::fs::write(scratch.path().join("file"), "x").unwrap();
        assert!(Scratch::new(directory.path(), "a").is_err());
        drop(scratch);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
