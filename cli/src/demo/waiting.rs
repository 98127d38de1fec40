//! What the acts wait for, and what came of them.

use std::time::Duration;

use pavane_events::RolloutId;
use pavane_sentinel_engine::{RolloutView, StepStatus};

use super::log::Chronicle;
use super::receiver::Arrival;
use super::report::{Act, Told, millis};
use super::stage::{PATIENCE, Stage, fallen, stuck};
use crate::failure::Failure;

impl Stage {
    /// Waits until something can be seen on the log or at the receiver.
    pub async fn until<T>(
        &mut self,
        what: &str,
        mut seen: impl FnMut(&Chronicle, &[Arrival]) -> Option<T>,
    ) -> Result<T, Failure> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let found = seen(&self.chronicle.borrow_and_update(), &self.arrivals.borrow_and_update());
            if let Some(found) = found {
                return Ok(found);
            }
            tokio::select! {
                Ok(()) = self.chronicle.changed() => {}
                Ok(()) = self.arrivals.changed() => {}
                Some(shell) = self.shells.join_next() => return Err(fallen(shell)),
                () = tokio::time::sleep_until(deadline) => return Err(stuck(what)),
            }
        }
    }

    /// Waits until a rollout has ended, and returns it as it stands.
    pub async fn end_of(&mut self, rollout: &RolloutId) -> Result<RolloutView, Failure> {
        let ended = |chronicle: &Chronicle, _: &[Arrival]| {
            chronicle.rollout(rollout).filter(|rollout| !rollout.status.is_open()).cloned()
        };
        self.until("the rollout to end", ended).await
    }

    /// Waits until a stall of a rollout is read here; the phone may have rung before.
    pub async fn stall_of(&mut self, rollout: &RolloutId) -> Result<(), Failure> {
        let said = |chronicle: &Chronicle, _: &[Arrival]| chronicle.stall_of(rollout).map(drop);
        self.until("the stall to stand on the log", said).await
    }

    /// Waits until an alert about a rollout has come in with this status: `firing` or `resolved`.
    pub async fn alert(&mut self, rollout: &RolloutId, status: &str) -> Result<Arrival, Failure> {
        let came = |_: &Chronicle, arrivals: &[Arrival]| {
            let mine = |arrival: &&Arrival| {
                arrival.alert.labels.rollout == rollout.as_str() && arrival.alert.status == status
            };
            arrivals.iter().find(mine).cloned()
        };
        self.until("the alert to come in", came).await
    }

    /// The alerts about a rollout that have come in so far.
    pub fn alerts(&self, rollout: &RolloutId) -> Vec<Told> {
        let arrivals = self.arrivals.borrow();
        let mine = arrivals.iter().filter(|arrival| arrival.alert.labels.rollout == rollout.as_str());
        mine.map(Told::from).collect()
    }

    /// What has come of a rollout so far.
    pub fn act(&self, name: &'static str, id: &RolloutId, fault_to_alert: Option<Duration>) -> Act {
        let chronicle = self.chronicle.borrow();
        let rollout = chronicle.rollout(id);
        let stalled = |rollout: &RolloutView| {
            rollout.status.is_open() && rollout.steps.iter().any(|step| step.state == StepStatus::Stalled)
        };
        let outcome = rollout
            .map_or("unknown", |rollout| if stalled(rollout) { "stalled" } else { rollout.status.as_str() });
        Act {
            name,
            rollout: id.clone(),
            outcome: outcome.to_owned(),
            verdicts: rollout.map(|rollout| rollout.verdicts.clone()).unwrap_or_default(),
            alerts: self.alerts(id),
            fault_to_alert_ms: fault_to_alert.map(millis),
            surprises: self.receiver.refused(),
        }
    }
}
