//! The phases of a rollout: which have begun, who may move in them, and which step an instance is at.

use pavane_choreography::Step;
use pavane_events::command::{Member, PhaseBegun};
use pavane_events::{Body, EventType, Record, StepId};

use crate::rollout::Rollout;
use crate::settings::{Reaction, Settings};

impl Rollout {
    /// Begins a phase. The first word counts.
    pub(crate) fn begin_phase(&mut self, body: &PhaseBegun, record: &Record) {
        let Some(phase) = self.plan.phase(&body.phase) else { return };
        let steps = phase.steps.clone();
        if self.phases.contains_key(&body.phase) {
            return;
        }
        self.phases.insert(body.phase.clone(), record.clone());
        for id in steps {
            // Of a step whose instances were picked, all that were picked are wanted. Which zone they run in is not
            // said, so the instances of a step in a zone are counted as those of any other.
            let everywhere = |step: &&Step| step.instances.share().is_some() && step.zone.is_none();
            let Some(step) = self.plan.step(&id).filter(everywhere) else { continue };
            let members = body.cohort.iter().filter(|member| member.service == step.expect.service).count();
            if members > 0 {
                self.take_count(&id, u32::try_from(members).unwrap_or(u32::MAX), true, record.offset);
            }
        }
    }

    /// The record with which the phase of a step began; none when it has not, or when the step lies in none.
    pub(crate) fn phase_begun(&self, step: &StepId) -> Option<&Record> {
        let phase = self.plan.phases.get(self.plan.phase_of(step)?)?;
        self.phases.get(&phase.id)
    }

    /// Whether the phase of a step has begun and a reaction lets that through.
    pub(crate) fn phase_lets(&self, step: &StepId, reaction: &Reaction) -> bool {
        let phase = self.plan.phase_of(step).and_then(|place| self.plan.phases.get(place));
        phase.is_some_and(|phase| {
            self.phases.contains_key(&phase.id) && self.lets(reaction, phase.id.as_str())
        })
    }

    /// Whether the window of a step is open: what it waits for is there, and its phase has begun.
    pub(crate) fn is_open(&self, step: &Step) -> bool {
        let begun = self.plan.phase_of(&step.id).is_none() || self.phase_begun(&step.id).is_some();
        begun && self.is_due(step)
    }

    /// The step that an instance may work at by saying this event: of those that are open to it, the one of the
    /// earliest phase.
    pub(crate) fn station(&self, own: &Settings, event: EventType) -> Option<&Step> {
        let open = |step: &&Step| self.is_open(step) && self.lets_move(step, own);
        self.own_steps(own, event).filter(open).min_by_key(|step| self.plan.phase_of(&step.id))
    }

    /// The steps that await this event from the instance.
    pub(crate) fn own_steps(&self, own: &Settings, event: EventType) -> impl Iterator<Item = &Step> {
        self.awaiting(&own.service, event).filter(|step| step.concerns(own.zone.as_ref()))
    }

    /// Whether the instance may move in the phase of a step: it is among those that were picked, or none were.
    fn lets_move(&self, step: &Step, own: &Settings) -> bool {
        let Some(phase) = self.plan.phase_of(&step.id).and_then(|place| self.plan.phases.get(place)) else {
            return true;
        };
        let body = self.phases.get(&phase.id).map(|record| &record.event.body);
        let Some(Body::PhaseBegun(PhaseBegun { cohort, .. })) = body else { return false };
        if cohort.is_empty() {
            // A plan that asks for a share and a word that names nobody: nobody may move.
            return phase.cohort.is_none();
        }
        cohort.iter().any(|Member { service, instance }| *service == own.service && *instance == own.instance)
    }
}
