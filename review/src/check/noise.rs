//! Several words for one thing, and words that nobody has agreed on.

use std::collections::{BTreeMap, BTreeSet};

use pavane_choreography::diagnostic::{Code, Diagnostic, Place};
use pavane_choreography::yaml::did_you_mean;
use pavane_choreography::{Expect, Step};
use pavane_events::{EventType, Service, Speaker};

use super::words::listed;
use super::{Choreography, OwnEvent, Project};

/// How many kinds of events of one service need no explanation.
const FEW: usize = 4;

/// What others call it → what it is called here.
const SYNONYMS: [(&[&str], EventType); 6] = [
    (&["healthy", "readyfortraffic", "serving", "available", "up", "warm", "prepared"], EventType::Ready),
    (&["started", "starting", "begun", "deploying", "inprogress"], EventType::DeploymentStarted),
    (
        &["done", "finished", "complete", "completed", "deployed", "succeeded", "success", "migrated"],
        EventType::DeploymentComplete,
    ),
    (&["failed", "error", "crashed", "failure"], EventType::DeploymentFailed),
    (&["stopped", "draining", "quiesced", "down"], EventType::Drained),
    (&["rolledback", "reverted", "undone"], EventType::RollbackComplete),
];

pub(super) fn findings(project: &Project) -> Vec<Diagnostic> {
    let mut found: Vec<_> = project.steps().filter_map(|(one, step)| soup(one, step)).collect();
    found.extend(echoes(project));
    found.extend(project.schemas.iter().filter_map(strange));
    found.extend(many(project));
    found
}

/// `Ready` and `DeploymentComplete` of one service, one right behind the other, say one thing.
fn soup(one: &Choreography, step: &Step) -> Option<Diagnostic> {
    let [only] = step.prerequisites().collect::<Vec<_>>()[..] else { return None };
    let before = one.plan.step(only).filter(|before| before.expect.service == step.expect.service)?;
    let done = |step: &Step| matches!(step.expect.event, EventType::Ready | EventType::DeploymentComplete);
    if !done(step) || !done(before) || before.zone != step.zone || before.expect == step.expect {
        return None;
    }
    let message = format!(
        "step `{}` awaits {} right behind {}: two words for one thing",
        step.id, step.expect, before.expect
    );
    let help = "await the last of them alone; `healthy_for` says how long it must hold";
    Some(Diagnostic::new(Code::EventSoup, &one.file, one.step(&step.id, "expect"), message, help).warning())
}

/// A service that waits for its own word in order to say another.
fn echoes(project: &Project) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for one in &project.participants {
        for reaction in &one.reactions {
            let own = |expect: &&Expect| expect.service == one.service && expect.event != EventType::Drained;
            if let Some(expect) = reaction.on.events().iter().find(own).filter(|_| reaction.hook.is_none()) {
                let message = format!(
                    "`{}` says {} when it has said {} itself: two words for one thing",
                    one.service, reaction.emit, expect.event
                );
                let help = "let the reaction that did the work say the last of them";
                let place = reaction.place;
                found.push(Diagnostic::new(Code::EventSoup, &one.file, place, message, help).warning());
            }
        }
    }
    found
}

fn strange(own: &OwnEvent) -> Option<Diagnostic> {
    let known = EventType::from_short(&own.event).filter(|event| event.speaker() == Speaker::Service);
    if known.is_some() {
        return None;
    }
    let message = format!("`{}` is not an event that services say, so nobody acts on it", own.event);
    let plain = own.event.to_ascii_lowercase();
    let word = plain.strip_prefix("deployment").filter(|rest| !rest.is_empty()).unwrap_or(&plain);
    let meant = SYNONYMS.iter().find(|(words, _)| words.contains(&word)).map(|(_, event)| *event);
    let help = meant.map_or_else(
        || {
            let said = EventType::ALL.iter().filter(|event| event.speaker() == Speaker::Service);
            did_you_mean(&own.event, &said.map(|event| event.as_str()).collect::<Vec<_>>())
        },
        |event| format!("here that is called `{event}`: add your fields to its schema"),
    );
    Some(Diagnostic::new(Code::StrangeEvent, &own.file, Place::START, message, help))
}

fn many(project: &Project) -> Vec<Diagnostic> {
    let mut said: BTreeMap<&Service, BTreeSet<String>> = BTreeMap::new();
    for (_, step) in project.steps() {
        said.entry(&step.expect.service).or_default().insert(step.expect.event.to_string());
    }
    for own in &project.schemas {
        said.entry(&own.service).or_default().insert(own.event.clone());
    }
    for one in &project.participants {
        let emitted = one.reactions.iter().map(|reaction| reaction.emit);
        let emitted = emitted.filter(|event| *event != EventType::RollbackComplete);
        said.entry(&one.service).or_default().extend(emitted.map(|event| event.to_string()));
    }
    let many = said.into_iter().filter(|(_, events)| events.len() > FEW);
    many.filter_map(|(service, events)| {
        let (file, place) = spoken(project, service)?;
        let message = format!("`{service}` says {} kinds of events: {}", events.len(), listed(&events));
        let help = "say what others act on, and leave the rest to logs and metrics";
        Some(Diagnostic::new(Code::ManyEvents, file, place, message, help).note())
    })
    .collect()
}

/// The file that speaks of a service most directly.
fn spoken<'a>(project: &'a Project, service: &Service) -> Option<(&'a str, Place)> {
    let sidecar = project.participants.iter().find(|one| one.service == *service);
    let schema = project.schemas.iter().find(|own| own.service == *service);
    sidecar.map(|one| (one.file.as_str(), one.place)).or_else(|| Some((schema?.file.as_str(), Place::START)))
}
