//! What a sentinel answers about what burns.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use crate::commands::Context;
use crate::commands::alerts::Asked;
use crate::exit::Exit;
use crate::failure::{Failure, counted};

/// How long a sentinel may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// An alert as the sentinel shows it, as far as it is shown here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Burning {
    labels: std::collections::BTreeMap<String, String>,
    annotations: std::collections::BTreeMap<String, String>,
    starts_at: String,
    receivers: Vec<Receiver>,
}

#[derive(Deserialize)]
struct Receiver {
    name: String,
    fate: String,
}

/// Lists what burns.
pub async fn list(asked: &Asked, context: Context<'_>) -> Result<(), Failure> {
    let url = format!("{}/api/v2/alerts", asked.sentinel.trim_end_matches('/'));
    let unreachable = |error: reqwest::Error| {
        let help = "name the sentinel's address with --sentinel URL (`http` in its file)";
        Failure::new(Exit::Unreachable, format!("no sentinel answers at {}", asked.sentinel))
            .because(error)
            .help(help)
    };
    let client = reqwest::Client::builder().timeout(PATIENCE).no_proxy().build().map_err(unreachable)?;
    let answer = client.get(&url).send().await.and_then(reqwest::Response::error_for_status);
    let value: Value = answer.map_err(unreachable)?.json().await.map_err(unreachable)?;
    let burning: Vec<Burning> = serde_json::from_value(value.clone()).map_err(|error| {
        Failure::new(Exit::Internal, format!("{url} answers something else than a sentinel does"))
            .because(error)
    })?;
    context.console.data(&picture(&burning), &value)?;
    if burning.is_empty() { Ok(()) } else { Err(Failure::found()) }
}

fn picture(burning: &[Burning]) -> String {
    if burning.is_empty() {
        return "nothing burns\n".to_owned();
    }
    let mut text = format!("{}\n", counted(burning.len(), "alert"));
    for alert in burning {
        let label = |name: &str| alert.labels.get(name).map_or("-", String::as_str);
        let summary = alert.annotations.get("summary").map_or("", String::as_str);
        let (name, severity, owner) = (label("alertname"), label("severity"), label("owner"));
        // writing to a text never fails
        let _ = writeln!(text, "\n✗ {name}  {severity}  {owner}  since {}\n  {summary}", alert.starts_at);
        for Receiver { name, fate } in &alert.receivers {
            let _ = writeln!(text, "  → {name}: {fate}");
        }
        if alert.receivers.is_empty() {
            text.push_str("  → nobody: no receiver is configured\n");
        }
    }
    text
}
