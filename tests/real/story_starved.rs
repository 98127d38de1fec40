//! Sentinels that get next to no processor: ten milliseconds out of two hundred. They are late, or blind and say so; they are
//! never wrong, and what they owe is said when there is time again.

use std::time::Duration;

use anyhow::{Context, Result};
use pavane_tests::process::Signal;
use pavane_tests::real::Services;
use pavane_tests::stage::Stage;
use pavane_tests::stage::sentinel::Sentinel;
use tokio::time::interval;

use crate::storm_scene::Scene;
use crate::story_storm::pass;

/// How long a turn lasts, and how much of it a sentinel runs.
const TURN: Duration = Duration::from_millis(200);
const RUNS: Duration = Duration::from_millis(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sentinel_without_a_processor_is_late_and_never_wrong() {
    let test = "a_sentinel_without_a_processor_is_late_and_never_wrong";
    let Some(services) = Services::get(test).await else { return };
    let stage = Stage::set("starved", "shop", &services).await.unwrap();
    play(&stage).await.unwrap();
}

async fn play(stage: &Stage) -> Result<()> {
    let mut scene = Scene::begin(stage).await?;
    tokio::select! {
        passed = pass(&scene.log, &scene.load, 15_000) => passed.context("with sentinels that starve")?,
        starved = starve(&scene.sentinels) => starved.context("failed to starve them")?,
    }
    for sentinel in &scene.sentinels {
        sentinel.process.signal(Signal::Continue)?;
    }
    scene.ready().await?;
    scene.end("sentinels that starve").await
}

/// Stops the sentinels for most of every turn; ends only where it cannot.
async fn starve(sentinels: &[Sentinel; 2]) -> Result<()> {
    let mut turns = interval(TURN);
    loop {
        turns.tick().await;
        for sentinel in sentinels {
            sentinel.process.signal(Signal::Continue)?;
        }
        let mut rest = interval(RUNS);
        rest.tick().await;
        rest.tick().await;
        for sentinel in sentinels {
            sentinel.process.signal(Signal::Stop)?;
        }
    }
}
