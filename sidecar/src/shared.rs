//! What the service's door must know of the sidecar.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use pavane_bus::Writer;
use pavane_events::Version;
use tokio_util::sync::CancellationToken;

/// What the service's door must know of the sidecar.
#[derive(Default)]
pub(crate) struct Shared {
    /// The way to the broker, once there is one.
    pub(crate) writer: OnceLock<Writer>,
    /// Who watches the service's checks, where there are any.
    pub(crate) watched: OnceLock<crate::probe::Watched>,
    /// Cancelled once the log was read to the end that was seen at the start.
    pub(crate) caught_up: CancellationToken,
    sighted: AtomicBool,
    version: Mutex<Option<Version>>,
}

impl Shared {
    /// Orders the service's checks to be looked at anew.
    pub(crate) fn assess(&self, ticket: u64) {
        if let Some(watched) = self.watched.get() {
            watched.assess(ticket);
        }
    }

    /// Whether the log has been read to its end and can be read.
    pub(crate) fn is_sighted(&self) -> bool {
        self.sighted.load(Ordering::Relaxed)
    }

    pub(crate) fn set_sighted(&self, sighted: bool) {
        self.sighted.store(sighted, Ordering::Relaxed);
    }

    /// The version that the service was last seen to run.
    pub(crate) fn version(&self) -> Option<Version> {
        self.version.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_version(&self, version: Option<Version>) {
        if version.is_some() {
            *self.version.lock().unwrap_or_else(PoisonError::into_inner) = version;
        }
    }
}
