//! What a sentinel's file would do: a receiver tried, and the way of labels through the routes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use pavane_alerts::Explanation;
use pavane_sentinel::Config;
use pavane_sentinel::alert::trial::try_receiver;
use serde_json::json;

use crate::alerts::asked;
use crate::commands::Context;
use crate::commands::alerts::{Explain, Test};
use crate::failure::Failure;
use crate::shell;

/// Tries a receiver.
pub async fn test(test: &Test, context: Context<'_>) -> Result<(), Failure> {
    let (config, name) = config(&test.config)?;
    let tried = try_receiver(&config, &test.receiver).await;
    let tried = tried.map_err(|error| shell::unusable(&name, error))?.ok_or_else(|| {
        let names: Vec<_> = config.receivers.iter().map(|receiver| receiver.name.as_str()).collect();
        let known =
            if names.is_empty() { "it has none".to_owned() } else { format!("it has {}", names.join(", ")) };
        Failure::usage(format!("{name} has no receiver `{}`", test.receiver)).help(known)
    })?;
    let mut human = String::new();
    for one in &tried {
        let what = match &one.failure {
            None => "✓ taken".to_owned(),
            Some(why) => format!("✗ not taken: {why}"),
        };
        let _ = writeln!(human, "{:<9} {}  {what}", one.status, one.id);
    }
    context.console.data(&human, &json!({ "receiver": test.receiver, "notifications": tried }))?;
    if tried.iter().all(|one| one.failure.is_none()) { Ok(()) } else { Err(Failure::found()) }
}

/// Says who would be told.
pub async fn explain(explain: &Explain, context: Context<'_>) -> Result<(), Failure> {
    let mut labels = BTreeMap::new();
    for label in &explain.labels {
        let pair = label.split_once('=').filter(|(name, _)| !name.is_empty());
        let (name, value) = pair.ok_or_else(|| {
            Failure::usage(format!("`{label}` is no label")).help("write e.g. `owner=identity`")
        })?;
        labels.insert(name.to_owned(), value.trim_matches('"').to_owned());
    }
    let Some(file) = &explain.config else {
        return asked::explain(&explain.asked, &labels, context).await;
    };
    let (config, _) = config(file)?;
    let way = config.routes.explain(&labels);
    let looks = way.looked_at.iter().map(|look| {
        let matchers = look.matchers.iter();
        let matchers =
            matchers.map(|(matcher, holds)| json!({ "matcher": matcher.to_string(), "holds": holds }));
        json!({
            "depth": look.depth, "receiver": look.receiver, "took": look.took,
            "matchers": matchers.collect::<Vec<_>>(),
        })
    });
    let value = json!({ "receivers": way.receivers, "routes": looks.collect::<Vec<_>>() });
    context.console.data(&picture(&way), &value)
}

fn picture(way: &Explanation) -> String {
    let looks = way.looked_at.iter().map(|look| {
        let failed = look.matchers.iter().find(|(_, holds)| !holds).map(|(matcher, _)| matcher.to_string());
        line(look.depth, &look.receiver, look.took, failed.as_deref())
    });
    way_to(&looks.collect::<String>(), &way.receivers)
}

/// One route that was looked at, with the matcher that does not hold, if any.
pub(super) fn line(depth: usize, receiver: &str, took: bool, failed: Option<&str>) -> String {
    let indent = "  ".repeat(depth);
    let receiver = if receiver.is_empty() { "(everybody)" } else { receiver };
    match (took, failed) {
        (true, _) => format!("{indent}✓ {receiver} — told here\n"),
        (false, None) => format!("{indent}↓ {receiver}\n"),
        (false, Some(matcher)) => format!("{indent}✗ {receiver} — {matcher} does not hold\n"),
    }
}

/// The routes that were looked at, and who is told.
pub(super) fn way_to(looks: &str, receivers: &[String]) -> String {
    if receivers.is_empty() {
        return "told: nobody, as no receiver is configured\n".to_owned();
    }
    format!("{looks}told: {}\n", receivers.join(", "))
}

fn config(file: &Path) -> Result<(Config, String), Failure> {
    let (text, name) = shell::read(file)?;
    let config =
        Config::from_yaml(&text, &name).map_err(|diagnostics| Failure::invalid(&name, diagnostics))?;
    Ok((config, name))
}
