//! What a sentinel holds of a domain, as bytes that outlive it: a fold restored from them and the rest of the log is the
//! fold of the whole log, byte for byte.
//!
//! The written form is apart from how the engine lies in memory. It is lines of JSON: a program reads past a line or a
//! field that a newer one added, takes a field that an older one did not write as not set, and refuses by name what it
//! would misjudge. Each line is small, so neither writing nor reading holds more than a line besides the bytes
//! themselves; a person can read them, too.

mod domain;
mod error;
mod number;
mod read;
mod skew;
mod write;
mod written;

use pavane_events::Domain;

use crate::engine::Engine;
use crate::fold::Fold;
use crate::view::View;

pub use error::SnapshotError;
pub use written::FORMAT;

/// What an engine had folded at one offset, by itself: the engine reads on while a snapshot or a view is made of it.
#[derive(Debug)]
pub struct Folded(Fold);

impl Folded {
    /// The same bytes as [`Engine::snapshot`] would have given when it was taken.
    pub fn snapshot(&self) -> Vec<u8> {
        write::write(&self.0)
    }

    /// The same as [`Engine::view`] would have given when it was taken.
    pub fn view(&self) -> View {
        self.0.view()
    }
}

impl Engine {
    /// What is folded from the log, as bytes: equal folds, equal bytes. Nothing of the replica is in them, no own time,
    /// nothing that was asked or heard.
    pub fn snapshot(&self) -> Vec<u8> {
        write::write(self.fold())
    }

    /// A copy of what is folded, for a snapshot or a view that is made elsewhere: to copy takes a small part of the time that
    /// to write does, and for as long as it takes nothing is read or judged.
    pub fn folded(&self) -> Folded {
        Folded(self.fold().clone())
    }

    /// An engine that has read as far as the snapshot's. It goes on at the entry after [`Engine::position`], and as one
    /// that is new it proposes nothing before [`Input::CaughtUp`](crate::Input::CaughtUp).
    ///
    /// Fails, and never panics, on bytes that are no snapshot, are torn, contradict themselves, are of another domain,
    /// or are of a format or of rules that this program does not know. It takes no more memory than a small multiple of
    /// the bytes.
    pub fn restore(domain: Domain, replica: String, snapshot: &[u8]) -> Result<Self, SnapshotError> {
        Ok(Self::with(read::read(domain, snapshot)?, replica))
    }

    /// An engine for which nothing counts that stands on the log up to an offset, because a person says so.
    pub fn begun_after(domain: Domain, replica: String, offset: i64) -> Self {
        let mut fold = Fold::new(domain);
        fold.offset = offset;
        Self::with(fold, replica)
    }

    /// Goes on from what another engine has folded, as if it had read as much itself. Only an engine that has read
    /// nothing may; what it knows besides (published plans, heartbeats, whether it speaks) stays.
    pub fn resume_from(&mut self, restored: Self) {
        self.take_fold(restored);
    }
}
