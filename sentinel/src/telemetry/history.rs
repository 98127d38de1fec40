//! What the sentinel tells of the log as a whole, and of the snapshots that stand for its beginning.

use std::fmt::Display;
use std::sync::LazyLock;
use std::time::Duration;

use pavane_events::{Domain, Timestamp};
use pavane_sentinel_engine::BlindCause;
use pavane_telemetry::meter;
use pavane_telemetry::opentelemetry::metrics::{Counter, Gauge};

use super::label;

pub(super) static LIES: LazyLock<Counter<u64>> = LazyLock::new(|| {
    let lies = meter().u64_counter("pavane.sentinel.log.lies");
    lies.with_description("How often the log was not the one that was read, by cause.").build()
});

static SNAPSHOTS: LazyLock<Counter<u64>> = LazyLock::new(|| {
    let snapshots = meter().u64_counter("pavane.sentinel.snapshots");
    snapshots.with_description("Snapshots, by what became of them.").build()
});

static SNAPSHOT_BYTES: LazyLock<Gauge<u64>> = LazyLock::new(|| {
    let bytes = meter().u64_gauge("pavane.sentinel.snapshot.size").with_unit("By");
    bytes.with_description("Size of the newest snapshot that was written.").build()
});

static SNAPSHOT_SECONDS: LazyLock<Gauge<f64>> = LazyLock::new(|| {
    let seconds = meter().f64_gauge("pavane.sentinel.snapshot.pause").with_unit("s");
    seconds.with_description("Time for which making the newest snapshot kept the loop.").build()
});

/// The log is not the one that was read: nothing more is read of it.
pub(crate) struct LogLies<'a> {
    pub(crate) domain: &'a Domain,
    pub(crate) cause: BlindCause,
    pub(crate) what: &'a str,
}

impl LogLies<'_> {
    pub(crate) fn emit(&self) {
        let Self { domain, cause, what } = self;
        LIES.add(1, &[label("domain", domain), label("cause", cause.as_str())]);
        tracing::error!(
            %domain,
            cause = cause.as_str(),
            what,
            "the log is not the one that was read, so nothing is judged by it; see \"A log that lies\" in operations.md"
        );
    }
}

/// A domain goes on from a snapshot.
pub(crate) struct Resumed<'a> {
    pub(crate) domain: &'a Domain,
    /// Where the snapshot ends.
    pub(crate) offset: i64,
    /// How many records of the partition are left to read.
    pub(crate) behind: i64,
    pub(crate) at: Timestamp,
}

impl Resumed<'_> {
    pub(crate) fn emit(&self) {
        let Self { domain, offset, behind, at } = self;
        SNAPSHOTS.add(1, &[label("domain", domain), label("outcome", "resumed")]);
        tracing::info!(%domain, offset, behind, taken = at.0, "the domain goes on from a snapshot");
    }
}

/// A snapshot stands on the topic and does not count.
pub(crate) struct NotCounted<'a> {
    pub(crate) domain: &'a Domain,
    pub(crate) id: &'a str,
    pub(crate) why: &'a dyn Display,
}

impl NotCounted<'_> {
    pub(crate) fn emit(&self) {
        let Self { domain, id, why } = self;
        SNAPSHOTS.add(1, &[label("domain", domain), label("outcome", "unusable")]);
        tracing::error!(%domain, snapshot = id, "failed to {why}; it does not count, an older one or the log does");
    }
}

/// A snapshot stands on the topic, whole.
pub(crate) struct Kept<'a> {
    pub(crate) domain: &'a Domain,
    pub(crate) offset: i64,
    pub(crate) bytes: usize,
}

impl Kept<'_> {
    pub(crate) fn emit(&self) {
        let Self { domain, offset, bytes } = self;
        let domain_label = label("domain", domain);
        SNAPSHOTS.add(1, &[domain_label.clone(), label("outcome", "written")]);
        SNAPSHOT_BYTES.record(*bytes as u64, &[domain_label]);
        tracing::info!(%domain, offset, bytes, "a snapshot was written");
    }
}

/// How long making a snapshot kept the domain's loop.
pub(crate) fn snapshot_took(domain: &Domain, took: Duration) {
    SNAPSHOT_SECONDS.record(took.as_secs_f64(), &[label("domain", domain)]);
}
