//! What stops a rollout as a whole: a hold, a pause, a queue, a gate, or that nobody watches.

use pavane_events::Millis;

use super::{Chronicle, Facts, Halt, chain, headline, words};
use crate::rollout::Status;
use crate::view::{PhaseStatus, PhaseView, RolloutView, StepStatus};

/// A sentinel that has said nothing for so long while something is open is away: it pulses every two seconds.
const SILENT: Millis = 10_000;
/// How many rollouts are looked behind where each waits for the next.
const QUEUE: usize = 8;

/// All of it, the weightiest first.
pub(super) fn all(facts: &Facts<'_>, view: &RolloutView) -> Vec<Halt> {
    if super::is_over(view.status) {
        return Vec::new();
    }
    let mut halts: Vec<Halt> = Vec::new();
    halts.extend(held(facts, view));
    halts.extend(paused(facts, view));
    halts.extend(queued(facts, view, QUEUE));
    halts.extend(unwatched(facts, view));
    halts.extend(view.phases.iter().enumerate().filter_map(|(k, phase)| gate(facts, view, k, phase)));
    halts
}

fn held(facts: &Facts<'_>, view: &RolloutView) -> Option<Halt> {
    if !facts.view.held {
        return None;
    }
    let domain = &facts.view.domain;
    let said = facts.chronicle.held.as_ref();
    let text = match said {
        Some(said) => format!("{} holds the domain {domain}{}", said.by, because(&said.reason)),
        None => format!("the domain {domain} is held"),
    };
    Some(Halt {
        kind: "held",
        text,
        owner: said.map(|said| said.by.clone()),
        offset: said.map(|said| said.offset).or(facts.view.held_at),
        since: said.map(|said| said.at).or(view.stopped_at),
        blocks: true,
    })
}

fn paused(facts: &Facts<'_>, view: &RolloutView) -> Option<Halt> {
    let said = facts.chronicle.paused.as_ref();
    let alone = view.paused && !facts.view.held;
    if !view.paused || said.is_none() && !alone {
        return None;
    }
    let text = said.map_or_else(
        || "it is paused".to_owned(),
        |said| format!("{} paused it{}", said.by, because(&said.reason)),
    );
    Some(Halt {
        kind: "paused",
        text,
        owner: said.map_or_else(|| Some(view.owner.clone()), |said| Some(said.by.clone())),
        offset: said.map(|said| said.offset),
        since: said.map(|said| said.at).or(view.stopped_at),
        blocks: true,
    })
}

/// Whom it waits for, and what that one waits for: the first of the line is told, not the last.
fn queued(facts: &Facts<'_>, view: &RolloutView, most: usize) -> Option<Halt> {
    let id = view.behind.as_ref()?;
    let other = facts.view.rollouts.iter().find(|other| other.id == *id);
    let shared = other.into_iter().flat_map(|other| other.steps.iter().map(|step| step.service.as_str()));
    let shared = shared.filter(|service| view.steps.iter().any(|step| step.service == *service));
    let mut services: Vec<String> = shared.map(ToOwned::to_owned).collect();
    services.sort_unstable();
    services.dedup();
    let whose = if services.is_empty() {
        String::new()
    } else {
        format!(", which owns {}", words::listed(&services, 3))
    };
    let why = other.filter(|_| most > 0).map_or(String::new(), |other| {
        let chronicle = Chronicle::of(other.id.clone());
        let facts = Facts { chronicle: &chronicle, ..*facts };
        let deeper = queued(&facts, other, most - 1).map(|halt| format!("; {}", halt.text));
        let blocked = chain::blocked(&facts, other, None);
        let awaited: Vec<_> = blocked.iter().map(|i| super::awaited::of(&facts, other, *i)).collect();
        deeper.unwrap_or_else(|| format!("; {}", headline::of(&facts, other, None, &awaited, &[])))
    });
    Some(Halt {
        kind: "queued",
        text: format!("it waits for the end of {id}{whose}{why}"),
        owner: other.map(|other| other.owner.clone()),
        offset: Some(view.offset),
        since: Some(view.started_at),
        blocks: true,
    })
}

/// Nobody judges: the newest word of a sentinel is old.
fn unwatched(facts: &Facts<'_>, view: &RolloutView) -> Option<Halt> {
    if !view.status.is_open() {
        return None;
    }
    let last = facts.chronicle.sentinel;
    let silent = facts.now.since(last.map_or(view.started_at, |(_, at)| at));
    if silent < SILENT {
        return None;
    }
    let text = match last {
        Some((offset, _)) => format!(
            "no sentinel has said anything on the log for {} (the last time at offset {offset}): nobody judges",
            words::lasting(silent)
        ),
        None => "no sentinel has ever said anything on this log: nobody judges".to_owned(),
    };
    let since = last.map(|(_, at)| at);
    Some(Halt {
        kind: "unwatched",
        text,
        owner: None,
        offset: last.map(|(offset, _)| offset),
        since,
        blocks: true,
    })
}

/// A phase that has not begun though nothing before it is missing, or one that must hold for a while.
fn gate(facts: &Facts<'_>, view: &RolloutView, k: usize, phase: &PhaseView) -> Option<Halt> {
    if view.status != Status::Open {
        return None;
    }
    let id = &phase.id;
    let left = |until: Option<pavane_events::Timestamp>| {
        until.map_or(String::new(), |until| {
            format!(" for another {}", words::lasting(until.since(facts.now).max(0)))
        })
    };
    let (kind, text, blocks) = match phase.state {
        PhaseStatus::AwaitingApproval => {
            let by = phase.approval.as_deref().unwrap_or(&view.owner);
            let again = if phase.attempt > 1 {
                format!(", after it was rejected {}", words::counted(rejections(phase), "time", "times"))
            } else {
                String::new()
            };
            ("approval", format!("phase {id} waits for the approval of {by}{again}"), true)
        }
        PhaseStatus::Ready => {
            ("ready", format!("phase {id} may begin, and a sentinel has not opened it yet"), false)
        }
        PhaseStatus::Soaking => {
            ("soak", format!("phase {id} is complete and soaks{}", left(phase.soaks_until)), false)
        }
        PhaseStatus::Watching => {
            let watch = phase.watch.as_deref().unwrap_or("a metric");
            ("watch", format!("phase {id} is watched by {watch}{}", left(phase.watched_until)), false)
        }
        PhaseStatus::Waiting | PhaseStatus::Open | PhaseStatus::Complete => return None,
    };
    // the last phase ends with the rollout: only its soak and its watch are worth a word
    let open = view.steps.iter().any(|step| {
        matches!(step.state, StepStatus::Open | StepStatus::Running | StepStatus::Stalled)
            && step.phase.as_ref() == Some(id)
    });
    let owner = if kind == "approval" { phase.approval.clone() } else { None };
    (!open || k == 0).then_some(Halt { kind, text, owner, offset: None, since: phase.since, blocks })
}

fn rejections(phase: &PhaseView) -> usize {
    usize::try_from(phase.attempt - 1).unwrap_or(0)
}

fn because(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(": {reason}") }
}
