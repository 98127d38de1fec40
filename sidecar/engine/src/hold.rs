//! The service as a whole: what was done counts as done only once its checks hold, and no longer than they do.

use pavane_events::Millis;

use crate::effect::Effect;
use crate::engine::Engine;
use crate::health::Verdict;
use crate::input::Failure;
use crate::journal::{Ending, Job, JobKey, Stage};
use crate::rollout::{Rollout, Status};
use crate::settings::{Hold, Reaction, Trigger};
use crate::tally::Word;
use crate::work::{Purpose, Wait, Work};

/// What is known of the service's checks.
#[derive(Debug)]
pub(crate) struct Watch {
    /// The order that the verdict answers; 0 before the first.
    ticket: u64,
    verdict: Verdict,
    /// Since when all of them have been well.
    since: Option<Millis>,
}

impl Default for Watch {
    fn default() -> Self {
        Self { ticket: 0, verdict: Verdict::Starting(Vec::new()), since: None }
    }
}

impl Engine {
    /// Takes what follows from the service's checks.
    pub(crate) fn assessed(&mut self, ticket: u64, verdict: Verdict) {
        if ticket == self.watch.ticket {
            let since = self.watch.since.unwrap_or(self.now);
            self.watch.since = (verdict == Verdict::Ready).then_some(since);
            self.watch.verdict = verdict;
        }
    }

    /// Waits until all checks have been well for long enough, and ends the wait when it has been too long.
    pub(crate) fn hold(&mut self, mut work: Work, out: &mut Vec<Effect>) {
        let (Wait::Hold { ticket, until }, Some(hold)) = (&mut work.wait, work.reaction.hold) else { return };
        if ticket.is_none() {
            let number = self.ticket();
            *ticket = Some(number);
            self.watch = Watch { ticket: number, ..Watch::default() };
            out.push(Effect::Assess { ticket: number });
        } else if self.has_held(hold) {
            work.wait = Wait::version(Purpose::After);
            return self.ask_version(work, out);
        } else if self.now >= *until {
            let (within, why) = (hold.within, self.standing(hold));
            let reason = format!("the service was not well within {within} ms: {why}");
            return self.fail(work, "readiness", Failure { reason, ..Failure::default() }, out);
        }
        self.work = Some(work);
    }

    /// Says that a service is not well any more that had been; once, until it is well again.
    pub(crate) fn watch(&mut self, out: &mut Vec<Effect>) {
        if !matches!(self.watch.verdict, Verdict::Sick(_)) {
            return;
        }
        let well = |_: &Job, word| word == Word::Said;
        let Some(work) = self.done(well).filter(|work| work.job.stage != Stage::Over(Ending::Sickened))
        else {
            return;
        };
        let reason = format!("the service is not well any more: {}", self.watch.verdict.reason());
        let event = self.failure(&work, "readiness", Failure { reason, ..Failure::default() });
        self.conclude(work, Ending::Sickened, Some(event), out);
    }

    /// The reaction whose service had sickened and has held well again for long enough: it says so, if the version
    /// that runs is still the one.
    pub(crate) fn recovered(&self) -> Option<Work> {
        let sick = |job: &Job, word| job.stage == Stage::Over(Ending::Sickened) && word == Word::Failed;
        let mut work =
            self.done(sick).filter(|work| work.reaction.hold.is_some_and(|hold| self.has_held(hold)))?;
        work.wait = Wait::version(Purpose::After);
        Some(work)
    }

    /// When the service will have been well for long enough, where something waits for that.
    pub(crate) fn held_at(&self) -> Option<Millis> {
        let waiting = self.work.as_ref().filter(|work| matches!(work.wait, Wait::Hold { .. }));
        let sick = |job: &Job, _| job.stage == Stage::Over(Ending::Sickened);
        let hold = match waiting {
            Some(work) => work.reaction.hold,
            None => self.done(sick).and_then(|work| work.reaction.hold),
        };
        Some(self.watch.since?.saturating_add(hold?.healthy_for))
    }

    fn has_held(&self, hold: Hold) -> bool {
        self.watch.since.is_some_and(|since| self.now >= since.saturating_add(hold.healthy_for))
    }

    /// What keeps the service from having held, for a person.
    fn standing(&self, hold: Hold) -> String {
        match (self.watch.since, self.watch.verdict.reason()) {
            (Some(since), _) => {
                format!(
                    "it had been so for {} ms, and {} ms are asked for",
                    self.now - since,
                    hold.healthy_for
                )
            }
            (None, reason) if reason.is_empty() => "no check has answered".to_owned(),
            (None, reason) => reason,
        }
    }

    /// The reaction that has deployed the service in the open rollout, with its row and this instance's last word.
    fn done(&self, fits: impl Fn(&Job, Word) -> bool) -> Option<Work> {
        let rollout = self.fold.owner().filter(|rollout| rollout.status == Status::Open)?;
        let held =
            |reaction: &&Reaction| reaction.hold.is_some() && reaction.on != Trigger::RollbackRequested;
        self.settings.reactions.iter().filter(held).find_map(|reaction| {
            let word = rollout.word_about(&self.settings.service, reaction.emit, &self.settings.instance)?;
            let job = self.row(rollout, reaction);
            fits(&job, word).then(|| Work::new(job, reaction.clone(), self.now, Wait::Barrier))
        })
    }

    /// The row of a reaction; a new one where the journal was lost and the log knows that it succeeded.
    fn row(&self, rollout: &Rollout, reaction: &Reaction) -> Job {
        let key = JobKey { rollout: rollout.id.clone(), reaction: reaction.name(), epoch: 1 };
        let stage = Stage::Over(Ending::Succeeded);
        let known = self.memory.jobs.get(&key).cloned();
        known.unwrap_or(Job {
            key,
            stage,
            from: None,
            target: None,
            announced: None,
            causation: None,
            attempts: 0,
            boot: None,
        })
    }
}
