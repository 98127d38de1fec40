//! What a step is missing, in the words of plans, and why it stands still as far as the log alone says.

use pavane_events::{Cause, Evidence, Instance};

use crate::rollout::{Rollout, Status};

impl Rollout {
    /// What should have come before a step and of which nothing has: events as plans write them, and its phase.
    pub(crate) fn missing_before(&self, i: usize) -> Vec<String> {
        let (score, came) = (&self.score, |a: usize| self.steps[a].has_come());
        let expected = |a: &usize| self.expects(*a);
        let mut missing: Vec<String> = score.after[i].iter().filter(|a| !came(**a)).map(expected).collect();
        let any = &score.after_any[i];
        if !any.is_empty() && !any.iter().any(|a| came(*a)) {
            missing.push(any.iter().map(expected).collect::<Vec<_>>().join(" or "));
        }
        let phase = score.phase_of[i].filter(|phase| self.phases[*phase].begun.is_none());
        missing.extend(phase.map(|phase| format!("PhaseBegun {}", score.plan.phases[phase].id)));
        missing
    }

    /// What an accepted stall of this step is called.
    pub(crate) fn stall_name(&self) -> &'static str {
        if self.status == Status::RollingBack { "RollbackStalled" } else { "RolloutStalled" }
    }

    /// What the step is missing, as plans write it.
    pub(crate) fn missing(&self, i: usize) -> String {
        let step = self.plan_step(i);
        if let Some(missing) = self.steps[i].stall.as_ref().and_then(|stall| stall.missing.as_ref()) {
            return missing.clone();
        }
        match self.status {
            Status::RollingBack => self.expects_back(i),
            Status::Queued
            | Status::Open
            | Status::Completed
            | Status::RolledBack
            | Status::Partial
            | Status::Aborted => {
                let unstarted = step.started_within.is_some() && self.steps[i].words.is_empty();
                if unstarted { format!("{}.DeploymentStarted", self.service(i)) } else { self.expects(i) }
            }
        }
    }

    /// The event that a step awaits on the way back, as plans write it.
    pub(crate) fn expects_back(&self, i: usize) -> String {
        let step = self.plan_step(i);
        if step.per_rollout {
            return format!("{}.{}", self.service(i), step.compensate.expect.event);
        }
        step.compensate.expect.to_string()
    }

    /// How what an instance says contradicts what a step asks for, in words.
    pub(crate) fn contradiction(&self, i: usize, instance: &Instance) -> String {
        let version = self.steps[i].words.get(instance).and_then(|word| word.version());
        let asked = self.plan_step(i).version.as_ref().map_or("any".to_owned(), ToString::to_string);
        let said = version.map_or("no version".to_owned(), |version| format!("version {version}"));
        format!("it said {} of {said}, and the step counts {asked}", self.plan_step(i).expect.event)
    }

    /// The cause that the log alone gives a stall by its deadline, refined by what was quoted.
    pub(crate) fn cause(&self, i: usize, evidence: &[Evidence]) -> Cause {
        let state = &self.steps[i];
        if state.taint.is_some() || state.rejection.is_some() {
            return Cause::ContractBroken;
        }
        if state.is_contradicted() && self.status == Status::Open {
            return evidence.iter().map(|seen| seen.cause).fold(Cause::Conflict, Cause::max);
        }
        let by_words = if state.words.is_empty() { Cause::NotStarted } else { Cause::NotFinished };
        let quoted = evidence.iter().map(|seen| seen.cause).max().unwrap_or_default();
        if matches!(quoted, Cause::NotStarted | Cause::NotFinished) { by_words } else { quoted }
    }
}
