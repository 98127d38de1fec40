//! Three brokers: the leader of a domain's partition dies, and the log goes on under another one; where too few copies are
//! left to acknowledge anything the sentinels are blind, and go on when they are back. Nothing that was acknowledged is lost,
//! no stall is false and none is missed.

use anyhow::{Context, Result};
use pavane_tests::process::Signal;
use pavane_tests::real::cluster::Cluster;
use pavane_tests::real::jdk::Jdk;
use pavane_tests::real::{Services, cache};
use pavane_tests::stage::{SOON, Stage};
use pavane_tests::wait;

use crate::broker;
use crate::storm_scene::Scene;
use crate::story_storm::{blind, pass};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_dies_costs_nothing_but_time() {
    let Some(services) = Services::get("a_leader_that_dies_costs_nothing_but_time").await else { return };
    let jdk = Jdk::find().unwrap();
    let mut cluster = Cluster::start(&jdk, &cache::kafka().unwrap()).await.unwrap();
    let services = Services { kafka: cluster.addresses(), ..services };
    let stage = Stage::set("leader", "shop", &services).await.unwrap();
    play(&stage, &mut cluster).await.unwrap();
}

async fn play(stage: &Stage, cluster: &mut Cluster) -> Result<()> {
    let mut scene = Scene::begin(stage).await?;
    pass(&scene.log, &scene.load, 3_000).await.context("before the first death")?;

    let first = broker::leader(stage)?.context("the partition has a leader")?;
    cluster.process(first).signal(Signal::Kill)?;
    let second = wait::until("another leader", SOON, async || {
        broker::leader(stage).ok().flatten().filter(|leader| *leader != first)
    });
    let second = second.await?;
    pass(&scene.log, &scene.load, 3_000).await.context("under another leader")?;

    // one copy alone acknowledges nothing; who is blind still is not told of again
    scene.ready().await?;
    let told = blind(stage).len();
    cluster.process(second).signal(Signal::Kill)?;
    wait::until("blindness", SOON, async || (blind(stage).len() > told).then_some(())).await?;
    cluster.start_again(first)?;
    cluster.start_again(second)?;
    cluster.complete().await?;
    scene.ready().await?;
    pass(&scene.log, &scene.load, 3_000).await.context("with all brokers back")?;
    scene.end("two deaths of leaders").await
}
