//! Two services with real sidecars and real hooks that dance one rollout after the other while the storm lasts. In every
//! second one the later of them hangs, so that the earlier must be sent back, once.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use pavane_bus::{Bus, Writer};
use pavane_events::service::Ready;
use pavane_events::{Instance, RolloutId, Service, Version};
use pavane_tests::stage::log::{Log, event_of};
use pavane_tests::stage::tool::{Manner, Tool};
use pavane_tests::stage::{SOON, Stage};
use tokio_util::sync::CancellationToken;

use crate::storm_load::{self, Era};

/// What a couple has danced.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Danced {
    /// How many rollouts came to their end.
    pub(crate) rollouts: usize,
    /// How many of them went back.
    pub(crate) back: usize,
    /// How many hooks ran, forwards and back.
    pub(crate) hooks: usize,
}

/// Two services, one after the other.
pub(crate) struct Couple {
    name: String,
    api: Tool,
    web: Tool,
    era: Arc<Era>,
}

impl Couple {
    pub(crate) async fn enter(stage: &Stage, name: &str, era: &Arc<Era>) -> Result<Self> {
        let api = Tool::enter(stage, &format!("api-{name}"), &format!("db-{name}.Ready"), &[]).await?;
        let after = format!("api-{name}.DeploymentComplete");
        let web = Tool::enter(stage, &format!("web-{name}"), &after, &[]).await?;
        Ok(Self { name: name.to_owned(), api, web, era: Arc::clone(era) })
    }

    /// Waits until both sidecars take part.
    pub(crate) async fn ready(&mut self) -> Result<()> {
        self.api.sidecar.ready().await?;
        self.web.sidecar.ready().await
    }

    /// Dances until it is told to stop, and checks after each rollout what the hooks have done.
    pub(crate) async fn dance(mut self, bus: Bus, log: &Log, stop: &CancellationToken) -> Result<Danced> {
        let writer = bus.writer().await.context("failed to open a writer")?;
        let mut danced = Danced::default();
        for n in 0.. {
            if stop.is_cancelled() {
                break;
            }
            let part = (n % 2 == 0, self.era.rules(n / 2));
            let rollout = RolloutId::new(format!("couple-{}-{n}", self.name))?;
            let end = self.once(&writer, log, &rollout, part).await;
            let end = end.with_context(|| format!("of {rollout}"))?;
            let hooks = self.look(&end).with_context(|| format!("after {end} of {rollout}"))?;
            danced.rollouts += 1;
            danced.back += usize::from(end == "RolloutRolledBack");
            danced.hooks += hooks;
        }
        self.api.sidecar.process.must_run()?;
        self.web.sidecar.process.must_run()?;
        Ok(danced)
    }

    /// One rollout to its end, whose name it returns.
    async fn once(
        &self,
        writer: &Writer,
        log: &Log,
        rollout: &RolloutId,
        (hangs, rules): (bool, i64),
    ) -> Result<String> {
        self.api.reset()?;
        self.web.reset()?;
        self.web.behave(if hangs { Manner::Wait } else { Manner::Work })?;
        let domain = log.domain().clone();
        let start = storm_load::start(&domain, rollout, rules, &self.plan())?;
        storm_load::append(writer, &start).await;
        let service = format!("db-{}", self.name);
        let path = format!("{service}/{service}-0");
        let mut ready =
            storm_load::event(&domain, rollout, &path, format!("ready-{rollout}"), Ready::default())?;
        ready.envelope.service = Some(Service::new(service.clone())?);
        ready.envelope.instance = Some(Instance::new(format!("{service}-0"))?);
        ready.envelope.version = Some(Version::new("2.0.0")?);
        storm_load::append(writer, &ready).await;
        let ends = ["RolloutCompleted", "RolloutRolledBack", "RolloutPartial"];
        let limit = 3 * SOON;
        let end = log.wait_for("an end of a couple's rollout", limit, |entries| {
            let about = entries.iter().rev().filter_map(|entry| match entry {
                pavane_events::Entry::Event(record) => Some(record),
                pavane_events::Entry::Unreadable(_) => None,
            });
            let mut own = about.filter(|record| record.event.envelope.rollout.as_ref() == Some(rollout));
            own.find_map(|record| ends.iter().find(|end| event_of(record) == **end))
        });
        Ok((*end.await?).to_owned())
    }

    /// What the hooks have done must be what was decided; returns how many ran.
    fn look(&self, end: &str) -> Result<usize> {
        let [api, web] = [&self.api, &self.web].map(|tool| (tool.upgrades(), tool.reverts()));
        ensure!(api.0 <= 1 && web.0 <= 1, "a hook ran more than once: {api:?} {web:?}");
        ensure!(api.1 <= 1 && web.1 <= 1, "somebody was sent back more than once: {api:?} {web:?}");
        let versions = (self.api.version()?, self.web.version()?);
        match end {
            "RolloutCompleted" => {
                ensure!(api.1 == 0 && web.1 == 0, "somebody was sent back: {api:?} {web:?}");
                ensure!(versions == ("2.0.0".into(), "2.0.0".into()), "they run {versions:?}");
            }
            "RolloutRolledBack" => {
                ensure!(versions == ("1.0.0".into(), "1.0.0".into()), "they run {versions:?}");
            }
            other => anyhow::bail!("{other} although everybody can go back"),
        }
        Ok(api.0 + api.1 + web.0 + web.1)
    }

    fn plan(&self) -> String {
        let name = &self.name;
        format!(
            "apiVersion: pavane/v1
kind: Choreography
metadata: {{ name: couple-{name}, owner: shop }}
steps:
  - {{ id: schema, expect: db-{name}.Ready, within: 1m, reversible: false }}
  - id: api
    after: [schema]
    expect: api-{name}.DeploymentComplete
    within: 1m
    on_stall: alert
    compensate: {{ expect: api-{name}.RollbackComplete, within: 2m }}
  - id: web
    after: [api]
    expect: web-{name}.DeploymentComplete
    within: 3s
    on_stall: rollback
    compensate: {{ expect: web-{name}.RollbackComplete, within: 2m }}
"
        )
    }
}
