//! The gates of a rollout: a phase begins where its event stands, and people say whether it may.

use pavane_events::command::{GateApproved, GateRejected, PhaseBegun};
use pavane_events::{PhaseId, Record};

use crate::effect::{Counter, Effect};
use crate::fold::Fold;
use crate::rollout::{Rollout, Status};
use crate::view::{Deed, Verdict};

/// Why what a person says about a gate has no effect: a code and a sentence.
type Refusal = (&'static str, String);

impl Fold {
    /// A phase begins where the decision that was accepted is said. Nobody else opens one.
    pub(crate) fn phase_begun(&mut self, n: u64, record: &Record, said: &PhaseBegun, out: &mut Vec<Effect>) {
        if record.event.envelope.source != self.sentinel {
            let why = "the sentinel opens phases; approve the gate of the phase instead".to_owned();
            self.refuse(record, "not_authorised", why);
            return;
        }
        if !self.takes_force(n, record) {
            out.push(Effect::Count(Counter::Late("after_end")));
            return;
        }
        self.note_decision(n, record);
        let mark = self.mark();
        let Some(rollout) = self.rollouts.get_mut(n) else { return };
        rollout.take_pending();
        rollout.attempt += 1;
        let Some(k) = rollout.score.phase(&said.phase) else { return };
        for counted in rollout.begin_phase(k, said, mark) {
            self.counted(n, &counted, out);
        }
    }

    /// Someone says that a phase may begin.
    pub(crate) fn approved(&mut self, n: u64, record: &Record, said: &GateApproved, out: &mut Vec<Effect>) {
        let k = match self.gate(n, &said.gate, &said.plan_digest, said.attempt) {
            Ok(k) => k,
            Err((code, why)) => return self.refuse(record, code, why),
        };
        if let Some(rollout) = self.rollouts.get_mut(n) {
            rollout.phases[k].approved = Some(said.by.clone());
            note(rollout, record, k);
        }
        self.resolve_gate(n, k, out);
    }

    /// Someone says that a phase may not begin: its gate opens anew, for the next attempt.
    pub(crate) fn disapproved(
        &mut self,
        n: u64,
        record: &Record,
        said: &GateRejected,
        out: &mut Vec<Effect>,
    ) {
        let k = match self.gate(n, &said.gate, &said.plan_digest, said.attempt) {
            Ok(k) => k,
            Err((code, why)) => return self.refuse(record, code, why),
        };
        if let Some(rollout) = self.rollouts.get_mut(n) {
            rollout.phases[k].attempt += 1;
            note(rollout, record, k);
        }
        self.raise_rejected(n, k, record, said, out);
    }

    /// The phase whose gate is open for this word: of this plan, in this attempt, and not yet decided.
    fn gate(&self, n: u64, gate: &str, digest: &str, attempt: i64) -> Result<usize, Refusal> {
        let rollout = &self.rollouts[n];
        let id = PhaseId::new(gate).ok();
        let Some(k) = id.and_then(|id| rollout.score.phase(&id)) else {
            return Err(("unknown_gate", format!("the plan has no phase {gate:?}")));
        };
        let state = &rollout.phases[k];
        if digest != rollout.score.digest {
            return Err((
                "wrong_plan",
                format!("it is about the plan {digest:?}, not {}", rollout.score.digest),
            ));
        }
        if rollout.plan_phase(k).approval.is_none() {
            return Err(("no_approval", format!("phase {gate} asks for no approval")));
        }
        if state.begun.is_some() || state.approved.is_some() {
            return Err(("decided", format!("the gate of phase {gate} was approved before")));
        }
        if attempt != state.attempt {
            let now = state.attempt;
            return Err(("wrong_attempt", format!("it is about attempt {attempt}; the gate is at {now}")));
        }
        if rollout.status != Status::Open || !rollout.gate_is_open(k, rollout.time(self.clock.now())) {
            return Err(("gate_not_open", format!("the gate of phase {gate} is not open")));
        }
        Ok(k)
    }
}

fn note(rollout: &mut Rollout, record: &Record, k: usize) {
    let kind = record.event.body.event_type().as_str();
    rollout.note(Verdict { kind, deed: Deed::Gate(k), cause: None, offset: record.offset });
}
