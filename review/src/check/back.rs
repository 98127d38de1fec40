//! What a rollback would meet: steps that never go back, services that cannot, windows that nobody chose.

use std::collections::{BTreeMap, BTreeSet};

use pavane_choreography::diagnostic::{Code, Diagnostic, Place};
use pavane_choreography::{OnStall, Phase, Step};
use pavane_events::StepId;

use super::graph::Graph;
use super::words::listed;
use super::{Choreography, Project};

pub(super) fn findings(project: &Project) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for one in &project.choreographies {
        let way = Way::of(one);
        found.extend(one.plan.steps.iter().filter_map(|step| way.irreversible_above(step)));
        found.extend(way.no_way_back(project));
        found.extend(way.no_compensate());
        found.extend(one.plan.phases.iter().filter_map(|phase| way.breach_stops(phase)));
        found.extend(one.plan.steps.iter().filter_map(|step| way.stall_stops(step)));
    }
    found
}

/// The way back through one choreography.
struct Way<'a> {
    one: &'a Choreography,
    graph: Graph<'a>,
}

impl<'a> Way<'a> {
    fn of(one: &'a Choreography) -> Self {
        Self { one, graph: Graph::of(&one.plan) }
    }

    /// The steps that a rollback would ask, each with the step or phase that may ask for it first.
    fn asked(&self) -> BTreeMap<&'a StepId, String> {
        let steps = &self.one.plan.steps;
        let asking: Vec<usize> =
            (0..steps.len()).filter(|at| steps[*at].on_stall == OnStall::Rollback).collect();
        let watched = self.one.plan.phases.iter().rposition(breaks);
        let mut asked = BTreeMap::new();
        for (at, step) in steps.iter().enumerate().filter(|(_, step)| step.reversible) {
            let by_step = asking.iter().find(|by| !self.graph.waits_at(at, **by));
            let by_watch =
                watched.filter(|last| self.one.plan.phase_of(&step.id).is_some_and(|own| own <= *last));
            let by_step = by_step.map(|by| format!("step `{}`", steps[*by].id));
            let by_watch =
                || by_watch.map(|at| format!("the watch of phase `{}`", self.one.plan.phases[at].id));
            if let Some(by) = by_step.or_else(by_watch) {
                asked.insert(&step.id, by);
            }
        }
        asked
    }

    fn irreversible_above(&self, step: &Step) -> Option<Diagnostic> {
        let plan = &self.one.plan;
        if step.reversible {
            return None;
        }
        let gated = |other: &Step| {
            let (from, to) = (plan.phase_of(&other.id), plan.phase_of(&step.id));
            let Some((from, to)) = from.zip(to).filter(|(from, to)| from < to) else { return false };
            plan.phases[from + 1..=to].iter().any(|phase| phase.approval.is_some())
        };
        let before: Vec<_> = self.graph.below(&step.id).filter(|o| o.reversible && !gated(o)).collect();
        let ids: Vec<_> = before.iter().map(|step| &step.id).collect();
        if ids.is_empty() {
            return None;
        }
        let message = format!(
            "step `{}` can never be taken back and follows {} with nobody asked: behind it they cannot go back either",
            step.id,
            listed(ids)
        );
        let help = if plan.phases.is_empty() {
            "put it first, or make it a phase with `approval: true` (`method: hybrid`)"
        } else {
            "put it first, or give its phase `approval: true`"
        };
        let place = self.one.step(&step.id, "reversible");
        Some(self.found(Code::IrreversibleAbove, place, message, help).warning())
    }

    fn no_way_back(&self, project: &Project) -> Vec<Diagnostic> {
        let asked = self.asked();
        let mut found = Vec::new();
        for (id, by) in &asked {
            let Some(step) = self.one.plan.step(id) else { continue };
            let mut files = project.of(&step.expect.service);
            if let Some(file) = files.find(|file| file.back().is_none()) {
                let message = format!(
                    "a rollback that {by} asks for comes to step `{id}`, and `{}` has no reaction on `RollbackRequested`",
                    step.expect.service
                );
                let help = format!(
                    "add `- on: RollbackRequested` with a hook to {}, or write `reversible: false`",
                    file.file
                );
                let place = self.one.step(id, "expect");
                found.push(self.found(Code::NoWayBack, place, message, help));
            }
        }
        found
    }

    /// The way back gets the forward window where none is written. Of who asks, that is a warning; of who is asked
    /// because of others, worth a note.
    fn no_compensate(&self) -> Vec<Diagnostic> {
        let asked = self.asked();
        let mut found = Vec::new();
        let mut others = BTreeSet::new();
        let silent = asked.keys().filter(|id| !self.one.writes(id, "compensate"));
        for step in silent.filter_map(|id| self.one.plan.step(id)) {
            if step.on_stall != OnStall::Rollback {
                others.insert(&step.id);
                continue;
            }
            let message =
                format!("step `{}` asks for a rollback and does not say how it goes back itself", step.id);
            let help = format!(
                "write `compensate: {{ expect: {}, within: 5m }}` with a window of its own",
                step.compensate.expect
            );
            let place = self.one.step(&step.id, "on_stall");
            found.push(self.found(Code::NoCompensate, place, message, help).warning());
        }
        if let Some(first) = others.first() {
            let message = format!("a rollback gives {} the forward window to go back in", listed(&others));
            let help = "write `compensate` with a window where going back takes longer or should take less";
            found.push(self.found(Code::NoCompensate, self.one.step(first, "id"), message, help).note());
        }
        found
    }

    /// When a watch is broken, every step of its phase is met. The rollback begins with those that nobody waits for.
    fn breach_stops(&self, phase: &Phase) -> Option<Diagnostic> {
        let on_top = |id: &StepId| !phase.steps.iter().any(|other| self.graph.waits(other, id));
        let stands = |id: &&StepId| on_top(id) && self.one.plan.step(id).is_some_and(|step| !step.reversible);
        let first = phase.steps.iter().find(stands).filter(|_| breaks(phase))?;
        let message = format!(
            "`on_breach: rollback` of phase `{}` stops at once, at its step `{first}`, which can never be taken back",
            phase.id
        );
        let help = "watch with `on_breach: pause`, or put the irreversible step into an earlier phase";
        let place = self.one.places.phase(&phase.id, "watch.on_breach");
        Some(self.found(Code::StopsAtOnce, place, message, help).warning())
    }

    /// An irreversible step beside the one that stalls may have moved by then, and holds what both stand on.
    fn stall_stops(&self, step: &Step) -> Option<Diagnostic> {
        if step.on_stall != OnStall::Rollback {
            return None;
        }
        let common = |other: &Step| {
            let mut below = self.graph.below(&step.id);
            below.find(|b| b.reversible && self.graph.waits(&other.id, &b.id)).map(|below| &below.id)
        };
        let beside = |other: &&Step| {
            let apart = || !self.graph.waits(&step.id, &other.id) && !self.graph.waits(&other.id, &step.id);
            !other.reversible && other.id != step.id && apart()
        };
        let mut beside = self.one.plan.steps.iter().filter(beside);
        let (other, below) = beside.find_map(|other| Some((&other.id, common(other)?)))?;
        let message = format!(
            "the rollback that step `{}` asks for stops at `{other}` beside it, which can never be taken back: `{below}` stays new",
            step.id
        );
        let help = format!("let `{}` wait for `{other}`, or ask for `on_stall: pause`", step.id);
        Some(self.found(Code::StopsAtOnce, self.one.step(&step.id, "on_stall"), message, help).warning())
    }

    fn found(&self, code: Code, place: Place, message: String, help: impl Into<String>) -> Diagnostic {
        Diagnostic::new(code, &self.one.file, place, message, help)
    }
}

fn breaks(phase: &Phase) -> bool {
    phase.watch.as_ref().is_some_and(|watch| watch.on_breach == OnStall::Rollback)
}
