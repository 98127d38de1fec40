//! Sentinels that run short of what their machine gives them. The one that can open no more sockets judges on over those that
//! it has, and another one tells what it cannot; the one whose own words find a full disk does all of its work.

use anyhow::{Context, Result};
use pavane_tests::process::Process;
use pavane_tests::real::Services;
use pavane_tests::stage::sentinel::Sentinel;
use pavane_tests::stage::{SOON, Stage};

use crate::story_claims::{firing, no_alert_has_two_ids};
use crate::story_snapshot::start;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_sentinel_that_can_open_nothing_cannot_tell_is_told_by_another() {
    let test = "what_a_sentinel_that_can_open_nothing_cannot_tell_is_told_by_another";
    let Some(services) = Services::get(test).await else { return };
    let stage = Stage::set("sockets", "shop", &services).await.unwrap();
    without_sockets(&stage).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sentinel_whose_words_find_a_full_disk_judges_and_tells() {
    let test = "a_sentinel_whose_words_find_a_full_disk_judges_and_tells";
    let Some(services) = Services::get(test).await else { return };
    let stage = Stage::set("unheard", "shop", &services).await.unwrap();
    unheard(&stage).await.unwrap();
}

async fn without_sockets(stage: &Stage) -> Result<()> {
    let log = stage.log().await?;
    let mut sentinels =
        [Sentinel::start(stage, "sentinel-a").await?, Sentinel::start(stage, "sentinel-b").await?];
    for sentinel in &mut sentinels {
        sentinel.ready().await?;
    }
    let before = start(stage, "before", "user-db", "1s").await?;
    let said = log.wait_said(&before, None, "RolloutStalled", SOON).await?;
    firing(stage, &before).await?;
    let speaks = said.event.envelope.replica.context("a sentinel has said it")?;
    let short = sentinels.iter_mut().find(|sentinel| sentinel.replica() == speaks);
    let short = short.context("it is one of them")?;

    let usual = files(&short.process, "3")?;
    let after = start(stage, "after", "chat", "1s").await?;
    firing(stage, &after).await.context("told by the other one")?;
    short.process.must_run()?;
    files(&short.process, &usual)?;
    short.ready().await.context("it opens what it needs again")?;
    stage.all_signatures_held()?;
    no_alert_has_two_ids(&stage.on_call().deliveries())
}

/// Lets a process have no descriptor from this one on; returns how many it might have had.
fn files(process: &Process, most: &str) -> Result<String> {
    let usual = process.limit(&["--nofile", "--noheadings", "--output", "SOFT"])?;
    process.limit(&[&format!("--nofile={most}:")])?;
    Ok(usual)
}

async fn unheard(stage: &Stage) -> Result<()> {
    let mut sentinel = Sentinel::start_unheard(stage, "sentinel-a").await?;
    sentinel.ready().await?;
    let rollout = start(stage, "open", "chat", "1s").await?;
    firing(stage, &rollout).await?;
    stage.pavane(&["abort", &rollout, "--reason", "enough was seen"]).await?;
    sentinel.wait_status(&rollout, "aborted").await?;
    sentinel.process.must_run()
}
