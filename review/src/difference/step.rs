//! The fields of one step that stands in both plans, and the steps that stand in one alone.

use pavane_choreography::yaml::lasting;
use pavane_choreography::{Instances, OnStall, Plan, Step};
use pavane_events::Millis;

use crate::difference::versions;
use crate::difference::whole::told;
use crate::difference::words::{on_stall, runs_with};
use crate::difference::{Changes, Values, listed, options, values};

/// Tells a step that the old plan does not have.
pub(super) fn added(old: &Plan, step: &Step, changes: &mut Changes) {
    let service = &step.expect.service;
    let known = old.steps.iter().any(|other| other.expect.service == *service);
    let part = if known { "has one more thing to do" } else { "takes part" };
    let meaning = format!("{service} of {} {part}, and has {} for it", step.owner, lasting(step.within));
    changes.step(&step.id, "added", [None, Some(step.expect.to_string())], meaning);
}

/// Tells a step that the new plan does not have.
pub(super) fn removed(new: &Plan, step: &Step, changes: &mut Changes) {
    let service = &step.expect.service;
    let stays = new.steps.iter().any(|other| other.expect.service == *service);
    let part = if stays { "has one thing less to do" } else { "takes no part and is not asked back either" };
    let meaning = format!("nobody waits for {}: {service} {part}", step.expect);
    changes.step(&step.id, "removed", [Some(step.expect.to_string()), None], meaning);
}

/// Compares the fields of a step, except what it waits for.
pub(super) fn compare(old: &Step, new: &Step, plan: &Plan, changes: &mut Changes) {
    if old == new {
        return;
    }
    let mut tell = |what, [was, is]: Values, meaning: String| {
        if was != is {
            changes.step(&new.id, what, [was, is], meaning);
        }
    };
    let renamed = "the same step by all else: alerts and orders such as `pavane override` say the new name";
    tell("renamed", values(&old.id, &new.id), renamed.to_owned());
    tell("expect", values(&old.expect, &new.expect), expected(old, new));
    if let Some(meaning) = version(old, new) {
        tell("version", options(old.version.as_ref(), new.version.as_ref()), meaning);
    }
    let together = match runs_with(new) {
        Some(named) => format!("it is told when they are heard beside other versions than {named}"),
        None => "nobody is told what they run beside".to_owned(),
    };
    tell("runs_with", [runs_with(old), runs_with(new)], together);
    tell("zone", options(old.zone.as_ref(), new.zone.as_ref()), zone(new));
    tell("instances", values(&old.instances, &new.instances), instances(old.instances, new.instances));
    let parallel = match new.max_parallel {
        Some(most) => format!("at most {most} of its instances change at a time; the others wait their turn"),
        None => "all its instances may change at the same time".to_owned(),
    };
    tell("max_parallel", options(old.max_parallel.as_ref(), new.max_parallel.as_ref()), parallel);
    tell("within", lengths(Some(old.within), Some(new.within)), window(old.within, new.within));
    tell("started_within", lengths(old.started_within, new.started_within), begun(old, new));
    tell("healthy_for", lengths(Some(old.healthy_for), Some(new.healthy_for)), held(new));
    tell(
        "on_stall",
        values(on_stall(old.on_stall), on_stall(new.on_stall)),
        stalled(new.on_stall).to_owned(),
    );
    if old.reversible != new.reversible {
        tell("reversible", values(&old.reversible, &new.reversible), reversible(new, plan));
    }
    let cut = if new.interruptible {
        "what its service does may be cut off half-way to go back"
    } else {
        "a request to go back waits until its hook has ended"
    };
    tell("interruptible", values(&old.interruptible, &new.interruptible), cut.to_owned());
    if old.reversible && new.reversible {
        let (was, is) = (old.compensate.within, new.compensate.within);
        let back = format!("it has {} to go back: {}", difference(was, is), window(was, is));
        tell("compensate.within", lengths(Some(was), Some(is)), back);
        let awaited = format!("{} says that it is back", new.compensate.expect);
        tell("compensate.expect", values(&old.compensate.expect, &new.compensate.expect), awaited);
    }
    let owner = format!("{} is told when it stalls, and {} is not", new.owner, old.owner);
    tell("owner", values(&old.owner, &new.owner), owner);
    let runbook = match new.runbook {
        Some(_) => "a page about it points there",
        None => "a page about it points nowhere",
    };
    tell("runbook", options(old.runbook.as_ref(), new.runbook.as_ref()), runbook.to_owned());
    let severity = format!("a stall of it {}", told(new.severity));
    tell("severity", values(old.severity.as_str(), new.severity.as_str()), severity);
}

/// What a stall or a breach leads to.
pub(super) const fn stalled(on_stall: OnStall) -> &'static str {
    match on_stall {
        OnStall::Alert => "its owner is told, and all else goes on",
        OnStall::Pause => "its owner is told, and the clocks of the rollout stand still",
        OnStall::Rollback => "its owner is told, and all who have moved are asked to go back",
    }
}

/// Lengths of time before and after, as they are written.
pub(super) fn lengths(old: Option<Millis>, new: Option<Millis>) -> Values {
    [old.map(lasting), new.map(lasting)]
}

/// How much longer or shorter, e.g. `5m more`.
fn difference(old: Millis, new: Millis) -> String {
    if new >= old { format!("{} more", lasting(new - old)) } else { format!("{} less", lasting(old - new)) }
}

fn window(old: Millis, new: Millis) -> String {
    if new >= old {
        format!("silence is told {} later", lasting(new - old))
    } else {
        format!(
            "silence is told {} sooner, and who takes longer than {} stalls",
            lasting(old - new),
            lasting(new)
        )
    }
}

fn expected(old: &Step, new: &Step) -> String {
    if old.expect.service == new.expect.service {
        return format!("{} fills it, and {} does not", new.expect.event, old.expect.event);
    }
    let (was, is) = (&old.expect.service, &new.expect.service);
    format!("{is} has to move, and {was} is not waited for")
}

/// What counts that did not, and the other way round; nothing when the same is written in another way.
fn version(old: &Step, new: &Step) -> Option<String> {
    if old.version == new.version {
        return None;
    }
    if new.version.is_none() {
        return old.version.as_ref().map(|_| "any version counts, and an event without one too".to_owned());
    }
    let versions::Verdict { gained, lost } = versions::compare(old, new);
    let none = old.version.is_none().then(|| "an event without a version does not count".to_owned());
    let gained = gained.map(|version| format!("{version} counts"));
    let lost = lost.map(|version| format!("{version} does not count any more"));
    let told: Vec<String> = [gained, lost, none].into_iter().flatten().collect();
    (!told.is_empty()).then(|| told.join(", "))
}

fn zone(new: &Step) -> String {
    match &new.zone {
        Some(zone) => format!("only instances in {zone} count and move"),
        None => "instances of every zone count and move".to_owned(),
    }
}

fn instances(old: Instances, new: Instances) -> String {
    match (old, new) {
        (Instances::Count(old), Instances::Count(new)) if new < old => {
            format!("{new} are enough, though more may be running")
        }
        (_, Instances::Count(new)) => format!("{new} must say it: with fewer running it stalls"),
        (_, Instances::Share(share)) => {
            format!("{share} of those alive when it opens must say it, counted by their heartbeats")
        }
    }
}

fn begun(old: &Step, new: &Step) -> String {
    match (old.started_within, new.started_within) {
        (_, None) => format!("who never begins is noticed after {} alone", lasting(new.within)),
        (None, Some(new)) => format!("who has not begun after {} stalls at once", lasting(new)),
        (Some(old), Some(new)) => format!("who does not begin has {}", difference(old, new)),
    }
}

fn held(new: &Step) -> String {
    match new.healthy_for {
        0 => "it is met as soon as it is full".to_owned(),
        length => format!("it is met once it has been full for {} without a break", lasting(length)),
    }
}

fn reversible(new: &Step, plan: &Plan) -> String {
    if new.reversible {
        return "it is asked back like the others".to_owned();
    }
    let stays = plan.below(&new.id);
    let below = if stays.is_empty() { String::new() } else { format!(", and {} with it", listed(stays)) };
    format!("it is never asked back: once it has moved it stays{below}")
}
