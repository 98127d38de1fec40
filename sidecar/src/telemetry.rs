//! What the sidecar tells of itself: log line and number together.
//!
//! Labels come from the configuration or from closed lists, never from a record.

use std::fmt::Display;
use std::sync::LazyLock;
use std::time::Duration;

use pavane_sidecar_engine::{Ending, Notice};
use pavane_telemetry::meter;
use pavane_telemetry::opentelemetry::KeyValue;
use pavane_telemetry::opentelemetry::metrics::{Counter, Gauge, Histogram};

macro_rules! counters {
    ($($name:ident: $metric:literal, $what:literal;)*) => {$(
        static $name: LazyLock<Counter<u64>> =
            LazyLock::new(|| meter().u64_counter($metric).with_description($what).build());
    )*};
}

counters! {
    HOOKS: "pavane.sidecar.hooks", "Calls of hooks, by reaction and by how they ended.";
    REACTIONS: "pavane.sidecar.reactions", "Reactions that came to their end, by reaction and ending.";
    RECORDS: "pavane.sidecar.records.odd", "Records that changed nothing, by why.";
    TROUBLE: "pavane.sidecar.trouble", "Failures of what is tried again, by what was being done.";
    LOST: "pavane.sidecar.outbox.refused", "Events that can never be written, by event.";
    SAID: "pavane.sidecar.events", "Events that the broker has, by event.";
    DEAD_LETTERS: "pavane.sidecar.dead_letters", "Records that were set aside, by outcome.";
    DOOR: "pavane.sidecar.door", "Requests at the service's door, by status.";
    SHUT: "pavane.sidecar.hook.shut", "Calls of hooks that were put off, by reaction and by what put them off.";
    STARTS: "pavane.sidecar.process.starts", "Starts of the wrapped process, by whether it had died.";
    TURNED_AWAY: "pavane.sidecar.door.turned_away", "Connections and requests that were not served, by why.";
    ORPHANS: "pavane.sidecar.orphans", "Programs of hooks that a killed sidecar left running, and that were ended.";
}

static OUTBOX: LazyLock<Gauge<u64>> = LazyLock::new(|| {
    let depth = meter().u64_gauge("pavane.sidecar.outbox.depth");
    depth.with_description("Events that wait for the broker.").build()
});

static CONNECTIONS: LazyLock<Gauge<u64>> = LazyLock::new(|| {
    let open = meter().u64_gauge("pavane.sidecar.door.connections");
    open.with_description("Connections that are open at the doors.").build()
});

static MEMORY: LazyLock<Gauge<u64>> = LazyLock::new(|| {
    let resident = meter().u64_gauge("pavane.sidecar.memory").with_unit("By");
    resident.with_description("Resident memory of the process that is its own, without its program.").build()
});

static PAUSED: LazyLock<Gauge<u64>> = LazyLock::new(|| {
    let paused = meter().u64_gauge("pavane.sidecar.paused");
    paused.with_description("1 while nothing is taken in for want of memory.").build()
});

static CAUGHT_UP: LazyLock<Gauge<u64>> = LazyLock::new(|| {
    let caught_up = meter().u64_gauge("pavane.sidecar.caught_up");
    caught_up.with_description("1 when the log was read to the end that was seen at the start.").build()
});

static TWIN: LazyLock<Gauge<u64>> = LazyLock::new(|| {
    let twin = meter().u64_gauge("pavane.sidecar.identity_conflict");
    twin.with_description("1 while another sidecar says that it is this instance.").build()
});

static SENTINEL: LazyLock<Gauge<u64>> = LazyLock::new(|| {
    let missing = meter().u64_gauge("pavane.sidecar.sentinel_missing");
    missing.with_description("1 while a rollout is open and no sentinel is heard.").build()
});

static AUTHORITY: LazyLock<Gauge<u64>> = LazyLock::new(|| {
    let authority = meter().u64_gauge("pavane.sidecar.rollback.authority");
    authority.with_description("1, with what the authority of a request to go back is judged by.").build()
});

static SECONDS: LazyLock<Histogram<f64>> = LazyLock::new(|| {
    let seconds = meter().f64_histogram("pavane.sidecar.hook.duration").with_unit("s");
    seconds.with_description("How long calls of hooks took, by reaction.").build()
});

/// A call of a hook has ended.
pub(crate) struct HookCalled<'a> {
    pub(crate) reaction: &'a str,
    pub(crate) outcome: &'static str,
    pub(crate) reason: &'a str,
    pub(crate) took: Duration,
}

impl HookCalled<'_> {
    pub(crate) fn emit(&self) {
        let reaction = KeyValue::new("reaction", self.reaction.to_owned());
        HOOKS.add(1, &[reaction.clone(), KeyValue::new("outcome", self.outcome)]);
        SECONDS.record(self.took.as_secs_f64(), &[reaction]);
        let (reaction, outcome, reason) = (self.reaction, self.outcome, self.reason);
        let took_ms = u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX);
        match outcome {
            "done" | "in_progress" => tracing::info!(reaction, outcome, took_ms, "the hook has answered"),
            _ => tracing::warn!(reaction, outcome, took_ms, reason, "the hook has not done its work"),
        }
    }
}

/// A reaction has come to its end.
pub(crate) fn ended(reaction: &str, rollout: &dyn Display, ending: Ending) {
    REACTIONS
        .add(1, &[KeyValue::new("reaction", reaction.to_owned()), KeyValue::new("ending", ending.as_str())]);
    match ending {
        Ending::Succeeded | Ending::Superseded | Ending::Yielded => {
            tracing::info!(reaction, %rollout, ending = ending.as_str(), "the reaction is over");
        }
        Ending::Failed | Ending::Refused | Ending::Uncertain | Ending::Sickened => {
            tracing::warn!(reaction, %rollout, ending = ending.as_str(), "the reaction is over and did not go well");
        }
    }
}

/// The engine has something to tell that changes nothing.
pub(crate) fn odd(notice: &Notice) {
    let Notice { offset, kind, detail } = notice;
    if *kind == pavane_sidecar_engine::STAGGERED {
        tracing::info!("{detail}");
        return;
    }
    RECORDS.add(1, &[KeyValue::new("kind", notice.kind)]);
    if *kind == "duplicate" {
        tracing::debug!(offset, kind, "{detail}");
    } else {
        tracing::warn!(offset, kind, "the record changes nothing: {detail}");
    }
}

/// It begins: the log is not read to its end, and nothing was set aside; of a series that begins with its first letter nobody
/// sees that it grew. `by`: who says who may ask for a rollback.
pub(crate) fn begun(by: &'static str) {
    caught_up(false);
    AUTHORITY.record(1, &[KeyValue::new("by", by)]);
    for outcome in ["written", "failed"] {
        DEAD_LETTERS.add(0, &[KeyValue::new("outcome", outcome)]);
    }
}

/// A hook is not called at present.
pub(crate) fn shut(reaction: &str, why: &'static str, wait: Duration) {
    SHUT.add(1, &[KeyValue::new("reaction", reaction.to_owned()), KeyValue::new("why", why)]);
    let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
    tracing::warn!(reaction, why, wait_ms, "the hook is not called at present");
}

/// The wrapped process runs.
pub(crate) fn process_started(pid: i32, died: bool) {
    STARTS.add(1, &[KeyValue::new("after", if died { "death" } else { "order" })]);
    tracing::info!(pid, "the process runs");
}

/// The wrapped process has ended and is started again.
pub(crate) fn process_ended(how: &dyn Display, again: Duration) {
    let again_ms = u64::try_from(again.as_millis()).unwrap_or(u64::MAX);
    tracing::error!(again_ms, "the process {how}; starting it again");
}

/// Something failed that is tried again.
pub(crate) fn trouble(doing: &'static str, error: &dyn Display, again: Duration) {
    TROUBLE.add(1, &[KeyValue::new("doing", doing)]);
    let again_ms = u64::try_from(again.as_millis()).unwrap_or(u64::MAX);
    tracing::error!(doing, again_ms, "failed to {error}; trying again");
}

/// An event can never be written.
pub(crate) fn refused(event: &'static str, id: &dyn Display, error: &dyn Display) {
    LOST.add(1, &[KeyValue::new("event", event)]);
    tracing::error!(event, %id, "failed to {error}; the event is given up, and its number is a gap that sentinels see");
}

/// The broker has an event.
pub(crate) fn said(event: &'static str, id: &dyn Display, offset: i64) {
    SAID.add(1, &[KeyValue::new("event", event)]);
    tracing::debug!(event, %id, offset, "said");
}

/// A record was set aside, or could not be.
pub(crate) fn dead_letter(offset: i64, error: Option<&dyn Display>) {
    DEAD_LETTERS.add(1, &[KeyValue::new("outcome", if error.is_none() { "written" } else { "failed" })]);
    match error {
        None => tracing::warn!(offset, "the record cannot be read and was copied to the dead letters"),
        Some(error) => tracing::error!(offset, "failed to {error}; the sentinel sets the record aside too"),
    }
}

/// The service's door was asked.
pub(crate) fn asked(status: u16) {
    DOOR.add(1, &[KeyValue::new("status", i64::from(status))]);
}

/// A connection or a request was not served.
pub(crate) fn turned_away(why: &'static str) {
    TURNED_AWAY.add(1, &[KeyValue::new("why", why)]);
}

/// How many connections are open.
pub(crate) fn connections(open: usize) {
    CONNECTIONS.record(open as u64, &[]);
}

/// What the process weighs.
pub(crate) fn memory(weight: u64) {
    MEMORY.record(weight, &[]);
}

/// Nothing is taken in for want of memory; or it is again.
pub(crate) fn strained(is: bool, weight: u64, limit: u64) {
    PAUSED.record(u64::from(is), &[]);
    if is {
        tracing::error!(
            weight,
            limit,
            "it holds more memory than `limits.memory` lets it: it takes in nothing until what waits has left"
        );
    } else {
        tracing::info!(weight, limit, "it takes in again");
    }
}

/// How many events wait for the broker.
pub(crate) fn outbox(depth: usize) {
    OUTBOX.record(depth as u64, &[]);
}

/// Whether the log was read to the end that was seen at the start.
pub(crate) fn caught_up(yes: bool) {
    CAUGHT_UP.record(u64::from(yes), &[]);
}

/// A program that a killed sidecar left running has been ended.
pub(crate) fn orphan(run: &str, group: u32, killed: bool) {
    ORPHANS.add(1, &[]);
    tracing::error!(
        run,
        group,
        killed,
        "a hook's program was left running by a sidecar that was killed; it has been ended"
    );
}

/// Another sidecar says that it is this one; or none does any more.
pub(crate) fn twin(boot: Option<&str>) {
    TWIN.record(u64::from(boot.is_some()), &[]);
    if let Some(boot) = boot {
        tracing::error!("{}", crate::twin::complaint(boot));
    } else {
        tracing::info!("no other sidecar says that it is this instance; it acts again");
    }
}

/// No sentinel is heard although a rollout is open, for so long; or one is heard again.
pub(crate) fn sentinel_missing(silence: Option<Duration>) {
    SENTINEL.record(u64::from(silence.is_some()), &[]);
    if let Some(silence) = silence {
        tracing::error!(
            silent_s = silence.as_secs(),
            "SentinelMissing: a rollout is open and no sentinel is heard, so nobody would tell of a stall; start one"
        );
    } else {
        tracing::info!("a sentinel is heard again, or no rollout is open");
    }
}

/// A record has been held for so long that it is given up.
pub(crate) fn given_up(offset: i64, held: Duration) {
    tracing::error!(
        offset,
        held_s = held.as_secs(),
        "a record's schema is not known here and the registry stays away; the record is set aside"
    );
}
