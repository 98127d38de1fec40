//! What people are told of a way back, and what outlasts the rollout: services in two versions, a step that nobody can
//! take back, an event that came too late. It burns until a later rollout of one of the services is complete, or the
//! rollout is forgotten.

use pavane_events::command::RolloutPaused;
use pavane_events::{Record, identity};

use crate::alert::{About, Concern, Matter, outlook};
use crate::effect::{Counter, Effect};
use crate::fold::Fold;
use crate::rollout::{Rollout, Status};
use crate::spoken::Saying;
use crate::words::Heard;

impl Fold {
    /// A brake keeps the sentinel from asking for a rollback: the rollout stands still and a person decides.
    pub(crate) fn raise_withheld(
        &mut self,
        n: u64,
        i: usize,
        record: &Record,
        said: &RolloutPaused,
        out: &mut Vec<Effect>,
    ) {
        let rollout = &self.rollouts[n];
        let (id, step) = (&record.event.envelope.id, rollout.plan_step(i));
        let cause = rollout.steps[i].stall.as_ref().map_or("unknown", |stall| stall.cause.as_str());
        let mut alert = self.alert(rollout, "RollbackWithheld", Some(i), cause, id, record.at);
        page(&mut alert);
        alert.say("summary", format!("{}: it stands still and is not rolled back", rollout.score.plan.name));
        alert.say(
            "description",
            format!(
                "The plan asks for a rollback of {}, and a brake of the domain keeps the sentinel from it: {}. The \
                 rollout is paused; the sentinel does not ask again for this stall of step {}.",
                rollout.id, said.reason, step.id
            ),
        );
        let next =
            "`pavane rollback {0} --reason …` goes back all the same, `pavane resume {0}` goes on without";
        alert.say("next_step", next.replace("{0}", rollout.id.as_str()));
        alert.say("outlook", self.outlook_of_brake(record.at));
        self.burn(n, About::Step(i, Concern::Withheld), alert, out);
    }

    /// A person took it in hand: nothing is withheld any more.
    pub(crate) fn resolve_withheld(&mut self, n: u64, out: &mut Vec<Effect>) {
        let steps =
            self.rollouts.get(n).filter(|rollout| rollout.burning > 0).map(|rollout| rollout.steps.len());
        for i in 0..steps.unwrap_or(0) {
            self.over(n, About::Step(i, Concern::Withheld), out);
        }
    }

    /// A rollback that did not succeed everywhere.
    pub(crate) fn raise_partial(&mut self, n: u64, record: &Record, out: &mut Vec<Effect>) {
        let rollout = &self.rollouts[n];
        let id = &record.event.envelope.id;
        let mut alert = self.alert(rollout, "RolloutPartial", None, "failed", id, record.at);
        page(&mut alert);
        let left = rollout.not_back().join("; ");
        let summary = format!("{}: the rollback did not succeed everywhere: {left}", rollout.score.plan.name);
        alert.say("summary", summary);
        let why = rollout.went_back_from().map_or_else(String::new, |i| {
            let (step, event) = (&rollout.plan_step(i).id, rollout.expects(i));
            format!("It went back because step {step} stood still: {event} was missing. ")
        });
        alert.say(
            "description",
            format!(
                "{why}Some services are back on the old version, some are not: {left}. The sentinel asks for nothing more."
            ),
        );
        alert.say("next_step", format!("bring these to one version by hand: {left}"));
        alert.say("lacking", left);
        alert.say("outlook", outlook::ended(rollout, record.at));
        if let Some(i) = rollout.first_not_back() {
            let (service, owner) = (rollout.service(i).into_owned(), rollout.plan_step(i).owner.clone());
            alert.labels.insert("service".to_owned(), service.to_string());
            alert.labels.insert("step".to_owned(), rollout.plan_step(i).id.to_string());
            alert.labels.insert("owner".to_owned(), owner.clone());
            alert.say("culprit", service.to_string());
            alert.say("culprit_owner", owner);
        }
        self.burn(n, About::Whole(Matter::Partial), alert, out);
    }

    /// A way back that ended above steps which nobody can take back.
    pub(crate) fn raise_frozen(&mut self, n: u64, record: &Record, out: &mut Vec<Effect>) {
        let rollout = &self.rollouts[n];
        let frozen: Vec<usize> = (0..rollout.steps.len()).filter(|i| rollout.is_frozen(*i)).collect();
        let Some(&first) = frozen.first() else { return };
        let id = identity::decision_id(&rollout.id, rollout.epoch, None, "RollbackFrozen", rollout.attempt);
        let mut alert = self.alert(rollout, "RollbackFrozen", Some(first), "irreversible", &id, record.at);
        page(&mut alert);
        let name = |i: &usize| format!("{} ({})", rollout.plan_step(*i).id, rollout.expects(*i));
        let steps = frozen.iter().map(name).collect::<Vec<_>>().join(", ");
        let kept = |i: &usize| {
            let state = &rollout.steps[*i];
            !state.goes_back && state.moved().next().is_some() && !frozen.contains(i)
        };
        let below: Vec<_> = (0..rollout.steps.len()).filter(kept).map(|i| name(&i)).collect();
        alert.say("summary", format!("{}: the rollback stopped at {steps}", rollout.score.plan.name));
        alert.say(
            "description",
            format!(
                "What stands above is back. {steps} cannot be taken back and stays{}. The sentinel asks for nothing more.",
                if below.is_empty() { String::new() } else { format!(", and so does {}", below.join(", ")) }
            ),
        );
        if let Some(i) = rollout.went_back_from() {
            alert.say("origin", rollout.plan_step(i).id.to_string());
            alert.say("culprit", rollout.service(i).to_string());
            alert.say("culprit_owner", rollout.plan_step(i).owner.clone());
        }
        let next = "decide what becomes of what stays: does the old version of the others run with it?";
        alert.say("next_step", next.to_owned());
        alert.say("outlook", outlook::ended(rollout, record.at));
        self.burn(n, About::Whole(Matter::Frozen), alert, out);
    }

    /// The awaited event of a step came after the decision to go back took force, or after the rollout had ended
    /// without it: it counts no more, and people are told.
    pub(crate) fn late(&mut self, n: u64, record: &Record, heard: Option<&Heard>, out: &mut Vec<Effect>) {
        let rollout = &self.rollouts[n];
        let going_back = rollout.status == Status::RollingBack;
        out.push(Effect::Count(Counter::Late(if going_back { "after_decision" } else { "after_end" })));
        let awaited = heard.map(|heard| (heard, heard.steps().next()));
        let Some((heard, Some(i))) = awaited else { return };
        let is_awaited = heard.word(rollout, i).saying == Saying::Awaited;
        // a further instance of a rollout that is complete is no news
        let told = self.burning.contains_key(&(n, About::Step(i, Concern::Late)));
        if !is_awaited || told || rollout.status == Status::Completed {
            return;
        }
        let id = &record.event.envelope.id;
        let mut alert = self.alert(rollout, "LateEvent", Some(i), "conflict", id, record.at);
        alert.labels.insert("severity".to_owned(), "ticket".to_owned());
        let (who, what) = (&heard.instance, rollout.expects(i));
        let version = record.event.envelope.version.as_ref();
        let version = version.map_or_else(String::new, |version| format!(" of version {version}"));
        alert.say("summary", format!("{}: {what} of {who} came too late", rollout.score.plan.name));
        let then = if going_back {
            "the rollout goes back, and so does it".to_owned()
        } else {
            format!("the rollout is {}; look what {who} runs", rollout.status.as_str().replace('_', " "))
        };
        alert.say(
            "description",
            format!("{who} said {what}{version} at offset {}; it counts no more: {then}.", record.offset),
        );
        alert.say("offsets", record.offset.to_string());
        alert.say("next_step", format!("look which version {who} runs, and whether the others run with it"));
        alert.say("outlook", self.outlook_of_late(rollout, i, record.at));
        self.burn(n, About::Step(i, Concern::Late), alert, out);
    }

    /// A rollout is complete: what burns of earlier ones about its services is over.
    pub(crate) fn resolve_leftovers(&mut self, n: u64, out: &mut Vec<Effect>) {
        let touches = |other: &u64| {
            let (Some(other), Some(own)) = (self.rollouts.get(*other), self.rollouts.get(n)) else {
                return false;
            };
            let mut services = (0..other.steps.len()).map(|i| other.service(i));
            !other.status.is_open() && services.any(|service| own.touches(&service))
        };
        let earlier: Vec<u64> = self.left_over.range(..n).copied().filter(touches).collect();
        for other in earlier {
            self.resolve_all(other, out);
        }
    }
}

impl Rollout {
    /// That the event of a step came after it had been told missing, in words.
    pub(crate) fn lateness(&self, i: usize) -> Option<String> {
        let state = &self.steps[i];
        let full = state.full.filter(|_| !state.overridden)?;
        Some(format!("{} came after it had been told missing, at offset {}", self.expects(i), full.offset()))
    }
}

fn page(alert: &mut crate::effect::Alert) {
    alert.labels.insert("severity".to_owned(), "page".to_owned());
}
