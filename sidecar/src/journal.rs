//! What must survive a crash, in one file: how far each reaction has come, what its hooks may still tell, what is on its way
//! to the broker, what it answered, what was rejected, and where the log is to be read on from.
//!
//! A commit is durable when it returns, by one sync (see [`store`]). The file belongs to one process at a time and to one
//! instance. A disk that is full fails one commit and nothing else: the store is opened anew, and then it is looked whether
//! the commit is there. Any other failure is the last: nothing that a disk says after it is believed. What is opened is read
//! whole first, and nothing that is damaged is taken for true.

mod file;
mod place;
mod recall;
mod row;
mod store;
mod tables;

use std::collections::BTreeMap;
use std::fmt;
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pavane_sidecar_engine::{Job, Memory};
use redb::{DatabaseError, StorageError};

use crate::error::Error;
use crate::failpoint;
use crate::hook::{Awaited, Steps};
use crate::letter::Letter;
use crate::outbox::Receipt;
use file::Mark;
use place::OnDisk;
use store::{Store, Unfit};

pub(crate) use place::{Name, Place};

/// An open journal.
pub(crate) struct Journal {
    state: Mutex<State>,
    /// Where its file is; it is opened again after the disk was full.
    place: Arc<dyn Place>,
    name: Name,
    /// What errors name.
    path: PathBuf,
}

enum State {
    Closed,
    Open(Store),
    /// Nothing is read or written any more, and why.
    Over(&'static str),
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
    /// The runs that may tell their result by themselves.
    pub(crate) callbacks: BTreeMap<String, Awaited>,
    /// How far the steps before the hooks of runs have come.
    pub(crate) steps: BTreeMap<String, Steps>,
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
    /// By run; none takes the row out.
    pub(crate) callbacks: Vec<(String, Option<Awaited>)>,
    /// By run; none takes the row out.
    pub(crate) steps: Vec<(String, Option<Steps>)>,
}

impl Journal {
    /// Opens the journal of an instance (`shop/user-service/user-service-0`), or begins it.
    pub(crate) fn open(path: &Path, own: &str) -> Result<(Self, Recalled), Error> {
        Self::open_at(Arc::new(OnDisk::new(path)), path, own)
    }

    /// Opens the journal at a place, or begins it there; the path is what errors name.
    pub(crate) fn open_at(place: Arc<dyn Place>, path: &Path, own: &str) -> Result<(Self, Recalled), Error> {
        if !place.is_taken() {
            create(&place, path, own)?;
        }
        // Also of a journal that was there: who put it there may have been killed before this.
        place.settle().map_err(|source| begin_error(path, source))?;
        let opened = Self::claimed(place, Name::Own, path, own)?;
        failpoint::pass("journal open");
        Ok(opened)
    }

    fn claimed(place: Arc<dyn Place>, name: Name, path: &Path, own: &str) -> Result<(Self, Recalled), Error> {
        let journal = Self { state: Mutex::new(State::Closed), place, name, path: path.to_owned() };
        let recalled = journal.claim(own)?;
        Ok((journal, recalled))
    }

    /// Writes a batch: all of it or nothing, durable when this returns. [`Error::JournalFull`]: nothing of it is there,
    /// and the next batch may be tried. After any other error nothing is written any more.
    pub(crate) fn commit(&self, batch: &Batch) -> Result<(), Error> {
        let mut state = self.state();
        let store = self.opened(&mut state)?;
        let before = store.commits();
        let error = match store.write(|write| tables::put(write, batch)) {
            Ok(()) => return Ok(()),
            Err(error) => self.error("write", error),
        };
        if !matches!(error, Error::JournalFull { .. }) {
            *state = State::Over("an earlier write has failed");
            return Err(error);
        }
        // The store takes nothing more after a failure, and does not know how much of the commit came through.
        *state = State::Closed;
        if self.opened(&mut state)?.commits() > before { Ok(()) } else { Err(error) }
    }

    /// Gives the file back; nothing can be written any more.
    pub(crate) fn close(&self) {
        *self.state() = State::Over("it is closed");
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn opened<'a>(&self, state: &'a mut State) -> Result<&'a mut Store, Error> {
        if matches!(state, State::Closed) {
            *state = match self.begin() {
                Ok(store) => State::Open(store),
                Err(error @ Error::JournalFull { .. }) => return Err(error),
                Err(error) => {
                    *state = State::Over("it could not be opened again");
                    return Err(error);
                }
            };
        }
        match state {
            State::Open(store) => Ok(store),
            State::Over(why) => Err(self.error("write", redb::Error::Io(std::io::Error::other(*why)))),
            State::Closed => unreachable!("it was opened just above"),
        }
    }

    /// Opens the store and looks at every byte that counts, before anything of it is believed.
    fn begin(&self) -> Result<Store, Error> {
        let mark = Mark::default();
        let file = self.place.open(self.name).map_err(|error| self.error("open", redb::Error::Io(error)))?;
        // On some damage the store gives up by a panic.
        match catch_unwind(AssertUnwindSafe(|| Store::open(file, &mark))) {
            Ok(Ok(store)) => Ok(store),
            Ok(Err(Unfit::Damaged(Some(place), why))) => {
                Err(Error::JournalDamaged { path: self.path.clone(), place, why })
            }
            Ok(Err(Unfit::Damaged(None, why))) => Err(self.damaged(&mark, why)),
            Ok(Err(Unfit::Failed(DatabaseError::DatabaseAlreadyOpen))) => {
                Err(Error::JournalTaken { path: self.path.clone() })
            }
            Ok(Err(Unfit::Failed(DatabaseError::Storage(StorageError::Corrupted(why))))) => {
                Err(self.damaged(&mark, why))
            }
            Ok(Err(Unfit::Failed(DatabaseError::Storage(StorageError::Io(error)))))
                if error.kind() == ErrorKind::InvalidData =>
            {
                Err(self.damaged(&mark, error.to_string()))
            }
            Ok(Err(Unfit::Failed(error))) => Err(self.error("open", error.into())),
            Err(_) => Err(self.damaged(&mark, "its store cannot make sense of it".to_owned())),
        }
    }

    /// Makes a new journal this instance's, and refuses another's. Of one that has an owner and the present form nothing is
    /// written: a disk that is full keeps nobody from starting.
    fn claim(&self, own: &str) -> Result<Recalled, Error> {
        let mut state = self.state();
        let store = self.opened(&mut state)?;
        let rows = match catch_unwind(AssertUnwindSafe(|| store.rows())) {
            Ok(rows) => rows.map_err(|source| self.error("read", source))?,
            Err(_) => return Err(self.damaged(&Mark::default(), "its rows cannot be read".to_owned())),
        };
        match &rows.owner {
            Some(found) if found != own => {
                let (found, own) = (found.clone(), own.to_owned());
                return Err(Error::JournalForeign { path: self.path.clone(), found, own });
            }
            Some(_) => {}
            None => {
                let claimed = store.write(|write| tables::claim(write, own));
                claimed.map_err(|source| self.error("open", source))?;
            }
        }
        let recalled = recall::recalled(&rows).map_err(|damage| self.row(damage))?;
        if rows.owner.is_some() && rows.form.is_none() {
            let whole = recall::whole(&recalled);
            let renewed = store.write(|write| tables::renew(write, &whole));
            match renewed.map_err(|source| self.error("write", source)) {
                Ok(()) => {}
                // It is brought to the present form by a later start; its store takes nothing more in this state.
                Err(Error::JournalFull { .. }) => *state = State::Closed,
                Err(error) => return Err(error),
            }
        }
        Ok(recalled)
    }

    fn error(&self, doing: &'static str, source: redb::Error) -> Error {
        let path = self.path.clone();
        if let redb::Error::Corrupted(why) = source {
            return self.damaged(&Mark::default(), why);
        }
        if is_full(&source) {
            return Error::JournalFull { path, source: Box::new(source) };
        }
        Error::Journal { doing, path, source: Box::new(source) }
    }

    fn damaged(&self, mark: &Mark, why: String) -> Error {
        let place = format!("about byte {}", mark.load(Ordering::Relaxed));
        Error::JournalDamaged { path: self.path.clone(), place, why }
    }

    fn row(&self, damage: recall::Damage) -> Error {
        let recall::Damage { table, key, why } = damage;
        let place = format!("the row {key} of `{table}`");
        Error::JournalDamaged { path: self.path.clone(), place, why }
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

/// Makes a journal beside its place and puts it there when it is whole: of one that was being made when the process was
/// killed nothing is ever read.
fn create(place: &Arc<dyn Place>, path: &Path, own: &str) -> Result<(), Error> {
    match Journal::claimed(place.clone(), Name::Beside, path, own) {
        Ok(_made) => {}
        Err(error @ Error::JournalTaken { .. }) => return Err(error),
        Err(_) => {
            place.clear().map_err(|source| begin_error(path, source))?;
            drop(Journal::claimed(place.clone(), Name::Beside, path, own)?);
        }
    }
    place.put().map_err(|source| begin_error(path, source))
}

fn begin_error(path: &Path, source: std::io::Error) -> Error {
    Error::Journal { doing: "begin", path: path.to_owned(), source: Box::new(source.into()) }
}

/// A full disk, in each of its forms.
fn is_full(error: &redb::Error) -> bool {
    let redb::Error::Io(error) = error else { return false };
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge)
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
            boot: None,
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
