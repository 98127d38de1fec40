//! The gate: what histories must have reached for a property over them to mean anything.

use std::collections::BTreeMap;

use pavane_events::control::ProposalKind;
use pavane_events::{Body, Entry};
use pavane_sentinel_engine::{Status, StepStatus, View};

use super::History;
use super::dice::seeds;
use super::reading::{Reading, proposal};

/// What was reached, and how often.
#[derive(Default)]
pub(crate) struct Reach(pub(crate) BTreeMap<String, usize>);

impl Reach {
    pub(crate) fn note(&mut self, what: impl Into<String>) {
        *self.0.entry(what.into()).or_default() += 1;
    }

    /// Reads a history and notes what happened in it.
    pub(crate) fn read(&mut self, history: &History) {
        let mut reading = Reading::new("reach");
        for entry in &history.entries {
            let leap = proposal(entry).filter(|(_, proposed)| proposed.kind == ProposalKind::ClockStepped);
            let accepted = reading.read(0, entry);
            if let Some((_, proposed)) = leap.filter(|_| accepted.is_some()) {
                self.note(if proposed.by_ms == 0 { "leap was time" } else { "leap was a step" });
            }
            if let Entry::Event(record) = entry
                && let Body::CommandRefused(refused) = &record.event.body
            {
                self.note(format!("refused {} {}", refused.event, refused.code));
            }
            let view = reading.engine.view();
            if accepted.is_some() && proposal(entry).is_some_and(|(_, said)| said.cites.is_some()) {
                self.note_cited(&view, entry.offset());
            }
            self.look(&view);
        }
        for (counter, times) in &reading.counted {
            *self.0.entry(format!("{counter:?}")).or_default() += times;
        }
        for (_, status) in &reading.ended {
            self.note(format!("end {status:?}"));
        }
        for verdict in reading.engine.view().rollouts.iter().flat_map(|rollout| &rollout.verdicts) {
            let cause = verdict.cause.as_deref().unwrap_or("none");
            self.note(format!("verdict {} {cause}", verdict.kind));
        }
    }

    /// What was told at once, and why.
    fn note_cited(&mut self, view: &View, offset: i64) {
        let verdicts = view.rollouts.iter().flat_map(|rollout| &rollout.verdicts);
        for verdict in verdicts.filter(|verdict| verdict.offset == offset) {
            self.note(format!("at once {}", verdict.cause.as_deref().unwrap_or("none")));
        }
    }

    fn look(&mut self, view: &View) {
        if view.held {
            self.note("held");
        }
        for rollout in &view.rollouts {
            self.note(format!("rollout {:?}", rollout.status));
            if rollout.paused && rollout.status == Status::Open {
                self.note("paused");
            }
            if rollout.epoch > 1 {
                self.note("rollback after completion");
            }
            for step in &rollout.steps {
                self.note(format!("step {:?}", step.state));
                if step.state == StepStatus::Waiting && step.have > 0 {
                    self.note("early, kept");
                }
                if step.attempt > 1 && step.state != StepStatus::Stalled {
                    self.note("lifted or opened anew");
                }
            }
            for phase in &rollout.phases {
                self.note(format!("phase {:?}", phase.state));
            }
        }
    }

    /// Fails for the first of these that was never reached. A handful of seeds need not reach all.
    pub(crate) fn must(&self, all: &[&str]) {
        let missing: Vec<_> = all.iter().filter(|must| !self.0.contains_key(**must)).collect();
        let few = seeds(u64::MAX) < 100;
        assert!(missing.is_empty() || few, "nothing reached {missing:#?}; reached: {:#?}", self.0);
    }
}

/// Every outcome that a history can have.
pub(crate) const OUTCOMES: &[&str] = &[
    "end Aborted",
    "end Completed",
    "end Partial",
    "end RolledBack",
    "rollout Queued",
    "rollback after completion",
    "held",
    "paused",
    "early, kept",
    "lifted or opened anew",
    "leap was time",
    "leap was a step",
    "Duplicate",
    "Stranger",
    "Late(\"after_stall\")",
    "Late(\"after_decision\")",
    "Late(\"after_decision\")",
    "Late(\"after_end\")",
    "Late(\"after_stall\")",
    "Unreadable(\"incompatible\")",
    "ProposalAccepted(\"ClockStepped\")",
    "ProposalAccepted(\"InstancesCounted\")",
    "ProposalAccepted(\"PhaseBegun\")",
    "ProposalAccepted(\"RollbackRequested\")",
    "ProposalAccepted(\"RolloutCompleted\")",
    "ProposalAccepted(\"RolloutPartial\")",
    "ProposalAccepted(\"RolloutPaused\")",
    "ProposalAccepted(\"RolloutRolledBack\")",
    "ProposalAccepted(\"RolloutStalled\")",
    "ProposalAccepted(\"SequenceViolated\")",
    "ProposalVoid(\"ClockStepped\")",
    "ProposalVoid(\"InstancesCounted\")",
    "ProposalVoid(\"PhaseBegun\")",
    "ProposalVoid(\"RollbackRequested\")",
    "ProposalVoid(\"RolloutCompleted\")",
    "ProposalVoid(\"RolloutPartial\")",
    "ProposalVoid(\"RolloutPaused\")",
    "ProposalVoid(\"RolloutRolledBack\")",
    "ProposalVoid(\"RolloutStalled\")",
    "ProposalVoid(\"SequenceViolated\")",
    "ProposalVoid(\"Unknown\")",
    "Withdrawn(\"PhaseBegun\")",
    "Withdrawn(\"RollbackRequested\")",
    "Withdrawn(\"RolloutCompleted\")",
    "Withdrawn(\"RolloutPartial\")",
    "Withdrawn(\"RolloutPaused\")",
    "Withdrawn(\"RolloutRolledBack\")",
    "verdict RollbackStalled not_finished",
    "verdict RolloutStalled conflict",
    "verdict RolloutStalled contract_broken",
    "verdict RolloutStalled failed",
    "verdict RolloutStalled gap",
    "verdict RolloutStalled not_finished",
    "verdict RolloutStalled not_started",
    "verdict RolloutStalled undelivered",
    "verdict RolloutStalled unreachable",
    "verdict SequenceViolated out_of_order",
    "at once conflict",
    "at once contract_broken",
    "at once failed",
    "verdict RollbackRequested failed",
    "verdict RollbackRequested not_finished",
    "verdict RollbackRequested not_started",
    "refused RolloutStarted conflict",
    "refused RolloutStarted bad_plan",
    "refused RolloutPaused unknown_rollout",
    "refused StepOverridden unknown_step",
    "refused GateApproved gate_not_open",
    "refused GateApproved wrong_attempt",
    "step Back",
    "step GoingBack",
    "step Holding",
    "step Met",
    "step NotBack",
    "step Open",
    "step Overridden",
    "step Running",
    "step Stalled",
    "step Waiting",
    "phase AwaitingApproval",
    "phase Complete",
    "phase Open",
    "phase Ready",
    "phase Soaking",
    "phase Waiting",
    "phase Watching",
];
