//! What the service's door must know of the sidecar.

use std::fmt::Display;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use pavane_bus::Writer;
use pavane_events::{RolloutId, Version};
use tokio_util::sync::CancellationToken;

use crate::process::Process;

/// What the service's door must know of the sidecar.
#[derive(Default)]
pub(crate) struct Shared {
    /// The way to the broker, once there is one.
    pub(crate) writer: OnceLock<Writer>,
    /// Cancelled once the log was read to the end that was seen at the start.
    pub(crate) caught_up: CancellationToken,
    /// Who watches the service's checks, where there are any.
    pub(crate) watched: OnceLock<crate::probe::Watched>,
    /// The service's process, where the sidecar wraps it.
    pub(crate) process: OnceLock<Process>,
    sighted: AtomicBool,
    /// Why the log could not be read when it last could not.
    blind: Mutex<Option<String>>,
    strained: AtomicBool,
    version: Mutex<Option<Version>>,
    rollout: Mutex<Option<RolloutId>>,
    twin: Mutex<Option<String>>,
}

impl Shared {
    /// What is known at the start: the service's process, where the sidecar wraps it.
    pub(crate) fn beside(process: Option<Process>) -> Self {
        Self { process: process.map(OnceLock::from).unwrap_or_default(), ..Self::default() }
    }

    /// Orders the service's checks to be looked at anew.
    pub(crate) fn assess(&self, ticket: u64) {
        if let Some(watched) = self.watched.get() {
            watched.assess(ticket);
        }
    }

    /// Whether there is no service any more: its process has ended, and is not started again.
    pub(crate) fn is_bereft(&self) -> bool {
        self.process.get().is_some_and(Process::is_over)
    }

    /// Whether the log has been read to its end and can be read.
    pub(crate) fn is_sighted(&self) -> bool {
        self.sighted.load(Ordering::Relaxed)
    }

    /// Notes that the log is read, and whether it was read to its end.
    pub(crate) fn set_sighted(&self, sighted: bool) {
        self.sighted.store(sighted, Ordering::Relaxed);
        *self.blind.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Notes that the log cannot be read, and why.
    pub(crate) fn set_blind(&self, why: &dyn Display) {
        self.set_sighted(false);
        *self.blind.lock().unwrap_or_else(PoisonError::into_inner) = Some(format!("failed to {why}"));
    }

    /// Why the log has not been read to its end or cannot be read, with the next step where there is one; none while it can.
    pub(crate) fn blindness(&self) -> Option<String> {
        let why = || self.blind.lock().unwrap_or_else(PoisonError::into_inner).clone();
        (!self.is_sighted())
            .then(|| why().unwrap_or_else(|| "the log has not been read to its end yet".into()))
    }

    /// Whether nothing more is taken in, because the process holds too much memory.
    pub(crate) fn is_strained(&self) -> bool {
        self.strained.load(Ordering::Relaxed)
    }

    pub(crate) fn set_strained(&self, strained: bool) {
        self.strained.store(strained, Ordering::Relaxed);
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

    /// The open rollout that owns the service.
    pub(crate) fn rollout(&self) -> Option<RolloutId> {
        self.rollout.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_rollout(&self, rollout: Option<RolloutId>) {
        *self.rollout.lock().unwrap_or_else(PoisonError::into_inner) = rollout;
    }

    /// The boot of another sidecar that says it is this one, while there is one: neither may act then.
    pub(crate) fn twin(&self) -> Option<String> {
        self.twin.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_twin(&self, twin: Option<String>) {
        *self.twin.lock().unwrap_or_else(PoisonError::into_inner) = twin;
    }
}
