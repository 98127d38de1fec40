//! What to do about something that is missing, and what the sentinel does: alerts and `pavane why` say the same.

use pavane_choreography::OnStall;
use pavane_events::Cause;

use super::words::spaced;

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

    /// What the sentinel does. `brake` is what keeps it from asking for a rollback by itself.
    pub(crate) fn outlook(&self, brake: Option<&str>) -> String {
        let (event, cause) = (self.event, spaced(self.cause.as_str()));
        if self.back {
            return format!(
                "it waits for {event}, and ends the rollout as rolled back in part if nothing else is left"
            );
        }
        match self.remedy {
            OnStall::Rollback if !self.cause.allows_rollback() => {
                format!("it asks for no rollback where the cause is {cause}: a person decides")
            }
            OnStall::Rollback => match brake {
                Some(brake) => format!("it pauses the rollout instead of asking for the way back: {brake}"),
                None => "it asks everyone who moved to go back, as soon as what is heard after the stall confirms the cause"
                    .to_owned(),
            },
            OnStall::Pause => "it pauses the rollout at once".to_owned(),
            OnStall::Alert if event.contains(' ') => "it waits: a person decides".to_owned(),
            OnStall::Alert => format!("it waits: {event} lifts the stall when it comes after all"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_has_a_next_step_that_names_somebody_and_never_promises_a_rollback_on_weak_evidence() {
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
