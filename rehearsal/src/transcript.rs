//! A rehearsal as a session that one can read: the virtual clock, who says what, what people are told and do.

mod cues;
mod words;

use pavane_events::{Entry, EventType, Millis, Speaker};
use pavane_sentinel_engine::{AlertStatus, Status};
use serde::Serialize;

use crate::clock::moment;
use crate::judge::Judgement;
use crate::performance::{Noted, Performance, Told};
use crate::script::Script;

/// One line of a transcript.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// When, in milliseconds since the beginning.
    pub at_ms: Millis,
    /// What kind of line it is.
    pub kind: Kind,
    /// Who speaks, acts or is told.
    pub who: String,
    /// What; one paragraph, or several for an alert.
    pub text: Vec<String>,
    /// The offset of the record that it tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<i64>,
}

/// What kind of line it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A service says something on the log.
    Said,
    /// A person or a tool gives an order on the log.
    Order,
    /// The sentinel says something on the log.
    Verdict,
    /// The scenario lets something happen.
    Cue,
    /// A service does something.
    Deed,
    /// People are told.
    Alert,
}

/// The lines of a rehearsal, in order. Pulses, proposals and heartbeats are left out.
pub fn lines(script: &Script, performance: &Performance) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut notes = performance.notes.iter().peekable();
    for (place, entry) in performance.log.iter().enumerate() {
        while let Some(note) = notes.next_if(|note| note.below <= place) {
            lines.extend(noted(script, performance, note.at, &note.what));
        }
        lines.extend(stood(performance, entry));
    }
    for note in notes {
        lines.extend(noted(script, performance, note.at, &note.what));
    }
    lines
}

/// The whole transcript as text: the scenario, its lines, the end, and what was expected.
pub fn text(script: &Script, performance: &Performance, judgements: &[Judgement]) -> String {
    let plan = script.piece.plan();
    let (name, steps, instances) = (&script.scenario.name, plan.steps.len(), performance.runs.len());
    let mut text = format!(
        "{name}\nplan {} · {steps} steps · {instances} instances · seed {}\n\n",
        plan.name, performance.seed
    );
    let lines = lines(script, performance);
    let width = lines.iter().map(|line| line.who.chars().count()).max().unwrap_or(0).min(24);
    for line in &lines {
        text.push_str(&line.to_text(width));
    }
    text.push('\n');
    for line in endings(performance) {
        text.push_str(&line);
    }
    for judgement in judgements {
        text.push_str(&judgement.to_text());
    }
    text
}

impl Line {
    fn to_text(&self, width: usize) -> String {
        const INDENT: &str = "                ";
        let mut text = String::new();
        let clock = moment(self.at_ms);
        for (number, paragraph) in self.text.iter().enumerate() {
            let line = if number == 0 {
                format!("{clock:<14}  {:<width$}  {paragraph}", self.who)
            } else {
                format!("{INDENT}{:<width$}  {paragraph}", "")
            };
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// How each rollout stands at the end, and what everybody runs.
fn endings(performance: &Performance) -> Vec<String> {
    let mut lines = Vec::new();
    for view in performance.view.rollouts.iter().rev() {
        let how = match view.status {
            Status::Open if view.paused => "is paused",
            Status::Open => "is open",
            Status::RollingBack => "is going back",
            Status::Completed => "completed",
            Status::RolledBack => "is rolled back",
            Status::Partial => "is rolled back in part",
            Status::Aborted => "is aborted",
            Status::Queued => "waits in the queue",
        };
        let took =
            view.ended_at.map_or(String::new(), |at| format!(" at {}", moment(performance.moment(at))));
        lines.push(format!("rollout {} {how}{took}\n", view.id));
    }
    let mut runs: Vec<String> = Vec::new();
    for one in &performance.runs {
        let dead = if one.alive { "" } else { " (dead)" };
        runs.push(format!("{} {}{dead}", one.instance, one.version));
    }
    lines.push(format!("running: {}\n", runs.join(", ")));
    lines
}

/// What a record says.
fn stood(performance: &Performance, entry: &Entry) -> Option<Line> {
    let (at_ms, offset) = (performance.moment(entry.at()), Some(entry.offset()));
    let record = match entry {
        Entry::Event(record) => record,
        Entry::Unreadable(unreadable) => {
            let event = unreadable.event_type.as_deref().and_then(EventType::from_full);
            let event = event.map_or("an event", EventType::as_str);
            let who = unreadable.service.as_ref().map_or("somebody", |service| service.as_str());
            let text = vec![format!("{event}, which nobody can read: {}", unreadable.detail)];
            return Some(Line { at_ms, kind: Kind::Said, who: who.to_owned(), text, offset });
        }
    };
    let kind = match record.event.body.event_type().speaker() {
        Speaker::Service => Kind::Said,
        Speaker::Command if record.event.envelope.replica.is_none() => Kind::Order,
        Speaker::Command | Speaker::Verdict => Kind::Verdict,
        Speaker::Control => return None,
    };
    let (who, what) = words::of(record);
    Some(Line { at_ms, kind, who, text: vec![what], offset })
}

/// What happened beside the log.
fn noted(script: &Script, performance: &Performance, at_ms: Millis, what: &Noted) -> Option<Line> {
    let line = |kind, who: &str, text| Line { at_ms, kind, who: who.to_owned(), text, offset: None };
    Some(match what {
        // What people and tools say stands on the log, in its own line.
        Noted::Cue(number) => {
            line(Kind::Cue, "*", vec![cues::told(&script.scenario.timeline[*number].what)?])
        }
        Noted::Over(what) => line(Kind::Cue, "*", vec![what.clone()]),
        Noted::HookBegan { instance, back } => {
            let text = if *back { "runs its hook to go back" } else { "runs its hook" };
            line(Kind::Deed, instance.as_str(), vec![text.to_owned()])
        }
        Noted::Told(place) => alert_line(performance.told.get(*place)?),
    })
}

fn alert_line(told: &Told) -> Line {
    let over = told.alert.status == AlertStatus::Resolved;
    let owner = told.label("owner");
    let head = if over {
        format!("resolved, to {owner}: {}", told.name())
    } else {
        format!("{} to {owner}: {}", told.label("severity").to_uppercase(), told.name())
    };
    let mut text = vec![head];
    let mut add = |label: &str, key: &str| {
        let what = told.annotation(key);
        if !what.is_empty() {
            text.push(format!("{label}{what}"));
        }
    };
    add("", "summary");
    if !over {
        add("", "description");
        add("next: ", "next_step");
        add("runbook: ", "runbook_url");
    }
    Line { at_ms: told.at, kind: Kind::Alert, who: "alert".to_owned(), text, offset: None }
}
