//! A model of a file on a disk: what was synced, what was only written, and what goes wrong with either.
//!
//! At a crash each write since the last sync is there, or is not, or is there up to some sector: in no order.

use std::io::{Error, ErrorKind};
use std::sync::{Arc, Mutex, PoisonError};

use redb::StorageBackend;

/// How much of a write a disk does at once.
const SECTOR: usize = 512;

/// What goes wrong with the file from here on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Fault {
    #[default]
    None,
    /// It takes no write: the disk is full.
    Full,
    /// The next sync fails, and the file is of no use to this process any more.
    Sync,
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
    fault: Fault,
    failed_syncs: u32,
    life: u32,
}

/// The file as one life of the process sees it.
#[derive(Debug)]
pub(super) struct Handle {
    disk: Disk,
    life: u32,
}

impl Disk {
    /// Opens the file for a new life, or for the same one again.
    pub(super) fn handle(&self) -> Handle {
        Handle { disk: self.clone(), life: self.with(|state| state.life) }
    }

    pub(super) fn set(&self, fault: Fault) {
        self.with(|state| state.fault = fault);
    }

    pub(super) fn fault(&self) -> Fault {
        self.with(|state| state.fault)
    }

    /// How many syncs have failed.
    pub(super) fn failed_syncs(&self) -> u32 {
        self.with(|state| state.failed_syncs)
    }

    /// Ends the life of the process. Of what was not synced the dice say what is there; returns how much was torn.
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
            state.seen.clone_from(&state.synced);
            state.fault = Fault::None;
            state.life += 1;
            torn
        })
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Handle {
    fn act<T>(&self, work: impl FnOnce(&mut State) -> Result<T, Error>) -> Result<T, Error> {
        self.disk.with(|state| {
            if state.life != self.life {
                return Err(Error::other("the process is dead"));
            }
            state.fault = match state.fault {
                Fault::Kill(0) => Fault::Dead,
                Fault::Kill(left) => Fault::Kill(left - 1),
                other @ (Fault::None | Fault::Full | Fault::Sync | Fault::Dead) => other,
            };
            if state.fault == Fault::Dead {
                return Err(Error::other("the process is dead"));
            }
            work(state)
        })
    }
}

impl StorageBackend for Handle {
    fn len(&self) -> Result<u64, Error> {
        self.act(|state| Ok(state.seen.len() as u64))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), Error> {
        self.act(|state| {
            let offset = usize::try_from(offset).expect("a small file");
            let found = state.seen.get(offset..offset + out.len()).ok_or(ErrorKind::UnexpectedEof)?;
            out.copy_from_slice(found);
            Ok(())
        })
    }

    fn set_len(&self, len: u64) -> Result<(), Error> {
        self.act(|state| {
            let len = usize::try_from(len).expect("a small file");
            if len > state.seen.len() && state.fault == Fault::Full {
                return Err(ErrorKind::StorageFull.into());
            }
            state.seen.resize(len, 0);
            Ok(())
        })
    }

    fn sync_data(&self) -> Result<(), Error> {
        self.act(|state| {
            if state.fault == Fault::Sync {
                state.fault = Fault::Dead;
                state.failed_syncs += 1;
                return Err(Error::other("the disk has failed"));
            }
            state.unsynced.clear();
            state.synced.clone_from(&state.seen);
            Ok(())
        })
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), Error> {
        self.act(|state| {
            if state.fault == Fault::Full {
                return Err(ErrorKind::StorageFull.into());
            }
            let offset = usize::try_from(offset).expect("a small file");
            let end = offset + data.len();
            if state.seen.len() < end {
                state.seen.resize(end, 0);
            }
            state.seen[offset..end].copy_from_slice(data);
            state.unsynced.push((offset, data.to_vec()));
            Ok(())
        })
    }
}
