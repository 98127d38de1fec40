//! What the sentinel tells of itself: a struct for each thing worth telling, log line and number together.
//!
//! Labels come from the configuration, from what is published or from closed lists, never from a record.

mod history;
mod telling;
mod zero;

use std::fmt::Display;
use std::sync::LazyLock;
use std::time::Duration;

use pavane_events::{Domain, Timestamp, UnreadableReason};
use pavane_sentinel_engine::{BlindCause, Counter as Told, Status};
use pavane_telemetry::meter;
use pavane_telemetry::opentelemetry::KeyValue;
use pavane_telemetry::opentelemetry::metrics::{Counter, Gauge, Histogram};

pub(crate) use history::{Kept, LogLies, NotCounted, Resumed, snapshot_took};
pub(crate) use telling::{AttemptFailed, Delivered, GivenUp, Pending, PingFailed, ReminderFailed, pinged};
pub(crate) use zero::begin;

macro_rules! counters {
    ($($name:ident: $metric:literal, $what:literal;)*) => {$(
        pub(super) static $name: LazyLock<Counter<u64>> =
            LazyLock::new(|| meter().u64_counter($metric).with_description($what).build());
    )*};
}
use counters;

counters! {
    PROPOSALS: "pavane.sentinel.proposals", "Proposals, by kind and by what the log made of them.";
    VERDICTS: "pavane.sentinel.verdicts", "Verdicts, by kind and cause.";
    RECORDS: "pavane.sentinel.records.odd", "Records that changed nothing: doubles, strangers, late-comers, unreadable ones.";
    ENDED: "pavane.rollouts.ended", "Rollouts that ended under the eyes of the sentinel that speaks, by how.";
    BLIND: "pavane.sentinel.blind.episodes", "How often the sentinel could not see, by cause.";
    TROUBLE: "pavane.sentinel.trouble", "Failures of what is tried again, by what was being done.";
    DROPPED: "pavane.sentinel.dropped", "Things that found a full queue, by which.";
    UNREADABLE_ROWS: "pavane.sentinel.choreographies.unreadable", "Published choreographies that cannot be read.";
    MEASURED: "pavane.sentinel.measurements", "Answers of the metrics that phases are watched by, by outcome.";
    DEAD_LETTERS: "pavane.sentinel.dead_letters", "Records that were set aside.";
}

static BLIND_SECONDS: LazyLock<Counter<f64>> = LazyLock::new(|| {
    let seconds = meter().f64_counter("pavane.sentinel.blind").with_unit("s");
    seconds.with_description("Time during which the sentinel could not see.").build()
});

/// Rollouts last from seconds to a day.
static LASTED: LazyLock<Histogram<f64>> = LazyLock::new(|| {
    let lasted = meter().f64_histogram("pavane.rollout.duration").with_unit("s");
    let bounds = vec![1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 1_800.0, 3_600.0, 7_200.0, 21_600.0, 86_400.0];
    lasted
        .with_boundaries(bounds)
        .with_description("From the start of rollouts to their end, by how they ended.")
        .build()
});

/// Steps take from a part of a second to hours.
static STEPS: LazyLock<Histogram<f64>> = LazyLock::new(|| {
    let took = meter().f64_histogram("pavane.step.duration").with_unit("s");
    let bounds = vec![0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 1_800.0, 3_600.0, 7_200.0, 21_600.0];
    took.with_boundaries(bounds)
        .with_description(
            "From the beginning of a step's window to when it was met, by published choreography and step.",
        )
        .build()
});

static OPEN: LazyLock<Gauge<u64>> = LazyLock::new(|| {
    meter().u64_gauge("pavane.rollouts.open").with_description("Rollouts that have not ended.").build()
});

static DRIFTING: LazyLock<Gauge<u64>> = LazyLock::new(|| {
    let drifting = meter().u64_gauge("pavane.versions.drifting");
    drifting.with_description("Instances that run another version than the last rollout left.").build()
});

static SKEWED: LazyLock<Gauge<u64>> = LazyLock::new(|| {
    let skewed = meter().u64_gauge("pavane.versions.skewed");
    skewed.with_description("Pairs of versions that run together and do not by what a plan says.").build()
});

static LAG: LazyLock<Gauge<i64>> = LazyLock::new(|| {
    let lag = meter().i64_gauge("pavane.partition.lag");
    lag.with_description("Records of the partition that have not been read.").build()
});

static FRONTIER: LazyLock<Gauge<f64>> = LazyLock::new(|| {
    let age = meter().f64_gauge("pavane.frontier.age").with_unit("s");
    age.with_description("Time since anything was read from the domain's partition.").build()
});

static SIGHTED: LazyLock<Gauge<u64>> = LazyLock::new(|| {
    meter()
        .u64_gauge("pavane.sentinel.sighted")
        .with_description("1 while the sentinel sees the domain.")
        .build()
});

fn label(name: &'static str, value: impl Display) -> KeyValue {
    KeyValue::new(name, value.to_string())
}

/// A rollout ended, and this replica speaks for its domain.
pub(crate) fn rollout_ended(domain: &Domain, status: Status, (started, ended): (Timestamp, Timestamp)) {
    let labels = [label("domain", domain), label("status", status.as_str())];
    ENDED.add(1, &labels);
    let took = Duration::from_millis(u64::try_from(ended.0 - started.0).unwrap_or_default());
    LASTED.record(took.as_secs_f64(), &labels);
}

/// A step of a rollout that has ended was met, after so long.
pub(crate) fn step_took(domain: &Domain, choreography: &str, step: &str, took: Duration) {
    let labels = [label("domain", domain), label("choreography", choreography), label("step", step)];
    STEPS.record(took.as_secs_f64(), &labels);
}

/// The sentinel cannot see a domain.
pub(crate) struct BlindBegan<'a> {
    pub(crate) domain: &'a Domain,
    pub(crate) cause: BlindCause,
}

impl BlindBegan<'_> {
    pub(crate) fn emit(&self) {
        BLIND.add(1, &[label("domain", self.domain), label("cause", self.cause.as_str())]);
        tracing::error!(domain = %self.domain, cause = self.cause.as_str(), "the sentinel cannot see; it judges nothing");
    }
}

/// The sentinel sees a domain again.
pub(crate) struct BlindEnded<'a> {
    pub(crate) domain: &'a Domain,
}

impl BlindEnded<'_> {
    pub(crate) fn emit(&self) {
        tracing::info!(domain = %self.domain, "the sentinel sees again");
    }
}

/// Something failed that is tried again.
pub(crate) struct Trouble<'a> {
    pub(crate) doing: &'static str,
    pub(crate) error: &'a dyn Display,
    pub(crate) wait: Duration,
}

impl Trouble<'_> {
    pub(crate) fn emit(&self) {
        TROUBLE.add(1, &[label("doing", self.doing)]);
        let next = format!("{:.1?}", self.wait);
        tracing::error!(doing = self.doing, next, "failed to {}; tried again", self.error);
    }
}

/// A queue was full.
pub(crate) struct Dropped<'a> {
    pub(crate) queue: &'static str,
    pub(crate) domain: &'a Domain,
}

impl Dropped<'_> {
    pub(crate) fn emit(&self) {
        DROPPED.add(1, &[label("queue", self.queue), label("domain", self.domain)]);
        tracing::warn!(queue = self.queue, domain = %self.domain, "a queue is full; what came last was dropped");
    }
}

/// A record that nobody can read was set aside.
pub(crate) struct SetAside<'a> {
    pub(crate) domain: &'a Domain,
    pub(crate) offset: i64,
    pub(crate) reason: &'static str,
    pub(crate) detail: &'a str,
}

/// Nothing was set aside yet: of a series that begins with its first letter nobody sees that it grew.
pub(crate) fn none_set_aside(domain: &Domain) {
    for reason in UnreadableReason::ALL {
        DEAD_LETTERS.add(0, &[label("domain", domain), label("reason", reason.as_str())]);
    }
}

impl SetAside<'_> {
    pub(crate) fn emit(&self) {
        DEAD_LETTERS.add(1, &[label("domain", self.domain), label("reason", self.reason)]);
        let Self { domain, offset, reason, detail } = self;
        tracing::warn!(%domain, offset, reason, detail, "a record that cannot be read was set aside");
    }
}

/// A published choreography cannot be read; its trigger starts nothing.
pub(crate) struct UnreadableRow<'a> {
    pub(crate) domain: &'a Domain,
    pub(crate) key: &'a str,
    pub(crate) offset: i64,
    pub(crate) error: &'a dyn Display,
}

impl UnreadableRow<'_> {
    pub(crate) fn emit(&self) {
        UNREADABLE_ROWS.add(1, &[label("domain", self.domain)]);
        let Self { domain, key, offset, error } = self;
        tracing::warn!(%domain, key, offset, "failed to {error}; no event starts it");
    }
}

/// The metrics gave a number.
pub(crate) struct Measured<'a> {
    pub(crate) query: &'a str,
    pub(crate) value: f64,
    pub(crate) warnings: &'a [String],
}

impl Measured<'_> {
    pub(crate) fn emit(&self) {
        let Self { query, value, warnings } = self;
        let outcome = if warnings.is_empty() { "value" } else { "value_with_warnings" };
        MEASURED.add(1, &[label("outcome", outcome)]);
        if warnings.is_empty() {
            tracing::debug!(query, value, "the metrics gave a number");
        } else {
            tracing::warn!(query, value, ?warnings, "the metrics gave a number and a warning with it");
        }
    }
}

/// The metrics gave no number; they are asked again.
pub(crate) struct Unmeasured<'a> {
    pub(crate) query: &'a str,
    pub(crate) class: &'static str,
    pub(crate) why: &'a str,
}

impl Unmeasured<'_> {
    pub(crate) fn emit(&self) {
        MEASURED.add(1, &[label("outcome", self.class)]);
        let Self { query, class, why } = self;
        tracing::warn!(query, outcome = class, why, "the metrics gave no number");
    }
}

/// An event waited too long for the broker; the engine says again what is owed.
pub(crate) struct Stale<'a> {
    pub(crate) domain: &'a Domain,
    pub(crate) event: &'static str,
}

impl Stale<'_> {
    pub(crate) fn emit(&self) {
        DROPPED.add(1, &[label("queue", "stale"), label("domain", self.domain)]);
        let Self { domain, event } = self;
        tracing::info!(%domain, event, "an event waited too long for the broker and is said anew if still owed");
    }
}

/// What the engine counted.
pub(crate) struct Counted<'a> {
    pub(crate) domain: &'a Domain,
    pub(crate) what: Told,
}

impl Counted<'_> {
    pub(crate) fn emit(&self) {
        let domain = label("domain", self.domain);
        let proposal = |kind, result: &'static str| {
            PROPOSALS.add(1, &[domain.clone(), label("kind", kind), label("result", result)]);
        };
        let odd = |kind: &'static str| RECORDS.add(1, &[domain.clone(), label("kind", kind)]);
        let why = |kind, reason: &'static str| {
            RECORDS.add(1, &[domain.clone(), label("kind", kind), label("reason", reason)]);
        };
        match self.what {
            Told::ProposalAccepted(kind) => proposal(kind, "accepted"),
            Told::ProposalVoid(kind) => proposal(kind, "void"),
            Told::Withdrawn(kind) => proposal(kind, "withdrawn"),
            Told::Verdict(kind, cause) => {
                VERDICTS.add(1, &[domain.clone(), label("kind", kind), label("cause", cause)]);
                tracing::info!(domain = %self.domain, kind, cause, "a verdict stands");
            }
            Told::Duplicate => odd("duplicate"),
            Told::Stranger => odd("stranger"),
            Told::Late(after) => why("late", after),
            Told::TriggerRepeated => odd("trigger_repeated"),
            Told::Unreadable(reason) => why("unreadable", reason),
        }
    }
}

/// How a domain stands, taken every second.
pub(crate) struct Stand<'a> {
    pub(crate) domain: &'a Domain,
    pub(crate) sighted: bool,
    pub(crate) blind_for: Duration,
    pub(crate) unread_for: Duration,
}

impl Stand<'_> {
    pub(crate) fn emit(&self) {
        let domain = [label("domain", self.domain)];
        SIGHTED.record(u64::from(self.sighted), &domain);
        BLIND_SECONDS.add(self.blind_for.as_secs_f64(), &domain);
        FRONTIER.record(self.unread_for.as_secs_f64(), &domain);
    }
}

/// How many rollouts of a domain are open.
pub(crate) fn open_rollouts(domain: &Domain, open: usize) {
    OPEN.record(open as u64, &[label("domain", domain)]);
}

/// How many instances of a domain run another version than the last rollout of their service left.
pub(crate) fn drifting(domain: &Domain, instances: usize) {
    DRIFTING.record(instances as u64, &[label("domain", domain)]);
}

/// How many pairs of versions run together in a domain of which a plan says that they do not.
pub(crate) fn skewed(domain: &Domain, pairs: usize) {
    SKEWED.record(pairs as u64, &[label("domain", domain)]);
}

/// How many records of a domain's partition have not been read.
pub(crate) fn lag(domain: &Domain, records: i64) {
    LAG.record(records, &[label("domain", domain)]);
}
