//! Why a snapshot cannot be used.

use pavane_events::Domain;

/// Why a snapshot cannot be used. None of it harms: there is an older one, or the log.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The bytes do not begin as a snapshot does.
    #[error("read a snapshot: the bytes do not begin with the line that every snapshot begins with")]
    NoSnapshot,
    /// It is written in a way that this program does not know.
    #[error(
        "read a snapshot of format {found}: this program knows formats up to {known}; start the newer program"
    )]
    NewerFormat {
        /// Its format.
        found: u32,
        /// The newest format that this program knows.
        known: u32,
    },
    /// Something in it was judged by rules that this program does not know.
    #[error(
        "read a snapshot that was judged by rules {found}: this program judges by rules up to {known}; start the newer program"
    )]
    NewerRules {
        /// The newest rules in it.
        found: i64,
        /// The newest rules that this program knows.
        known: i64,
    },
    /// It is of another domain.
    #[error("read a snapshot: it is of domain {found}, not of {expected}")]
    OtherDomain {
        /// Whose it is.
        found: Domain,
        /// Whose it should be.
        expected: Domain,
    },
    /// Its end is missing.
    #[error("read a snapshot: its last line is missing")]
    Torn,
    /// A line is not what it should be.
    #[error("read line {number} of a snapshot")]
    Line {
        /// Which line, from 1.
        number: usize,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// A line contradicts what stands above it.
    #[error("read line {number} of a snapshot: {what}")]
    Contradiction {
        /// Which line, from 1.
        number: usize,
        /// What is wrong.
        what: String,
    },
}
