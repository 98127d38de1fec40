//! Questions to the service: which version it runs, whether it is well.

use pavane_events::Millis;

use crate::effect::Effect;
use crate::engine::Engine;
use crate::input::Failure;
use crate::journal::Stage;
use crate::work::{Observed, Purpose, Wait, Work};

/// How often the version is asked for before it counts as unknown, and how long the wait between is.
const VERSION_TRIES: u32 = 3;
const VERSION_WAIT: Millis = 500;

impl Wait {
    /// Asks for the version as soon as it is looked at.
    pub(crate) const fn version(purpose: Purpose) -> Self {
        Self::Version { ticket: 0, tries: 0, again: Some(Millis::MIN), purpose }
    }
}

impl Engine {
    /// The hook has done its work: look at the service.
    pub(crate) fn check(&mut self, mut work: Work, out: &mut Vec<Effect>) {
        work.job.stage = Stage::Checking;
        self.write(&work, out);
        work.wait = self.checks(&work);
        self.work = Some(work);
    }

    /// What there is to wait for before the service counts as well.
    pub(crate) fn checks(&self, work: &Work) -> Wait {
        match &work.reaction.ready {
            Some(ready) => Wait::Well {
                ticket: None,
                at: self.now,
                until: self.now.saturating_add(ready.within),
                passed: 0,
                last: "it was never asked".to_owned(),
            },
            None => self.after_probe(work),
        }
    }

    /// What there is to wait for once the reaction's own question is answered well.
    fn after_probe(&self, work: &Work) -> Wait {
        match &work.reaction.hold {
            Some(hold) => Wait::Hold { ticket: None, until: self.now.saturating_add(hold.within) },
            None => Wait::version(Purpose::After),
        }
    }

    /// Takes the version that the service runs, or why it cannot be learnt.
    pub(crate) fn version_observed(&mut self, number: u64, observed: &Observed, out: &mut Vec<Effect>) {
        let Some(mut work) =
            self.take_work(|wait| matches!(wait, Wait::Version { ticket, .. } if *ticket == number))
        else {
            return;
        };
        let Wait::Version { tries, purpose, .. } = work.wait else { return };
        if observed.is_err() && tries < VERSION_TRIES {
            work.wait = Wait::Version { ticket: 0, tries, again: Some(self.now + VERSION_WAIT), purpose };
            self.work = Some(work);
            return;
        }
        self.version = observed.as_ref().ok().cloned();
        match (purpose, work.goes_back()) {
            (Purpose::Before, false) => self.depart(work, observed, out),
            (Purpose::After, false) => self.arrive(work, observed, out),
            (Purpose::Recovery, false) => self.recover(work, observed, out),
            (Purpose::Before, true) => self.turn_back(work, observed, out),
            (Purpose::After, true) => self.come_back(work, observed, out),
            (Purpose::Recovery, true) => self.recover_back(work, observed, out),
        }
    }

    /// Takes the service's word on whether it is well.
    pub(crate) fn probed(&mut self, number: u64, result: Result<(), String>) {
        let asked = |wait: &Wait| matches!(wait, Wait::Well { ticket, .. } if *ticket == Some(number));
        let Some(mut work) = self.take_work(asked) else { return };
        let (Wait::Well { until, passed, last, .. }, Some(ready)) = (&work.wait, work.reaction.ready) else {
            return;
        };
        let (until, (passed, last)) = match result {
            Ok(()) => (*until, (passed + 1, last.clone())),
            Err(why) => (*until, (0, why)),
        };
        work.wait = if passed >= ready.successes {
            self.after_probe(&work)
        } else {
            Wait::Well { ticket: None, at: self.now.saturating_add(ready.every), until, passed, last }
        };
        self.work = Some(work);
    }

    /// Asks for the version when it is time to.
    pub(crate) fn ask_version(&mut self, mut work: Work, out: &mut Vec<Effect>) {
        if let Wait::Version { tries, again: Some(again), purpose, .. } = work.wait
            && self.now >= again
        {
            let ticket = self.ticket();
            work.wait = Wait::Version { ticket, tries: tries + 1, again: None, purpose };
            out.push(Effect::ObserveVersion { ticket });
        }
        self.work = Some(work);
    }

    /// Asks whether the service is well when it is time to, and ends the wait when it has been too long.
    pub(crate) fn ask_well(&mut self, mut work: Work, out: &mut Vec<Effect>) {
        if let Wait::Well { ticket, at, until, last, .. } = &mut work.wait {
            if self.now >= *until {
                let within = work.reaction.ready.map_or(0, |ready| ready.within);
                let reason = format!("the service was not well within {within} ms: {last}");
                self.fail(work, "readiness", Failure { reason, ..Failure::default() }, out);
                return;
            }
            if ticket.is_none() && self.now >= *at {
                self.tickets += 1;
                *ticket = Some(self.tickets);
                let reaction = work.job.key.reaction.clone();
                out.push(Effect::Probe { ticket: self.tickets, reaction });
            }
        }
        self.work = Some(work);
    }
}
