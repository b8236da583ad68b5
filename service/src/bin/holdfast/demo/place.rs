//! Where a demo writes: a new temporary directory, or an empty one that was named.

use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// A directory that was empty when the demo began, so that everything in it is the demo's.
pub(super) struct Place {
    pub(super) directory: PathBuf,
    keep: bool,
    /// Whether the directory is ours to delete, or only what we put into it.
    made_directory: bool,
}

impl Place {
    /// Makes it, or takes the one that was named.
    pub(super) fn open(named: Option<&Path>, keep: bool) -> Result<Place, Failure> {
        let Some(named) = named else {
            let made = tempfile::Builder::new().prefix("holdfast-demo-").tempdir();
            let made =
                made.map_err(|error| Failure::file("create a directory in", std::env::temp_dir(), error))?;
            return Ok(Place { directory: made.keep(), keep, made_directory: true });
        };
        let made_directory = !named.exists();
        std::fs::create_dir_all(named).map_err(|error| Failure::file("create", named, error))?;
        let mut entries =
            std::fs::read_dir(named).map_err(|error| Failure::file("read directory", named, error))?;
        if entries.next().is_some() {
            return Err(Failure::State {
                message: format!("{} is not empty", named.display()),
                advice: "the demo takes an empty or new directory".to_owned(),
            });
        }
        let directory = std::path::absolute(named).map_err(|error| Failure::file("resolve", named, error))?;
        Ok(Place { directory, keep, made_directory })
    }

    /// Deletes what the demo wrote, unless it is to be kept.
    pub(super) fn clear(&self) -> Result<(), Failure> {
        if self.keep {
            return Ok(());
        }
        if self.made_directory {
            let removed = std::fs::remove_dir_all(&self.directory);
            return removed.map_err(|error| Failure::file("delete", &self.directory, error));
        }
        let failed = |error| Failure::file("empty", &self.directory, error);
        for entry in std::fs::read_dir(&self.directory).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let removed =
                if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
            removed.map_err(failed)?;
        }
        Ok(())
    }
}
