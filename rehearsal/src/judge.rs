//! Whether a rehearsal went as its scenario expects.

use pavane_events::{Entry, EventType, Millis, RolloutId, Service, StepId, Version};
use pavane_sentinel_engine::{AlertStatus, Status};
use serde::Serialize;

use crate::clock::moment;
use crate::performance::{Performance, Told};
use crate::promise;
use crate::scenario::{AlertWish, ENDINGS, Named, StallWish, Wish};
use crate::script::Script;
use pavane_choreography::yaml::lasting;

/// One expectation, and whether it holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Judgement {
    /// The expectation in words.
    pub expected: String,
    /// Whether it holds.
    pub holds: bool,
    /// What was seen instead; empty when it holds.
    pub seen: String,
}

impl Judgement {
    /// The judgement as a line.
    pub fn to_text(&self) -> String {
        if self.holds {
            format!("ok     {}\n", self.expected)
        } else {
            format!("FAILED {}: {}\n", self.expected, self.seen)
        }
    }
}

/// Holds a rehearsal against everything that its scenario expects, and against what every rehearsal must keep.
pub fn judge(script: &Script, performance: &Performance) -> Vec<Judgement> {
    let wishes = script.scenario.expect.iter().map(|wish| judge_one(script, performance, wish));
    let broken = promise::broken(script, performance).into_iter().map(|broken| Judgement {
        expected: broken.promise().to_owned(),
        holds: false,
        seen: broken.told().to_owned(),
    });
    wishes.chain(broken).collect()
}

/// The reasons why it is not as it is expected to be; empty when all holds.
type Seen = Result<(), String>;

fn judge_one(script: &Script, performance: &Performance, wish: &Wish) -> Judgement {
    let seen = look(script, performance, wish);
    let expected = told(wish);
    Judgement { expected, holds: seen.is_ok(), seen: seen.err().unwrap_or_default() }
}

fn look(script: &Script, performance: &Performance, wish: &Wish) -> Seen {
    match wish {
        Wish::Stalled(wish) => stalled(performance, wish),
        Wish::Alert(wish) => alert(performance, wish),
        Wish::Never(wish) => match look(script, performance, wish) {
            Ok(()) => Err("it came".to_owned()),
            Err(_) => Ok(()),
        },
        Wish::Said(named, by) => said(performance, named, *by),
        Wish::Order(events) => order(performance, events),
        Wish::Ends { rollout, status, by } => ends(performance, rollout.as_ref(), *status, *by),
        Wish::Version(service, version) => version_is(performance, service, version),
        Wish::AllNew(new) => all_new(script, performance, *new),
    }
}

fn stalled(performance: &Performance, wish: &StallWish) -> Seen {
    let fits = |told: &&Told| {
        wish.step.as_ref().is_none_or(|step| told.label("step") == step.as_str())
            && wish.cause.is_none_or(|cause| told.has_cause(cause))
    };
    let Some(found) = performance.stalls().find(fits) else {
        return Err(listed("stalls", &performance.stalls().map(stall_told).collect::<Vec<_>>()));
    };
    let alert = &found.alert;
    let late = alert.starts_at.since(alert.deadline.unwrap_or(alert.starts_at));
    match wish.within {
        Some(within) if late > within => Err(format!("it was known {} after its deadline", lasting(late))),
        Some(_) | None => Ok(()),
    }
}

fn alert(performance: &Performance, wish: &AlertWish) -> Seen {
    let is = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found);
    let fits = |told: &&Told| {
        is(&wish.name, told.name())
            && is(&wish.team, told.label("owner"))
            && wish.severity.is_none_or(|severity| told.label("severity") == severity.as_str())
            && wish.step.as_ref().is_none_or(|step| told.label("step") == step.as_str())
            && wish.by.is_none_or(|by| told.at <= by)
            && wish.resolved.is_none_or(|wanted| wanted == is_over(performance, told))
    };
    let mut burnt = performance.told.iter().filter(|told| told.alert.status == AlertStatus::Firing);
    if burnt.any(|told| fits(&told)) {
        return Ok(());
    }
    let burnt = performance.told.iter().filter(|told| told.alert.status == AlertStatus::Firing);
    Err(listed("alerts", &burnt.map(alert_told).collect::<Vec<_>>()))
}

/// Whether the alert was resolved later on.
fn is_over(performance: &Performance, told: &Told) -> bool {
    let over = |other: &Told| other.alert.id == told.alert.id && other.alert.status == AlertStatus::Resolved;
    performance.told.iter().any(|other| other.at >= told.at && over(other))
}

fn said(performance: &Performance, named: &Named, by: Option<Millis>) -> Seen {
    match (first(performance, named), by) {
        (None, _) => Err("nobody said it".to_owned()),
        (Some((_, at)), Some(by)) if at > by => Err(format!("it was said at {}", moment(at))),
        (Some(_), _) => Ok(()),
    }
}

fn order(performance: &Performance, events: &[Named]) -> Seen {
    let mut last: Option<(usize, &Named)> = None;
    for named in events {
        let Some((place, _)) = first(performance, named) else {
            return Err(format!("nobody said {named}"));
        };
        if let Some((before, earlier)) = last
            && place < before
        {
            return Err(format!("{named} came before {earlier}"));
        }
        last = Some((place, named));
    }
    Ok(())
}

/// Where and when an event first stands on the log, readable or not.
fn first(performance: &Performance, named: &Named) -> Option<(usize, Millis)> {
    let is = |entry: &Entry| {
        let (kind, service) = match entry {
            Entry::Event(record) => {
                (Some(record.event.body.event_type()), record.event.envelope.service.as_ref())
            }
            Entry::Unreadable(unreadable) => {
                (unreadable.event_type.as_deref().and_then(EventType::from_full), unreadable.service.as_ref())
            }
        };
        match named {
            Named::Any(wanted) => kind == Some(*wanted),
            Named::Of(wanted) => kind == Some(wanted.event) && service == Some(&wanted.service),
        }
    };
    let place = performance.log.iter().position(is)?;
    Some((place, performance.moment(performance.log[place].at())))
}

fn ends(performance: &Performance, rollout: Option<&RolloutId>, status: Status, by: Option<Millis>) -> Seen {
    let first = performance.view.rollouts.last().map(|view| &view.id);
    let found = performance.status(rollout.or(first));
    match found {
        None => return Err("no such rollout has started".to_owned()),
        // A rollout that goes back is open still.
        Some(found) if found != status && !(status == Status::Open && found.is_open()) => {
            return Err(format!("it is {}", found.as_str()));
        }
        Some(_) => {}
    }
    let at = rollout.or(first).and_then(|rollout| performance.ended(rollout, status));
    match (at, by) {
        (Some(at), Some(by)) if at > by => Err(format!("it ended at {}", moment(at))),
        _ => Ok(()),
    }
}

fn version_is(performance: &Performance, service: &Service, version: &Version) -> Seen {
    let wrong = performance.runs.iter().filter(|runs| runs.service == *service && runs.version != *version);
    let wrong: Vec<String> = wrong.map(|runs| format!("{} runs {}", runs.instance, runs.version)).collect();
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join(", ")) }
}

fn all_new(script: &Script, performance: &Performance, new: bool) -> Seen {
    let mut wrong = Vec::new();
    for runs in performance.runs.iter().filter(|runs| runs.alive) {
        let versions = script.pieces().find_map(|piece| piece.versions(&runs.service));
        let wanted = versions.map(|(old, asked)| if new { asked } else { old });
        if wanted.is_some_and(|wanted| *wanted != runs.version) {
            wrong.push(format!("{} runs {}", runs.instance, runs.version));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join(", ")) }
}

fn listed(what: &str, seen: &[String]) -> String {
    if seen.is_empty() { format!("there were no {what}") } else { format!("seen: {}", seen.join("; ")) }
}

fn stall_told(told: &Told) -> String {
    format!("{} ({})", told.label("step"), told.label("cause"))
}

fn alert_told(told: &Told) -> String {
    let step = told.label("step");
    let step = if step.is_empty() { String::new() } else { format!(" of {step}") };
    format!("{}{step} to {} ({})", told.name(), told.label("owner"), told.label("severity"))
}

/// An expectation in words.
fn told(wish: &Wish) -> String {
    match wish {
        Wish::Stalled(StallWish { step, cause, within }) => {
            let step = step.as_ref().map_or("a step".to_owned(), |step| format!("step {step}"));
            let cause = cause.map_or(String::new(), |cause| format!(" ({})", cause.as_str()));
            let within = within.map_or(String::new(), |within| format!(", known within {}", lasting(within)));
            format!("{step} stalls{cause}{within}")
        }
        Wish::Alert(wish) => alert_wish_told(wish),
        Wish::Never(wish) => format!("never: {}", told(wish)),
        Wish::Said(named, by) => format!("{named} is said{}", by_told(*by)),
        Wish::Order(events) => {
            let names: Vec<String> = events.iter().map(ToString::to_string).collect();
            format!("in this order: {}", names.join(", "))
        }
        Wish::Ends { rollout, status, by } => {
            let which = rollout.as_ref().map_or("the rollout".to_owned(), |id| format!("rollout {id}"));
            let word = ENDINGS.iter().find(|(_, one)| one == status).map_or("", |(word, _)| word);
            format!("{which} ends {}{}", word.replace('_', " "), by_told(*by))
        }
        Wish::Version(service, version) => format!("{service} runs {version}"),
        Wish::AllNew(new) => format!("all run their {} version", if *new { "new" } else { "old" }),
    }
}

fn alert_wish_told(wish: &AlertWish) -> String {
    let AlertWish { name, team, severity, step, by, resolved } = wish;
    let mut text = name.clone().unwrap_or_else(|| "an alert".to_owned());
    let mut add = |word: &str, what: Option<&str>| {
        if let Some(what) = what {
            text = format!("{text} {word} {what}");
        }
    };
    add("of", step.as_ref().map(StepId::as_str));
    add("to", team.as_deref());
    add("as", severity.map(pavane_choreography::Severity::as_str));
    add("that", resolved.map(|over| if over { "is resolved" } else { "burns on" }));
    format!("{text}{}", by_told(*by))
}

fn by_told(by: Option<Millis>) -> String {
    by.map_or(String::new(), |by| format!(" by {}", moment(by)))
}
