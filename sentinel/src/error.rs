//! What can go wrong in the sentinel's shell. Each message fits after "failed to".

use std::path::PathBuf;

/// Why a receiver's secret cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("read the secret file {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file holds something else.
    #[error("read the secret file {}: it must hold `whsec_` and 24 to 64 bytes in base64, a line each", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// The file holds nothing, or more than a line.
    #[error("read the secret file {}: it must hold the secret alone, in one line", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
}
