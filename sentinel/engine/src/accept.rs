//! A proposal is read back: the log accepts it where it stands, or voids it. The first accepted one of an id wins.

use std::sync::Arc;

use pavane_events::command::{PhaseBegun, RollbackRequested, RolloutPaused};
use pavane_events::control::{ClockStepped, ProposalKind, Proposed};
use pavane_events::verdict::{
    CommandRefused, RolloutCompleted, RolloutPartial, RolloutRolledBack, RolloutStalled, SequenceViolated,
};
use pavane_events::{Body, Cause, EventId, Record, identity};

use crate::brakes::Brake;
use crate::effect::{Counter, Draft, Effect};
use crate::fold::{Fold, Owed, Touched};
use crate::judge;
use crate::phase;
use crate::rollout::{Pending, Rollout, Status};
use crate::spoken::{Saying, Word};
use crate::step::{Proof, Stall};

impl Fold {
    pub(crate) fn proposed(
        &mut self,
        n: Option<u64>,
        record: &Record,
        proposed: &Proposed,
        out: &mut Vec<Effect>,
    ) -> Touched {
        if proposed.kind == ProposalKind::ClockStepped {
            return self.step_clock(record, proposed, out);
        }
        let rollout = n.and_then(|n| self.rollouts.get(n));
        let accepted = rollout.is_some_and(|r| judge::accepts(self, r, proposed, self.clock.now()));
        let kind = proposed.kind.as_str();
        let (true, Some(n)) = (accepted, n) else {
            out.push(Effect::Count(Counter::ProposalVoid(kind)));
            return n.map_or(Touched::Nothing, Touched::One);
        };
        out.push(Effect::Count(Counter::ProposalAccepted(kind)));
        match proposed.kind {
            ProposalKind::RolloutStalled => self.stalled(n, record, proposed, out),
            ProposalKind::SequenceViolated => self.violated(n, record, proposed, out),
            ProposalKind::RollbackRequested => {
                self.brakes.note(self.mark());
                self.decided(n, proposed, rollback);
            }
            ProposalKind::RolloutPaused => {
                let brake = rollout.filter(|rollout| rollout.is_braked(proposed));
                let brake = brake.and_then(|rollout| self.brake(rollout, self.clock.now()));
                self.decided(n, proposed, |rollout, proposed, accepted| {
                    pause(rollout, proposed, accepted, brake.as_ref())
                });
            }
            ProposalKind::RolloutCompleted => self.decided(n, proposed, completed),
            ProposalKind::RolloutRolledBack => self.decided(n, proposed, rolled_back),
            ProposalKind::RolloutPartial => self.decided(n, proposed, partial),
            ProposalKind::PhaseBegun => self.decided(n, proposed, phase_begun),
            ProposalKind::InstancesCounted => self.instances_counted(n, proposed, out),
            ProposalKind::ClockStepped | ProposalKind::Unknown => {}
        }
        Touched::One(n)
    }

    fn step_clock(&mut self, record: &Record, proposed: &Proposed, out: &mut Vec<Effect>) -> Touched {
        let kind = proposed.kind.as_str();
        let leap = proposed.leap.unwrap_or(-1);
        if !self.clock.step(leap, proposed.by_ms) {
            out.push(Effect::Count(Counter::ProposalVoid(kind)));
            return Touched::Nothing;
        }
        out.push(Effect::Count(Counter::ProposalAccepted(kind)));
        for rollout in self.rollouts.values_mut().filter(|rollout| rollout.status.is_open()) {
            rollout.step_clock(leap, proposed.by_ms);
        }
        self.brakes.step_clock(leap, proposed.by_ms);
        for n in self.open().collect::<Vec<_>>() {
            self.set_clocks(n);
        }
        let body = ClockStepped { leap, by_ms: proposed.by_ms, accepted: record.offset };
        let id =
            EventId::new(format!("clock-{}-{leap}", self.domain)).expect("a domain and a number are a name");
        self.owe(Draft { id: Some(id), rollout: None, causation: None, service: None, body: body.into() });
        Touched::All
    }

    /// A stall changes state where it is accepted; the named event only tells it.
    fn stalled(&mut self, n: u64, record: &Record, proposed: &Proposed, out: &mut Vec<Effect>) {
        let Some(rollout) = self.rollouts.get_mut(n) else { return };
        let Some(i) = proposed.step.as_ref().and_then(|id| rollout.score.place(id)) else { return };
        let compensates = rollout.status == Status::RollingBack;
        let cited = proposed.cites.map(|cites| rollout.steps[i].cited(cites));
        let breach = proposed.phase.as_ref().and_then(|id| rollout.score.phase(id));
        let broken = |k: usize| {
            let phase = rollout.plan_phase(k);
            let watch = phase.watch.as_ref();
            watch.map(|watch| phase::broken(phase, &watch.bound, &proposed.evidence))
        };
        let broken = breach.and_then(broken);
        let (proof, cause) = match (cited, compensates) {
            _ if broken.is_some() => (Proof::Breach, Cause::Failed),
            (Some(cause), _) => (Proof::Cited, cause),
            (None, true) => (Proof::Compensation, rollout.cause(i, &proposed.evidence)),
            (None, false) if rollout.steps[i].words.is_empty() => {
                (Proof::NotStarted, rollout.cause(i, &proposed.evidence))
            }
            (None, false) => (Proof::NotFinished, rollout.cause(i, &proposed.evidence)),
        };
        let deadline = proposed.cites.is_none().then(|| rollout.deadline(i)).flatten();
        let missing = broken.clone().unwrap_or_else(|| rollout.missing(i));
        let service = rollout.service(i).into_owned();
        let (state, step) = (&mut rollout.steps[i], &rollout.score.plan.steps[i]);
        let metric = broken.as_ref().and_then(|_| proposed.evidence.first().cloned());
        state.stall = Some(Stall { proof, cause, raw: record.at, missing: broken, in_hand: false, metric });
        let since = if compensates { state.turn } else { state.anchor };
        let said = RolloutStalled {
            epoch: rollout.epoch,
            step: step.id.clone(),
            attempt: state.attempt,
            accepted: record.offset,
            service,
            missing,
            since: since.map(|mark| mark.at),
            deadline,
            cause,
            owner: rollout.score.plan.steps[i].owner.clone(),
            evidence: proposed.evidence.clone(),
        };
        out.push(Effect::Count(Counter::Verdict(rollout.stall_name(), cause.as_str())));
        let id = self.id_of(n, Some(i), "RolloutStalled", said.attempt);
        self.note_stall(n, &said);
        self.raise_stall(n, i, &said, &id, record.at, out);
        let service = Some(said.service.clone());
        self.owe_about(n, id, service, said.into());
    }

    /// A share of the instances becomes a number where it is accepted.
    fn instances_counted(&mut self, n: u64, proposed: &Proposed, out: &mut Vec<Effect>) {
        let mark = self.mark();
        let Some(rollout) = self.rollouts.get_mut(n) else { return };
        let Some(i) = proposed.step.as_ref().and_then(|id| rollout.score.place(id)) else { return };
        rollout.steps[i].counted = proposed.count.and_then(|count| u32::try_from(count).ok());
        let counted = rollout.count(i, mark);
        self.counted(n, &counted, out);
    }

    fn violated(&mut self, n: u64, record: &Record, proposed: &Proposed, out: &mut Vec<Effect>) {
        let Some(rollout) = self.rollouts.get_mut(n) else { return };
        let Some(i) = proposed.step.as_ref().and_then(|id| rollout.score.place(id)) else { return };
        let Some(violation) = rollout.steps[i].violation.as_mut() else { return };
        violation.accepted = true;
        let (instance, cites) = (violation.instance.clone(), violation.offset);
        let missing = violation.missing.clone();
        let step = rollout.score.plan.steps[i].id.clone();
        let service = rollout.service(i).into_owned();
        let said =
            SequenceViolated { step, instance: Some(instance), cites, accepted: record.offset, missing };
        out.push(Effect::Count(Counter::Verdict("SequenceViolated", Cause::OutOfOrder.as_str())));
        let id = self.id_of(n, Some(i), "SequenceViolated", 1);
        self.note_violated(n, i, &said);
        self.raise_violated(n, i, &said, &id, record.at, out);
        self.owe_about(n, id, Some(service), said.into());
    }

    /// Any other decision waits to be said; it takes force where its named event stands.
    fn decided(&mut self, n: u64, proposed: &Proposed, say: impl FnOnce(&Rollout, &Proposed, i64) -> Body) {
        let accepted = self.offset;
        let Some(rollout) = self.rollouts.get(n) else { return };
        let body = say(rollout, proposed, accepted);
        let step = proposed.step.as_ref().and_then(|id| rollout.score.place(id));
        let event = body.event_type();
        let id = self.id_of(n, None, event.as_str(), proposed.attempt);
        if let Some(rollout) = self.rollouts.get_mut(n) {
            rollout.pending = Some(Pending { event, accepted, step, id: id.clone() });
        }
        self.owe_about(n, id, None, body);
    }

    /// Whoever speaks says to each service whose turn has come that it is asked to go back.
    pub(crate) fn owe_turns(&mut self, n: u64) {
        let Some(rollout) = self.rollouts.get(n) else { return };
        if rollout.status != Status::RollingBack {
            return;
        }
        let mut drafts = Vec::new();
        for (i, state) in rollout.steps.iter().enumerate() {
            let asks = state.goes_back && state.turn.is_some() && !state.answered();
            if asks {
                let kind = format!("RollbackRequested/{}", state.moved().count());
                let id = self.id_of(n, Some(i), &kind, state.turns);
                // a service of one rollout alone is never asked back again
                let mark = state.turn.filter(|_| !rollout.plan_step(i).per_rollout);
                drafts.push((id, rollout.service(i).into_owned(), mark, asked(rollout, i)));
            }
        }
        for (id, service, mark, body) in drafts {
            if let Some(mark) = mark {
                self.brakes.ask(&service, body.target.as_ref(), mark);
            }
            self.owe_about(n, id, Some(service), body.into());
        }
    }

    /// Says that a command has no effect, and why.
    pub(crate) fn refuse(&mut self, record: &Record, code: &str, reason: String) {
        let envelope = &record.event.envelope;
        let body = CommandRefused {
            command: envelope.id.clone(),
            event: record.event.body.event_type().as_str().to_owned(),
            cites: record.offset,
            code: code.to_owned(),
            reason,
        };
        let id = EventId::new(format!("refused-{}", record.offset)).expect("a number is a name");
        self.owe(Draft {
            id: Some(id),
            rollout: envelope.rollout.clone(),
            causation: Some(envelope.id.clone()),
            service: None,
            body: body.into(),
        });
    }

    fn id_of(&self, n: u64, step: Option<usize>, kind: &str, attempt: i64) -> EventId {
        let rollout = &self.rollouts[n];
        let step = step.map(|i| &rollout.score.plan.steps[i].id);
        identity::decision_id(&rollout.id, rollout.epoch, step, kind, attempt)
    }

    fn owe_about(&mut self, n: u64, id: EventId, service: Option<pavane_events::Service>, body: Body) {
        let rollout = &self.rollouts[n];
        let (rollout, causation) = (Some(rollout.id.clone()), Some(rollout.begun_by.clone()));
        self.owe(Draft { id: Some(id), rollout, causation, service, body });
    }

    fn owe(&mut self, draft: Draft) {
        let is_new = |id: &EventId| !self.has_said(id) && !self.owed.contains_key(id);
        let Some(id) = draft.id.clone().filter(is_new) else { return };
        self.decided.push(id.clone());
        self.owed.insert(id, Owed(Arc::new(draft)));
    }
}

fn rollback(rollout: &Rollout, proposed: &Proposed, accepted: i64) -> Body {
    let said = RollbackRequested {
        epoch: rollout.epoch,
        attempt: proposed.attempt,
        step: proposed.step.clone(),
        accepted: Some(accepted),
        evidence: proposed.evidence.clone(),
        by: "sentinel".to_owned(),
        reason: why(rollout, proposed),
        ..RollbackRequested::default()
    };
    said.into()
}

fn pause(rollout: &Rollout, proposed: &Proposed, accepted: i64, brake: Option<&Brake>) -> Body {
    let why = why(rollout, proposed);
    let reason = match brake {
        Some(brake) => format!("{why}; it is not rolled back: {brake}"),
        None => why,
    };
    RolloutPaused { by: "sentinel".to_owned(), reason, accepted: Some(accepted) }.into()
}

fn phase_begun(rollout: &Rollout, proposed: &Proposed, accepted: i64) -> Body {
    let k = rollout.phase_next().expect("an accepted phase is the next one");
    let said = PhaseBegun {
        phase: rollout.plan_phase(k).id.clone(),
        epoch: rollout.epoch,
        attempt: proposed.attempt,
        cohort: proposed.cohort.clone(),
        evidence: proposed.evidence.clone(),
        accepted: Some(accepted),
    };
    said.into()
}

fn completed(rollout: &Rollout, proposed: &Proposed, accepted: i64) -> Body {
    RolloutCompleted { epoch: rollout.epoch, attempt: proposed.attempt, accepted }.into()
}

fn rolled_back(rollout: &Rollout, proposed: &Proposed, accepted: i64) -> Body {
    RolloutRolledBack { epoch: rollout.epoch, attempt: proposed.attempt, accepted }.into()
}

fn partial(rollout: &Rollout, proposed: &Proposed, accepted: i64) -> Body {
    let (epoch, attempt, failed) = (rollout.epoch, proposed.attempt, rollout.not_back());
    RolloutPartial { epoch, attempt, accepted, failed }.into()
}

/// Why the sentinel decides about the whole rollout: the step that stands still.
fn why(rollout: &Rollout, proposed: &Proposed) -> String {
    let Some(i) = proposed.step.as_ref().and_then(|id| rollout.score.place(id)) else { return String::new() };
    let cause = rollout.steps[i].stall.as_ref().map_or("stalled", |stall| stall.cause.as_str());
    format!("step {} stands still: {} ({cause})", rollout.plan_step(i).id, rollout.missing(i))
}

/// The part of one service in the way back.
fn asked(rollout: &Rollout, i: usize) -> RollbackRequested {
    let (state, step) = (&rollout.steps[i], rollout.plan_step(i));
    let runs = |word: &&Word| word.saying == Saying::Awaited;
    RollbackRequested {
        epoch: rollout.epoch,
        step: Some(step.id.clone()),
        service: Some(rollout.service(i).into_owned()),
        expected: state.words.values().find(runs).and_then(|word| word.version().cloned()),
        target: rollout.target(i).cloned(),
        attempt: state.turns,
        decision: rollout.decision,
        by: "sentinel".to_owned(),
        reason: format!("the rollout goes back; it is the turn of step {}", step.id),
        ..RollbackRequested::default()
    }
}
