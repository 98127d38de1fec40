//! The steps judged together: names, circles and order.

use std::collections::{BTreeMap, BTreeSet};

use pavane_events::{EventType, StepId};

use crate::diagnostic::Code;
use crate::graph;
use crate::instances::Instances;
use crate::plan::{Compensate, Expect, Step};
use crate::written::Written;
use crate::yaml::{Reported, Spanned, did_you_mean};

/// Turns the steps as written into the steps of a plan, each behind all that it waits for.
pub(crate) fn resolve(read: Vec<Result<Written<'_>, Reported>>) -> Result<Vec<Step>, Reported> {
    let mut outcome = Ok(());
    let mut written = Vec::new();
    for step in read {
        match step {
            Ok(step) => written.push(step),
            Err(reported) => outcome = outcome.and(Err(reported)),
        }
    }
    let names = Names::of(&written, outcome);
    let expectations = expectations(&written);
    let after: Vec<_> = written.iter().map(|step| prerequisites(step, &names)).collect();
    let order = order(&written, &after);
    let steps: Result<Vec<_>, Reported> = written.into_iter().map(meant).collect();
    names.outcome.and(expectations)?;
    after.into_iter().try_for_each(|after| after.outcome)?;
    let (order, mut steps) = (order?, steps?.into_iter().map(Some).collect::<Vec<_>>());
    Ok(order.into_iter().filter_map(|place| steps[place].take()).collect())
}

/// The ids of the steps. When one could not be read, nobody can say which are unknown.
struct Names {
    places: BTreeMap<StepId, usize>,
    outcome: Result<(), Reported>,
    complete: Result<(), Reported>,
}

impl Names {
    fn of(written: &[Written<'_>], read: Result<(), Reported>) -> Self {
        let mut names = Self { places: BTreeMap::new(), outcome: read, complete: read };
        let mut first_lines = BTreeMap::new();
        for (place, step) in written.iter().enumerate() {
            let Spanned { value: id, item } = match &step.id {
                Ok(id) => id,
                Err(reported) => {
                    names.complete = names.complete.and(Err(*reported));
                    continue;
                }
            };
            let line = item.place().line;
            match first_lines.get(id) {
                None => {
                    names.places.insert(id.clone(), place);
                    first_lines.insert(id.clone(), line);
                }
                Some(first) => {
                    let message = format!("step `{id}` stands already in line {first}");
                    let reported =
                        item.refuse(Code::DuplicateStep, message, "give each step an id of its own");
                    names.outcome = names.outcome.and(Err(reported));
                }
            }
        }
        names
    }
}

/// Checks that no event of a service fills two steps: the log could not say which of them it means.
fn expectations(written: &[Written<'_>]) -> Result<(), Reported> {
    let mut first_lines: BTreeMap<&Expect, u32> = BTreeMap::new();
    let mut outcome = Ok(());
    for Spanned { value: expect, item } in written.iter().filter_map(|step| step.expect.as_ref().ok()) {
        if let Some(first) = first_lines.get(expect) {
            let message = format!("{expect} is awaited already in line {first}");
            let help = "one event can fill one step: join the two, or await another event";
            outcome = outcome.and(Err(item.refuse(Code::SameExpectation, message, help)));
        } else {
            first_lines.insert(expect, item.place().line);
        }
    }
    outcome
}

/// The steps that one step waits for, as far as they could be found.
struct Prerequisites {
    places: Vec<usize>,
    outcome: Result<(), Reported>,
}

fn prerequisites(step: &Written<'_>, names: &Names) -> Prerequisites {
    let mut found = Prerequisites { places: Vec::new(), outcome: Ok(()) };
    let mut seen = BTreeSet::new();
    for entry in step.after.iter().flatten().filter_map(|entry| entry.as_ref().ok()) {
        let judged = if seen.insert(&entry.value) {
            prerequisite(step, entry, names)
        } else {
            let message = format!("`{}` stands twice in `after`", entry.value);
            Err(entry.item.refuse(Code::Duplicate, message, "keep one of them"))
        };
        match judged {
            Ok(place) => found.places.push(place),
            Err(reported) => found.outcome = found.outcome.and(Err(reported)),
        }
    }
    found
}

fn prerequisite(step: &Written<'_>, entry: &Spanned<'_, StepId>, names: &Names) -> Result<usize, Reported> {
    let id = &entry.value;
    if step.id.as_ref().is_ok_and(|own| own.value == *id) {
        let message = format!("step `{id}` waits for itself");
        return Err(entry.item.refuse(Code::SelfWait, message, "take it out of `after`"));
    }
    if let Some(&place) = names.places.get(id) {
        return Ok(place);
    }
    names.complete?;
    let known: Vec<_> = names.places.keys().map(StepId::as_str).collect();
    let message = format!("there is no step `{id}`");
    Err(entry.item.refuse(Code::UnknownStep, message, did_you_mean(id.as_str(), &known)))
}

fn order(written: &[Written<'_>], after: &[Prerequisites]) -> Result<Vec<usize>, Reported> {
    let edges: Vec<_> = after.iter().map(|after| after.places.clone()).collect();
    graph::order(&edges).map_err(|circles| {
        let graph::Circles { first, rest } = circles;
        let reported = report_circle(written, &first);
        for circle in &rest {
            report_circle(written, circle);
        }
        reported
    })
}

/// Names a circle edge by edge, at the place where its first step in the file closes it.
fn report_circle(written: &[Written<'_>], circle: &[usize]) -> Reported {
    let id = |node: usize| written[node].id.as_ref().map_or("?", |id| id.value.as_str());
    let mut path: Vec<_> = circle.iter().map(|&node| id(node)).collect();
    path.push(id(circle[0]));
    let message = format!("steps wait for each other in a circle: {}", path.join(" -> "));
    let before = |at: usize| circle[(at + circle.len() - 1) % circle.len()];
    let edge = |at: usize| {
        let (waiting, awaited) = (circle[at], id(before(at)));
        let entries = written[waiting].after.iter().flatten().filter_map(|entry| entry.as_ref().ok());
        let item = entries.into_iter().find(|entry| entry.value.as_str() == awaited).map(|entry| entry.item);
        (item, id(waiting), awaited)
    };
    let told = (0..circle.len()).map(edge).map(|(item, waiting, awaited)| {
        let line = item.map_or(0, |item| item.place().line);
        format!("`{waiting}` waits for `{awaited}` in line {line}")
    });
    let help = format!("take one of these out: {}", told.collect::<Vec<_>>().join(", "));
    let place = edge(0).0.expect("a circle is made of entries that were read");
    place.refuse(Code::Cycle, message, help)
}

/// The steps as they are meant; nothing of them was refused.
fn meant(written: Written<'_>) -> Result<Step, Reported> {
    let (id, expect, terms) = (written.id, written.expect, written.terms);
    let after: Result<Vec<_>, Reported> = written.after?.into_iter().map(|entry| Ok(entry?.value)).collect();
    let (expect, terms) = (expect?.value, terms?);
    let back = Expect { service: expect.service.clone(), event: EventType::RollbackComplete };
    let within = terms.windows.within;
    Ok(Step {
        id: id?.value,
        expect,
        after: after?,
        after_any: Vec::new(),
        version: terms.count.version,
        zone: None,
        instances: Instances::Count(terms.count.instances),
        max_parallel: None,
        within,
        started_within: terms.windows.started_within,
        healthy_for: terms.windows.healthy_for,
        on_stall: terms.remedy.on_stall,
        reversible: terms.remedy.reversible,
        interruptible: true,
        compensate: Compensate { expect: back, within: terms.remedy.back_within.unwrap_or(within) },
        owner: terms.told.owner,
        runbook: terms.told.runbook,
        severity: terms.told.severity,
    })
}
