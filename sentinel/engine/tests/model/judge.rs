//! Whether the log of the model accepts a proposal where it stands.

use pavane_choreography::OnStall;
use pavane_events::control::{ProposalKind, Proposed};
use pavane_events::{Cause, EventType, Evidence, EvidenceKind, Record, StepId, identity};
use pavane_sentinel_engine::Status;

use super::Model;
use super::rollout::{Pending, Rollout, Said, Stall};
use crate::floor::rollout_id;

impl Model {
    pub(crate) fn proposed(&mut self, record: &Record, said: &Proposed) -> Option<&'static str> {
        if said.kind == ProposalKind::ClockStepped {
            return self.clock_stepped(said).then_some("ClockStepped");
        }
        let n = self.place(record.event.envelope.rollout.as_ref()?.as_str())?;
        let stands =
            self.rollouts[n].is_open() && self.rollouts[n].stopped.is_none() && self.clock.leaps.is_empty();
        if !stands || self.rollouts[n].epoch != said.epoch {
            return None;
        }
        let step = self.rollouts[n].named(said.step.as_ref().map(StepId::as_str));
        let mark = self.mark();
        match said.kind {
            ProposalKind::RolloutStalled => {
                let stall = self.stalls(n, step?, record, said)?;
                let rollout = &mut self.rollouts[n];
                let kind =
                    if rollout.status == Status::RollingBack { "RollbackStalled" } else { "RolloutStalled" };
                rollout.note(kind, step, Some(stall.cause), record.offset);
                rollout.steps[step?].stall = Some(stall);
            }
            ProposalKind::SequenceViolated => {
                let rollout = &mut self.rollouts[n];
                let (offset, told) = rollout.steps[step?].violation?;
                if rollout.status != Status::Open || told || Some(offset) != said.cites {
                    return None;
                }
                rollout.steps[step?].violation = Some((offset, true));
                rollout.note("SequenceViolated", step, Some(Cause::OutOfOrder), record.offset);
            }
            ProposalKind::InstancesCounted => {
                let rollout = &mut self.rollouts[n];
                let state = &rollout.steps[step?];
                let asked = rollout.plan.steps[step?].instances.share().is_some() && state.counted.is_none();
                let open = rollout.status == Status::Open && state.anchor.is_some();
                let count = said.count.filter(|count| *count > 0)?;
                if !asked || !open || said.attempt != state.attempt {
                    return None;
                }
                rollout.steps[step?].counted = u32::try_from(count).ok();
                rollout.count(step?, mark);
            }
            ProposalKind::ClockStepped | ProposalKind::Unknown => return None,
            _ => self.decides(n, step, said)?,
        }
        Some(said.kind.as_str())
    }

    fn clock_stepped(&mut self, said: &Proposed) -> bool {
        let accepted = self.clock.step(said.leap, said.by_ms);
        if accepted {
            let leap = said.leap.unwrap_or_default();
            let moved = |old: super::Mark| if old.offset >= leap { old.at - said.by_ms } else { old.at };
            for rollout in self.rollouts.iter_mut().filter(|rollout| rollout.is_open()) {
                rollout.shift(moved);
                rollout.started.at = moved(rollout.started);
                if let Some(stopped) = &mut rollout.stopped {
                    stopped.at = moved(*stopped);
                }
            }
            for mark in self.automatic.iter_mut().chain(self.asked.values_mut()) {
                mark.at = moved(*mark);
            }
            // how long clocks stood still is known when every leap is
            let (mark, known) = (self.mark(), self.clock.leaps.is_empty() && !self.held);
            for rollout in
                self.rollouts.iter_mut().filter(|rollout| known && rollout.is_open() && !rollout.paused)
            {
                rollout.halt(false, mark);
            }
        }
        accepted
    }

    /// A step stalls once per attempt: past its deadline and the grace, on a record that still stands, or on a metric.
    fn stalls(&self, n: usize, i: usize, record: &Record, said: &Proposed) -> Option<Stall> {
        let (rollout, now) = (&self.rollouts[n], self.clock.now);
        let step = &rollout.steps[i];
        if step.stall.is_some() || said.attempt != step.attempt {
            return None;
        }
        let stall = Stall {
            by_deadline: false,
            at_once: false,
            not_started: false,
            breach: false,
            cause: Cause::Failed,
            raw: record.at.0,
            in_hand: false,
        };
        if let Some(phase) = &said.phase {
            let k = rollout.gate(phase.as_str()).filter(|k| rollout.steps_in(*k).first() == Some(&i))?;
            let breaks = rollout.status == Status::Open && is_watched(rollout, k, now) && {
                let bound = &rollout.plan.phases[k].watch.as_ref()?.bound;
                quotes(&said.evidence, |value| !bound.holds(value))
            };
            return breaks.then_some(Stall { breach: true, ..stall });
        }
        if let Some(cites) = said.cites {
            let awaited = rollout.status == Status::Open && step.full.is_none() && !step.overridden;
            let said = |what: Said| step.words.values().any(|word| word.said == what && word.offset == cites);
            // since the second version of the rules
            let other_version = rollout.rules > 1 && said(Said::OtherVersion);
            let causes = [
                (step.rejected == Some(cites), Cause::ContractBroken),
                (other_version, Cause::Conflict),
                (said(Said::Failed), Cause::Failed),
            ];
            let cause = causes.into_iter().find_map(|(is_it, cause)| is_it.then_some(cause))?;
            return awaited.then_some(Stall { cause, at_once: true, ..stall });
        }
        let forward = rollout.status == Status::Open;
        let not_started = forward && step.words.is_empty();
        let cause = cause(rollout, i, &said.evidence);
        let late = rollout.deadline(i).is_some_and(|deadline| now > deadline + rollout.grace);
        late.then_some(Stall { by_deadline: forward, not_started, cause, ..stall })
    }

    /// A decision on the whole rollout: the next one, and none is on its way.
    fn decides(&mut self, n: usize, step: Option<usize>, said: &Proposed) -> Option<()> {
        let (rollout, now) = (&self.rollouts[n], self.clock.now);
        let (open, back) = (rollout.status == Status::Open, rollout.status == Status::RollingBack);
        let left_to_the_plan = |remedy: OnStall| {
            let stall = step.and_then(|i| rollout.steps[i].stall.as_ref());
            stall.is_some_and(|stall| !stall.in_hand) && step.map(|i| remedy_of(rollout, i)) == Some(remedy)
        };
        let justified = || {
            open && left_to_the_plan(OnStall::Rollback)
                && self.is_strong(rollout, step.unwrap_or_default(), said)
        };
        let due = match said.kind {
            ProposalKind::RollbackRequested => justified() && !self.is_braked(rollout),
            ProposalKind::RolloutPaused => {
                open && (left_to_the_plan(OnStall::Pause) || justified() && self.is_braked(rollout))
            }
            ProposalKind::RolloutCompleted => {
                let all = (0..rollout.steps.len()).all(|i| rollout.met(i).is_some_and(|met| met <= now));
                open && all
                    && rollout.gates.len().checked_sub(1).is_none_or(|last| is_over(rollout, last, said, now))
            }
            ProposalKind::RolloutRolledBack => {
                back && going_back(rollout).all(|i| rollout.steps[i].turn.is_some() && rollout.is_back(i))
            }
            ProposalKind::RolloutPartial => back && is_partial(rollout, now),
            ProposalKind::PhaseBegun => {
                said.phase.as_ref().and_then(|id| rollout.gate(id.as_str())).is_some_and(|k| {
                    let approved = rollout.plan.phases[k].approval.is_none() || rollout.gates[k].approved;
                    let before = k.checked_sub(1).is_none_or(|before| is_over(rollout, before, said, now));
                    open && approved && before && rollout.gate_is_open(k, now)
                })
            }
            _ => false,
        };
        if !due || said.attempt != rollout.attempt || rollout.pending.is_some() {
            return None;
        }
        let event = EventType::from_short(said.kind.as_str()).expect("a decision is told by its event");
        let id = identity::decision_id(
            &rollout_id(&rollout.id),
            rollout.epoch,
            None,
            event.as_str(),
            said.attempt,
        );
        let accepted = self.offset;
        if event == EventType::RollbackRequested {
            let mark = self.mark();
            self.automatic.push(mark);
        }
        self.rollouts[n].pending = Some(Pending { event, id, accepted, step });
        Some(())
    }

    /// Whether what is quoted is strong enough to take a service back, of all who owe the event, and nothing on the log
    /// speaks against it.
    fn is_strong(&self, rollout: &Rollout, i: usize, said: &Proposed) -> bool {
        let (step, service) = (&rollout.steps[i], rollout.plan.steps[i].expect.service.as_str());
        let Some(stall) = &step.stall else { return false };
        let other_version = step.words.values().any(|word| word.said == Said::OtherVersion);
        let told_as_conflict = stall.at_once && stall.cause == Cause::Conflict;
        if told_as_conflict
            || stall.cause == Cause::ContractBroken
            || step.tainted
            || step.rejected.is_some()
            || other_version
        {
            return false;
        }
        let last = |who: &str| step.words.get(who).map(|word| word.said);
        let strong = |seen: &Evidence| {
            let who = seen
                .instance
                .as_ref()
                .map(pavane_events::Instance::as_str)
                .filter(|who| !self.has_a_twin(service, who));
            let cause = matches!(seen.cause, Cause::Failed | Cause::NotStarted | Cause::NotFinished);
            match seen.kind {
                EvidenceKind::Metric => stall.breach,
                EvidenceKind::Failure => who.is_some_and(|who| last(who) == Some(Said::Failed)),
                EvidenceKind::Heartbeat => {
                    who.is_some() && cause && seen.outbox == 0 && seen.at.is_some_and(|at| at.0 > stall.raw)
                }
                _ => false,
            }
        };
        let mut who: Vec<&str> = said
            .evidence
            .iter()
            .flat_map(|seen| &seen.instance)
            .map(pavane_events::Instance::as_str)
            .collect();
        who.extend(step.words.keys().map(String::as_str).filter(|who| last(who) == Some(Said::Awaited)));
        who.sort_unstable();
        who.dedup();
        let all = step.words.keys().all(|name| who.contains(&name.as_str()));
        let enough = rollout.want(i).is_some_and(|want| who.len() >= want as usize);
        !said.evidence.is_empty() && said.evidence.iter().all(strong) && (stall.breach || all && enough)
    }

    /// Whether the budget or a cool-down keeps the sentinel from asking for a rollback by itself.
    fn is_braked(&self, rollout: &Rollout) -> bool {
        let (now, set) = (self.clock.now, &self.settings);
        let used = self.automatic.iter().filter(|mark| now - mark.at < set.rollback_window_ms).count();
        let cools = |i: usize| {
            let service = rollout.plan.steps[i].expect.service.as_str();
            let target = rollout.steps[i].words.values().find_map(|word| word.from.clone());
            let moved = rollout.steps[i].words.values().any(|word| word.moved);
            moved
                && self.asked.iter().any(|((other, to), mark)| {
                    let same = to.is_none() || target.is_none() || *to == target;
                    other == service && same && now - mark.at < set.cool_down_ms
                })
        };
        i64::try_from(used).expect("few") >= set.rollback_budget || rollout.goes_back().into_iter().any(cools)
    }
}

fn going_back(rollout: &Rollout) -> impl Iterator<Item = usize> {
    (0..rollout.steps.len()).filter(|i| rollout.steps[*i].goes_back)
}

/// Whether somebody failed, refused or kept silent for too long, and nothing is open any more.
fn is_partial(rollout: &Rollout, now: i64) -> bool {
    let silent = |i: usize| {
        let step = &rollout.steps[i];
        let within = rollout.plan.steps[i].compensate.within;
        let given_up = step.turn.is_some_and(|turn| now > turn.at + 2 * within + rollout.grace);
        step.stall.is_some() && !rollout.is_answered(i) && given_up
    };
    let bad =
        |i: usize| rollout.steps[i].answers.values().any(|answer| *answer != EventType::RollbackComplete);
    let open = |i: usize| rollout.steps[i].turn.is_some() && !rollout.is_answered(i) && !silent(i);
    going_back(rollout).any(|i| bad(i) || silent(i)) && !going_back(rollout).any(open)
}

/// Whether a phase has soaked, and its metric has kept to its bound or does not matter.
fn is_over(rollout: &Rollout, k: usize, said: &Proposed, now: i64) -> bool {
    let told = rollout.steps_in(k)[0];
    let breached = rollout.steps[told].stall.as_ref().is_some_and(|stall| stall.breach);
    let watched = rollout.plan.phases[k].watch.as_ref().is_none_or(|watch| {
        let long = rollout.phase_met(k).is_some_and(|met| met + watch.hold <= now);
        let keeps = quotes(&said.evidence, |value| watch.bound.holds(value));
        rollout.steps[told].overridden || !breached && long && keeps
    });
    watched && rollout.phase_soaked(k).is_some_and(|soaked| soaked <= now)
}

fn is_watched(rollout: &Rollout, k: usize, now: i64) -> bool {
    let last = rollout.gates.iter().rposition(|gate| gate.begun.is_some());
    let told = &rollout.steps[rollout.steps_in(k)[0]];
    let breached = told.stall.as_ref().is_some_and(|stall| stall.breach);
    let met = rollout.phase_met(k).is_some_and(|met| met <= now);
    last == Some(k) && met && !told.overridden && !breached
}

fn quotes(evidence: &[Evidence], fits: impl Fn(f64) -> bool) -> bool {
    let mut values = evidence.iter().filter(|seen| seen.kind == EvidenceKind::Metric).peekable();
    values.peek().is_some() && values.all(|seen| seen.value.parse().is_ok_and(&fits))
}

fn remedy_of(rollout: &Rollout, i: usize) -> OnStall {
    let breach = rollout.steps[i].stall.as_ref().is_some_and(|stall| stall.breach);
    let phase = rollout.plan.phases.iter().find(|phase| phase.steps.contains(&rollout.plan.steps[i].id));
    let watch = phase.and_then(|phase| phase.watch.as_ref()).filter(|_| breach);
    watch.map_or(rollout.plan.steps[i].on_stall, |watch| watch.on_breach)
}

/// The weakest cause that is quoted; not started or not finished as the log says it.
fn cause(rollout: &Rollout, i: usize, evidence: &[Evidence]) -> Cause {
    let step = &rollout.steps[i];
    let weakest = evidence.iter().map(|seen| seen.cause).max();
    let other_version = step.words.values().any(|word| word.said == Said::OtherVersion);
    if step.tainted || step.rejected.is_some() {
        return Cause::ContractBroken;
    }
    if other_version && rollout.status == Status::Open {
        return weakest.map_or(Cause::Conflict, |weakest| weakest.max(Cause::Conflict));
    }
    match weakest.unwrap_or(Cause::Unknown) {
        Cause::NotStarted | Cause::NotFinished if step.words.is_empty() => Cause::NotStarted,
        Cause::NotStarted | Cause::NotFinished => Cause::NotFinished,
        weakest => weakest,
    }
}
