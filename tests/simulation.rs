//! Sentinels and sidecars, the real engines of both, beside one log in virtual time: they lag, freeze, crash and
//! have wrong clocks; services hang, fail and will not go back; people pause and roll back; events are late and come
//! twice; the broker's clock steps. Whatever happens, all hold the same, and nobody is wronged.
//!
//! `PAVANE_SEEDS=N` runs that many seeds (200 by default); a failure names its seed, and a seed is the same run for
//! ever.

#![cfg(test)]

#[path = "simulation/dice.rs"]
mod dice;
#[path = "../sentinel/engine/tests/floor/mod.rs"]
mod floor;
#[path = "simulation/manager.rs"]
mod manager;
#[path = "simulation/sentinel.rs"]
mod sentinel;
#[path = "simulation/sidecar.rs"]
mod sidecar;
#[path = "simulation/world.rs"]
mod world;

use std::collections::BTreeMap;

use pavane_events::control::{ProposalKind, Proposed};
use pavane_events::{Body, Entry};
use pavane_sentinel_engine::{
    Counter, Effect, Engine, Input, PhaseStatus, RolloutView, Status, StepStatus, StepView, View,
};
use pavane_sidecar_engine::{Engine as SidecarEngine, Input as Fact, Memory};

use floor::domain;
use world::World;

/// What the runs reached, for the gate.
type Seen = BTreeMap<String, usize>;

#[test]
fn whatever_happens_all_hold_the_same_and_nobody_is_wronged() {
    let seeds: u64 = std::env::var("PAVANE_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(200);
    let mut seen = Seen::new();
    for seed in 0..seeds {
        let mut world = World::new(seed).run();
        sentinels_hold_the_same(&mut world);
        sidecars_believe_what_sentinels_decided(&world);
        every_verdict_is_just(&world, &mut seen);
        every_rollout_is_ended_or_told(&world);
        no_hook_runs_twice_or_against_a_stop(&world, &mut seen);
    }
    let must = [
        "Completed",
        "RolledBack",
        "Partial",
        "Aborted",
        "Duplicate",
        "Late",
        "ProposalVoid(\"RolloutStalled\")",
        "ProposalAccepted(\"RolloutStalled\")",
        "ProposalAccepted(\"RollbackRequested\")",
        "ProposalAccepted(\"RolloutPaused\")",
        "ProposalAccepted(\"ClockStepped\")",
        "Verdict(\"RolloutStalled\", \"failed\")",
        "Verdict(\"RolloutStalled\", \"not_started\")",
        "Verdict(\"RolloutStalled\", \"not_finished\")",
        "Verdict(\"RolloutStalled\", \"unreachable\")",
        "ProposalAccepted(\"PhaseBegun\")",
        "ProposalAccepted(\"InstancesCounted\")",
        "Withdrawn",
        "Withdrawn(\"PhaseBegun\")",
        "breach",
        "queued",
        "hook",
        "hook uncertain",
    ];
    for must in must {
        let reached = seen.keys().any(|key| key.starts_with(must));
        assert!(reached || seeds < 100, "no seed reached {must}: {seen:#?}");
    }
}

/// Each sentinel, brought to the end of the log, shows what one shows that read the log alone.
fn sentinels_hold_the_same(world: &mut World) {
    let expected = format!("{:?}", world.oracle.view());
    for sentinel in &mut world.sentinels {
        for entry in &world.log.entries[sentinel.position..] {
            let _ = sentinel.engine.handle(10_000_000, Input::Read(entry.clone()));
        }
        let held = format!("{:?}", sentinel.engine.view());
        assert_eq!(held, expected, "seed {}: {} differs", world.seed, sentinel.name);
    }
}

/// A sidecar reads no proposals, and yet takes part in the rollout that the sentinels say is open.
fn sidecars_believe_what_sentinels_decided(world: &World) {
    let view = world.oracle.view();
    if view.rollouts.iter().any(|rollout| rollout.deciding.is_some()) {
        return;
    }
    for sidecar in &world.sidecars {
        let mut engine = SidecarEngine::new(sidecar.settings.clone(), Memory::default());
        for entry in &world.log.entries {
            let _ = engine.handle(0, Fact::Observed(entry.clone()));
        }
        let service = sidecar.settings.service.as_str();
        let touches = |rollout: &&RolloutView| rollout.steps.iter().any(|step| step.service == service);
        let owner = view.rollouts.iter().filter(|rollout| rollout.status.is_open()).find(touches);
        let (believed, owner) = (engine.rollout().cloned(), owner.map(|rollout| rollout.id.clone()));
        assert_eq!(believed, owner, "seed {}: {} believes something else", world.seed, sidecar.name);
    }
}

/// Reads the log again and holds each acceptance against what stood below it.
fn every_verdict_is_just(world: &World, seen: &mut Seen) {
    let mut engine = Engine::new(domain(), "again".to_owned());
    for entry in &world.log.entries {
        let before = engine.view();
        let was_queued = before.rollouts.iter().any(|rollout| rollout.status == Status::Queued);
        *seen.entry("queued".to_owned()).or_default() += usize::from(was_queued);
        let effects = engine.handle(0, Input::Read(entry.clone()));
        for effect in &effects {
            match effect {
                Effect::Count(counter) => *seen.entry(format!("{counter:?}")).or_default() += 1,
                Effect::Ended(ended) => {
                    *seen.entry(format!("{:?}", ended.status)).or_default() += 1;
                    let view = engine.rollout(&ended.rollout).expect("known");
                    let unmet = view.steps.iter().find(|step| !is_met(step));
                    let just = ended.status != Status::Completed || unmet.is_none();
                    assert!(just, "seed {}: completed unmet at {}: {unmet:?}", world.seed, entry.offset());
                }
                Effect::Append(_)
                | Effect::Raise(_)
                | Effect::DeadLetter { .. }
                | Effect::Measure { .. }
                | Effect::Blind { .. }
                | Effect::Sighted { .. } => {}
            }
        }
        let accepted =
            |effect: &Effect| matches!(effect, Effect::Count(Counter::ProposalAccepted("RolloutStalled")));
        if let Some(proposed) = proposal(entry).filter(|_| effects.iter().any(accepted)) {
            stall_is_just(world.seed, entry, proposed, &before, seen);
        }
    }
}

fn proposal(entry: &Entry) -> Option<&Proposed> {
    let Entry::Event(record) = entry else { return None };
    let Body::Proposed(proposed) = &record.event.body else { return None };
    (proposed.kind == ProposalKind::RolloutStalled).then_some(proposed)
}

fn stall_is_just(seed: u64, entry: &Entry, proposed: &Proposed, before: &View, reached: &mut Seen) {
    let Entry::Event(record) = entry else { return };
    let at = entry.offset();
    let rollout = record.event.envelope.rollout.as_ref().expect("it is about one");
    let was = before.rollouts.iter().find(|view| view.id == *rollout).expect("known");
    let id = proposed.step.as_ref().map(ToString::to_string);
    let step = was.steps.iter().find(|step| Some(&step.id) == id.as_ref()).expect("a step of the plan");
    let breach = proposed.phase.is_some();
    *reached.entry("breach".to_owned()).or_default() += usize::from(breach);
    let awaited = was.status != Status::Open || step.want.is_none_or(|want| step.have < want as usize);
    assert!(awaited != breach, "seed {seed}: a stall at {at} above its event");
    assert!(!was.paused, "seed {seed}: a stall at {at} while the clocks stand still");
}

fn is_met(step: &StepView) -> bool {
    step.want.is_some_and(|want| step.have >= want as usize) || step.state == StepStatus::Overridden
}

/// No path ends in silence. What was decided, or fell due, just before the run ended may wait to be said.
fn every_rollout_is_ended_or_told(world: &World) {
    const PATIENCE: i64 = 10_000;
    let lately = world.oracle.time().plus(-PATIENCE);
    for rollout in &world.oracle.view().rollouts {
        let stands = rollout.steps.iter().any(|step| step.state == StepStatus::Stalled);
        let runs = rollout.steps.iter().any(|step| step.deadline.is_some_and(|deadline| deadline > lately));
        let asked = rollout
            .phases
            .iter()
            .any(|phase| matches!(phase.state, PhaseStatus::AwaitingApproval | PhaseStatus::Watching));
        let waits = rollout.paused || stands || runs || asked || rollout.deciding.is_some();
        let told = !rollout.status.is_open() || waits || said_lately(world, rollout, PATIENCE);
        assert!(told, "seed {}: neither ended nor told: {rollout:#?}", world.seed);
    }
}

/// Whether something was said about a rollout within this time of the end of the run.
fn said_lately(world: &World, rollout: &RolloutView, patience: i64) -> bool {
    let end = world.log.entries.last().expect("a log").at();
    let about = |entry: &&Entry| match entry {
        Entry::Event(record) => record.event.envelope.rollout.as_ref() == Some(&rollout.id),
        Entry::Unreadable(_) => false,
    };
    let last = world.log.entries.iter().rev().find(about);
    last.is_some_and(|entry| end.since(entry.at()) < patience)
}

/// A hook runs at most once for a rollout, crashes or not, and never above a stop that its sidecar has read.
fn no_hook_runs_twice_or_against_a_stop(world: &World, seen: &mut Seen) {
    let mut starts: BTreeMap<i64, Vec<(String, &str)>> = BTreeMap::new();
    for sidecar in &world.sidecars {
        *seen.entry("hook uncertain".to_owned()).or_default() += sidecar.uncertain as usize;
        for (hook, times) in &sidecar.runs {
            *seen.entry("hook".to_owned()).or_default() += 1;
            assert_eq!(*times, 1, "seed {}: {} ran {hook:?} more than once", world.seed, sidecar.name);
        }
        for (rollout, position) in &sidecar.hooks {
            let service = sidecar.settings.service.as_str();
            starts.entry(*position).or_default().push((rollout.clone(), service));
        }
    }
    let mut engine = Engine::new(domain(), "hooks".to_owned());
    for entry in &world.log.entries {
        let _ = engine.handle(0, Input::Read(entry.clone()));
        for (rollout, service) in starts.remove(&entry.offset()).into_iter().flatten() {
            let view = engine.rollout(&floor::rollout_id(&rollout)).expect("it has started");
            let goes = view.status == Status::Open && !view.paused;
            assert!(goes, "seed {}: a hook ran above a stop at {}", world.seed, entry.offset());
            let begun = has_begun(&view, service);
            assert!(begun, "seed {}: {service} ran before its phase at {}", world.seed, entry.offset());
        }
    }
}

/// Whether the phase that holds the step of a service has begun; true without phases.
fn has_begun(view: &RolloutView, service: &str) -> bool {
    let step = view.steps.iter().find(|step| step.service == service);
    let phase = step.and_then(|step| step.phase.as_ref());
    let phase = view.phases.iter().find(|view| Some(&view.id) == phase);
    let shut = [PhaseStatus::Waiting, PhaseStatus::AwaitingApproval, PhaseStatus::Ready];
    phase.is_none_or(|phase| !shut.contains(&phase.state))
}
