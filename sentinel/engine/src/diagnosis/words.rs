//! The words of a diagnosis that alerts use too: what a cause means, and what to do about it.

use pavane_choreography::OnStall;
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

/// What to do next, by cause.
pub(crate) const fn next_step(cause: Cause, on_stall: OnStall) -> &'static str {
    match (cause, on_stall) {
        (Cause::ContractBroken, _) => {
            "The event came in a format that its readers do not know: publish it again in the agreed schema, or \
             push the new schema and upgrade its readers. No automatic rollback on this evidence."
        }
        (Cause::Unreachable, _) => {
            "No heartbeat: look whether the sidecar and its host are up. No automatic rollback on this evidence."
        }
        (Cause::Undelivered, _) => {
            "The event waits in the sidecar's outbox: look at its way to Kafka. No automatic rollback on this evidence."
        }
        (Cause::Gap, _) => {
            "The sidecar's event was acknowledged and is not on the log: look at the topic. No automatic rollback."
        }
        (Cause::Conflict | Cause::OutOfOrder | Cause::Unknown, _) => {
            "A person decides: `pavane status` shows the rollout, `pavane rollback` asks for the way back."
        }
        (Cause::Failed | Cause::NotStarted | Cause::NotFinished, OnStall::Rollback) => {
            "The sentinel asks every service that had moved to go back."
        }
        (Cause::Failed | Cause::NotStarted | Cause::NotFinished, OnStall::Pause) => {
            "The sentinel stops the clocks: mend the service, then `pavane resume`."
        }
        (Cause::Failed | Cause::NotStarted | Cause::NotFinished, OnStall::Alert) => {
            "Mend the service and let it report, or `pavane rollback`."
        }
    }
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
