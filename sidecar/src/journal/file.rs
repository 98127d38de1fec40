//! The journal's file as its store sees it: the one place through which every byte goes.
//!
//! A sync that fails is no full disk, whatever the system calls it: after it nothing that was written may be believed,
//! while a write that found no room has changed nothing that counts.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{Error, Result};
use std::ops::Bound;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend};
use rustix::fs::{Advice, fadvise};

use crate::failpoint;

/// Who may read a journal: its owner alone, since it holds the tokens of hooks.
const MODE: u32 = 0o600;

/// Where the store has read last: what it says of damage is about there.
pub(super) type Mark = Arc<AtomicU64>;

/// A file, watched.
#[derive(Debug)]
pub(super) struct Watched {
    file: Arc<dyn StorageBackend>,
    mark: Mark,
}

/// Opens a file for its owner alone, or makes it. What is read from here on comes from the disk: after a sync that failed in
/// an earlier process the system may still show what never reached it.
pub(super) fn open(path: &Path) -> Result<Box<dyn StorageBackend>> {
    let mut how = OpenOptions::new();
    let file: File = how.read(true).write(true).create(true).truncate(false).mode(MODE).open(path)?;
    if file.metadata()?.permissions().mode() & 0o077 != 0 {
        file.set_permissions(Permissions::from_mode(MODE))?;
    }
    file.sync_data().map_err(|error| unsynced(&error))?;
    fadvise(&file, 0, None, Advice::DontNeed)?;
    Ok(Box::new(FileBackend::new(file).map_err(Error::other)?))
}

impl Watched {
    pub(super) fn new(file: Arc<dyn StorageBackend>, mark: Mark) -> Self {
        Self { file, mark }
    }
}

/// A sync that failed is no full disk, whatever the system calls it.
fn unsynced(error: &Error) -> Error {
    Error::other(format!("a sync has failed: {error}"))
}

type Locked<T> = std::result::Result<T, BackendError>;

impl StorageBackend for Watched {
    fn len(&self) -> Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        self.mark.store(offset, Ordering::Relaxed);
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.file.set_len(len)
    }

    fn sync_data(&self) -> Result<()> {
        fail_sync()?;
        self.file.sync_data().map_err(|error| unsynced(&error))?;
        failpoint::pass("journal synced");
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<()> {
        fail_write(|part| self.file.write(offset, &data[..part]), data.len())?;
        self.file.write(offset, data)
    }

    fn close(&self) -> Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Locked<bool> {
        self.file.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Locked<bool> {
        self.file.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Locked<()> {
        self.file.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Locked<()> {
        self.file.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Locked<()> {
        self.file.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Locked<bool> {
        self.file.query_lock_range(start, end)
    }
}

#[cfg(not(any(test, feature = "failpoints")))]
#[expect(clippy::unnecessary_wraps, reason = "where a test lets it fail it does")]
const fn fail_sync() -> Result<()> {
    Ok(())
}

#[cfg(not(any(test, feature = "failpoints")))]
#[expect(clippy::unnecessary_wraps, reason = "where a test lets it fail it does")]
fn fail_write(_write: impl FnOnce(usize) -> Result<()>, _len: usize) -> Result<()> {
    Ok(())
}

#[cfg(any(test, feature = "failpoints"))]
fn fail_sync() -> Result<()> {
    use crate::failpoint::Fault;
    match failpoint::fault("journal sync") {
        None | Some(Fault::Torn) => Ok(()),
        Some(Fault::Full) => Err(unsynced(&std::io::ErrorKind::StorageFull.into())),
        Some(Fault::Broken) => Err(unsynced(&Error::other("input/output error"))),
    }
}

#[cfg(any(test, feature = "failpoints"))]
fn fail_write(write: impl FnOnce(usize) -> Result<()>, len: usize) -> Result<()> {
    use crate::failpoint::Fault;
    match failpoint::fault("journal write") {
        None => Ok(()),
        Some(Fault::Torn) => {
            write(len / 2)?;
            failpoint::end()
        }
        Some(Fault::Full) => Err(std::io::ErrorKind::StorageFull.into()),
        Some(Fault::Broken) => Err(Error::other("input/output error")),
    }
}
