//! What must hold of every rollout, whoever was killed or frozen: it is decided once, and told as one alert.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, ensure};
use pavane_events::{Body, Record, RolloutId, identity};
use pavane_tests::stage::log::Log;
use pavane_tests::stage::{SOON, Stage};
use pavane_tests::webhook::Delivery;
use serde_json::{Value, json};

/// Waits until somebody was called about the rollout.
pub(crate) async fn firing(stage: &Stage, rollout: &str) -> Result<Delivery> {
    let pleases = |delivery: &Delivery| is_about(delivery, rollout) && delivery.body["status"] == "firing";
    stage.on_call().wait_for(&format!("an alert about {rollout}"), SOON, pleases).await
}

/// Waits until whoever was called about the rollout was told that it is over.
pub(crate) async fn resolved(stage: &Stage, rollout: &str) -> Result<Delivery> {
    let pleases = |delivery: &Delivery| is_about(delivery, rollout) && delivery.body["status"] == "resolved";
    stage.on_call().wait_for(&format!("the end of the alert about {rollout}"), SOON, pleases).await
}

fn is_about(delivery: &Delivery, rollout: &str) -> bool {
    delivery.body["alerts"][0]["labels"]["rollout"] == rollout
}

/// The call names what one must know at night: what, who, why, since when, and where to read on.
pub(crate) fn names_all_that_one_must_know(call: &Delivery, log: &Log, rollout: &str) -> Result<()> {
    let alert = &call.body["alerts"][0];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let known = [
        ("alertname", text(&alert["labels"]["alertname"]), "RolloutStalled".to_owned()),
        ("step", text(&alert["labels"]["step"]), "matchmaking".to_owned()),
        ("service", text(&alert["labels"]["service"]), "matchmaking".to_owned()),
        ("owner", text(&alert["labels"]["owner"]), "play".to_owned()),
        ("cause", text(&alert["labels"]["cause"]), "not_finished".to_owned()),
        ("missing", text(&alert["annotations"]["missing"]), "matchmaking.DeploymentComplete".to_owned()),
        (
            "runbook",
            text(&alert["annotations"]["runbook_url"]),
            "https://runbooks.example/platform-v3".to_owned(),
        ),
        ("trace", text(&alert["annotations"]["trace_id"]), trace_of(rollout)?),
    ];
    for (what, said, expected) in known {
        ensure!(said == expected, "{what} is {said:?} instead of {expected:?} in {alert:#}");
    }
    for noted in ["since", "evidence"] {
        ensure!(!text(&alert["annotations"][noted]).is_empty(), "{noted} is missing in {alert:#}");
    }
    let stalls = log.said(rollout, "RolloutStalled");
    let Some(Body::RolloutStalled(stall)) = stalls.first().map(|record| &record.event.body) else {
        anyhow::bail!("the stall that was told does not stand on the log")
    };
    ensure!(!stall.evidence.is_empty(), "the stall quotes what was seen: {stall:?}");
    Ok(())
}

/// The W3C trace id of a rollout in hexadecimal.
fn trace_of(rollout: &str) -> Result<String> {
    Ok(identity::hex(&identity::trace_id(&RolloutId::new(rollout)?)))
}

/// One stall, one decision to go back, one request to each service in the order of `back`, one end: whoever said
/// it, and however often, it is the same event.
pub(crate) fn decided_once(log: &Log, rollout: &str, back: &[&str]) -> Result<()> {
    for event in ["RolloutStalled", "RolloutRolledBack"] {
        let ids = ids(&log.said(rollout, event));
        ensure!(ids.len() == 1, "{event} was decided {} times:\n{}", ids.len(), log.text());
    }
    let mut asked: Vec<(Option<String>, BTreeSet<String>)> = Vec::new();
    for record in log.said(rollout, "RollbackRequested") {
        let Body::RollbackRequested(body) = &record.event.body else { continue };
        let service = body.service.as_ref().map(ToString::to_string);
        let id = record.event.envelope.id.to_string();
        match asked.iter_mut().find(|(known, _)| *known == service) {
            Some((_, ids)) => drop(ids.insert(id)),
            None => asked.push((service, BTreeSet::from([id]))),
        }
    }
    let order: Vec<&str> =
        asked.iter().map(|(service, _)| service.as_deref().unwrap_or("everyone")).collect();
    ensure!(order.split_first() == Some((&"everyone", back)), "asked were {order:?}");
    ensure!(asked.iter().all(|(_, ids)| ids.len() == 1), "somebody was asked by two requests: {asked:?}");
    Ok(())
}

fn ids(records: &[Record]) -> BTreeSet<String> {
    records.iter().map(|record| record.event.envelope.id.to_string()).collect()
}

/// However often an alert was delivered, and by whom: it is one alert to whoever receives it.
pub(crate) fn no_alert_has_two_ids(deliveries: &[Delivery]) -> Result<()> {
    let mut ids: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for delivery in deliveries {
        let (status, labels) = (&delivery.body["status"], &delivery.body["alerts"][0]["labels"]);
        let alert = json!([status, labels["alertname"], labels["rollout"], labels["step"]]).to_string();
        ids.entry(alert).or_default().insert(&delivery.id);
    }
    ensure!(ids.values().all(|ids| ids.len() == 1), "an alert came under several ids: {ids:#?}");
    Ok(())
}
