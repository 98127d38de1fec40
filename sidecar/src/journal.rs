//! What must survive a crash, in one file: how far each reaction has come, what is on its way to the broker,
//! what was rejected, and where the log is to be read on from.
//!
//! A commit is durable when it returns. The file belongs to one process at a time and to one instance.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use pavane_sidecar_engine::{Job, Memory};
use redb::{Database, DatabaseError, ReadableDatabase, ReadableTable, TableDefinition};

use crate::error::Error;
use crate::letter::Letter;

const META: TableDefinition<'_, &str, &str> = TableDefinition::new("meta");
const JOBS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("jobs");
const REJECTED: TableDefinition<'_, i64, ()> = TableDefinition::new("rejected");
const OUTBOX: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("outbox");
const OWNER: &str = "owner";
const POSITION: &str = "position";

/// An open journal.
#[derive(Debug)]
pub(crate) struct Journal {
    store: Database,
    path: PathBuf,
}

/// What a journal held when it was opened.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Recalled {
    pub(crate) memory: Memory,
    /// In the order in which it was said.
    pub(crate) outbox: Vec<Letter>,
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
    pub(crate) position: Option<i64>,
}

impl Journal {
    /// Opens the journal of an instance (`shop/user-service/user-service-0`), or begins it.
    pub(crate) fn open(path: &Path, own: &str) -> Result<(Self, Recalled), Error> {
        let store = Database::create(path).map_err(|error| {
            if matches!(error, DatabaseError::DatabaseAlreadyOpen) {
                return Error::JournalTaken { path: path.to_owned() };
            }
            Error::Journal { doing: "open", path: path.to_owned(), source: Box::new(error.into()) }
        })?;
        let journal = Self { store, path: path.to_owned() };
        journal.claim(own)?;
        let recalled = journal.recall()?;
        Ok((journal, recalled))
    }

    /// Writes a batch: all of it or nothing, durable when this returns.
    pub(crate) fn commit(&self, batch: &Batch) -> Result<(), Error> {
        self.try_commit(batch).map_err(|source| self.error("write", source))
    }

    fn try_commit(&self, batch: &Batch) -> Result<(), redb::Error> {
        let write = self.store.begin_write()?;
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
            for letter in &batch.said {
                outbox.insert(letter.number, letter.to_bytes().as_slice())?;
            }
            for number in &batch.sent {
                outbox.remove(number)?;
            }
            if let Some(position) = batch.position {
                write.open_table(META)?.insert(POSITION, position.to_string().as_str())?;
                rejected.retain(|offset, ()| offset >= position)?;
            }
        }
        write.commit()?;
        Ok(())
    }

    /// Makes a new journal this instance's, and refuses another's.
    fn claim(&self, own: &str) -> Result<(), Error> {
        let claim = || -> Result<Option<String>, redb::Error> {
            let write = self.store.begin_write()?;
            let found = {
                let mut meta = write.open_table(META)?;
                let found = meta.get(OWNER)?.map(|owner| owner.value().to_owned());
                if found.is_none() {
                    meta.insert(OWNER, own)?;
                }
                write.open_table(JOBS)?;
                write.open_table(REJECTED)?;
                write.open_table(OUTBOX)?;
                found
            };
            write.commit()?;
            Ok(found)
        };
        match claim().map_err(|source| self.error("open", source))? {
            Some(found) if found != own => {
                Err(Error::JournalForeign { path: self.path.clone(), found, own: own.to_owned() })
            }
            Some(_) | None => Ok(()),
        }
    }

    fn recall(&self) -> Result<Recalled, Error> {
        let rows = self.rows().map_err(|source| self.error("read", source))?;
        let mut jobs = BTreeMap::new();
        for row in rows.jobs {
            let job: Job = serde_json::from_slice(&row).map_err(|error| self.row("jobs", &error))?;
            jobs.insert(job.key.clone(), job);
        }
        let mut outbox = Vec::new();
        for (number, row) in rows.outbox {
            outbox.push(Letter::from_bytes(number, &row).map_err(|why| self.row("outbox", &why))?);
        }
        let position = rows.position.map(|text| text.parse()).transpose();
        let position = position.map_err(|error| self.row("meta", &error))?;
        Ok(Recalled { memory: Memory { jobs, rejected: rows.rejected }, outbox, position })
    }

    fn rows(&self) -> Result<Rows, redb::Error> {
        let read = self.store.begin_read()?;
        let mut rows = Rows::default();
        for row in read.open_table(JOBS)?.iter()? {
            rows.jobs.push(row?.1.value().to_owned());
        }
        for row in read.open_table(REJECTED)?.iter()? {
            rows.rejected.insert(row?.0.value());
        }
        for row in read.open_table(OUTBOX)?.iter()? {
            let (number, letter) = row?;
            rows.outbox.push((number.value(), letter.value().to_owned()));
        }
        rows.position = read.open_table(META)?.get(POSITION)?.map(|position| position.value().to_owned());
        Ok(rows)
    }

    fn error(&self, doing: &'static str, source: redb::Error) -> Error {
        Error::Journal { doing, path: self.path.clone(), source: Box::new(source) }
    }

    fn row(&self, table: &'static str, why: &impl ToString) -> Error {
        Error::JournalRow { path: self.path.clone(), table, why: why.to_string() }
    }
}

impl Batch {
    /// Whether there is nothing to write.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[derive(Default)]
struct Rows {
    jobs: Vec<Vec<u8>>,
    rejected: BTreeSet<i64>,
    outbox: Vec<(u64, Vec<u8>)>,
    position: Option<String>,
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
        Letter { number, envelope, content: Content::Own(Ready::default().into()) }
    }
}
