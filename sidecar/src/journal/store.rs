//! The open store: looked through before anything of it is believed, and then written by one sync a commit.
//!
//! With one sync a newest state that is damaged looks as one that never came to its end, and the store goes back to the
//! state before it without a word. So the commits are counted in a row, and the number of each is sealed in the first page
//! once it is synced: a file that holds less than its seal says has lost what was answered for. The seal needs no sync: it
//! outlives the process as it is, and the sync of the next commit brings it to the disk.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use redb::{Database, DatabaseError, StorageBackend, StorageError, WriteTransaction};

use super::file::{Mark, Watched};
use super::row::sum;
use super::tables::{self, Rows};
use super::{is_full, recall};

/// How much of the file the store may hold in memory, in bytes.
const CACHE: usize = 1024 * 1024;
/// Where the seal stands: at the end of the first page, of which the store itself uses the first 320 bytes.
const SEAL: u64 = 4096 - 16;

/// A store that can be read and written.
pub(super) struct Store {
    database: Database,
    file: Arc<dyn StorageBackend>,
    /// How many commits it holds.
    commits: u64,
}

/// What was found in a file that cannot be opened as a store.
pub(super) enum Unfit {
    /// It is damaged: where, and why.
    Damaged(Option<String>, String),
    Failed(DatabaseError),
}

impl Store {
    /// Opens the store and looks at every byte that counts.
    pub(super) fn open(file: Box<dyn StorageBackend>, mark: &Mark) -> Result<Self, Unfit> {
        let file: Arc<dyn StorageBackend> = Arc::from(file);
        let fresh = file.len().map_err(failed)? == 0;
        let mended = Arc::new(AtomicBool::new(false));
        let seen = mended.clone();
        let mut database = Database::builder()
            .set_cache_size(CACHE)
            .set_repair_callback(move |_| seen.store(true, Ordering::Relaxed))
            .create_with_backend(Watched::new(file.clone(), mark.clone()))
            .map_err(Unfit::Failed)?;
        // One that was not closed in order is looked through by the store itself.
        let whole =
            fresh || mended.load(Ordering::Relaxed) || database.check_integrity().map_err(Unfit::Failed)?;
        if !whole {
            return Err(Unfit::Damaged(None, "its pages do not fit their checksums".to_owned()));
        }
        let commits = held(&database)?;
        let sealed = sealed(&*file)?;
        if commits < sealed {
            let why =
                format!("commit {sealed} was synced, and the newest that fits its checksums is {commits}");
            return Err(Unfit::Damaged(Some("its newest state".to_owned()), why));
        }
        Ok(Self { database, file, commits })
    }

    /// How many commits it holds.
    pub(super) const fn commits(&self) -> u64 {
        self.commits
    }

    /// All rows.
    pub(super) fn rows(&self) -> Result<Rows, redb::Error> {
        tables::read(&self.database)
    }

    /// Writes what is put: all of it or nothing, durable when this returns. After an error it takes nothing more.
    pub(super) fn write(
        &mut self,
        put: impl FnOnce(&WriteTransaction) -> Result<(), redb::Error>,
    ) -> Result<(), redb::Error> {
        let write = self.database.begin_write()?;
        put(&write)?;
        tables::count(&write, self.commits + 1)?;
        write.commit()?;
        self.commits += 1;
        match seal(&*self.file, self.commits).map_err(redb::Error::Io) {
            // What is sealed at the next commit seals this one too.
            Err(error) if is_full(&error) => Ok(()),
            sealed => sealed,
        }
    }
}

/// How many commits the newest state holds, as it says; none was counted in those that an earlier program wrote.
fn held(database: &Database) -> Result<u64, Unfit> {
    let text = tables::commits(database).map_err(|error| {
        if let redb::Error::Io(error) = error {
            return failed(error);
        }
        Unfit::Damaged(None, error.to_string())
    })?;
    let Some(text) = text else { return Ok(0) };
    let row =
        |recall::Damage { table, key, why }| Unfit::Damaged(Some(format!("the row {key} of `{table}`")), why);
    recall::counted(&text).map_err(row)
}

/// The newest commit that was sealed; 0 where none ever was.
fn sealed(file: &dyn StorageBackend) -> Result<u64, Unfit> {
    let mut bytes = [0; 16];
    file.read(SEAL, &mut bytes).map_err(failed)?;
    if bytes == [0; 16] {
        return Ok(0);
    }
    let (number, sum_of_it) = bytes.split_at(8);
    if *sum_of_it != sum("seal", &[], number) {
        let place = format!("about byte {SEAL}");
        return Err(Unfit::Damaged(Some(place), "the seal does not fit its checksum".to_owned()));
    }
    Ok(u64::from_be_bytes(number.try_into().expect("they are eight")))
}

fn seal(file: &dyn StorageBackend, commits: u64) -> io::Result<()> {
    let number = commits.to_be_bytes();
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&number);
    bytes[8..].copy_from_slice(&sum("seal", &[], &number));
    file.write(SEAL, &bytes)
}

fn failed(error: io::Error) -> Unfit {
    Unfit::Failed(StorageError::Io(error).into())
}
