//! The way forward: what is wanted, from which version, and whether it has arrived.

use pavane_choreography::{Expect, Step};
use pavane_events::{EventId, EventType, Record};

use crate::effect::Effect;
use crate::engine::Engine;
use crate::input::Failure;
use crate::journal::{Ending, Job, JobKey, Stage};
use crate::rollout::{Rollout, Status};
use crate::settings::{Reaction, Settings, Trigger};
use crate::tally::Word;
use crate::work::{Observed, Purpose, Wait, Work};

impl Engine {
    /// The next reaction that is wanted under the rollout that owns the service.
    pub(crate) fn wanted(&self) -> Option<Work> {
        let rollout = self.fold.owner().filter(|rollout| !self.fold.is_stopped(rollout))?;
        self.settings.reactions.iter().find_map(|reaction| self.want(rollout, reaction))
    }

    fn want(&self, rollout: &Rollout, reaction: &Reaction) -> Option<Work> {
        if rollout.status != Status::Open {
            return None;
        }
        let step = rollout.station(&self.settings, reaction.emit)?;
        let has_come = |expect: &Expect| rollout.has_come(expect, reaction);
        let come = match &reaction.on {
            Trigger::RolloutStarted => rollout.lets(reaction, reaction.on.name().as_str()),
            Trigger::PhaseBegun => rollout.phase_lets(&step.id, reaction),
            Trigger::RollbackRequested => false,
            Trigger::Event(expect) => has_come(expect),
            Trigger::All(events) => !events.is_empty() && events.iter().all(has_come),
            Trigger::Any(events) => events.iter().any(has_come),
        };
        if !come {
            return None;
        }
        let key = JobKey { rollout: rollout.id.clone(), reaction: reaction.name(), epoch: 1 };
        if self.memory.jobs.contains_key(&key) {
            return None;
        }
        let trigger = trigger_of(rollout, reaction, Some(step));
        let causation = trigger.map(|record| record.event.envelope.id.clone());
        let Settings { service, instance, .. } = &self.settings;
        match rollout.word_about(service, reaction.emit, instance) {
            None => Some(self.fresh(key, reaction, causation, Stage::Announced, Purpose::Before)),
            Some(Word::Started) if !self.remembers(rollout) => {
                // The log knows of a beginning that this journal does not: the journal was lost with a hook
                // that may have run, so it counts as cut short.
                Some(self.fresh(key, reaction, causation, Stage::Running, Purpose::Recovery))
            }
            Some(Word::Started | Word::Said | Word::Failed | Word::Drained) => None,
        }
    }

    fn remembers(&self, rollout: &Rollout) -> bool {
        self.memory.jobs.keys().any(|key| key.rollout == rollout.id)
    }

    fn fresh(
        &self,
        key: JobKey,
        reaction: &Reaction,
        causation: Option<EventId>,
        stage: Stage,
        purpose: Purpose,
    ) -> Work {
        let job =
            Job { key, stage, from: None, target: None, announced: None, causation, attempts: 0, boot: None };
        Work::new(job, reaction.clone(), self.now, Wait::version(purpose))
    }

    /// The version before: announce, or join when the new version runs already.
    pub(crate) fn depart(&mut self, mut work: Work, observed: &Observed, out: &mut Vec<Effect>) {
        let still = self.wanted().is_some_and(|wanted| wanted.job.key == work.job.key);
        let Some(rollout) = self.fold.find(&work.job.key.rollout).filter(|_| still) else { return };
        let step = rollout.station(&self.settings, work.reaction.emit).cloned();
        let since = wanted_since(rollout, &work.reaction, step.as_ref());
        let old = since <= self.caught_up_to;
        work.job.from = observed.as_ref().ok().cloned();
        let arrived =
            step.as_ref().is_some_and(|step| step.version.is_some() && step.accepts(work.job.from.as_ref()));
        if old && arrived {
            self.check(work, out);
            return;
        }
        let event = self.announcement(&work, step.as_ref());
        self.announce(work, event, out);
    }

    /// The version after: say that it has arrived, or that it has not.
    pub(crate) fn arrive(&mut self, work: Work, observed: &Observed, out: &mut Vec<Effect>) {
        let step = self.step_of(&work);
        let wanted = step.as_ref().and_then(|step| step.version.as_ref());
        let asks = wanted.is_some() || work.reaction.emit == EventType::DeploymentComplete;
        let reason = match observed {
            Ok(version) => match (&step, wanted) {
                (Some(step), Some(wanted)) if !step.accepts(Some(version)) => {
                    Some(format!("the service runs {version}, and the plan asks for {wanted}"))
                }
                _ => None,
            },
            Err(error) if asks => Some(format!("the version cannot be observed: {error}")),
            Err(_) => None,
        };
        match reason {
            Some(reason) => self.fail(work, "version", Failure { reason, ..Failure::default() }, out),
            None => self.succeed(work, out),
        }
    }

    /// The version after a hook that was cut short: arrived, or nobody knows.
    pub(crate) fn recover(&mut self, work: Work, observed: &Observed, out: &mut Vec<Effect>) {
        let step = self.step_of(&work);
        let wanted = step.as_ref().and_then(|step| step.version.as_ref());
        let arrived = match (observed, &step, wanted) {
            (Ok(version), Some(step), Some(_)) => step.accepts(Some(version)),
            (Ok(version), _, _) => work.job.from.as_ref().is_some_and(|from| from != version),
            (Err(_), _, _) => false,
        };
        if arrived {
            self.check(work, out);
            return;
        }
        if self.memory.repeatable.remove(&work.job.key) {
            return self.repeat(work, out);
        }
        let why = match observed {
            Ok(version) => format!("the service runs {version}"),
            Err(error) => format!("its version cannot be observed: {error}"),
        };
        let expected = step.as_ref().and_then(crate::speech::exact);
        let event = self.uncertainty(&work, expected, &why);
        self.conclude(work, Ending::Uncertain, Some(event), out);
    }

    /// The step that a reaction works for.
    pub(crate) fn step_of(&self, work: &Work) -> Option<Step> {
        let rollout = self.fold.find(&work.job.key.rollout)?;
        let (own, emit) = (&self.settings, work.reaction.emit);
        rollout.station(own, emit).or_else(|| rollout.own_steps(own, emit).next()).cloned()
    }
}

/// Where a reaction at a step came to be wanted.
fn wanted_since(rollout: &Rollout, reaction: &Reaction, step: Option<&Step>) -> i64 {
    let phase = step.and_then(|step| rollout.phase_begun(&step.id));
    let trigger = trigger_of(rollout, reaction, step);
    let records = phase.into_iter().chain(trigger).map(|record| record.offset);
    records.fold(rollout.begun, i64::max)
}

/// The record that a reaction at a step reacts to.
pub(crate) fn trigger_of<'a>(
    rollout: &'a Rollout,
    reaction: &Reaction,
    step: Option<&Step>,
) -> Option<&'a Record> {
    let phase = step.and_then(|step| rollout.phase_begun(&step.id));
    let of = |expect: &Expect| rollout.trigger(expect, reaction);
    let of_events = || reaction.on.events().into_iter().filter_map(of);
    match &reaction.on {
        Trigger::RolloutStarted => phase.or(Some(&rollout.started)),
        Trigger::PhaseBegun => phase,
        Trigger::RollbackRequested => rollout.asked.as_ref(),
        Trigger::Event(expect) => of(expect),
        Trigger::All(_) => of_events().max_by_key(|record| record.offset),
        Trigger::Any(_) => of_events().min_by_key(|record| record.offset),
    }
}
