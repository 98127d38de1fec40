//! What to do about something that is missing, and what the sentinel does: alerts and `pavane why` say the same.

use pavane_choreography::OnStall;
use pavane_events::{Cause, Millis, Timestamp};

use super::moment::moment;
use super::words::spaced;
use crate::heartbeats::ALIVE;

/// Something that is missing, and the cause that was judged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case<'a> {
    pub(crate) rollout: &'a str,
    pub(crate) step: &'a str,
    /// The event that is missing, or what else is the matter, in words.
    pub(crate) event: &'a str,
    /// Whose doing it is.
    pub(crate) culprit: &'a str,
    /// The instances that owe the event, or the service where none is known.
    pub(crate) who: &'a str,
    pub(crate) cause: Cause,
    /// What the plan asks for.
    pub(crate) remedy: OnStall,
    /// Whether the rollout goes back already.
    pub(crate) back: bool,
    pub(crate) times: Times,
}

/// When what happened, and what comes when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    /// When it is told.
    pub(crate) now: Timestamp,
    /// When the stall was accepted.
    pub(crate) judged: Timestamp,
    /// Whether the plan's remedy has been taken, or a person has gone on without it.
    pub(crate) in_hand: bool,
    /// When nobody waits for an answer on the way back any more.
    pub(crate) gives_up: Option<Timestamp>,
    /// How long a step may stand still before people are told that nobody looks after it.
    pub(crate) orphan_after: Millis,
}

impl Case<'_> {
    /// What a person does next, the most likely first.
    pub(crate) fn next(&self) -> Vec<String> {
        let Self { rollout, step, .. } = self;
        if self.back {
            return vec![self.first_back()];
        }
        let ways = format!(
            "`pavane rollback {rollout} --reason …` takes all back; `pavane override {rollout} {step} --reason …` counts \
             the step as met"
        );
        let acts = self.remedy == OnStall::Rollback && self.cause.allows_rollback();
        std::iter::once(self.first()).chain((!acts).then_some(ways)).collect()
    }

    fn first(&self) -> String {
        let Self { rollout, event, culprit, who, .. } = self;
        match self.cause {
            Cause::ContractBroken => format!(
                "{culprit} wrote an event that its readers cannot read: say it again in the agreed schema, or push the \
                 new one (`pavane schemas push`) and upgrade its readers"
            ),
            Cause::Unreachable => {
                format!("look whether {who} runs, with its sidecar and its host, and reaches Kafka")
            }
            Cause::Undelivered => format!(
                "look at the way from {who} to Kafka: the event waits in the sidecar's outbox, and counts when it arrives"
            ),
            Cause::Gap => format!(
                "look what {who} runs: its event was acknowledged and is not on the log. If all is well, say it again \
                 with `pavane emit --rollout {rollout}`"
            ),
            Cause::Conflict => format!(
                "make {who} agree with the plan: the version that the step asks for, and one sidecar for each instance name"
            ),
            Cause::OutOfOrder => {
                format!(
                    "find out who moved {culprit} early; its word is kept, and counts once its turn has come"
                )
            }
            Cause::Unknown => {
                format!(
                    "wait for the next heartbeats of {culprit}: they tell more; `pavane why {rollout}` asks them"
                )
            }
            Cause::Failed if event.contains(' ') => {
                self.then(&format!("look at {who}: the metric that it is watched by is out of its bound"))
            }
            Cause::Failed => self.then(&format!("mend {who}: the reason and the hook's last lines say why")),
            Cause::NotStarted => self.then(&format!(
                "find out why the upgrade has not begun on {who} (does the sidecar's file react to what the step waits for?)"
            )),
            Cause::NotFinished => self.then(&format!("look what holds {who} up")),
        }
    }

    /// What follows where the plan may let the sentinel act.
    fn then(&self, first: &str) -> String {
        let rollout = self.rollout;
        match self.remedy {
            OnStall::Rollback => format!("{first}; the sentinel takes the rollout back meanwhile"),
            OnStall::Pause => format!("{first}; then `pavane resume {rollout}`"),
            OnStall::Alert => format!("{first}; it counts when it reports after all"),
        }
    }

    fn first_back(&self) -> String {
        let Self { who, .. } = self;
        format!("look at {who}: its way back did not end; bring it to one version by hand")
    }

    /// What the sentinel does, and when. `brake` is what keeps it from asking for a rollback by itself.
    pub(crate) fn outlook(&self, brake: Option<&str>) -> String {
        let (event, cause) = (self.event, spaced(self.cause.as_str()));
        if self.back {
            let until = self.times.gives_up.map_or(String::new(), |at| format!(" until {}", self.moment(at)));
            return format!(
                "it waits for {event}{until}, and then ends the rollout as rolled back in part if nothing else is left"
            );
        }
        let reminder = self.reminder();
        match self.remedy {
            OnStall::Rollback if !self.cause.allows_rollback() => {
                format!("it asks for no rollback where the cause is {cause}: a person decides; {reminder}")
            }
            OnStall::Rollback | OnStall::Pause if self.times.in_hand => {
                format!("it waits: the plan's remedy has been taken, a person decides; {reminder}")
            }
            OnStall::Rollback => self.rollback(brake),
            OnStall::Pause => format!("it pauses the rollout at once ({})", self.moment(self.times.judged)),
            OnStall::Alert if event.contains(' ') => format!("it waits: a person decides; {reminder}"),
            OnStall::Alert => {
                format!("it waits: {event} lifts the stall when it comes after all; {reminder}")
            }
        }
    }

    /// How it comes to a rollback: heartbeats come every second, and each that still counts is no older than this.
    fn rollback(&self, brake: Option<&str>) -> String {
        let Times { now, judged, .. } = self.times;
        let what = match brake {
            Some(_) => "it pauses the rollout instead of asking for the way back",
            None => "it asks everyone who moved to go back",
        };
        let why = brake.map_or(String::new(), |brake| format!(": {brake}"));
        let by = judged.plus(ALIVE);
        if by >= now {
            let by = self.moment(by);
            return format!(
                "{what} by {by}, as soon as what is heard after the stall confirms the cause{why}"
            );
        }
        let since = self.moment(judged);
        format!("{what} as soon as what is heard confirms the cause, which nothing has since {since}{why}")
    }

    /// What it does when nobody does anything.
    fn reminder(&self) -> String {
        let Times { now, judged, orphan_after, .. } = self.times;
        let at = judged.plus(orphan_after);
        let when = if at > now { "at" } else { "since" };
        format!("{when} {} it tells that nobody looks after the step", self.moment(at))
    }

    fn moment(&self, at: Timestamp) -> String {
        moment(at, self.times.now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(now: Timestamp) -> Times {
        let judged = Timestamp(1_795_269_800_000);
        Times { now, judged, in_hand: false, gives_up: Some(judged.plus(60_000)), orphan_after: 86_400_000 }
    }

    #[test]
    fn what_the_sentinel_does_is_told_with_the_time() {
        let judged = Timestamp(1_795_269_800_000);
        let told = |cause, remedy, back, times| {
            let (rollout, step, event) = ("r-42", "users", "users.DeploymentComplete");
            let case =
                Case { rollout, step, event, culprit: "users", who: "users-0", cause, remedy, back, times };
            case.outlook(None)
        };
        let failed = Cause::Failed;
        for (outlook, says) in [
            (told(failed, OnStall::Rollback, false, times(judged)), "go back by 14:03:23 UTC (in 3 s)"),
            (
                told(failed, OnStall::Rollback, false, times(judged.plus(60_000))),
                "nothing has since 14:03:20 UTC (1m 0s ago)",
            ),
            (told(failed, OnStall::Pause, false, times(judged)), "at once (14:03:20 UTC)"),
            (
                told(failed, OnStall::Alert, false, times(judged)),
                "at 2026-11-22 14:03:20 UTC (in 24h 0m) it tells",
            ),
            (
                told(Cause::Gap, OnStall::Rollback, false, times(judged)),
                "a person decides; at 2026-11-22 14:03:20 UTC",
            ),
            (
                told(failed, OnStall::Pause, false, Times { in_hand: true, ..times(judged) }),
                "the plan's remedy has been taken",
            ),
            (
                told(failed, OnStall::Alert, true, times(judged)),
                "until 14:04:20 UTC (in 1m 0s), and then ends",
            ),
        ] {
            assert!(outlook.contains(says), "{says}: {outlook}");
        }
    }

    #[test]
    fn every_cause_has_a_next_step_that_names_somebody_and_never_promises_a_rollback_on_weak_evidence() {
        let judged = Timestamp(1_795_269_800_000);
        for cause in Cause::ALL {
            for remedy in [OnStall::Alert, OnStall::Pause, OnStall::Rollback] {
                let case = Case {
                    rollout: "r-42",
                    step: "users",
                    event: "users.DeploymentComplete",
                    culprit: "users",
                    who: "users-0",
                    cause,
                    remedy,
                    back: false,
                    times: times(judged),
                };
                let (next, outlook) = (case.next(), case.outlook(None));
                assert!(next[0].contains("users"), "{cause:?}: {next:?}");
                let promises =
                    next[0].contains("takes the rollout back") || outlook.contains("asks everyone");
                let ways = next.iter().any(|line| line.contains("pavane rollback r-42"));
                assert_eq!(ways, !promises, "{cause:?}: {next:?}");
                assert_eq!(
                    promises,
                    remedy == OnStall::Rollback && cause.allows_rollback(),
                    "{cause:?} {remedy:?}: {next:?} {outlook}"
                );
            }
        }
    }
}
