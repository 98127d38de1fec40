//! A directory for the length of the story: journals, the webhook's secret, matchmaking's schema.

use std::path::{Path, PathBuf};

use crate::exit::Exit;
use crate::failure::Failure;

/// A directory that is gone when the story is over.
pub(super) struct Scratch(pub(super) PathBuf);

impl Scratch {
    /// Makes it, in the system's directory for such things.
    pub(super) fn new() -> Result<Self, Failure> {
        let path = std::env::temp_dir().join(format!("pavane-demo-{}", uuid::Uuid::now_v7()));
        std::fs::create_dir(&path).map_err(|error| cannot_write(&path, error))?;
        Ok(Self(path))
    }

    /// Writes a file into it, and the folders above; returns where it is.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<PathBuf, Failure> {
        let path = self.0.join(name);
        let folder = path.parent().unwrap_or(&self.0);
        std::fs::create_dir_all(folder).map_err(|error| cannot_write(folder, error))?;
        std::fs::write(&path, text).map_err(|error| cannot_write(&path, error))?;
        Ok(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // It lies in the system's directory for such things, which is cleaned all the same.
        drop(std::fs::remove_dir_all(&self.0));
    }
}

fn cannot_write(path: &Path, error: std::io::Error) -> Failure {
    Failure::new(Exit::Internal, format!("cannot write {}", path.display())).because(error)
}
