//! What of a stall programs want apart: places, numbers, the output of a hook, each in a field of its own.

use std::collections::BTreeSet;

use crate::diagnosis::Seen;
use crate::effect::Alert;
use crate::step::StepState;

/// How many of a kind are named.
const NAMED: usize = 8;

/// Writes it into the alert; what does not apply is left out. `seen` is what speaks for the cause.
pub(super) fn tell(alert: &mut Alert, state: &StepState, seen: &[Seen]) {
    let (rejection, taint) = (state.rejection.as_ref(), state.taint.as_ref());
    let unread = rejection.and_then(|rejection| rejection.unread).or(taint.map(|taint| taint.offset));
    let schema = rejection.and_then(|seen| seen.schema_id).or(taint.and_then(|taint| taint.schema_id));
    let field = rejection.map(|seen| &seen.field).or(taint.map(|taint| &taint.field));
    let output: Vec<&str> = seen.iter().flat_map(|seen| &seen.output).map(String::as_str).collect();
    for (key, text) in [
        ("offsets", places(seen, |kind| kind != "heartbeat")),
        ("heartbeats", places(seen, |kind| kind == "heartbeat")),
        ("exit_code", numbers(seen, |seen| seen.exit_code.map(|code| code.to_string()))),
        ("output", output.join("\n")),
        ("outbox", numbers(seen, |seen| of_instance(seen, seen.outbox))),
        ("lag", numbers(seen, |seen| of_instance(seen, seen.behind))),
        ("schema_id", schema.map_or(String::new(), |id| id.to_string())),
        ("field", field.cloned().unwrap_or_default()),
        ("dead_letter", unread.map_or(String::new(), |offset| offset.to_string())),
    ] {
        if !text.is_empty() {
            alert.say(key, text);
        }
    }
}

/// Where things stand that were seen, in order.
fn places(seen: &[Seen], is_it: impl Fn(&str) -> bool) -> String {
    let all: BTreeSet<i64> =
        seen.iter().filter(|seen| is_it(seen.kind)).filter_map(|seen| seen.offset).collect();
    all.iter().take(NAMED).map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Numbers of what was seen, each once.
fn numbers(seen: &[Seen], number: impl Fn(&Seen) -> Option<String>) -> String {
    let mut all: Vec<String> = Vec::new();
    for number in seen.iter().filter_map(number) {
        if !all.contains(&number) {
            all.push(number);
        }
    }
    all.truncate(NAMED);
    all.join(", ")
}

/// A number of an instance, where there is any.
fn of_instance(seen: &Seen, number: i64) -> Option<String> {
    (number > 0).then(|| format!("{} {number}", seen.by))
}
