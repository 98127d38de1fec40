//! The answer as one screen: a sentence, the way through the graph, and a line for each thing to know.

use pavane_events::{Millis, Timestamp};
use pavane_sentinel_engine::diagnosis::{
    Awaited, Decision, Diagnosis, Halt, InstanceState, Said, Seen, SidecarState, lasting,
};

use super::path;
use crate::paint::{BAD, GOOD, STRONG, paint};
use crate::picture::plain;

/// How many instances, things seen and decisions are listed.
const INSTANCES: usize = 6;
const SEEN: usize = 6;
const DECISIONS: usize = 6;
/// How many things that are awaited besides the first are listed.
const OTHERS: usize = 3;
/// Where the second column begins, and where a line is broken.
const COLUMN: usize = 11;
const WIDTH: usize = 110;

/// The screen.
pub fn sheet(diagnosis: &Diagnosis) -> String {
    let mut sheet = Sheet { lines: Vec::new(), now: diagnosis.asked_at };
    let style = if diagnosis.missing { BAD } else { GOOD };
    let mark = if diagnosis.missing { "✗" } else { "✓" };
    sheet.lines.push(format!("{} {}", paint(style, mark), paint(STRONG, &plain(&diagnosis.headline))));
    sheet.lines.push(format!("\n{}", path::picture(diagnosis)));
    for halt in &diagnosis.stopped_by {
        sheet.halt(halt);
    }
    if let Some(first) = diagnosis.awaited.first() {
        sheet.first(first);
    }
    for other in diagnosis.awaited.iter().skip(1).take(OTHERS) {
        sheet.other(other);
    }
    sheet.more(diagnosis.awaited.len().saturating_sub(1 + OTHERS), "things are awaited");
    sheet.sentinel(diagnosis);
    for (number, line) in diagnosis.next.iter().enumerate() {
        sheet.row(if number == 0 { "next" } else { "" }, line);
    }
    if let Some(runbook) = &diagnosis.runbook {
        sheet.row("runbook", runbook);
    }
    sheet.row("trace", &diagnosis.trace_id);
    sheet.lines.join("\n") + "\n"
}

struct Sheet {
    lines: Vec<String>,
    now: Timestamp,
}

impl Sheet {
    /// A line of two columns, broken between words where it is too long.
    fn row(&mut self, name: &str, text: &str) {
        let mut name = name;
        for line in broken(&plain(text), WIDTH - COLUMN) {
            self.lines.push(format!("{}{line}", paint(STRONG, &format!("{name:<COLUMN$}"))));
            name = "";
        }
    }

    fn more(&mut self, n: usize, what: &str) {
        if n > 0 {
            self.row("", &format!("and {n} more {what}"));
        }
    }

    fn halt(&mut self, halt: &Halt) {
        let whom = halt.owner.as_ref().map_or(String::new(), |owner| format!(" · {owner}"));
        let at = halt.offset.map_or(String::new(), |offset| format!(" · offset {offset}"));
        let since = halt.since.map_or(String::new(), |since| format!(" · since {}", self.moment(since)));
        self.row(&halt.kind.replace('_', " "), &format!("{}{whom}{at}{since}", halt.text));
    }

    fn first(&mut self, first: &Awaited) {
        let version = first.version.as_ref().map_or(String::new(), |version| format!(", version {version}"));
        let zone = first.zone.as_ref().map_or(String::new(), |zone| format!(", zone {zone}"));
        let count = match first.want {
            Some(want) => format!("{} of {want}", first.have),
            None => format!("{} of {}", first.have, first.instances_wanted),
        };
        self.row(
            "awaited",
            &format!("{}{version}{zone} · {count} said it · attempt {}", first.event, first.attempt),
        );
        let culprit =
            first.culprit.as_ref().map_or(String::new(), |culprit| format!(" · because of {culprit}"));
        self.row("from", &format!("{} · team {}{culprit}", first.service, first.owner));
        if let Some(since) = first.since {
            let due = || first.deadline.map(|due| format!(" · due by {}", self.moment(due)));
            let still =
                first.left_ms.map(|left| format!(" · its clock stands still, {} left", lasting(left)));
            self.row("since", &format!("{}{}", self.moment(since), still.or_else(due).unwrap_or_default()));
        }
        if let (Some(cause), Some(meaning), Some(page)) = (first.cause, first.meaning, &first.page) {
            self.row("cause", &format!("{}: {meaning} ({page})", cause.as_str().replace('_', " ")));
        }
        self.last_words(first);
        self.instances(first);
        for progress in &first.progress {
            self.row("progress", &self.said(progress));
        }
        for (number, seen) in first.evidence.iter().take(SEEN).enumerate() {
            self.seen(if number == 0 { "seen" } else { "" }, seen);
        }
        self.more(first.evidence.len().saturating_sub(SEEN), "things were seen");
        if !first.waiting.is_empty() {
            self.row("waiting", &first.waiting.join(", "));
        }
    }

    fn last_words(&mut self, first: &Awaited) {
        match &first.last {
            Some(last) if first.last_is_of_this_rollout => self.row("last said", &self.said(last)),
            Some(last) => {
                let rollout = last.rollout.as_deref().unwrap_or("no rollout");
                self.row("last said", &format!("nothing in this rollout; in {rollout}: {}", self.said(last)));
            }
            None => self.row("last said", "nothing, in any rollout that the log holds"),
        }
    }

    fn instances(&mut self, first: &Awaited) {
        if first.instances.is_empty() {
            self.row("instances", &format!("none of {} is heard of", first.service));
        }
        for (number, instance) in first.instances.iter().take(INSTANCES).enumerate() {
            self.row(if number == 0 { "instances" } else { "" }, &self.instance(instance));
        }
        self.more(first.instances.len().saturating_sub(INSTANCES), "instances");
        let unheard = first.want.map_or(0, |want| (want as usize).saturating_sub(first.instances.len()));
        if unheard > 0 && !first.instances.is_empty() {
            self.row("", &format!("and {unheard} that nobody has heard of"));
        }
    }

    fn instance(&self, instance: &InstanceState) -> String {
        let owes = if instance.owes { "owes it" } else { "is done" };
        let said = match (instance.said, instance.offset) {
            (Some(said), Some(offset)) => {
                let version = instance.version.as_ref().map_or(String::new(), |v| format!(" on {v}"));
                format!("{}{version} at offset {offset}", word(said))
            }
            _ => "has said nothing".to_owned(),
        };
        let sidecar = instance
            .sidecar
            .as_ref()
            .map_or_else(|| "no heartbeat".to_owned(), |sidecar| self.sidecar(sidecar));
        format!("{} {owes}: {said} · sidecar: {sidecar}", instance.instance)
    }

    fn sidecar(&self, sidecar: &SidecarState) -> String {
        let heard = format!("heard {} ago", lasting(self.ago(sidecar.at)));
        if !sidecar.alive {
            return format!("silent, {heard}, then {}", sidecar.phase);
        }
        let version = sidecar.version.as_ref().map_or(String::new(), |version| format!(" on {version}"));
        let outbox = match sidecar.outbox {
            0 => String::new(),
            n => format!(", {n} in its outbox"),
        };
        let behind = match sidecar.behind {
            0 => String::new(),
            n => format!(", {n} records behind"),
        };
        let acknowledged = sidecar.acknowledged;
        format!("alive, {}{version}{outbox}{behind}, event {acknowledged} acknowledged", sidecar.phase)
    }

    fn seen(&mut self, name: &str, seen: &Seen) {
        let place = match (seen.kind, seen.offset) {
            (_, None) => String::new(),
            ("heartbeat", Some(offset)) => format!(" (heartbeat {offset})"),
            (_, Some(offset)) => format!(" (offset {offset})"),
        };
        self.row(name, &format!("{}{place}", seen.text));
        for line in &seen.output {
            self.row("", &format!("| {line}"));
        }
    }

    fn other(&mut self, other: &Awaited) {
        let cause =
            other.cause.map_or(String::new(), |cause| format!(" · {}", cause.as_str().replace('_', " ")));
        let due = other.deadline.map_or(String::new(), |due| format!(" · due by {}", self.moment(due)));
        self.row("also", &format!("step {}: {} · team {}{cause}{due}", other.step, other.event, other.owner));
    }

    /// What the sentinel and people have decided, who was told, and what comes next.
    fn sentinel(&mut self, diagnosis: &Diagnosis) {
        let skipped = diagnosis.decisions.len().saturating_sub(DECISIONS);
        for (number, decision) in diagnosis.decisions.iter().skip(skipped).enumerate() {
            self.row(if number == 0 { "decided" } else { "" }, &self.decision(decision));
        }
        let receivers = diagnosis.told.iter().map(|told| format!("{} ({})", told.receiver, told.status));
        let receivers: Vec<String> = receivers.collect();
        if !receivers.is_empty() {
            self.row("alerted", &receivers.join(", "));
        }
        for (number, line) in diagnosis.outlook.iter().enumerate() {
            self.row(if number == 0 { "sentinel" } else { "" }, line);
        }
    }

    fn decision(&self, decision: &Decision) -> String {
        let accepted =
            decision.accepted.map_or(String::new(), |accepted| format!(", accepted at {accepted}"));
        let (by, text) = (&decision.by, &decision.text);
        format!("{by} {text} · offset {}{accepted}, {} ago", decision.offset, lasting(self.ago(decision.at)))
    }

    fn said(&self, said: &Said) -> String {
        let who = said.instance.as_ref().unwrap_or(&said.service);
        let version = said.version.as_ref().map_or(String::new(), |version| format!(" on {version}"));
        let text = if said.text.is_empty() { String::new() } else { format!(" ({})", said.text) };
        format!("{who}: {}{text}{version} · offset {}, {}", said.event, said.offset, self.moment(said.at))
    }

    /// A moment of the broker's time, and how long ago or ahead it is.
    fn moment(&self, at: Timestamp) -> String {
        match self.now.since(at) {
            past @ 0.. => format!("{}, {} ago", utc(at), lasting(past)),
            ahead => format!("{}, in {}", utc(at), lasting(-ahead)),
        }
    }

    fn ago(&self, at: Timestamp) -> Millis {
        self.now.since(at).max(0)
    }
}

/// The last word of an instance, in a sentence.
fn word(said: &str) -> &str {
    match said {
        "started" => "began",
        "awaited" => "said it",
        "wrong_version" => "reported a version that does not count,",
        "back" => "is back",
        "back_failed" => "failed to go back",
        "back_refused" => "refused to go back",
        other => other,
    }
}

/// A moment of the broker's time in UTC, to the second.
pub(crate) fn utc(at: Timestamp) -> String {
    match jiff::Timestamp::from_millisecond(at.0) {
        Ok(moment) => moment.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
        Err(_) => format!("{} ms", at.0),
    }
}

/// A text in lines of at most so many columns, broken between words.
fn broken(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
