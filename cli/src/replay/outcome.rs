//! How a rollout went in two worlds, step by step, and where they part.

use std::collections::BTreeMap;

use pavane_events::{Millis, RolloutId, Timestamp};
use pavane_sentinel_engine::{RolloutView, Status};
use serde::Serialize;

use super::court::{Told, utc};

/// What is nearer than this is the same moment: a live sentinel speaks and sidecars beat a little later or earlier.
pub(super) const NEAR: Millis = 5_000;

/// What is different in a rollout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The rollout.
    pub rollout: RolloutId,
    /// When it started.
    pub started_at: Timestamp,
    /// What went otherwise; empty where nothing did.
    pub changes: Vec<Change>,
    /// From when on nothing can be known: a decision was taken in one of the two worlds alone.
    pub unknown_from: Option<Timestamp>,
}

/// What went otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The step; none for the end of the rollout.
    pub step: Option<String>,
    /// How it went then.
    pub then: String,
    /// How it would have gone.
    pub with_plan: String,
    /// Whether that is certain. Otherwise it is how it looks without what nobody can know.
    pub is_known: bool,
}

/// How a rollout went.
#[derive(Clone, Debug, Default)]
pub(super) struct Story {
    steps: BTreeMap<String, StepStory>,
    decisions: Vec<(Timestamp, String)>,
    end: Option<(Status, Option<Timestamp>)>,
}

#[derive(Clone, Debug, Default)]
struct StepStory {
    stalls: Vec<(Timestamp, String)>,
    full: Option<Timestamp>,
}

impl Story {
    /// Out of its verdicts, and how it stands at the end.
    pub(super) fn of(told: &[Told], view: Option<&RolloutView>) -> Self {
        let mut story = Self::default();
        for told in told.iter().filter(|told| told.what == "accepted") {
            let at = told.deadline.unwrap_or(told.at);
            match (told.event.as_str(), &told.step) {
                ("RolloutStalled", Some(step)) => {
                    let cause = told.cause.clone().unwrap_or_default();
                    story.steps.entry(step.clone()).or_default().stalls.push((at, cause));
                }
                ("RollbackRequested" | "RolloutPaused", _) => {
                    story.decisions.push((told.at, told.event.clone()));
                }
                _ => {}
            }
        }
        for step in view.into_iter().flat_map(|view| &view.steps) {
            story.steps.entry(step.id.clone()).or_default().full = step.full_at;
        }
        story.end = view.map(|view| (view.status, view.ended_at));
        story
    }
}

/// What is different between then and now. `unknown` is when the two worlds part.
pub(super) fn changes(then: &Story, now: &Story, unknown: Option<Timestamp>) -> Vec<Change> {
    let known = |at: Timestamp| unknown.is_none_or(|unknown| at <= unknown);
    let mut changes = Vec::new();
    let nothing = StepStory::default();
    let names = then.steps.keys().chain(now.steps.keys().filter(|name| !then.steps.contains_key(*name)));
    for name in names {
        let (a, b) = (then.steps.get(name), now.steps.get(name));
        let (one, other) = (a.unwrap_or(&nothing), b.unwrap_or(&nothing));
        if same(one, other) && a.is_some() == b.is_some() {
            continue;
        }
        let is_known = other.stalls.iter().all(|(at, _)| known(*at)) && other.full.is_none_or(known);
        let is_known = is_known && (unknown.is_none() || !other.stalls.is_empty() || other.full.is_some());
        let absent = |story: Option<&StepStory>| story.map_or_else(|| "no such step".to_owned(), told);
        let with_plan = if is_known { absent(b) } else { unsure(other, unknown) };
        changes.push(Change { step: Some(name.clone()), then: absent(a), with_plan, is_known });
    }
    changes.extend(decisions(then, now));
    changes.extend(end(then, now, unknown));
    changes
}

fn same(one: &StepStory, other: &StepStory) -> bool {
    let near = |a: Timestamp, b: Timestamp| a.since(b).abs() <= NEAR;
    let stalls = one.stalls.len() == other.stalls.len()
        && one.stalls.iter().zip(&other.stalls).all(|(a, b)| a.1 == b.1 && near(a.0, b.0));
    let full = match (one.full, other.full) {
        (Some(a), Some(b)) => near(a, b),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    stalls && full
}

fn told(story: &StepStory) -> String {
    let stalls =
        story.stalls.iter().map(|(at, cause)| format!("stalled {} ({})", utc(*at), cause.replace('_', " ")));
    let full = story.full.map(|at| format!("met {}", utc(at)));
    let all: Vec<String> = stalls.chain(full).collect();
    if all.is_empty() { "not reached".to_owned() } else { all.join(", ") }
}

/// What is known of a step up to where the two worlds part.
fn unsure(story: &StepStory, unknown: Option<Timestamp>) -> String {
    let Some(unknown) = unknown else { return told(story) };
    let mut certain = story.clone();
    certain.stalls.retain(|(at, _)| *at <= unknown);
    certain.full = certain.full.filter(|at| *at <= unknown);
    let window = story.stalls.iter().find(|(at, _)| *at > unknown);
    let window =
        window.map_or(String::new(), |(at, _)| format!("its window would have lasted until {}; ", utc(*at)));
    let before = if certain.stalls.is_empty() && certain.full.is_none() {
        String::new()
    } else {
        format!("{}; ", told(&certain))
    };
    format!("{before}{window}what would have come after {} cannot be known", utc(unknown))
}

/// A decision that changes what services do, taken in one of the two worlds alone.
fn decisions(then: &Story, now: &Story) -> Option<Change> {
    let list = |story: &Story| {
        let all: Vec<String> =
            story.decisions.iter().map(|(at, event)| format!("{event} {}", utc(*at))).collect();
        if all.is_empty() { "no decision".to_owned() } else { all.join(", ") }
    };
    let names = |story: &Story| story.decisions.iter().map(|(_, event)| event.clone()).collect::<Vec<_>>();
    let differs = names(then) != names(now);
    differs.then(|| Change { step: None, then: list(then), with_plan: list(now), is_known: true })
}

fn end(then: &Story, now: &Story, unknown: Option<Timestamp>) -> Option<Change> {
    let near = |a: Option<Timestamp>, b: Option<Timestamp>| match (a, b) {
        (Some(a), Some(b)) => a.since(b).abs() <= NEAR,
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    let differs = match (then.end, now.end) {
        (Some((a, at)), Some((b, other))) => a != b || !near(at, other),
        (None, None) => false,
        (Some(_), None) | (None, Some(_)) => true,
    };
    if !differs {
        return None;
    }
    let word = |end: Option<(Status, Option<Timestamp>)>| match end {
        Some((status, at)) => {
            let at = at.map_or(String::new(), |at| format!(" {}", utc(at)));
            format!("{}{at}", status.as_str().replace('_', " "))
        }
        None => "never started".to_owned(),
    };
    let is_known = unknown.is_none();
    let with_plan = match unknown {
        Some(at) => format!("the end cannot be known: the two part at {}", utc(at)),
        None => word(now.end),
    };
    Some(Change { step: None, then: word(then.end), with_plan, is_known })
}
