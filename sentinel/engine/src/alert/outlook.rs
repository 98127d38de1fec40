//! What the sentinel does about what it tells, and when, where it is no step that stands still. That it does nothing and a
//! person decides is an outlook too.

use pavane_events::{Service, StepId, Timestamp};

use crate::alert::spoken;
use crate::diagnosis::moment::moment;
use crate::fold::Fold;
use crate::input::BlindCause;
use crate::rollout::{Rollout, Status};

/// That nothing comes of it by itself.
const DECIDES: &str = "a person decides";

impl Fold {
    /// Of an event that came before what must come first.
    pub(super) fn outlook_of_violation(&self, rollout: &Rollout, missing: &str, raw: Timestamp) -> String {
        let kept = format!("it keeps the word, and counts it when {missing} has come");
        match self.next_stall(rollout) {
            Some((step, at)) => {
                format!("{kept}; at {} it tells that step {step} stands still, if it does", moment(at, raw))
            }
            None => format!("{kept}, however long that takes"),
        }
    }

    /// The step whose window ends next, and when people are told of it, unadjusted.
    fn next_stall<'a>(&self, rollout: &'a Rollout) -> Option<(&'a StepId, Timestamp)> {
        let judged = |i: usize| rollout.steps[i].stall.is_some();
        let open = (0..rollout.steps.touched()).filter(|i| rollout.stopped.is_none() && !judged(*i));
        let due = open.filter_map(|i| Some((rollout.deadline(i)?, i))).min()?;
        let at = self.clock.unadjusted(due.0.plus(self.settings.grace(rollout)));
        Some((&rollout.plan_step(due.1).id, at))
    }

    /// Of a rollback that a brake keeps it from.
    pub(crate) fn outlook_of_brake(&self, raw: Timestamp) -> String {
        let forgotten = self.forgotten(raw, raw);
        format!("it has paused the rollout, and does not ask again for this stall: {DECIDES}; {forgotten}")
    }

    /// Of a rollout that a person paused.
    pub(crate) fn outlook_of_pause(&self, raw: Timestamp) -> String {
        format!(
            "nothing until it is resumed, and then with what is left of each window; {}",
            self.forgotten(raw, raw)
        )
    }

    /// Of a domain that a person holds.
    pub(crate) fn outlook_of_hold(&self, raw: Timestamp) -> String {
        let at = moment(raw.plus(self.settings.newest().orphan_after_ms), raw);
        format!(
            "nothing until it is released, and then with what is left of each window; at {at} it tells of each rollout that \
             stands since that nobody looks after it"
        )
    }

    /// Of a phase that waits for somebody's word since the record that was read last, or since its gate opened.
    pub(crate) fn outlook_of_gate(&self, rollout: &Rollout, k: usize) -> String {
        let (phase, raw) = (&rollout.plan_phase(k).id, self.clock.raw());
        let since = rollout.gate_opens(k).map_or(raw, |at| self.clock.unadjusted(at));
        format!("it begins phase {phase} as soon as it is approved; {}", self.forgotten(since, raw))
    }

    /// Of a phase whose maintenance window has closed.
    pub(crate) fn outlook_of_closed(&self, rollout: &Rollout, k: usize) -> String {
        let (phase, raw) = (&rollout.plan_phase(k).id, self.clock.raw());
        let closed = rollout.closes.map(|at| moment(self.clock.unadjusted(at), raw));
        let closed = closed.map_or_else(String::new, |at| format!(": the window closed at {at}"));
        format!("it does not begin phase {phase} any more{closed}; {DECIDES}")
    }

    /// Of an event that came too late to count for a step.
    pub(crate) fn outlook_of_late(&self, rollout: &Rollout, i: usize, raw: Timestamp) -> String {
        if rollout.status != Status::RollingBack {
            return ended(rollout, raw);
        }
        let service = rollout.service(i);
        let due = rollout.deadline(i).map(|at| self.clock.unadjusted(at.plus(self.settings.grace(rollout))));
        due.map_or_else(
            || format!("it goes on with the way back, and asks {service} when its turn has come"),
            |at| {
                format!("it goes on with the way back, and tells a stall of {service} at {}", moment(at, raw))
            },
        )
    }

    /// Of a step that has stood still for very long.
    pub(crate) fn outlook_of_orphan(&self, rollout: &Rollout, i: usize) -> String {
        let stall = rollout.steps[i].stall.as_ref();
        self.waiting(stall.map(|stall| stall.raw))
    }

    /// Of a rollout none of whose clocks has run since then, in partition time.
    pub(crate) fn outlook_of_standing(&self, since: Option<Timestamp>) -> String {
        self.waiting(since.map(|at| self.clock.unadjusted(at)))
    }

    /// That it has waited since then and goes on to.
    fn waiting(&self, since: Option<Timestamp>) -> String {
        let since = since.map(|at| format!(", as it has since {},", moment(at, self.clock.raw())));
        format!("it waits{} and does nothing by itself: {DECIDES}", since.unwrap_or_default())
    }

    /// When people are told that nobody looks after what stands since then.
    fn forgotten(&self, since: Timestamp, now: Timestamp) -> String {
        let at = since.plus(self.settings.newest().orphan_after_ms);
        let when = if at > now { "at" } else { "since" };
        format!("{when} {} it tells that nobody looks after it", moment(at, now))
    }
}

/// Of a rollout that has ended.
pub(crate) fn ended(rollout: &Rollout, raw: Timestamp) -> String {
    let at = rollout.ended.map_or_else(String::new, |at| format!(" at {}", moment(at, raw)));
    format!("it asks for nothing more: the rollout ended{at}; {DECIDES}")
}

/// Of a start that another rollout is in the way of.
pub(crate) fn refused(id: &str, other: &str) -> String {
    format!("it does not start {id} by itself, neither at once nor when {other} ends: {DECIDES}")
}

/// Of a phase that moves a share of services of which nobody is heard.
pub(crate) fn unheard(phase: &str) -> String {
    format!(
        "it looks with every heartbeat, and begins phase {phase} as soon as all of them are heard, however long that takes"
    )
}

/// Of a phase that is watched by a metric without a value.
pub(crate) fn blindfold(rollout: &Rollout, k: usize) -> String {
    let phase = rollout.plan_phase(k);
    let every = phase
        .watch
        .as_ref()
        .map_or_else(|| "again".to_owned(), |watch| format!("every {}", spoken(watch.every)));
    format!(
        "it asks {every}, and goes on or back by itself as soon as there is a value; without one it decides nothing"
    )
}

/// Of an instance that drifts.
pub(crate) fn drifting(service: &Service, versions: &str) -> String {
    format!(
        "it does nothing by itself: {DECIDES}; it is told to be over when {versions} runs there, the instance is gone, or a \
         rollout takes {service} over"
    )
}

/// Of versions that run together and should not.
pub(crate) fn skewed(service: &Service, with: &Service) -> String {
    format!(
        "it does nothing by itself, and takes nothing back: {DECIDES}; it is told to be over when these versions of {service} \
         and {with} have not been heard together for as long, or no plan says so any more"
    )
}

/// Of a choreography that did not start again.
pub(crate) fn unstarted(name: &str) -> String {
    format!("it starts nothing by itself: {DECIDES}; it is told to be over when {name} starts")
}

/// Of a sentinel that cannot see.
pub(super) const fn blind(cause: BlindCause) -> &'static str {
    match cause {
        BlindCause::NoSight | BlindCause::Broker | BlindCause::Denied | BlindCause::Registry => {
            "it tries again every ten seconds at least, and judges what came meanwhile as soon as it sees"
        }
        BlindCause::RegistryTamper => {
            "it asks again every ten seconds at least, and goes on by itself as soon as the registry serves what is known"
        }
        BlindCause::TopicConfig => {
            "it looks again every ten seconds at least, and stands before a record that carries its producer's time until a \
             person begins anew behind it"
        }
        BlindCause::HistoryLost
        | BlindCause::LogReplaced
        | BlindCause::LogRewound
        | BlindCause::PartitionsChanged => {
            "it reads nothing more of the domain until it is started again: a person decides"
        }
        BlindCause::NewerVocabulary | BlindCause::NewerRules => {
            "it judges nothing more of the domain until it is upgraded; others that are go on"
        }
    }
}
