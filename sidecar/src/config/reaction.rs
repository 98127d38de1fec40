//! Reactions, hooks and questions as they stand in the file.

use std::collections::BTreeMap;
use std::path::PathBuf;

use pavane_choreography::Expect;
use pavane_choreography::diagnostic::{Code, Place};
use pavane_choreography::expectation::event_of_service;
use pavane_choreography::yaml::{Fields, Item, Reader, Reported, Spanned};
use pavane_events::{EventType, Millis};
use pavane_sidecar_engine::{Condition, Flaw, Reaction as Terms, Readiness, Retry, Sieve, Trigger};

use super::Command;
use super::run::{Run, TIMEOUT, argv, run};

/// The most that a reaction may ask for.
const MAX_INSTANCES: u32 = 10_000;
const MAX_ATTEMPTS: u32 = 100;
const MAX_SUCCESSES: u32 = 1_000;
/// What holds where the file says nothing.
const RETRY: Retry = Retry { attempts: 3, first: 1_000, cap: 30_000, pause: None };
const INTERVAL: Millis = 600_000;
const WITHIN: Millis = 120_000;
const EVERY: Millis = 1_000;

/// One reaction: its terms, and how its hook and its check are carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reaction {
    /// What the engine must know of it.
    pub terms: Terms,
    /// How the service is changed; none when it is only looked at.
    pub run: Option<Run>,
    /// How the service is seen to be well.
    pub ready: Option<Question>,
}

/// How something is asked of the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// By a GET of this URL.
    Http(String),
    /// By a program.
    Exec(Command),
    /// By the content of a file.
    File(PathBuf),
    /// By a variable of the sidecar's own environment.
    Env(String),
}

/// Reads how the version is learnt.
pub(super) fn version(item: &Item<'_>) -> Result<Question, Reported> {
    item.fields(|f| {
        f.exactly_one(&[
            ("http", by_http as Reader<'_, Question>),
            ("exec", by_exec),
            ("file", by_file),
            ("env", by_env),
        ])
    })
}

fn by_http(item: &Item<'_>) -> Result<Question, Reported> {
    item.url().map(Question::Http)
}

fn by_exec(item: &Item<'_>) -> Result<Question, Reported> {
    Ok(Question::Exec(Command { argv: argv(item)?, env: BTreeMap::new() }))
}

fn by_file(item: &Item<'_>) -> Result<Question, Reported> {
    Ok(Question::File(PathBuf::from(item.text()?)))
}

fn by_env(item: &Item<'_>) -> Result<Question, Reported> {
    item.text().map(Question::Env)
}

/// A reaction with the places of what other files may contradict.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) reaction: Reaction,
    pub(super) at: Place,
    pub(super) on: Place,
    pub(super) emit: Place,
}

/// Reads all reactions; no two may react to the same event.
pub(super) fn reactions(item: &Item<'_>) -> Result<Vec<Placed>, Reported> {
    let read = item.each(reaction)?;
    let mut known: Vec<String> = Vec::new();
    let mut twice = None;
    for reaction in read.iter().flatten() {
        let name = reaction.value.reaction.terms.name();
        if known.contains(&name) {
            let message = format!("there is a reaction on {name} already");
            twice = Some(reaction.item.refuse(Code::Duplicate, message, "make one of the two"));
        }
        known.push(name);
    }
    let reactions = read.into_iter().map(|reaction| reaction.map(|spanned| spanned.value)).collect();
    twice.map_or(reactions, Err)
}

fn reaction<'d>(item: &Item<'d>) -> Result<Spanned<'d, Placed>, Reported> {
    item.spanned(|item| {
        item.fields(|f| {
            let mut on_at = item.place();
            let on = f.required("on", |i| {
                on_at = i.place();
                trigger(i)
            });
            let sieve = sieve(f, on.as_ref().ok());
            let instances = f.optional("instances", |i| i.count(1..=MAX_INSTANCES));
            let run = how(f, on.as_ref().ok());
            let retry = f.optional("retry", retry);
            let ready = f.optional("ready", readiness);
            let mut emit_at = item.place();
            let emit = f.optional("emit", |i| {
                emit_at = i.place();
                emit(i, on.as_ref().ok())
            });
            let prerequisite = f.optional("prerequisite", Item::text);
            let once = f.optional("once", Item::boolean);
            let stagger = f.optional("stagger", Item::duration);
            let (on, run, ready, retry) = (on?, run?, ready?, retry?.unwrap_or(RETRY));
            is_reached(f, run.as_ref(), &retry)?;
            let (question, ready) = ready.unzip();
            let terms = Terms {
                emit: emit?.unwrap_or_else(|| says(&on)[0]),
                on,
                sieve: sieve?,
                instances: instances?.unwrap_or(1),
                hook: run.is_some(),
                timeout: run.as_ref().map_or(TIMEOUT, Run::longest),
                retry,
                ready,
                hold: None,
                prerequisite: prerequisite?.unwrap_or_default(),
                once: once?.unwrap_or(false),
                stagger: stagger?.unwrap_or(0),
            };
            let reaction = Reaction { terms, run, ready: question };
            Ok(Placed { reaction, at: item.place(), on: on_at, emit: emit_at })
        })
    })
}

fn trigger(item: &Item<'_>) -> Result<Trigger, Reported> {
    if item.is_list() {
        return events(item).map(Trigger::all);
    }
    if item.is_map() {
        return item.fields(|f| f.required("any", events).map(Trigger::any));
    }
    let text = item.scalar("an event, e.g. `user-db.Ready`")?;
    if text == EventType::RolloutStarted.as_str() {
        return Ok(Trigger::RolloutStarted);
    }
    if text == EventType::PhaseBegun.as_str() {
        return Ok(Trigger::PhaseBegun);
    }
    if text == EventType::RollbackRequested.as_str() {
        return Ok(Trigger::RollbackRequested);
    }
    event_of_service(item).map(Trigger::Event)
}

/// Reads what is let through of what it reacts to. Whoever is asked to go back goes back.
fn sieve(f: &mut Fields<'_>, on: Option<&Trigger>) -> Result<Sieve, Reported> {
    let version = f.optional("version", Item::version_requirement);
    let when = f.optional("when", condition);
    let sieve = Sieve { version: version?, when: when? };
    if on == Some(&Trigger::RollbackRequested) && !sieve.is_open() {
        let message = "a request to go back is not picked over: `version` and `when` do not belong to it";
        return Err(f.refuse(
            Code::Contradiction,
            message,
            "leave them out; what speaks against it is refused",
        ));
    }
    let nameless = matches!(on, Some(Trigger::RolloutStarted | Trigger::PhaseBegun));
    if nameless && sieve.version.is_some() {
        let message = "the start of a rollout or of a phase is of no version, so none ever meets `version`";
        let help = "leave it out, or react on an event of a service";
        return Err(f.refuse(Code::Contradiction, message, help));
    }
    Ok(sieve)
}

fn condition(item: &Item<'_>) -> Result<Condition, Reported> {
    let text = item.text()?;
    Condition::parse(&text).map_err(|Flaw { what, help }| {
        item.refuse(Code::BadCondition, format!("`when` cannot be used: {what}"), help)
    })
}

/// Reads the events of a trigger that rests on several, each named once.
fn events(item: &Item<'_>) -> Result<Vec<Expect>, Reported> {
    let mut known: Vec<Expect> = Vec::new();
    let read = item.list(|item| {
        let event = event_of_service(item)?;
        if known.contains(&event) {
            let message = format!("{event} stands here already");
            return Err(item.refuse(
                Code::Duplicate,
                message,
                "name each event once; `instances` counts them",
            ));
        }
        known.push(event.clone());
        Ok(event)
    })?;
    if read.is_empty() {
        let message = format!("`{}` names no event", item.field());
        return Err(item.refuse(Code::WrongType, message, "write e.g. `[user-db.Ready, cache.Ready]`"));
    }
    Ok(read)
}

/// What a reaction may say when all went well; the first unless it is written.
const fn says(on: &Trigger) -> &'static [EventType] {
    match on {
        Trigger::RollbackRequested => &[EventType::RollbackComplete],
        Trigger::RolloutStarted
        | Trigger::PhaseBegun
        | Trigger::Event(_)
        | Trigger::All(_)
        | Trigger::Any(_) => &[EventType::DeploymentComplete, EventType::Ready, EventType::Drained],
    }
}

fn emit(item: &Item<'_>, on: Option<&Trigger>) -> Result<EventType, Reported> {
    let text = item.scalar("the name of an event")?;
    // What it waits for may be what is wrong; then it may say what any reaction may.
    let choices = on.map_or_else(
        || [says(&Trigger::RolloutStarted), says(&Trigger::RollbackRequested)].concat(),
        |on| says(on).to_vec(),
    );
    if let Some(event) = EventType::from_short(text).filter(|event| choices.contains(event)) {
        return Ok(event);
    }
    let names: Vec<_> = choices.iter().map(|event| format!("`{event}`")).collect();
    let message = format!("`emit` cannot be {text:?} here; it is one of {}", names.join(", "));
    Err(item.refuse(Code::BadEvent, message, "leave it out to take the first"))
}

fn how(f: &mut Fields<'_>, on: Option<&Trigger>) -> Result<Option<Run>, Reported> {
    if on == Some(&Trigger::RollbackRequested) {
        return f.required("run", run).map(Some);
    }
    f.optional("run", run)
}

/// A fallback must be reached by the attempts that there are.
fn is_reached(f: &Fields<'_>, run: Option<&Run>, retry: &Retry) -> Result<(), Reported> {
    let fallback = run.and_then(|run| run.fallback.as_ref()).filter(|_| retry.pause.is_none());
    match fallback {
        Some(fallback) if fallback.after >= retry.attempts => {
            let (after, attempts) = (fallback.after, retry.attempts);
            let message = format!(
                "`fallback` is never taken: it comes after {after} attempts, and there are {attempts}"
            );
            let help = "raise `retry.attempts`, or let `fallback.after` be less";
            Err(f.refuse(Code::Contradiction, message, help))
        }
        Some(_) | None => Ok(()),
    }
}

fn retry(item: &Item<'_>) -> Result<Retry, Reported> {
    item.fields(|f| {
        let attempts = f.optional("attempts", |i| i.count(1..=MAX_ATTEMPTS));
        let backoff = f.optional("backoff", Item::duration_range);
        let mode = f.optional("mode", |i| i.one_of(&[("fail", false), ("delay", true)]));
        let interval = f.optional("interval", Item::duration);
        let (attempts, backoff, delays, interval) = (attempts?, backoff?, mode?.unwrap_or(false), interval?);
        if interval.is_some() && !delays {
            let message = "`interval` is how long `mode: delay` waits, and the mode is `fail`";
            return Err(f.refuse(Code::Contradiction, message, "add `mode: delay`, or leave `interval` out"));
        }
        let backoff = backoff.unwrap_or(RETRY.first..=RETRY.cap);
        let attempts = attempts.unwrap_or(RETRY.attempts);
        let pause = delays.then_some(interval.unwrap_or(INTERVAL));
        Ok(Retry { attempts, first: *backoff.start(), cap: *backoff.end(), pause })
    })
}

fn readiness(item: &Item<'_>) -> Result<(Question, Readiness), Reported> {
    item.fields(|f| {
        let question = f.exactly_one(&[("http", by_http as Reader<'_, Question>), ("exec", by_exec)]);
        let within = f.optional("within", Item::duration);
        let successes = f.optional("successes", |i| i.count(1..=MAX_SUCCESSES));
        let every = f.optional("every", Item::duration);
        let (question, within, successes, every) = (question?, within?, successes?, every?);
        let within = within.unwrap_or(WITHIN);
        let (successes, every) = (successes.unwrap_or(1), every.unwrap_or(EVERY));
        Ok((question, Readiness { within, successes, every }))
    })
}
