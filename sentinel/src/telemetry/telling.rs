//! What the sentinel tells of those who are told: notifications and pings, and what became of them.

use std::sync::LazyLock;
use std::time::Duration;

use pavane_events::Domain;
use pavane_telemetry::meter;
use pavane_telemetry::opentelemetry::KeyValue;
use pavane_telemetry::opentelemetry::metrics::{Counter, UpDownCounter};

use super::{counters, label};
use crate::alert::fault::Fault;

counters! {
    DELIVERED: "pavane.alerts.delivered", "Notifications that a receiver took, by what they were.";
    FAILED: "pavane.alerts.failed", "Attempts that a receiver did not take, by reason.";
    GIVEN_UP: "pavane.alerts.given_up", "Notifications that no receiver took within three days.";
    PINGED: "pavane.dead_man.pings", "Pings that whoever would miss the sentinel took.";
    UNPINGED: "pavane.dead_man.failed", "Pings that were not taken, by reason.";
}

pub(super) static PENDING: LazyLock<UpDownCounter<i64>> = LazyLock::new(|| {
    let pending = meter().i64_up_down_counter("pavane.alerts.pending");
    pending.with_description("Notifications on their way, by receiver.").build()
});

/// A receiver took a notification.
pub(crate) struct Delivered<'a> {
    pub(crate) receiver: &'a str,
    pub(crate) id: &'a str,
    pub(crate) attempts: u32,
    /// `page`, `ticket`, `over` or `change`.
    pub(crate) what: &'static str,
}

impl Delivered<'_> {
    pub(crate) fn emit(&self) {
        DELIVERED.add(1, &[label("receiver", self.receiver), label("what", self.what)]);
        let Self { receiver, id, attempts, what } = self;
        tracing::info!(receiver, notification = id, attempts, what, "a notification was delivered");
    }
}

/// A receiver did not take a notification; it is tried again.
pub(crate) struct AttemptFailed<'a> {
    pub(crate) receiver: &'a str,
    pub(crate) id: &'a str,
    pub(crate) reason: Fault,
    pub(crate) why: &'a str,
    pub(crate) attempt: u32,
    pub(crate) wait: Duration,
}

impl AttemptFailed<'_> {
    pub(crate) fn emit(&self) {
        FAILED.add(1, &[label("receiver", self.receiver), label("reason", self.reason.as_str())]);
        let Self { receiver, id, reason, why, attempt, wait } = self;
        let next = format!("{wait:.0?}");
        tracing::warn!(
            receiver,
            notification = id,
            reason = reason.as_str(),
            why,
            attempt,
            next,
            "a notification was not taken"
        );
    }
}

/// Nobody took a notification for three days.
pub(crate) struct GivenUp<'a> {
    pub(crate) receiver: &'a str,
    pub(crate) id: &'a str,
    pub(crate) attempts: u32,
    pub(crate) why: &'a str,
}

impl GivenUp<'_> {
    pub(crate) fn emit(&self) {
        GIVEN_UP.add(1, &[label("receiver", self.receiver)]);
        let Self { receiver, id, attempts, why } = self;
        tracing::error!(
            receiver,
            notification = id,
            attempts,
            why,
            "a notification was given up after three days"
        );
    }
}

/// A receiver could not be told again what burns; it is tried in a minute.
pub(crate) struct ReminderFailed<'a> {
    pub(crate) receiver: &'a str,
    pub(crate) reason: Fault,
    pub(crate) why: &'a str,
}

impl ReminderFailed<'_> {
    pub(crate) fn emit(&self) {
        FAILED.add(1, &[label("receiver", self.receiver), label("reason", self.reason.as_str())]);
        let Self { receiver, reason, why } = self;
        tracing::warn!(
            receiver,
            reason = reason.as_str(),
            why,
            "a receiver could not be told again what burns"
        );
    }
}

/// Whoever would miss the sentinel heard from it.
pub(crate) fn pinged(domain: &Domain) {
    PINGED.add(1, &[label("domain", domain)]);
}

/// Whoever would miss the sentinel did not hear from it; it is tried again when the next ping is due.
pub(crate) struct PingFailed<'a> {
    pub(crate) domain: &'a Domain,
    pub(crate) reason: Fault,
    pub(crate) why: &'a str,
}

impl PingFailed<'_> {
    pub(crate) fn emit(&self) {
        UNPINGED.add(1, &[label("domain", self.domain), label("reason", self.reason.as_str())]);
        let Self { domain, reason, why } = self;
        tracing::warn!(%domain, reason = reason.as_str(), why, "whoever would miss the sentinel could not be told that it is there");
    }
}

/// A notification on its way; it is no longer counted when dropped.
pub(crate) struct Pending(KeyValue);

impl Pending {
    pub(crate) fn begin(receiver: &str) -> Self {
        let label = label("receiver", receiver);
        PENDING.add(1, std::slice::from_ref(&label));
        Self(label)
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        PENDING.add(-1, std::slice::from_ref(&self.0));
    }
}
