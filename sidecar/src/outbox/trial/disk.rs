//! A model of a file in a folder on a disk: what was synced, what was only written, and what goes wrong with either.
//!
//! When power fails each write since the last sync is there, or is not, or is there up to some sector: in no order. Changes
//! of the folder are there up to some one of them. When only the process is killed, all that it wrote is still seen.

use std::collections::BTreeSet;
use std::io::{Error, ErrorKind};
use std::sync::{Arc, Mutex, PoisonError};

use redb::StorageBackend;

use crate::journal::{Name, Place};

/// How much of a write a disk does at once.
const SECTOR: usize = 512;
/// How long the first page is.
const PAGE: usize = 4096;

/// What goes wrong with the file from here on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Fault {
    #[default]
    None,
    /// It takes no write: the disk is full.
    Full,
    /// The next sync fails; what it was to keep never reaches the disk, which says of later ones that all is well.
    Sync,
    /// Syncs do nothing and say that all is well.
    Lie,
    /// The process is killed so many operations later.
    Kill(u32),
    /// Nothing that the process does reaches the file any more.
    Dead,
}

/// A file on a disk; clones are the same file.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    synced: Vec<u8>,
    seen: Vec<u8>,
    unsynced: Vec<(usize, Vec<u8>)>,
    /// The name of the file, as far as the folder was synced, and what it was called since.
    called: Option<Name>,
    renamed: Vec<Option<Name>>,
    fault: Fault,
    syncs: u32,
    failed_syncs: u32,
    /// Where in the first page was written, and how much.
    first_page: BTreeSet<(usize, usize)>,
    life: u32,
}

/// The file as one life of the process sees it.
#[derive(Debug)]
pub(super) struct Handle {
    disk: Disk,
    life: u32,
}

impl Disk {
    pub(super) fn set(&self, fault: Fault) {
        self.with(|state| state.fault = fault);
    }

    pub(super) fn fault(&self) -> Fault {
        self.with(|state| state.fault)
    }

    /// How many syncs there were, and how many of them have failed.
    pub(super) fn syncs(&self) -> (u32, u32) {
        self.with(|state| (state.syncs, state.failed_syncs))
    }

    /// Where in the first page was written, and how much.
    pub(super) fn first_page(&self) -> BTreeSet<(usize, usize)> {
        self.with(|state| state.first_page.clone())
    }

    /// Ends the life of the process alone.
    pub(super) fn kill(&self) {
        self.with(|state| {
            state.fault = Fault::None;
            state.life += 1;
        });
    }

    /// The power fails. Of what was not synced the dice say what is there; returns how much was torn.
    pub(super) fn crash(&self, mut dice: impl FnMut() -> u32) -> u32 {
        self.with(|state| {
            let mut torn = 0;
            for (offset, bytes) in std::mem::take(&mut state.unsynced) {
                let there = match dice() % 3 {
                    0 => 0,
                    1 => bytes.len(),
                    _ => {
                        torn += 1;
                        bytes.len().min(SECTOR * (dice() as usize % (bytes.len() / SECTOR + 1)))
                    }
                };
                let end = (offset + there).min(state.synced.len().max(state.seen.len()));
                if state.synced.len() < end {
                    state.synced.resize(end, 0);
                }
                let there = end.saturating_sub(offset).min(there);
                state.synced[offset..offset + there].copy_from_slice(&bytes[..there]);
            }
            if dice().is_multiple_of(2) && state.synced.len() < state.seen.len() {
                state.synced.resize(state.seen.len(), 0);
            }
            let renamed = std::mem::take(&mut state.renamed);
            if let Some(last) = (dice() as usize % (renamed.len() + 1)).checked_sub(1) {
                state.called = renamed[last];
            }
            if state.called.is_none() {
                state.synced.clear();
            }
            state.seen.clone_from(&state.synced);
            state.fault = Fault::None;
            state.life += 1;
            torn
        })
    }

    fn act<T>(&self, life: u32, work: impl FnOnce(&mut State) -> Result<T, Error>) -> Result<T, Error> {
        self.with(|state| {
            if state.life != life {
                return Err(Error::other("the process is dead"));
            }
            state.fault = match state.fault {
                Fault::Kill(0) => Fault::Dead,
                Fault::Kill(left) => Fault::Kill(left - 1),
                other @ (Fault::None | Fault::Full | Fault::Sync | Fault::Lie | Fault::Dead) => other,
            };
            if state.fault == Fault::Dead {
                return Err(Error::other("the process is dead"));
            }
            work(state)
        })
    }

    fn act_now<T>(&self, work: impl FnOnce(&mut State) -> Result<T, Error>) -> Result<T, Error> {
        self.act(self.with(|state| state.life), work)
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    fn name(&self) -> Option<Name> {
        self.renamed.last().copied().unwrap_or(self.called)
    }

    fn sync(&mut self) -> Result<(), Error> {
        self.syncs += 1;
        match self.fault {
            Fault::Lie => return Ok(()),
            Fault::Sync => {
                self.fault = Fault::None;
                self.failed_syncs += 1;
                self.unsynced.clear();
                return Err(Error::other("the disk has failed"));
            }
            Fault::None | Fault::Full | Fault::Kill(_) | Fault::Dead => {}
        }
        for (offset, bytes) in std::mem::take(&mut self.unsynced) {
            let end = offset + bytes.len();
            if self.synced.len() < end {
                self.synced.resize(end, 0);
            }
            self.synced[offset..end].copy_from_slice(&bytes);
        }
        self.synced.resize(self.seen.len(), 0);
        Ok(())
    }
}

impl Place for Disk {
    fn is_taken(&self) -> bool {
        self.with(|state| state.name() == Some(Name::Own))
    }

    fn open(&self, name: Name) -> Result<Box<dyn StorageBackend>, Error> {
        self.act_now(|state| {
            match state.name() {
                None => {
                    state.renamed.push(Some(name));
                    (state.seen, state.synced) = (Vec::new(), Vec::new());
                    state.unsynced.clear();
                }
                found => assert_eq!(found, Some(name), "the other name is open"),
            }
            // As a file is opened: what is read from here on comes from the disk.
            state.sync().map_err(|error| Error::other(format!("a sync has failed: {error}")))?;
            if state.fault != Fault::Lie {
                state.seen.clone_from(&state.synced);
            }
            let handle = Handle { disk: self.clone(), life: state.life };
            Ok(Box::new(handle) as Box<dyn StorageBackend>)
        })
    }

    fn clear(&self) -> Result<(), Error> {
        self.act_now(|state| {
            state.renamed.push(None);
            Ok(())
        })
    }

    fn put(&self) -> Result<(), Error> {
        self.act_now(|state| {
            state.renamed.push(Some(Name::Own));
            Ok(())
        })
    }

    fn settle(&self) -> Result<(), Error> {
        self.act_now(|state| {
            if state.fault != Fault::Lie {
                state.called = state.name();
                state.renamed.clear();
            }
            Ok(())
        })
    }
}

impl StorageBackend for Handle {
    fn len(&self) -> Result<u64, Error> {
        self.disk.act(self.life, |state| Ok(state.seen.len() as u64))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), Error> {
        self.disk.act(self.life, |state| {
            let offset = usize::try_from(offset).expect("a small file");
            let found = state.seen.get(offset..offset + out.len()).ok_or(ErrorKind::UnexpectedEof)?;
            out.copy_from_slice(found);
            Ok(())
        })
    }

    fn set_len(&self, len: u64) -> Result<(), Error> {
        self.disk.act(self.life, |state| {
            let len = usize::try_from(len).expect("a small file");
            if len > state.seen.len() && state.fault == Fault::Full {
                return Err(ErrorKind::StorageFull.into());
            }
            state.seen.resize(len, 0);
            Ok(())
        })
    }

    fn sync_data(&self) -> Result<(), Error> {
        self.disk.act(self.life, State::sync)
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), Error> {
        self.disk.act(self.life, |state| {
            if state.fault == Fault::Full {
                return Err(ErrorKind::StorageFull.into());
            }
            let offset = usize::try_from(offset).expect("a small file");
            let end = offset + data.len();
            if offset < PAGE {
                state.first_page.insert((offset, data.len()));
            }
            if state.seen.len() < end {
                state.seen.resize(end, 0);
            }
            state.seen[offset..end].copy_from_slice(data);
            state.unsynced.push((offset, data.to_vec()));
            Ok(())
        })
    }
}
