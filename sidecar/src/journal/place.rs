//! Where a journal lies: a name in a folder, and a name beside it under which it is made before it is put there whole.

use std::fs::File;
use std::io::Result;
use std::path::{Path, PathBuf};

use redb::StorageBackend;

use super::file;

/// Under which of its two names a journal is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    /// The one that it is made under.
    Beside,
    /// The one that it is read under.
    Own,
}

/// Where a journal lies.
pub(crate) trait Place: Send + Sync {
    /// Whether there is a journal.
    fn is_taken(&self) -> bool;
    /// Opens the file of a name, or makes it.
    fn open(&self, name: Name) -> Result<Box<dyn StorageBackend>>;
    /// Takes away what lies beside.
    fn clear(&self) -> Result<()>;
    /// Gives what lies beside the journal's own name.
    fn put(&self) -> Result<()>;
    /// Makes durable which names there are.
    fn settle(&self) -> Result<()>;
}

/// A place on a disk.
pub(super) struct OnDisk {
    own: PathBuf,
    beside: PathBuf,
}

impl OnDisk {
    pub(super) fn new(path: &Path) -> Self {
        let mut beside = path.as_os_str().to_owned();
        beside.push(".new");
        Self { own: path.to_owned(), beside: beside.into() }
    }
}

impl Place for OnDisk {
    fn is_taken(&self) -> bool {
        self.own.exists()
    }

    fn open(&self, name: Name) -> Result<Box<dyn StorageBackend>> {
        file::open(match name {
            Name::Beside => &self.beside,
            Name::Own => &self.own,
        })
    }

    fn clear(&self) -> Result<()> {
        std::fs::remove_file(&self.beside)
    }

    fn put(&self) -> Result<()> {
        std::fs::rename(&self.beside, &self.own)
    }

    fn settle(&self) -> Result<()> {
        let folder = self.own.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    }
}
