//! Dead letters as people handle them on a real broker: a record of a stranger is set aside by the sentinel, counted, listed,
//! shown byte for byte and laid to rest; one that can be read by now is said anew, once.

use anyhow::{Context, Result, ensure};
use pavane_bus::{Item, Policy, Raw, Topic, wire};
use pavane_events::service::Ready;
use pavane_events::{Entry, UnreadableReason};
use pavane_tests::real::Services;
use pavane_tests::real::python::Python;
use pavane_tests::stage::sentinel::Sentinel;
use pavane_tests::stage::{SOON, Stage};
use pavane_tests::wait;
use serde_json::Value;

use crate::ground;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_letters_are_listed_shown_said_anew_and_laid_to_rest() {
    let test = "dead_letters_are_listed_shown_said_anew_and_laid_to_rest";
    let Some(services) = Services::get(test).await else { return };
    let stage = Stage::set("dead-letters", "shop", &services).await.unwrap();
    play(&stage).await.unwrap();
}

async fn play(stage: &Stage) -> Result<()> {
    let mut sentinel = Sentinel::start(stage, "sentinel-a").await?;
    sentinel.ready().await?;
    let counted = counter(&sentinel).await?;
    ensure!(counted.ends_with(" 0"), "nobody sees a series grow that begins with a letter: {counted}");
    let topic = Topic::Lifecycle.name(&stage.settings().prefix);
    let poison =
        Python::get()?.run("tests/real/partitions.py", &[&stage.settings().kafka, &topic, "shop"])?;
    ensure!(poison.status.success(), "{}", String::from_utf8_lossy(&poison.stderr));

    let id = open(stage, 1).await?;
    ensure!(id.starts_with(&format!("{topic}-")), "{id} names the place");
    let shown = stage.pavane(&["dlq", "show", &id]).await?;
    ensure!(shown["bytes"] == "not ours".len() && shown["reason"] == "bad_header", "{shown:#}");
    let refused = stage.pavane(&["dlq", "replay", &id]).await;
    ensure!(refused.is_err_and(|error| format!("{error:#}").contains("still cannot be read")));
    let counted = counter(&sentinel).await?;
    ensure!(counted.ends_with(" 1"), "{counted}");
    stage.pavane(&["dlq", "drop", &id, "--reason", "nobody knows who sent it", "--by", "ada"]).await?;

    let raw = set_aside(stage).await?;
    let id = open(stage, 1).await?;
    let shown = stage.pavane(&["dlq", "show", &id]).await?;
    ensure!(shown["body"]["prerequisite"] == "schema-v2", "{shown:#}");
    let before = shown["headers"].to_string();
    for (name, value) in raw.headers.iter().filter(|(name, _)| name.starts_with("ce_")) {
        let value = String::from_utf8_lossy(value.as_deref().unwrap_or_default());
        ensure!(before.contains(&*value), "the header {name} is not as it was: {before}");
    }
    let replayed = stage.pavane(&["dlq", "replay", &id, "--by", "ada"]).await?;
    let fresh = replayed["said"]["id"].as_str().context("it is said under an id")?.to_owned();
    let log = stage.log().await?;
    let said = wait::until("the event said anew", SOON, async || {
        let entries = log.entries();
        let of = |entry: &Entry| match entry {
            Entry::Event(record) if record.event.envelope.id.as_str() == fresh => Some(record.event.clone()),
            Entry::Event(_) | Entry::Unreadable(_) => None,
        };
        entries.iter().find_map(of)
    });
    let cause = said.await?.envelope.causation;
    ensure!(cause.as_ref().is_some_and(|cause| cause.as_str() == "good-1"), "{cause:?}");
    let again = stage.pavane(&["dlq", "replay", &id]).await;
    ensure!(again.is_err_and(|error| format!("{error:#}").contains("was replayed by ada")), "once");
    let all = stage.pavane(&["dlq", "list", "--all"]).await?;
    let settled = |letter: &Value| letter["settled"].as_str().map(str::to_owned);
    let became: Vec<_> = all["letters"].as_array().context("a list")?.iter().filter_map(settled).collect();
    ensure!(became == ["dropped", "replayed"] && all["open"] == 0, "{all:#}");
    Ok(())
}

/// A good event that somebody set aside because nobody had told it of the schema.
async fn set_aside(stage: &Stage) -> Result<Raw> {
    let bus = stage.bus().await?;
    let writer = bus.writer().await?;
    let body = Ready { prerequisite: "schema-v2".to_owned(), detail: String::new() };
    let placed = writer.append(&ground::said(stage.domain(), "user-db", "good-1", body)).await?;
    let mut reader = bus.reader(stage.domain(), Policy::Structural).await?;
    reader.seek(placed.offset)?;
    let raw = loop {
        if let Item::Entry { raw, .. } = reader.next().await? {
            break raw;
        }
    };
    let defect = wire::Defect {
        reason: UnreadableReason::SchemaNotAllowed,
        field: String::new(),
        detail: "nobody was told of the schema".to_owned(),
    };
    let unreadable = wire::unreadable(raw.offset, raw.at, &raw.headers, raw.value.as_deref(), defect);
    writer.dead_letter(&raw, &unreadable).await?;
    Ok(raw)
}

/// Waits until so many letters are open; the id of the first.
async fn open(stage: &Stage, count: usize) -> Result<String> {
    wait::until("the dead letter", SOON, async || {
        let listed = stage.pavane(&["dlq", "list"]).await.ok()?;
        let first = listed["letters"][0]["id"].as_str()?.to_owned();
        (listed["open"] == count).then_some(first)
    })
    .await
}

/// The line of the metric that counts letters of strangers.
async fn counter(sentinel: &Sentinel) -> Result<String> {
    let page = reqwest::get(format!("{}/metrics", sentinel.url())).await?.text().await?;
    let ours = |line: &&str| {
        line.starts_with("pavane_sentinel_dead_letters_total") && line.contains(r#"reason="bad_header""#)
    };
    page.lines().find(ours).map(str::to_owned).context("the letters are counted from the start on")
}
