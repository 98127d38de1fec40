//! Lengths that cannot all hold: hooks against windows, windows against each other and against the clock's pace.

use pavane_choreography::diagnostic::{Code, Diagnostic};
use pavane_choreography::yaml::lasting;
use pavane_choreography::{Instances, Step};
use pavane_events::Millis;

use super::graph::Graph;
use super::words::listed;
use super::{Choreography, Project};
use crate::participant::Reaction;

/// The pace at which a sentinel sees time pass without other records: its pulse and its grace, in milliseconds.
pub const PACE: Millis = 2_250;

/// The longest window behind which a stall is still news, in milliseconds: a day.
const LONGEST: Millis = 24 * 60 * 60 * 1_000;

pub(super) fn findings(project: &Project) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (one, step) in project.steps() {
        found.extend(short(one, step));
        found.extend(endless(one, step));
        found.extend(healthy_too_late(one, step));
        found.extend(hook_outlasts(project, one, step));
        found.extend(back_outlasts(project, one, step));
    }
    found.extend(project.choreographies.iter().filter_map(maintenance));
    found
}

fn short(one: &Choreography, step: &Step) -> Vec<Diagnostic> {
    let windows = [
        ("within", Some(step.within)),
        ("started_within", step.started_within),
        ("compensate", step.reversible.then_some(step.compensate.within)),
    ];
    let written = |field: &str| field == "within" || one.writes(&step.id, field);
    let short =
        windows.into_iter().filter_map(|(field, window)| Some((field, window.filter(|w| *w < PACE)?)));
    let found = short.filter(|(field, _)| written(field)).map(|(field, window)| {
        let message = format!(
            "the window `{field}` of step `{}` is {}, and a sentinel sees time pass every {}",
            step.id,
            lasting(window),
            lasting(PACE)
        );
        let help = "the stall is told that much later: write what is really needed, at least 3s";
        Diagnostic::new(Code::ShortWindow, &one.file, one.step(&step.id, field), message, help).warning()
    });
    found.collect()
}

fn endless(one: &Choreography, step: &Step) -> Option<Diagnostic> {
    if step.within <= LONGEST {
        return None;
    }
    let message = format!("step `{}` can hardly fail: it has {} to come", step.id, lasting(step.within));
    let help =
        "a stall is news within a day: shorten `within`, or start what takes so long before the rollout";
    Some(
        Diagnostic::new(Code::EndlessWindow, &one.file, one.step(&step.id, "within"), message, help)
            .warning(),
    )
}

/// The dependants' windows begin when the count is full, not when it has held for long enough.
fn healthy_too_late(one: &Choreography, step: &Step) -> Option<Diagnostic> {
    let plan = &one.plan;
    if step.healthy_for == 0 {
        return None;
    }
    let beside = |other: &&Step| plan.phase_of(&other.id) == plan.phase_of(&step.id);
    let done: Vec<_> = plan
        .dependants(&step.id)
        .filter(beside)
        .filter(|other| other.within <= step.healthy_for)
        .map(|other| &other.id)
        .collect();
    if done.is_empty() {
        return None;
    }
    let message = format!(
        "step `{}` is met only after it has held for {}, and {} must be done before",
        step.id,
        lasting(step.healthy_for),
        listed(done)
    );
    let help = "shorten `healthy_for`, lengthen their `within`, or put them into a phase behind it";
    let place = one.step(&step.id, "healthy_for");
    Some(Diagnostic::new(Code::HealthyTooLate, &one.file, place, message, help).warning())
}

/// One attempt that outlasts the window is told as a stall while all is well. All attempts together may: whoever still
/// tries by then is late.
fn hook_outlasts(project: &Project, one: &Choreography, step: &Step) -> Option<Diagnostic> {
    let rounds = rounds(step);
    let slow = |outlasts: &dyn Fn(&Reaction) -> Millis| {
        let files = project.of(&step.expect.service);
        let all = files.flat_map(|file| file.forward().map(move |reaction| (file, reaction)));
        let mut slow = all
            .filter(|(_, reaction)| reaction.emit == step.expect.event)
            .map(|(file, reaction)| (outlasts(reaction), file));
        slow.find(|(length, _)| *length > step.within)
    };
    let first = slow(&|reaction| reaction.once() * rounds);
    let (length, file) = first.or_else(|| slow(&|reaction| reaction.longest() * rounds))?;
    let how = match (first.is_some(), rounds) {
        (true, 1) => "one attempt with its check".to_owned(),
        (true, rounds) => format!("one attempt with its check, {rounds} times one after another,"),
        (false, _) => "every attempt with its check".to_owned(),
    };
    let message = format!(
        "step `{}` has {}, and in {} {how} may take {}",
        step.id,
        lasting(step.within),
        file.file,
        lasting(length)
    );
    let help = "lengthen `within`, or shorten the hook's `timeout` and the check's `within`";
    let found = Diagnostic::new(Code::HookOutlasts, &one.file, one.step(&step.id, "within"), message, help);
    Some(if first.is_some() { found.warning() } else { found.note() })
}

/// How many times instances move one after another because only so many may at a time.
fn rounds(step: &Step) -> Millis {
    match (step.instances, step.max_parallel) {
        (Instances::Count(count), Some(most)) => Millis::from(count.div_ceil(most.max(1))),
        (Instances::Count(_) | Instances::Share(_), _) => 1,
    }
}

fn back_outlasts(project: &Project, one: &Choreography, step: &Step) -> Option<Diagnostic> {
    let window = step.compensate.within;
    let mut files = project.of(&step.expect.service).filter_map(|file| Some((file, file.back()?)));
    let (file, back) = files.find(|(_, back)| step.reversible && back.longest() > window)?;
    let always = back.once() > window;
    let (how, length) = if always { ("one attempt", back.once()) } else { ("every attempt", back.longest()) };
    let message = format!(
        "step `{}` has {} to go back, and in {} {how} may take {}",
        step.id,
        lasting(window),
        file.file,
        lasting(length)
    );
    let help = "lengthen `within` of `compensate`, or shorten the hook's `timeout`";
    let found =
        Diagnostic::new(Code::BackOutlasts, &one.file, one.step(&step.id, "compensate"), message, help);
    Some(if always { found.warning() } else { found.note() })
}

/// No deadline is later than the close of the maintenance window.
fn maintenance(one: &Choreography) -> Option<Diagnostic> {
    let open = one.plan.maintenance.as_ref()?.length;
    let graph = Graph::of(&one.plan);
    let (quickest, (longest, last)) = (graph.quickest(), graph.critical());
    let never = quickest >= open;
    if !never && longest <= open {
        return None;
    }
    let message = if never {
        format!(
            "nothing can be through in time: what has to be waited for takes {}, and the maintenance window is open for {}",
            lasting(quickest),
            lasting(open)
        )
    } else {
        let last = last.map_or_else(String::new, |id| format!(" up to step `{id}`"));
        format!(
            "the windows{last} add up to {}, and the maintenance window is open for {}",
            lasting(longest),
            lasting(open)
        )
    };
    let help = "whatever is not through when it closes stalls: shorten the windows, or open it for longer";
    let found = Diagnostic::new(Code::OutlastsMaintenance, &one.file, one.part("maintenance"), message, help);
    Some(if never { found } else { found.warning() })
}
