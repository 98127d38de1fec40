//! What a sentinel answers about what burns.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use crate::alerts::tried;
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
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    starts_at: String,
    receivers: Vec<Receiver>,
}

#[derive(Deserialize)]
struct Receiver {
    name: String,
    fate: String,
}

/// What a sentinel says of an alert's way.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Way {
    receivers: Vec<String>,
    routes: Vec<Look>,
    silenced_by: Vec<String>,
    alerts: Vec<Burning>,
}

#[derive(Deserialize)]
struct Look {
    depth: usize,
    receiver: String,
    matchers: Vec<Matched>,
    took: bool,
}

#[derive(Deserialize)]
struct Matched {
    matcher: String,
    holds: bool,
}

/// Lists what burns.
pub async fn list(asked: &Asked, context: Context<'_>) -> Result<(), Failure> {
    let (burning, value): (Vec<Burning>, _) = get(asked, "/api/v2/alerts", &BTreeMap::new()).await?;
    context.console.data(&picture(&burning, "nothing burns"), &value)?;
    if burning.is_empty() { Ok(()) } else { Err(Failure::found()) }
}

/// Says who is told of an alert with these labels, by which way, and what became of those that burn.
pub async fn explain(
    asked: &Asked,
    labels: &BTreeMap<String, String>,
    context: Context<'_>,
) -> Result<(), Failure> {
    let (way, value): (Way, _) = get(asked, "/api/v1/alerts/explain", labels).await?;
    let looks = way.routes.iter().map(|look| {
        let failed = look.matchers.iter().find(|matched| !matched.holds);
        tried::line(look.depth, &look.receiver, look.took, failed.map(|matched| matched.matcher.as_str()))
    });
    let mut text = tried::way_to(&looks.collect::<String>(), &way.receivers);
    for id in &way.silenced_by {
        // writing to a text never fails
        let _ = writeln!(text, "silenced: {id}; see `pavane alerts silence list`");
    }
    text.push_str(&picture(&way.alerts, "nothing burns that has these labels"));
    context.console.data(&text, &value)
}

/// Asks a sentinel: what was understood of its answer, and the answer.
async fn get<T: serde::de::DeserializeOwned>(
    asked: &Asked,
    path: &str,
    query: &BTreeMap<String, String>,
) -> Result<(T, Value), Failure> {
    let url = format!("{}{path}", asked.sentinel.trim_end_matches('/'));
    let unreachable = |error: reqwest::Error| {
        let help = "name the sentinel's address with --sentinel URL (`http` in its file)";
        Failure::new(Exit::Unreachable, format!("no sentinel answers at {}", asked.sentinel))
            .because(error)
            .help(help)
    };
    let client = reqwest::Client::builder().timeout(PATIENCE).no_proxy().build().map_err(unreachable)?;
    let parsed = if query.is_empty() {
        reqwest::Url::parse(&url)
    } else {
        reqwest::Url::parse_with_params(&url, query)
    };
    let asked = parsed.map_err(|error| Failure::usage(format!("{url} is no URL: {error}")))?;
    let answer = client.get(asked).send().await.and_then(reqwest::Response::error_for_status);
    let value: Value = answer.map_err(unreachable)?.json().await.map_err(unreachable)?;
    let read = serde_json::from_value(value.clone()).map_err(|error| {
        Failure::new(Exit::Internal, format!("{url} answers something else than a sentinel does"))
            .because(error)
    })?;
    Ok((read, value))
}

fn picture(burning: &[Burning], nothing: &str) -> String {
    if burning.is_empty() {
        return format!("{nothing}\n");
    }
    let mut text = format!("{}\n", counted(burning.len(), "alert"));
    for alert in burning {
        let label = |name: &str| alert.labels.get(name).map_or("-", String::as_str);
        let summary = alert.annotations.get("summary").map_or("", String::as_str);
        let (name, severity, owner) = (label("alertname"), label("severity"), label("owner"));
        // writing to a text never fails
        let _ = writeln!(text, "\n✗ {name}  {severity}  {owner}  since {}\n  {summary}", alert.starts_at);
        let more = alert.annotations.get("why").map(|command| format!("  `{command}` tells more\n"));
        text.push_str(&more.unwrap_or_default());
        for Receiver { name, fate } in &alert.receivers {
            let _ = writeln!(text, "  → {name}: {fate}");
        }
        if alert.receivers.is_empty() {
            text.push_str("  → nobody: no receiver is configured\n");
        }
    }
    text
}
