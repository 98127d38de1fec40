//! What came of the story: for programs, and for the question whether it came out as told.

use std::time::Duration;

use pavane_events::RolloutId;
use pavane_sentinel_engine::VerdictView;
use serde::Serialize;

use super::receiver::Arrival;

/// The whole story.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Its acts, in order.
    pub acts: Vec<Act>,
    /// How long it took, in seconds.
    pub seconds: f64,
}

/// One act.
#[derive(Clone, Debug, Serialize)]
pub struct Act {
    /// Its name: `completes`, `contract-broken` or `hangs`.
    pub name: &'static str,
    /// The rollout that it is about.
    pub rollout: RolloutId,
    /// How the rollout stood at its end: `completed`, `stalled` or `rolled_back`.
    pub outcome: String,
    /// What was decided about it, in order.
    pub verdicts: Vec<VerdictView>,
    /// The alerts that came in over the webhook, each with a signature that held.
    pub alerts: Vec<Told>,
    /// From the fault to the alert's arrival, in milliseconds; none where nothing was at fault.
    pub fault_to_alert_ms: Option<u64>,
    /// How it came out otherwise than told; empty when all is well.
    #[serde(skip)]
    pub surprises: Vec<String>,
}

/// One alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Told {
    /// The kind of alert.
    pub alertname: String,
    /// `firing` or `resolved`.
    pub status: String,
    /// The step.
    pub step: String,
    /// The service that owes the event.
    pub service: String,
    /// The team that owns the step.
    pub owner: String,
    /// Why.
    pub cause: String,
    /// In one line.
    pub summary: String,
    /// The id of the delivery, the same on every retry.
    pub delivery: String,
}

impl Report {
    /// Everything that came out otherwise than told.
    pub fn surprises(&self) -> Vec<String> {
        let named = |act: &Act| {
            let name = act.name;
            act.surprises.iter().map(move |what| format!("{name}: {what}")).collect::<Vec<_>>()
        };
        self.acts.iter().flat_map(named).collect()
    }
}

impl Act {
    /// Notes when something is not as it should be.
    pub fn expect(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        if !holds {
            self.surprises.push(otherwise());
        }
    }

    /// The verdicts, each as `kind step cause service`.
    pub fn verdict_lines(&self) -> Vec<String> {
        let word = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let line = |verdict: &VerdictView| {
            format!(
                "{} {} {} {}",
                verdict.kind,
                word(&verdict.step),
                word(&verdict.cause),
                word(&verdict.service)
            )
        };
        self.verdicts.iter().map(line).collect()
    }
}

impl From<&Arrival> for Told {
    fn from(arrival: &Arrival) -> Self {
        let (labels, delivery) = (arrival.alert.labels.clone(), arrival.delivery.clone());
        let (status, summary) = (arrival.alert.status.clone(), arrival.alert.annotations.summary.clone());
        Self {
            alertname: labels.alertname,
            status,
            step: labels.step,
            service: labels.service,
            owner: labels.owner,
            cause: labels.cause,
            summary,
            delivery,
        }
    }
}

/// Whole milliseconds.
pub fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
