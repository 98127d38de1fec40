//! The instances of a service that owes something: what each said last, and what its sidecar says.

use pavane_events::Millis;

use super::{Beat, Facts, InstanceState, SidecarState};
use crate::rollout::Status;
use crate::view::{InstanceView, RolloutView, StepView};

/// An instance whose sidecar was heard within this time is alive.
const ALIVE: Millis = 3_000;
/// A sidecar that was not heard for so long, and has said nothing in the rollout, takes no part.
const GONE: Millis = 60_000;

/// The instances of a step's service, those that owe something first.
pub(super) fn of(facts: &Facts<'_>, view: &RolloutView, step: &StepView) -> Vec<InstanceState> {
    let spoken = step.instances.iter().map(|instance| {
        let beat = newest(facts, step, &instance.instance);
        state(facts, owes(view, instance), &instance.instance, Some(instance), beat)
    });
    let mut all: Vec<InstanceState> = spoken.collect();
    // on the way back only those owe something that have moved
    if view.status == Status::Open {
        for beat in facts.beats.iter().filter(|beat| concerns(step, beat)) {
            let name = beat.heartbeat.instance.as_str();
            let gone = facts.now.since(beat.at) >= GONE;
            if !gone && all.iter().all(|state| state.instance != name) {
                all.push(state(facts, true, name, None, newest(facts, step, name)));
            }
        }
    }
    all.sort_by(|a, b| b.owes.cmp(&a.owes).then_with(|| a.instance.cmp(&b.instance)));
    all
}

fn state(
    facts: &Facts<'_>,
    owes: bool,
    name: &str,
    word: Option<&InstanceView>,
    beat: Option<&Beat>,
) -> InstanceState {
    InstanceState {
        instance: name.to_owned(),
        owes,
        said: word.map(|word| word.said),
        offset: word.map(|word| word.offset),
        version: word.and_then(|word| word.version.clone()),
        sidecar: beat.map(|beat| sidecar(facts, beat)),
    }
}

fn sidecar(facts: &Facts<'_>, beat: &Beat) -> SidecarState {
    let heartbeat = &beat.heartbeat;
    SidecarState {
        alive: facts.now.since(beat.at) < ALIVE,
        phase: heartbeat.phase.clone(),
        version: heartbeat.version.as_ref().map(ToString::to_string),
        outbox: heartbeat.outbox,
        acknowledged: heartbeat.acknowledged,
        behind: (facts.view.offset - heartbeat.position).max(0),
        offset: beat.offset,
        at: beat.at,
    }
}

fn owes(view: &RolloutView, instance: &InstanceView) -> bool {
    match view.status {
        Status::Open | Status::Queued | Status::Completed | Status::RolledBack | Status::Aborted => {
            instance.said != "awaited"
        }
        Status::RollingBack | Status::Partial => instance.said != "back",
    }
}

fn newest<'a>(facts: &Facts<'a>, step: &StepView, instance: &str) -> Option<&'a Beat> {
    let own = facts.beats.iter().filter(|beat| concerns(step, beat));
    own.filter(|beat| beat.heartbeat.instance.as_str() == instance).max_by_key(|beat| (beat.at, beat.offset))
}

fn concerns(step: &StepView, beat: &Beat) -> bool {
    let heartbeat = &beat.heartbeat;
    let zone = heartbeat.zone.as_ref().map(pavane_events::Zone::as_str);
    heartbeat.service.as_str() == step.service && (step.zone.is_none() || step.zone.as_deref() == zone)
}
