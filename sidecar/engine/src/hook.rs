//! The hook: when it may begin, how its answer is taken, when it is tried again.

use std::collections::BTreeSet;

use pavane_events::{Millis, Record};

use crate::effect::{Call, Effect, Notice};
use crate::engine::Engine;
use crate::forward::trigger_of;
use crate::input::{Failure, HookOutcome};
use crate::journal::{Ending, Stage};
use crate::rollout::{Announced, Rollout, Status};
use crate::speech::exact;
use crate::work::{Purpose, Wait, Work};

/// The kind of the notice that an instance waits its turn.
pub const STAGGERED: &str = "staggered";
/// The kind of the notice that a hook that was cut short is run once more.
const REPEATED: &str = "repeated";
/// The kind of the notice that another sidecar of this name was first.
const TWIN: &str = "twin";

impl Engine {
    /// A hook begins only after the own announcement has been read back, with nothing in force against it.
    pub(crate) fn pass_barrier(&mut self, work: Work, out: &mut Vec<Effect>) {
        let Some(rollout) = self.goes_on(&work) else {
            return self.conclude(work, Ending::Superseded, None, out);
        };
        let announced = work.job.announced.as_ref();
        let claim = announced.filter(|_| work.reaction.once).and_then(|id| rollout.claims.get(id));
        if claim.is_some_and(|first| first != self.settings.instance.as_str()) {
            return self.conclude(work, Ending::Yielded, None, out);
        }
        if let Some(twin) = self.twin_of(&work, rollout) {
            let detail = format!(
                "another sidecar (boot {twin}) says that it is this instance and announced {} first, so this one \
                 leaves it to that; stop one of the two, or give it an `instance` of its own",
                work.job.key.reaction
            );
            out.push(Effect::Tell(Notice { offset: -1, kind: TWIN, detail }));
            return self.conclude(work, Ending::Yielded, None, out);
        }
        let read = announced.is_some_and(|id| rollout.read_back.contains_key(id));
        if read && !self.fold.is_stopped(rollout) && !self.waits_for_others(&work) {
            self.take_turn(work, out);
        } else {
            self.work = Some(work);
        }
    }

    /// The boot of another sidecar of this name that announced the same before this one did.
    fn twin_of(&self, work: &Work, rollout: &Rollout) -> Option<String> {
        let (announced, own) = (work.job.announced.as_ref()?, work.job.boot.as_ref()?);
        let jobs = self.memory.jobs.values().filter(|job| job.key.rollout == rollout.id);
        let boots: BTreeSet<_> = jobs.filter_map(|job| job.boot.as_ref()).chain([own]).collect();
        let at = rollout.read_back.get(announced).copied();
        let first = |other: &&Announced| {
            let before = at.is_some_and(|at| other.offset < at);
            let same = other.back == work.goes_back() && other.causation == work.job.causation;
            same && (before || other.id == *announced) && !boots.contains(&other.boot)
        };
        rollout.announced.iter().find(first).map(|other| other.boot.clone())
    }

    /// Begins when it is this instance's turn among those that could all begin.
    fn take_turn(&mut self, mut work: Work, out: &mut Vec<Effect>) {
        let stagger = if work.goes_back() { 0 } else { work.reaction.stagger };
        let at = *work.turn.get_or_insert_with(|| {
            let wait = self.settings.turn(stagger);
            if wait > 0 {
                let detail = format!(
                    "{} waits its turn: it begins in {wait} ms of at most {stagger} ms, by the name of the instance",
                    work.job.key.reaction
                );
                out.push(Effect::Tell(Notice { offset: -1, kind: STAGGERED, detail }));
            }
            self.now.saturating_add(wait)
        });
        if self.now < at {
            self.work = Some(work);
        } else {
            self.begin(work, out);
        }
    }

    /// A request to go back ends what goes forward: a hook that hangs must not keep the service from going back.
    pub(crate) fn call_back(&mut self, mut work: Work, out: &mut Vec<Effect>) {
        match &mut work.wait {
            Wait::Hook { cut: true, .. } | Wait::Version { .. } | Wait::Barrier => self.work = Some(work),
            Wait::Hook { ticket, cut, .. } => {
                *cut = true;
                out.push(Effect::CutOff { ticket: *ticket });
                self.work = Some(work);
            }
            Wait::Call { .. } | Wait::Rest { .. } | Wait::Well { .. } | Wait::Hold { .. } => {
                let looks = matches!(work.wait, Wait::Well { .. } | Wait::Hold { .. });
                let stage = if looks { "readiness" } else { "hook" };
                let mut failure = std::mem::take(&mut work.failure);
                let before = if failure.reason.is_empty() { "" } else { "; before that: " };
                failure.reason = format!("the service was asked to go back{before}{}", failure.reason);
                self.fail(work, stage, failure, out);
            }
        }
    }

    /// Whether nothing but other instances of the service keeps the hook waiting: as many as may move at the same
    /// time have announced themselves before and have not come to an end.
    pub(crate) fn waits_for_others(&self, work: &Work) -> bool {
        let announced = work.job.announced.as_ref().filter(|_| !work.goes_back());
        let rollout = announced.and_then(|_| self.goes_on(work));
        let Some((rollout, announced)) = rollout.zip(announced) else { return false };
        let offset = rollout.read_back.get(announced).filter(|_| matches!(work.wait, Wait::Barrier));
        let waits = |offset| {
            self.step_of(work).is_some_and(|step| rollout.must_wait(&step, &self.settings.instance, offset))
        };
        offset.copied().is_some_and(waits)
    }

    /// Whether the service is asked to go back while something goes forward that can be ended.
    pub(crate) fn is_called_back(&self, work: &Work) -> bool {
        let may_cut = || self.step_of(work).is_none_or(|step| step.interruptible);
        let rollout = self.fold.find(&work.job.key.rollout);
        let asked = rollout.is_some_and(|rollout| {
            rollout.status == Status::RollingBack && rollout.asked.is_some() && !self.fold.is_stopped(rollout)
        });
        let ends = || match work.wait {
            Wait::Version { .. } | Wait::Barrier | Wait::Hook { cut: true, .. } => false,
            Wait::Hook { .. } | Wait::Call { .. } => may_cut(),
            Wait::Rest { .. } | Wait::Well { .. } | Wait::Hold { .. } => true,
        };
        asked && !work.goes_back() && ends()
    }

    /// The rollout under which a reaction may still begin; none when its rollout has turned or ended.
    fn goes_on(&self, work: &Work) -> Option<&Rollout> {
        let key = &work.job.key;
        let rollout = self.fold.find(&key.rollout)?;
        let goes_on = if work.goes_back() {
            rollout.status == Status::RollingBack && rollout.epoch == key.epoch
        } else {
            rollout.status == Status::Open
        };
        goes_on.then_some(rollout)
    }

    pub(crate) fn try_again(&mut self, mut work: Work, out: &mut Vec<Effect>) {
        match self.goes_on(&work).map(|rollout| self.fold.is_stopped(rollout)) {
            None => {
                let failure = std::mem::take(&mut work.failure);
                self.fail(work, "hook", failure, out);
            }
            Some(true) => self.work = Some(work),
            Some(false) => self.begin(work, out),
        }
    }

    /// Runs a hook that was cut short once more, as soon as nothing is in force against it.
    pub(crate) fn repeat(&mut self, mut work: Work, out: &mut Vec<Effect>) {
        let key = &work.job.key;
        let detail =
            format!("{} was cut short in attempt {} and is run again", key.reaction, work.job.attempts);
        out.push(Effect::Tell(Notice { offset: -1, kind: REPEATED, detail }));
        work.wait = Wait::Rest { at: self.now };
        self.try_again(work, out);
    }

    /// Begins an attempt: the intent is written before the hook is called.
    fn begin(&mut self, mut work: Work, out: &mut Vec<Effect>) {
        if !work.reaction.hook {
            return self.check(work, out);
        }
        work.job.attempts += 1;
        work.job.stage = Stage::Running;
        self.write(&work, out);
        let until = self.now.saturating_add(work.reaction.timeout);
        self.call(work, until, out);
    }

    pub(crate) fn call(&mut self, mut work: Work, until: Millis, out: &mut Vec<Effect>) {
        let ticket = self.ticket();
        let (step, key) = (self.step_of(&work), &work.job.key);
        let rollout = self.fold.find(&key.rollout);
        let trigger = rollout.and_then(|rollout| trigger_of(rollout, &work.reaction, step.as_ref()));
        let to = if work.goes_back() { work.job.target.clone() } else { step.as_ref().and_then(exact) };
        let asked = rollout.and_then(Rollout::request).and_then(|(_, body)| body.step.clone());
        out.push(Effect::RunHook(Box::new(Call {
            ticket,
            reaction: key.reaction.clone(),
            run: work.job.announced.as_ref().map_or_else(String::new, ToString::to_string),
            attempt: work.job.attempts,
            limit: until - self.now,
            rollout: key.rollout.clone(),
            epoch: key.epoch,
            step: if work.goes_back() { asked } else { step.map(|step| step.id) },
            from: work.job.from.clone(),
            to,
            trigger: trigger.map(|record: &Record| Box::new(record.event.clone())),
        })));
        work.wait = Wait::Hook { ticket, until, cut: false };
        self.work = Some(work);
    }

    pub(crate) fn hook_ended(&mut self, number: u64, outcome: HookOutcome, out: &mut Vec<Effect>) {
        let called = |wait: &Wait| matches!(wait, Wait::Hook { ticket, .. } if *ticket == number);
        if let Some(work) = self.take_work(called) {
            self.take_outcome(work, outcome, out);
        }
    }

    /// A hook has told its result by itself. A call of it that has not been answered yet is not waited for, and neither
    /// is the version where the call was cut short.
    pub(crate) fn hook_reported(&mut self, run: &str, outcome: HookOutcome, out: &mut Vec<Effect>) {
        let awaited = |work: &mut Work| {
            let recovers = matches!(work.wait, Wait::Version { purpose: Purpose::Recovery, .. });
            let waits = recovers || matches!(work.wait, Wait::Hook { cut: false, .. } | Wait::Call { .. });
            waits && work.job.announced.as_ref().is_some_and(|id| id.as_str() == run)
        };
        if let Some(work) = self.work.take_if(awaited) {
            self.take_outcome(work, outcome, out);
        }
    }

    /// The time of an attempt is over, and the hook works on.
    pub(crate) fn end_attempt(&mut self, work: Work, out: &mut Vec<Effect>) {
        let reason = format!("it was still in progress after {} ms", work.reaction.timeout);
        self.rest(work, Failure { reason, ..Failure::default() }, out);
    }

    fn take_outcome(&mut self, mut work: Work, outcome: HookOutcome, out: &mut Vec<Effect>) {
        let until = match work.wait {
            Wait::Hook { until, .. } | Wait::Call { until, .. } => until,
            Wait::Version { .. }
            | Wait::Barrier
            | Wait::Rest { .. }
            | Wait::Well { .. }
            | Wait::Hold { .. } => self.now.saturating_add(work.reaction.timeout),
        };
        match outcome {
            HookOutcome::Done => self.check(work, out),
            HookOutcome::InProgress { after } => {
                let after = after.max(1);
                if !matches!(work.job.stage, Stage::Working { .. }) {
                    work.job.stage = Stage::Working { after, left: until - self.now };
                    self.write(&work, out);
                }
                // Its own word may still come before the next call is due.
                work.wait = Wait::Call { at: self.now.saturating_add(after).min(until), until };
                self.work = Some(work);
            }
            HookOutcome::Retry(failure) => self.rest(work, failure, out),
            HookOutcome::Failed(failure) => self.fail(work, "hook", failure, out),
        }
    }

    /// Waits before the next attempt, or gives up after the last one.
    fn rest(&mut self, mut work: Work, failure: Failure, out: &mut Vec<Effect>) {
        if !work.reaction.retry.goes_on(work.job.attempts) {
            return self.fail(work, "hook", failure, out);
        }
        let wait = work.reaction.retry.wait(work.job.attempts, self.settings.seed);
        work.failure = failure;
        work.job.stage = Stage::Resting;
        self.write(&work, out);
        work.wait = Wait::Rest { at: self.now.saturating_add(wait) };
        self.work = Some(work);
    }
}
