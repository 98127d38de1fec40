//! How a rollout looks in a terminal: each step with a symbol and a word, so that no colour is needed to read it.

mod phase;

use anstyle::Style;
use pavane_events::{Millis, Timestamp};
use pavane_sentinel_engine::{RolloutView, Status, StepStatus, StepView, VerdictView};

use crate::paint::{BACK, BAD, BUSY, GOOD, QUIET, STRONG, paint};

/// The widest line that a picture has where it can be helped, in columns.
const WIDTH: usize = 80;
/// Where the name of a step stands, in columns.
const NAMES: usize = 17;

/// The rollout as a list: a few lines of head, a line for each step, a line for each reason; where there are phases, the
/// steps stand under theirs.
pub fn list(rollout: &RolloutView, now: Timestamp) -> String {
    let mut lines = head(rollout, now);
    for phase in &rollout.phases {
        lines.extend(phase::lines(phase, rollout, now));
        let steps = rollout.steps.iter().filter(|step| step.phase.as_ref() == Some(&phase.id));
        lines.extend(steps.flat_map(|step| step_lines(step, rollout, now)));
    }
    let steps = rollout.steps.iter().filter(|step| step.phase.is_none());
    lines.extend(steps.flat_map(|step| step_lines(step, rollout, now)));
    lines.join("\n") + "\n"
}

/// The rollout as a row of dancers, for a dance that is one line: names above, states beneath.
pub fn row(steps: &[StepView]) -> String {
    const ARROW: &str = " ─▶ ";
    let cell = |(place, step): (usize, &StepView)| {
        let state = format!("{} {}", symbol(step.state), word(step.state));
        let width = step.service.chars().count().max(state.chars().count());
        let arrow = if place + 1 < steps.len() { ARROW } else { "" };
        let gap = " ".repeat(arrow.chars().count());
        let name = paint(STRONG, &format!("{:<width$}", step.service)) + &paint(QUIET, arrow);
        (name, paint(style(step.state), &format!("{state:<width$}")) + &gap)
    };
    let (names, states): (String, String) = steps.iter().enumerate().map(cell).unzip();
    format!("{names}\n{states}")
}

/// The rollout in one line.
pub fn line(rollout: &RolloutView, now: Timestamp) -> String {
    let met = rollout.steps.iter().filter(|step| is_met(step.state)).count();
    let reasons = rollout.steps.iter().filter_map(reason).flat_map(|reason| [" · ".to_owned(), reason]);
    let stalled: String = reasons.collect();
    let (id, name, steps) = (&rollout.id, &rollout.choreography, rollout.steps.len());
    let phase = phase::remark(rollout, now).map_or_else(String::new, |phase| format!(" · {phase}"));
    let status = status(rollout);
    format!("{id}  {name}  {status}  {met} of {steps} steps met{}{phase}{stalled}", age(rollout, now))
}

/// A verdict in one line.
pub fn verdict(verdict: &VerdictView) -> String {
    let step = verdict.step.as_ref().map_or_else(String::new, |step| format!(" · step {step}"));
    let service = verdict.service.as_ref().map_or_else(String::new, |service| format!(" · {service}"));
    let cause = verdict.cause.as_ref().map_or_else(String::new, |cause| format!(" · {}", spaced(cause)));
    format!("{}{step}{service}{cause} · owner {} · offset {}", verdict.kind, verdict.owner, verdict.offset)
}

/// The symbol of a state, for the eye.
pub const fn symbol(state: StepStatus) -> &'static str {
    match state {
        StepStatus::Waiting => "·",
        StepStatus::Open => "○",
        StepStatus::Running => "▶",
        StepStatus::Holding => "◎",
        StepStatus::Met => "✓",
        StepStatus::Overridden => "»",
        StepStatus::Stalled => "✗",
        StepStatus::GoingBack => "◀",
        StepStatus::Back => "↺",
        StepStatus::NotBack => "!",
    }
}

/// The word of a state, for everybody.
pub const fn word(state: StepStatus) -> &'static str {
    match state {
        StepStatus::Waiting => "waiting",
        StepStatus::Open => "awaited",
        StepStatus::Running => "running",
        StepStatus::Holding => "holding",
        StepStatus::Met => "done",
        StepStatus::Overridden => "overridden",
        StepStatus::Stalled => "stalled",
        StepStatus::GoingBack => "going back",
        StepStatus::Back => "rolled back",
        StepStatus::NotBack => "not back",
    }
}

/// A length of time as people say it: `0.4 s`, `12 s`, `2m 3s`, `1h 4m`.
pub fn lasting(ms: Millis) -> String {
    let sign = if ms < 0 { "-" } else { "" };
    let ms = ms.unsigned_abs();
    let seconds = ms / 1000;
    match seconds {
        0..=9 if ms % 1000 >= 100 => format!("{sign}{seconds}.{} s", ms % 1000 / 100),
        0..=59 => format!("{sign}{seconds} s"),
        60..=3599 => format!("{sign}{}m {}s", seconds / 60, seconds % 60),
        _ => format!("{sign}{}h {}m", seconds / 3600, seconds % 3600 / 60),
    }
}

const fn style(state: StepStatus) -> Style {
    match state {
        StepStatus::Waiting => QUIET,
        StepStatus::Open | StepStatus::Running | StepStatus::Holding => BUSY,
        StepStatus::Met | StepStatus::Overridden => GOOD,
        StepStatus::Stalled | StepStatus::NotBack => BAD,
        StepStatus::GoingBack | StepStatus::Back => BACK,
    }
}

/// Whether a rollout has come to its end.
pub const fn is_over(status: Status) -> bool {
    !status.is_open() && !matches!(status, Status::Queued)
}

/// A word from the log as it may stand in a terminal: nothing in it moves the cursor or turns the direction.
pub fn plain(text: &str) -> String {
    let turns =
        |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().filter(|c| !c.is_control() && !turns(*c)).collect()
}

const fn is_met(state: StepStatus) -> bool {
    matches!(state, StepStatus::Met | StepStatus::Overridden)
}

fn head(rollout: &RolloutView, now: Timestamp) -> Vec<String> {
    let met = rollout.steps.iter().filter(|step| is_met(step.state)).count();
    let (steps, trace) = (rollout.steps.len(), format!("trace {}", rollout.trace_id));
    let (status, age) = (status(rollout), age(rollout, now));
    let rest = format!(" · {met} of {steps} steps met{age} · owner {}", rollout.owner);
    let wide = [&status, &rest, &trace].iter().map(|text| text.chars().count()).sum::<usize>();
    let between = if wide + 5 <= WIDTH { " · " } else { "\n  " };
    vec![
        format!("{}  {}", paint(STRONG, &rollout.choreography), rollout.id),
        format!("  {}{rest}{between}{trace}", paint(STRONG, &status)),
    ]
}

fn status(rollout: &RolloutView) -> String {
    let halted = if rollout.paused && rollout.status.is_open() { ", its clocks stand still" } else { "" };
    let behind = rollout.behind.as_ref().map_or_else(String::new, |other| format!(" behind {other}"));
    format!("{}{behind}{halted}", spaced(rollout.status.as_str()))
}

fn age(rollout: &RolloutView, now: Timestamp) -> String {
    match rollout.ended_at {
        Some(ended) => format!(" · took {}", lasting(ended.since(rollout.started_at))),
        None => format!(" · for {}", lasting(now.since(rollout.started_at).max(0))),
    }
}

/// A step, what is to be said of it beside it or beneath it, and why it stands still.
fn step_lines(step: &StepView, rollout: &RolloutView, now: Timestamp) -> Vec<String> {
    let wide = |text: fn(&StepView) -> &str| {
        rollout.steps.iter().map(|step| text(step).chars().count()).max().unwrap_or(0)
    };
    let (names, events) = (wide(|step| &step.id), wide(|step| &step.expects));
    let state = paint(style(step.state), &format!("{} {:<11}", symbol(step.state), word(step.state)));
    let line = format!("  {state}  {:<names$}  {:<events$}", step.id, step.expects);
    let remarks = remarks(step, rollout.paused, now);
    let beneath = |text: String| format!("{:NAMES$}{text}", "");
    let mut lines = if NAMES + names + 2 + events + 2 + remarks.chars().count() <= WIDTH {
        vec![format!("{line}  {remarks}").trim_end().to_owned()]
    } else {
        vec![line.trim_end().to_owned(), beneath(remarks)]
    };
    lines.extend(reason(step).map(beneath));
    lines.extend(overriding(step).map(beneath));
    lines.extend(contradictions(step).map(beneath));
    lines
}

fn remarks(step: &StepView, paused: bool, now: Timestamp) -> String {
    let mut remarks: Vec<String> = step.zone.iter().map(|zone| format!("zone {zone}")).collect();
    match step.want {
        Some(want @ 2..) => remarks.push(format!("{} of {want} instances", step.have)),
        Some(_) => {}
        None => remarks.push(format!("{} of {} of the instances", step.have, step.instances_wanted)),
    }
    match step.state {
        StepStatus::Waiting => remarks.extend(awaited(step)),
        StepStatus::Met | StepStatus::Overridden | StepStatus::Back | StepStatus::NotBack => {}
        StepStatus::Open
        | StepStatus::Running
        | StepStatus::Holding
        | StepStatus::Stalled
        | StepStatus::GoingBack => {
            if paused {
                remarks.push("its clock stands still".to_owned());
                return remarks.join(" · ");
            }
            remarks.extend(step.since.map(|since| format!("for {}", lasting(now.since(since).max(0)))));
            remarks.extend(step.deadline.map(|deadline| match deadline.since(now) {
                left @ 0.. => format!("{} left", lasting(left)),
                over => format!("{} over its window", lasting(-over)),
            }));
        }
    }
    remarks.join(" · ")
}

/// What a step waits for.
fn awaited(step: &StepView) -> Option<String> {
    let one = step.after_any.join(" or ");
    match (step.after.is_empty(), one.is_empty()) {
        (true, true) => None,
        (false, true) => Some(format!("after {}", step.after.join(", "))),
        (true, false) => Some(format!("after {one}")),
        (false, false) => Some(format!("after {} and one of {one}", step.after.join(", "))),
    }
}

/// Why a step stands still, what is missing and whose it is.
fn reason(step: &StepView) -> Option<String> {
    let cause = step.cause.filter(|_| step.state == StepStatus::Stalled)?;
    let missing = step.missing.as_deref().unwrap_or(&step.expects);
    Some(format!("missing {missing} · {} · owner {}", spaced(cause.as_str()), step.owner))
}

/// Who counted a step as met, and why.
fn overriding(step: &StepView) -> Option<String> {
    let by = step.overridden_by.as_ref().filter(|_| step.state == StepStatus::Overridden)?;
    Some(format!("counted as met by {} at offset {}: {}", plain(&by.by), by.offset, plain(&by.reason)))
}

/// The instances whose word does not count, and why not.
fn contradictions(step: &StepView) -> impl Iterator<Item = String> + '_ {
    let wrong = step.instances.iter().filter(|word| word.said == "wrong_version");
    wrong.map(|word| format!("{}: {}", word.instance, plain(&word.detail)))
}

fn spaced(word: &str) -> String {
    word.replace('_', " ")
}

#[cfg(test)]
pub(crate) mod tests;
