//! What ends a sidecar, each with its place and the next step.

use std::net::SocketAddr;
use std::path::PathBuf;

/// Why a sidecar cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another process has the journal open.
    #[error(
        "open the journal {path}: another process has it open; one sidecar stands beside one instance, \
         so stop the other or give this one a journal of its own"
    )]
    JournalTaken {
        /// The file.
        path: PathBuf,
    },
    /// The journal is another instance's.
    #[error("open the journal {path}: it is the journal of {found}, and this is {own}; name another file")]
    JournalForeign {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        found: String,
        /// Who wants it.
        own: String,
    },
    /// The journal cannot be read or written.
    #[error(
        "{doing} the journal {path}: {source}; nothing is done without it, so look at the disk and start again"
    )]
    Journal {
        /// `open`, `read` or `write`.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the store said.
        source: Box<redb::Error>,
    },
    /// The disk has no room for the journal.
    #[error(
        "write the journal {path}: {source}; the disk is full, so make room on it: what was acknowledged is safe, \
         and nothing more is until then"
    )]
    JournalFull {
        /// The file.
        path: PathBuf,
        /// What the store said.
        source: Box<redb::Error>,
    },
    /// The journal is damaged, and nothing of it is believed.
    #[error(
        "read the journal {path}: {place} is damaged ({why}); keep the file, look at the disk, and put a copy in its place or \
         move it away: without it the log tells what was begun, hooks that ran count as cut short, and what the door \
         answered with `ack=local` and Kafka did not get yet is in that file alone"
    )]
    JournalDamaged {
        /// The file.
        path: PathBuf,
        /// Where in the file.
        place: String,
        /// What is wrong there.
        why: String,
    },
    /// What an earlier process left running cannot be looked up.
    #[error(
        "end what an earlier process left running: {0}; look at the folder `.running` beside the journal"
    )]
    Roster(std::io::Error),
    /// The address is not to be had.
    #[error("listen at {address}: {source}; change `http:` in the sidecar's file")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// A thread cannot be started.
    #[error("start the thread that writes the journal: {0}; look at the limits of the process")]
    Thread(std::io::Error),
    /// The socket is not to be had.
    #[error("listen at unix:{path}: {why}; change `http:` in the sidecar's file")]
    Socket {
        /// The path.
        path: PathBuf,
        /// What is wrong with it, or what the system said.
        why: String,
    },
    /// The client for hooks cannot be made.
    #[error("make the HTTP client: {0}")]
    Client(#[from] reqwest::Error),
    /// The log is shorter than what was read from it.
    #[error(
        "go on at offset {position} of {topic}/{partition}: the log ends at {end}; the topic was made anew, so \
         move the journal away once nothing is open"
    )]
    LogShrank {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// Where the journal stands.
        position: i64,
        /// The end of the log.
        end: i64,
    },
    /// Something about Kafka or the registry that waiting does not heal.
    #[error(transparent)]
    Bus(#[from] pavane_bus::Error),
    /// The journal has failed before, and takes nothing more.
    #[error("write to the journal after it has failed: {0}; look at the disk, then start again")]
    JournalFailed(String),
    /// A part of the sidecar has ended by itself.
    #[error("go on without {0}, which has ended; start again")]
    Ended(&'static str),
}
