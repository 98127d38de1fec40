//! What changed, for those who want to see it beside their incidents: a rollout has started, or it has ended.
//!
//! A change is brought like an alert that is over when it begins: under an id that every replica gives it, once to each who
//! wants it, and after a crash again where nobody knows that it arrived.

use std::collections::BTreeMap;

use pavane_alerts::CHANGE;
use pavane_events::identity::sha256_hex;
use pavane_events::{Body, Domain, Entry, EventId, RolloutId, Timestamp};
use pavane_sentinel_engine::diagnosis::lasting;
use pavane_sentinel_engine::{Alert, AlertStatus, Ended, RolloutView, Status};

/// How many services are named.
const NAMED: usize = 20;

/// A record that says that a rollout starts.
pub(crate) struct Start {
    pub(crate) rollout: RolloutId,
    offset: i64,
    by: String,
    reason: String,
}

impl Start {
    /// What an entry says of a start; none where it says something else.
    pub(crate) fn of(entry: &Entry) -> Option<Self> {
        let Entry::Event(record) = entry else { return None };
        let Body::RolloutStarted(body) = &record.event.body else { return None };
        Some(Self {
            rollout: record.event.envelope.rollout.clone()?,
            offset: record.offset,
            by: body.by.clone(),
            reason: body.reason.clone(),
        })
    }

    /// The change; none where the record had no effect: the rollout stood there already.
    pub(crate) fn change(&self, domain: &Domain, view: &RolloutView) -> Option<Alert> {
        let by = if self.by.is_empty() { "somebody" } else { &self.by };
        let word = if view.status == Status::Queued { "queued" } else { "started" };
        let why = if self.reason.is_empty() { String::new() } else { format!(": {}", self.reason) };
        let summary = format!("{}: rollout {} {word} by {by}{why}", view.choreography, view.id);
        let mut change = change(domain, view, (word, self.offset), view.started_at, summary);
        change.annotations.insert("by".to_owned(), by.to_owned());
        (view.offset == self.offset).then_some(change)
    }
}

/// The change that a rollout has ended, at this offset.
pub(crate) fn ended(domain: &Domain, view: &RolloutView, ended: &Ended, offset: i64) -> Alert {
    let word = ended.status.as_str();
    let how = match ended.status {
        Status::RolledBack => "was rolled back",
        Status::Partial => "was rolled back in part",
        Status::Aborted => "was aborted",
        Status::Completed | Status::Queued | Status::Open | Status::RollingBack => "completed",
    };
    let stalls = view.verdicts.iter().filter(|verdict| verdict.kind == "RolloutStalled");
    let stalls =
        stalls.filter_map(|stall| Some(format!("{} ({})", stall.step.as_ref()?, stall.cause.as_ref()?)));
    let stalls: Vec<String> = stalls.collect();
    let why =
        if stalls.is_empty() { String::new() } else { format!("; it stood still at {}", stalls.join(", ")) };
    let took = lasting(ended.ended.since(ended.started).max(0));
    let summary = format!("{}: rollout {} {how} after {took}{why}", ended.choreography, ended.rollout);
    change(domain, view, (word, offset), ended.ended, summary)
}

fn change(
    domain: &Domain,
    view: &RolloutView,
    (word, offset): (&str, i64),
    at: Timestamp,
    summary: String,
) -> Alert {
    let labels = [
        ("alertname", CHANGE),
        ("domain", domain.as_str()),
        ("rollout", view.id.as_str()),
        ("choreography", &view.choreography),
        ("owner", &view.owner),
        ("change", word),
    ];
    let mut services: Vec<&str> = Vec::new();
    for step in &view.steps {
        if !services.contains(&step.service.as_str()) {
            services.push(&step.service);
        }
    }
    services.truncate(NAMED);
    let mut annotations = BTreeMap::from([
        ("summary".to_owned(), summary),
        ("services".to_owned(), services.join(", ")),
        ("offset".to_owned(), offset.to_string()),
        ("trace_id".to_owned(), view.trace_id.clone()),
        ("why".to_owned(), format!("pavane why {}", view.id)),
    ]);
    if let Some(runbook) = &view.runbook {
        annotations.insert("runbook_url".to_owned(), runbook.clone());
    }
    let id = sha256_hex(&format!("{domain}\n{}\n{word}\n{offset}", view.id));
    Alert {
        id: EventId::new(format!("change-{}", &id[..32])).expect("39 characters of a name"),
        status: AlertStatus::Resolved,
        labels: labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        annotations,
        since: None,
        deadline: None,
        starts_at: at,
        ends_at: Some(at),
    }
}
