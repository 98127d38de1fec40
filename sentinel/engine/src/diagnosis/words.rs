//! The words of a diagnosis that alerts use too: what a cause means, and what to do about it.

use pavane_events::Cause;

/// What a cause means, as its page begins.
pub const fn meaning(cause: Cause) -> &'static str {
    match cause {
        Cause::Failed => "the service said so itself",
        Cause::NotFinished => "picked up, never finished",
        Cause::NotStarted => "nobody picked it up",
        Cause::OutOfOrder => "it came before what must come first",
        Cause::Conflict => "two rollouts, versions or identities disagree",
        Cause::ContractBroken => "the event came and could not be read",
        Cause::Undelivered => "the service has spoken, the broker has not heard it",
        Cause::Gap => "the broker acknowledged it, and the log does not hold it",
        Cause::Unreachable => "nothing is heard of it",
        Cause::Unknown => "the stall is certain, its cause is not known yet",
    }
}

/// The page that says what to do about a cause.
pub fn page(cause: Cause) -> String {
    format!("docs/verdicts/{}.md", cause.as_str())
}

/// The alerts that there are. Those of verdicts lead to the page of their cause, the others to their own.
pub const ALERTS: [&str; 24] = [
    "RolloutStalled",
    "RollbackStalled",
    "SequenceViolated",
    "HookUncertain",
    "RollbackWithheld",
    "RolloutPartial",
    "RollbackFrozen",
    "LateEvent",
    "StepOrphaned",
    "RolloutPaused",
    "DomainHeld",
    "RolloutOrphaned",
    "RolloutRefused",
    "StartMissed",
    "ApprovalAwaited",
    "GateRejected",
    "MaintenanceOver",
    "CohortUnknown",
    "MetricMissing",
    "VersionDrift",
    "VersionSkew",
    "Blind",
    "Watchdog",
    "DeadManUnreached",
];

/// The page of an alert: that of its cause where a step stands still, else its own.
pub fn page_of(alert: &str, cause: &str) -> String {
    if matches!(alert, "RolloutStalled" | "RollbackStalled" | "SequenceViolated") {
        return format!("docs/verdicts/{cause}.md");
    }
    let mut name = String::new();
    for c in alert.chars() {
        if c.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(c.to_ascii_lowercase());
    }
    format!("docs/verdicts/{name}.md")
}

/// A length of time as people say it: `0.4 s`, `12 s`, `2m 3s`, `1h 4m`.
pub fn lasting(ms: pavane_events::Millis) -> String {
    let sign = if ms < 0 { "-" } else { "" };
    let ms = ms.unsigned_abs();
    let seconds = ms / 1000;
    match seconds {
        0..=9 if ms % 1000 >= 100 => format!("{sign}{seconds}.{} s", ms % 1000 / 100),
        0..=59 => format!("{sign}{seconds} s"),
        60..=3599 => format!("{sign}{}m {}s", seconds / 60, seconds % 60),
        3600..=172_799 => format!("{sign}{}h {}m", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{sign}{} days", seconds / 86_400),
    }
}

/// A word of a closed list as it reads in a sentence.
pub(crate) fn spaced(word: &str) -> String {
    word.replace('_', " ")
}

/// `one`, or `n of them`, as it reads in a sentence.
pub(crate) fn counted(n: usize, one: &str, many: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {many}") }
}

/// A list as it reads in a sentence, of which the first few are named.
pub(crate) fn listed(names: &[String], most: usize) -> String {
    let first = names.iter().take(most).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(most) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}
