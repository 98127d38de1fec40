//! What must survive a crash, in one file: how far each reaction has come, what is on its way to the broker, what it
//! answered, what was rejected, and where the log is to be read on from.
//!
//! A commit is durable when it returns. The file belongs to one process at a time and to one instance. A disk that is
//! full fails one commit and nothing else: the store is opened anew, and then it is looked whether the commit is there.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use pavane_sidecar_engine::{Job, Memory};
use redb::{Database, DatabaseError, ReadableDatabase, ReadableTable, TableDefinition};

use crate::error::Error;
use crate::letter::Letter;
use crate::outbox::Receipt;

const META: TableDefinition<'_, &str, &str> = TableDefinition::new("meta");
const JOBS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("jobs");
const REJECTED: TableDefinition<'_, i64, ()> = TableDefinition::new("rejected");
const OUTBOX: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("outbox");
const RECEIPTS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("receipts");
const UNSENDABLE: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("unsendable");
const OWNER: &str = "owner";
const POSITION: &str = "position";
/// How much of the file the store may hold in memory, in bytes.
const CACHE: usize = 1024 * 1024;

/// Opens the store; asked again after the disk was full.
type Opener = Box<dyn Fn() -> Result<Database, DatabaseError> + Send + Sync>;

/// An open journal.
pub(crate) struct Journal {
    store: Mutex<Option<Database>>,
    opener: Opener,
    path: PathBuf,
}

/// What a journal held when it was opened.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Recalled {
    pub(crate) memory: Memory,
    /// In the order in which it was said.
    pub(crate) outbox: Vec<Letter>,
    /// What the broker has answered for, in the order of the answers, by number.
    pub(crate) receipts: Vec<(u64, Receipt)>,
    /// Where the log is to be read on from; none when it never was.
    pub(crate) position: Option<i64>,
}

/// What is written in one go.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Batch {
    pub(crate) jobs: Vec<Job>,
    pub(crate) rejected: Vec<i64>,
    pub(crate) said: Vec<Letter>,
    /// The numbers of the letters that the broker has.
    pub(crate) sent: Vec<u64>,
    /// Letters that can never be sent: kept apart, for a person to look at.
    pub(crate) unsendable: Vec<Letter>,
    pub(crate) receipts: Vec<(u64, Receipt)>,
    /// The numbers of the receipts that are older than the window.
    pub(crate) forgotten: Vec<u64>,
    pub(crate) position: Option<i64>,
}

impl Journal {
    /// Opens the journal of an instance (`shop/user-service/user-service-0`), or begins it.
    pub(crate) fn open(path: &Path, own: &str) -> Result<(Self, Recalled), Error> {
        if !path.exists() {
            create(path, own)?;
        }
        let file = path.to_owned();
        Self::open_by(Box::new(move || Database::builder().set_cache_size(CACHE).create(&file)), path, own)
    }

    /// Opens a journal on whatever the opener opens; the path is what errors name.
    pub(crate) fn open_by(opener: Opener, path: &Path, own: &str) -> Result<(Self, Recalled), Error> {
        let journal = Self { store: Mutex::new(None), opener, path: path.to_owned() };
        journal.claim(own)?;
        let recalled = journal.recall()?;
        Ok((journal, recalled))
    }

    /// Writes a batch: all of it or nothing, durable when this returns. [`Error::JournalFull`]: nothing of it is there,
    /// and the next batch may be tried.
    pub(crate) fn commit(&self, batch: &Batch) -> Result<(), Error> {
        let mut store = self.store();
        let error = match self.opened(&mut store)?.write_batch(batch) {
            Ok(()) => return Ok(()),
            Err(error) => self.error("write", error),
        };
        // The store takes nothing more after a failure, and does not know how much of the commit came through.
        *store = None;
        if !matches!(error, Error::JournalFull { .. }) {
            return Err(error);
        }
        let there = batch.said.last().map(|letter| letter.number);
        let holds =
            there.is_some() && self.opened(&mut store)?.holds(there).map_err(|e| self.error("read", e))?;
        if holds { Ok(()) } else { Err(error) }
    }

    /// Gives the file back; nothing can be written any more.
    pub(crate) fn close(&self) {
        *self.store() = None;
    }

    fn store(&self) -> MutexGuard<'_, Option<Database>> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn opened<'a>(&self, store: &'a mut Option<Database>) -> Result<&'a Database, Error> {
        if store.is_none() {
            *store = Some((self.opener)().map_err(|error| {
                if matches!(error, DatabaseError::DatabaseAlreadyOpen) {
                    return Error::JournalTaken { path: self.path.clone() };
                }
                self.error("open", error.into())
            })?);
        }
        Ok(store.as_ref().expect("it was opened just above"))
    }

    /// Makes a new journal this instance's, and refuses another's.
    fn claim(&self, own: &str) -> Result<(), Error> {
        let mut store = self.store();
        match claim(self.opened(&mut store)?, own).map_err(|source| self.error("open", source))? {
            Some(found) if found != own => {
                Err(Error::JournalForeign { path: self.path.clone(), found, own: own.to_owned() })
            }
            Some(_) | None => Ok(()),
        }
    }

    fn recall(&self) -> Result<Recalled, Error> {
        let mut store = self.store();
        let rows = rows(self.opened(&mut store)?).map_err(|source| self.error("read", source))?;
        let mut jobs = BTreeMap::new();
        for row in rows.jobs {
            let job: Job = serde_json::from_slice(&row).map_err(|error| self.row("jobs", &error))?;
            jobs.insert(job.key.clone(), job);
        }
        let mut outbox = Vec::new();
        for (number, row) in rows.outbox {
            outbox.push(Letter::from_bytes(number, &row).map_err(|why| self.row("outbox", &why))?);
        }
        let mut receipts = Vec::new();
        for (number, row) in rows.receipts {
            let receipt = serde_json::from_slice(&row).map_err(|error| self.row("receipts", &error))?;
            receipts.push((number, receipt));
        }
        let position = rows.position.map(|text| text.parse()).transpose();
        let position = position.map_err(|error| self.row("meta", &error))?;
        Ok(Recalled { memory: Memory { jobs, rejected: rows.rejected }, outbox, receipts, position })
    }

    fn error(&self, doing: &'static str, source: redb::Error) -> Error {
        let path = self.path.clone();
        if let redb::Error::Io(io) = &source
            && is_full(io)
        {
            return Error::JournalFull { path, source: Box::new(source) };
        }
        Error::Journal { doing, path, source: Box::new(source) }
    }

    fn row(&self, table: &'static str, why: &impl ToString) -> Error {
        Error::JournalRow { path: self.path.clone(), table, why: why.to_string() }
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Batch {
    /// Whether there is nothing to write.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What the journal asks of its store.
trait Store {
    fn write_batch(&self, batch: &Batch) -> Result<(), redb::Error>;
    fn holds(&self, letter: Option<u64>) -> Result<bool, redb::Error>;
}

impl Store for Database {
    fn write_batch(&self, batch: &Batch) -> Result<(), redb::Error> {
        let write = self.begin_write()?;
        {
            let mut jobs = write.open_table(JOBS)?;
            for job in &batch.jobs {
                let row = serde_json::to_vec(job).expect("a job has no map with keys that are not text");
                jobs.insert(key_of(job).as_str(), row.as_slice())?;
            }
            let mut rejected = write.open_table(REJECTED)?;
            for offset in &batch.rejected {
                rejected.insert(offset, ())?;
            }
            let mut outbox = write.open_table(OUTBOX)?;
            for number in &batch.sent {
                outbox.remove(number)?;
            }
            for letter in &batch.said {
                outbox.insert(letter.number, letter.to_bytes().as_slice())?;
            }
            if let Some(position) = batch.position {
                write.open_table(META)?.insert(POSITION, position.to_string().as_str())?;
                rejected.retain(|offset, ()| offset >= position)?;
            }
            if !batch.unsendable.is_empty() {
                let mut unsendable = write.open_table(UNSENDABLE)?;
                for letter in &batch.unsendable {
                    unsendable.insert(letter.envelope.id.as_str(), letter.to_bytes().as_slice())?;
                }
            }
            let mut receipts = write.open_table(RECEIPTS)?;
            for (number, receipt) in &batch.receipts {
                let row = serde_json::to_vec(receipt).expect("a receipt has no map");
                receipts.insert(number, row.as_slice())?;
            }
            for number in &batch.forgotten {
                receipts.remove(number)?;
            }
        }
        write.commit()?;
        Ok(())
    }

    fn holds(&self, letter: Option<u64>) -> Result<bool, redb::Error> {
        let read = self.begin_read()?;
        let Some(number) = letter else { return Ok(false) };
        Ok(read.open_table(OUTBOX)?.get(number)?.is_some())
    }
}

/// Makes a journal beside its place and puts it there when it is whole: of one that was being made when the process was
/// killed nothing is ever read.
fn create(path: &Path, own: &str) -> Result<(), Error> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let new = PathBuf::from(name);
    let failed = |source: std::io::Error| Error::Journal {
        doing: "begin",
        path: path.to_owned(),
        source: Box::new(source.into()),
    };
    let file = new.clone();
    let make = || Database::builder().set_cache_size(CACHE).create(&file);
    if make().is_err_and(|error| !matches!(error, DatabaseError::DatabaseAlreadyOpen)) {
        std::fs::remove_file(&new).map_err(failed)?;
    }
    let file = new.clone();
    let opener = Box::new(move || Database::builder().set_cache_size(CACHE).create(&file));
    drop(Journal::open_by(opener, path, own)?);
    std::fs::rename(&new, path).map_err(failed)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}

/// A full disk, in each of its forms.
fn is_full(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge)
}

/// Reads whose the journal is, or makes it this instance's. Of one that has an owner nothing is written: a disk that is
/// full keeps nobody from starting.
fn claim(store: &Database, own: &str) -> Result<Option<String>, redb::Error> {
    match store.begin_read()?.open_table(META) {
        Ok(meta) => {
            if let Some(owner) = meta.get(OWNER)? {
                return Ok(Some(owner.value().to_owned()));
            }
        }
        Err(redb::TableError::TableDoesNotExist(_)) => {}
        Err(error) => return Err(error.into()),
    }
    let write = store.begin_write()?;
    write.open_table(META)?.insert(OWNER, own)?;
    write.commit()?;
    Ok(None)
}

#[derive(Default)]
struct Rows {
    jobs: Vec<Vec<u8>>,
    rejected: BTreeSet<i64>,
    outbox: Vec<(u64, Vec<u8>)>,
    receipts: Vec<(u64, Vec<u8>)>,
    position: Option<String>,
}

/// Reads a table from its first row to its last; one that was never written is empty.
macro_rules! read_table {
    ($read:expr, $table:expr, |$key:ident, $value:ident| $take:expr) => {
        match $read.open_table($table) {
            Ok(table) => {
                for row in table.iter()? {
                    let ($key, $value) = row?;
                    $take;
                }
            }
            Err(redb::TableError::TableDoesNotExist(_)) => {}
            Err(error) => return Err(error.into()),
        }
    };
}

fn rows(store: &Database) -> Result<Rows, redb::Error> {
    let read = store.begin_read()?;
    let mut rows = Rows::default();
    read_table!(read, JOBS, |_key, job| rows.jobs.push(job.value().to_owned()));
    read_table!(read, REJECTED, |offset, _none| rows.rejected.insert(offset.value()));
    read_table!(read, OUTBOX, |number, letter| rows.outbox.push((number.value(), letter.value().to_owned())));
    read_table!(read, RECEIPTS, |number, row| rows.receipts.push((number.value(), row.value().to_owned())));
    rows.position = read.open_table(META)?.get(POSITION)?.map(|position| position.value().to_owned());
    Ok(rows)
}

fn key_of(job: &Job) -> String {
    format!("{}/{}/{}", job.key.rollout, job.key.reaction, job.key.epoch)
}

#[cfg(test)]
mod tests {
    use pavane_events::service::Ready;
    use pavane_events::{Domain, Envelope, EventId, RolloutId, Source};
    use pavane_sidecar_engine::{JobKey, Stage};

    use super::*;
    use crate::letter::Content;

    #[test]
    fn what_was_committed_is_recalled_and_what_was_sent_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let (journal, recalled) = Journal::open(&path, "shop/a/a-0").unwrap();
        assert_eq!(recalled, Recalled::default());
        let batch = Batch {
            jobs: vec![job()],
            rejected: vec![3, 9],
            said: vec![letter(1), letter(2)],
            ..Batch::default()
        };
        journal.commit(&batch).unwrap();
        journal.commit(&Batch { sent: vec![1], position: Some(5), ..Batch::default() }).unwrap();
        drop(journal);
        let (_, recalled) = Journal::open(&path, "shop/a/a-0").unwrap();
        assert_eq!(recalled.memory.jobs[&job().key], job());
        assert_eq!(recalled.memory.rejected, [9].into(), "what lies below the position is never read again");
        assert_eq!(recalled.outbox, [letter(2)]);
        assert_eq!(recalled.position, Some(5));
    }

    #[test]
    fn a_journal_that_was_being_made_when_the_process_was_killed_is_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("journal.new"), vec![0; 4096]).unwrap();
        Journal::open(&dir.path().join("journal"), "shop/a/a-0").unwrap();
        assert!(!dir.path().join("journal.new").exists());
    }

    #[test]
    fn a_journal_belongs_to_one_process_and_to_one_instance() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let first = Journal::open(&path, "shop/a/a-0").unwrap();
        let error = Journal::open(&path, "shop/a/a-0").unwrap_err();
        assert!(error.to_string().contains("another process has it open"), "{error}");
        drop(first);
        let error = Journal::open(&path, "shop/a/a-1").unwrap_err();
        assert!(error.to_string().contains("it is the journal of shop/a/a-0"), "{error}");
    }

    fn job() -> Job {
        Job {
            key: JobKey {
                rollout: RolloutId::new("r-1").unwrap(),
                reaction: "user-db.Ready".to_owned(),
                epoch: 1,
            },
            stage: Stage::Running,
            from: None,
            target: None,
            announced: Some(EventId::new("b-1").unwrap()),
            causation: None,
            attempts: 1,
        }
    }

    fn letter(number: u64) -> Letter {
        let envelope = Envelope::new(
            Domain::new("shop").unwrap(),
            Source::new("/pavane/shop/a/a-0").unwrap(),
            EventId::new(format!("b-{number}")).unwrap(),
        );
        Letter { number, envelope, content: Content::Own(Ready::default().into()), digest: None }
    }
}
