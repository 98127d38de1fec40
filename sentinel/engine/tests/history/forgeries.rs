//! What nobody should write, and somebody may: proposals that are not due, decisions that were never accepted, and
//! records that cannot be read.

use pavane_events::command::{PhaseBegun, RollbackRequested};
use pavane_events::control::{ProposalKind, Proposed};
use pavane_events::verdict::{RolloutCompleted, RolloutPartial, RolloutRolledBack};
use pavane_events::{
    Body, Cause, Entry, Evidence, EvidenceKind, Instance, PhaseId, Service, StepId, Timestamp, Unreadable,
    UnreadableReason,
};
use pavane_sentinel_engine::{Draft, RolloutView};

use super::world::World;
use crate::floor::{rejected, rollout_id};

const KINDS: [ProposalKind; 11] = [
    ProposalKind::RolloutStalled,
    ProposalKind::SequenceViolated,
    ProposalKind::RollbackRequested,
    ProposalKind::RolloutPaused,
    ProposalKind::RolloutCompleted,
    ProposalKind::RolloutRolledBack,
    ProposalKind::RolloutPartial,
    ProposalKind::PhaseBegun,
    ProposalKind::InstancesCounted,
    ProposalKind::ClockStepped,
    ProposalKind::Unknown,
];

impl World {
    /// A proposal of a sentinel that is out of its mind, or one that was made before with a detail changed.
    pub(crate) fn forge(&mut self) {
        let made: Vec<_> = self.entries.iter().rev().take(60).filter_map(proposal).collect();
        let (rollout, mut proposed) =
            if made.is_empty() || self.dice.chance(40) { self.invent() } else { self.dice.pick(&made) };
        let new = self.dice.chance(50);
        if new {
            self.twist(&mut proposed);
        }
        self.write(rollout.as_deref(), proposed.into());
    }

    /// A stall that is proposed on the very millisecond at which a window and the grace are over, or one beside it.
    pub(crate) fn brink(&mut self) {
        for rollout in self.open() {
            let due = rollout
                .steps
                .iter()
                .filter_map(|step| Some((step, step.deadline?.since(self.reader.time()))));
            let near = due.filter(|(_, left)| (0..6_000).contains(left)).min_by_key(|(_, left)| *left);
            let Some((step, left)) = near else { continue };
            let (kind, epoch, attempt) = (ProposalKind::RolloutStalled, rollout.epoch, step.attempt);
            let step = StepId::new(step.id.clone()).ok();
            let beside = self.dice.pick(&[250, 250, 250, 251, 400, 1_000]);
            self.pass(left + beside);
            let proposed = Proposed { kind, epoch, step, attempt, ..Proposed::default() };
            return self.write(Some(rollout.id.as_str()), proposed.into());
        }
    }

    fn invent(&mut self) -> (Option<String>, Proposed) {
        let open = self.open();
        let kind = self.dice.pick(&KINDS);
        let Some(rollout) = (!open.is_empty()).then(|| self.dice.pick(&open)) else {
            return (Some("r1".to_owned()), Proposed { kind, epoch: 1, attempt: 1, ..Proposed::default() });
        };
        let step = self.dice.pick(&rollout.steps);
        let mut proposed = Proposed {
            kind,
            epoch: rollout.epoch,
            step: StepId::new(step.id.clone()).ok(),
            attempt: step.attempt,
            deadline: step.deadline,
            cause: self.dice.pick(&Cause::ALL),
            ..Proposed::default()
        };
        if let Some(view) = step.instances.first().filter(|_| self.dice.chance(50)) {
            (proposed.cites, proposed.instance) =
                (Some(view.offset), Instance::new(view.instance.clone()).ok());
        }
        if self.dice.chance(40) {
            proposed.evidence = self.evidence(&rollout);
        }
        if self.dice.chance(30) {
            let phase = rollout.phases.first();
            proposed.phase = phase.and_then(|phase| PhaseId::new(phase.id.clone()).ok());
        }
        if kind == ProposalKind::InstancesCounted {
            proposed.count = Some(self.dice.between(0, 2));
        }
        if kind == ProposalKind::ClockStepped {
            let offset = self.next_offset() / 10;
            proposed.leap = Some(10 * self.dice.between(0, offset));
            proposed.by_ms = self.dice.pick(&[-1, 0, 1_000, 9_000]);
        }
        (Some(rollout.id.to_string()), proposed)
    }

    fn evidence(&mut self, rollout: &RolloutView) -> Vec<Evidence> {
        let steps: Vec<_> = rollout.steps.iter().filter(|step| !step.instances.is_empty()).collect();
        if steps.is_empty() {
            return vec![Evidence::default()];
        }
        let step = self.dice.pick(&steps);
        let instance = self.dice.pick(&step.instances).instance;
        let at = Some(Timestamp(self.time().0 + self.dice.pick(&[-5_000, 0, 100])));
        let (kind, cause) = (
            self.dice.pick(&[EvidenceKind::Heartbeat, EvidenceKind::Failure, EvidenceKind::Silence]),
            self.dice.pick(&Cause::ALL),
        );
        vec![Evidence { kind, cause, instance: Instance::new(instance).ok(), at, ..Evidence::default() }]
    }

    fn twist(&mut self, proposed: &mut Proposed) {
        match self.dice.below(9) {
            0 => proposed.attempt += self.dice.pick(&[-1, 1]),
            1 => proposed.epoch += 1,
            2 => proposed.kind = self.dice.pick(&KINDS),
            3 => proposed.cites = proposed.cites.map(|offset| offset - 10),
            4 => proposed.by_ms += self.dice.pick(&[-1_000, 1, 100_000]),
            5 => proposed.evidence.clear(),
            6 => proposed.step = None,
            7 => proposed.cause = self.dice.pick(&Cause::ALL),
            _ => proposed.instance = Instance::new("nobody-0").ok(),
        }
    }

    /// A decision that was never accepted, or that another than the sentinel says.
    pub(crate) fn pretend(&mut self) {
        let open = self.open();
        if open.is_empty() {
            return;
        }
        let rollout = self.dice.pick(&open);
        let accepted = rollout.deciding.filter(|_| self.dice.chance(50)).unwrap_or(10);
        let (epoch, attempt) = (rollout.epoch, 1);
        let body: Body = match self.dice.below(5) {
            0 => RolloutCompleted { epoch, attempt, accepted }.into(),
            1 => RolloutRolledBack { epoch, attempt, accepted }.into(),
            2 => RolloutPartial { epoch, attempt, accepted, failed: Vec::new() }.into(),
            3 => {
                let accepted = Some(accepted);
                RollbackRequested { epoch, attempt, accepted, ..RollbackRequested::default() }.into()
            }
            _ => {
                let (phase, accepted) = (PhaseId::new("second").expect("a name"), Some(accepted));
                let (cohort, evidence) = (Vec::new(), Vec::new());
                PhaseBegun { phase, epoch, attempt, cohort, evidence, accepted }.into()
            }
        };
        if self.dice.chance(50) {
            self.write(Some(rollout.id.as_str()), body);
        } else {
            let event = self.event(|log| log.person(rollout.id.as_str(), body));
            self.append(event);
        }
    }

    fn write(&mut self, rollout: Option<&str>, body: Body) {
        let rollout = rollout.map(rollout_id);
        let draft = Draft { id: None, rollout, causation: None, service: None, body };
        let event = self.event(|log| log.draft("s9", draft));
        self.append(event);
    }

    /// A record that nobody can read.
    pub(crate) fn unreadable(&mut self) {
        let service = Service::new(self.dice.pick(&["db", "users", "chat"])).ok();
        let event = self.dice.pick(&["Ready", "DeploymentComplete"]);
        let rollout = self.dice.pick(&["r1", "r2", "r3"]);
        self.append_unreadable(Unreadable {
            offset: 0,
            at: Timestamp(0),
            event_type: Some(format!("io.pavane.lifecycle.v1.{event}")),
            id: None,
            service,
            rollout: Some(rollout_id(rollout)),
            schema_id: Some(7),
            reason: UnreadableReason::Incompatible,
            field: "/detail".to_owned(),
            detail: "a number, not a text".to_owned(),
        });
    }

    /// A reader says that it cannot read what a step of an open rollout awaits.
    pub(crate) fn reject(&mut self) {
        let open = self.open();
        if open.is_empty() {
            return;
        }
        let rollout = self.dice.pick(&open);
        let step = self.dice.pick(&rollout.steps);
        let event = step.expects.rsplit_once('.').map_or("Ready", |(_, event)| event);
        let body = rejected(&step.service, event, self.next_offset() - 10);
        let event = self.event(|log| log.says(rollout.id.as_str(), "chat-1", "2.0.0", body));
        self.append(event);
    }
}

fn proposal(entry: &Entry) -> Option<(Option<String>, Proposed)> {
    let Entry::Event(record) = entry else { return None };
    let Body::Proposed(proposed) = &record.event.body else { return None };
    Some((record.event.envelope.rollout.as_ref().map(ToString::to_string), proposed.clone()))
}
