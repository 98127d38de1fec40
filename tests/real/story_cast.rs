//! Everybody who plays the demo's story: five services with their sidecars, two sentinels, and the log between them.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use pavane_events::control::ProposalKind;
use pavane_events::{Body, Record};
use pavane_tests::process::Signal;
use pavane_tests::stage::dancer::{Calls, Dancer};
use pavane_tests::stage::log::Log;
use pavane_tests::stage::sentinel::{Sentinel, verdicts};
use pavane_tests::stage::{SOON, Stage, script};
use serde_json::{Value, json};

/// What was decided about one rollout: kind, step, cause and service of each verdict.
pub(crate) type Verdicts = Vec<[String; 4]>;

/// Everybody on the stage.
pub(crate) struct Cast {
    pub(crate) log: Log,
    pub(crate) dancers: BTreeMap<&'static str, Dancer>,
    pub(crate) sentinels: BTreeMap<&'static str, Sentinel>,
}

impl Cast {
    /// Starts five services with their sidecars and two sentinels, and waits until all take part.
    pub(crate) async fn enter(stage: &Stage) -> Result<Self> {
        let mut dancers = BTreeMap::new();
        for service in script::SERVICES {
            dancers.insert(service, Dancer::enter(stage, service).await?);
        }
        let mut sentinels = BTreeMap::new();
        for replica in ["sentinel-a", "sentinel-b"] {
            sentinels.insert(replica, Sentinel::start(stage, replica).await?);
        }
        for dancer in dancers.values_mut() {
            dancer.sidecar.ready().await?;
        }
        for sentinel in sentinels.values_mut() {
            sentinel.ready().await?;
        }
        Ok(Self { log: stage.log().await?, dancers, sentinels })
    }

    /// User-db's migration tool says at its sidecar's door that the schema is there.
    pub(crate) async fn the_migration_is_done(&self, rollout: &str) -> Result<()> {
        let event = json!({ "event": "Ready", "rollout": rollout, "data": { "prerequisite": "schema" } });
        let (code, answer) = self.dancers["user-db"].sidecar.say(&event).await?;
        ensure!(code == 201, "the door answered {code}: {answer}");
        let (partition, offset) = (answer["partition"].as_i64(), answer["offset"].as_i64());
        ensure!(partition.is_some() && offset.is_some(), "the door names the event's place: {answer}");
        let said = self.log.wait_said(rollout, Some("user-db"), "Ready", SOON).await?;
        ensure!(Some(said.offset) == offset && answer["id"] == said.event.envelope.id.as_str(), "{answer}");
        Ok(())
    }

    /// Waits until every sentinel that runs holds the rollout in this status; they must have decided the same.
    pub(crate) async fn all_hold(&self, rollout: &str, status: &str) -> Result<Verdicts> {
        let mut views = Vec::new();
        for sentinel in self.sentinels.values() {
            views.push(sentinel.wait_status(rollout, status).await?);
        }
        agreed(&views)
    }

    /// Waits until every sentinel that runs has decided this often; they must have decided the same.
    pub(crate) async fn all_decide(&self, rollout: &str, often: usize) -> Result<Verdicts> {
        let mut views = Vec::new();
        for sentinel in self.sentinels.values() {
            views.push(sentinel.wait_for(rollout, "a verdict", |view| verdicts(view).len() >= often).await?);
        }
        agreed(&views)
    }

    /// Waits for the first proposal of a stall that can be accepted, and kills who wrote it: it has decided and
    /// not said it yet, or has just begun to.
    pub(crate) async fn kill_who_proposes_the_stall(&mut self, rollout: &str) -> Result<String> {
        let what = "a proposal of the stall";
        let look =
            |record: &Record| proposes_a_ripe_stall(record).then(|| record.event.envelope.replica.clone());
        let replica = self.log.wait_record(rollout, what, SOON, look).await?;
        let replica = replica.context("a proposal names who wrote it")?;
        let sentinel = self.sentinels.remove(replica.as_str());
        let sentinel = sentinel.with_context(|| format!("nobody here is called {replica}"))?;
        sentinel.process.signal(Signal::Kill)?;
        Ok(replica)
    }

    /// Whether a sentinel other than this one said a verdict or a command about the rollout.
    pub(crate) fn spoke_after(&self, rollout: &str, killed: &str) -> bool {
        let by_another = |record: &Record| {
            record.event.envelope.replica.as_deref().is_some_and(|replica| replica != killed)
                && !matches!(record.event.body, Body::Proposed(_) | Body::Pulse(_))
        };
        self.log.of(rollout).iter().any(by_another)
    }

    /// The version of each service, and how often it was told to move.
    pub(crate) async fn state(&self) -> Result<BTreeMap<&'static str, (String, Calls)>> {
        let mut state = BTreeMap::new();
        for (name, dancer) in &self.dancers {
            state.insert(*name, (dancer.service.version().await?, dancer.service.calls().await?));
        }
        Ok(state)
    }

    /// Numbers are kept for years and a rollout for a day: no series may be named after one.
    pub(crate) async fn no_label_names(&self, rollouts: &[String]) -> Result<()> {
        let mut pages = Vec::new();
        for (name, dancer) in &self.dancers {
            pages.push((*name, dancer.sidecar.metrics().await?));
        }
        for (name, sentinel) in &self.sentinels {
            pages.push((*name, sentinel.metrics().await?));
        }
        for (name, page) in pages {
            let own = page.lines().filter(|line| line.starts_with("pavane_")).count();
            ensure!(own > 0, "{name} counts nothing of its own:\n{page}");
            for rollout in rollouts {
                ensure!(!page.contains(rollout), "{name} names {rollout} in its numbers:\n{page}");
            }
        }
        Ok(())
    }
}

fn proposes_a_ripe_stall(record: &Record) -> bool {
    let Body::Proposed(body) = &record.event.body else { return false };
    let ripe = body.deadline.is_none_or(|deadline| record.at.since(deadline) >= 0);
    body.kind == ProposalKind::RolloutStalled && ripe
}

fn agreed(views: &[Value]) -> Result<Verdicts> {
    for view in views {
        ensure!(
            view["verdicts"] == views[0]["verdicts"],
            "the sentinels hold different verdicts: {views:#?}"
        );
    }
    Ok(verdicts(&views[0]))
}
