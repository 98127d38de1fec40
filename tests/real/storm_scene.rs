//! Two sentinels and the load beside them: how the stories begin that leave sentinels their version, and how they end.

use std::sync::Arc;

use anyhow::Result;
use pavane_tests::stage::Stage;
use pavane_tests::stage::log::Log;
use pavane_tests::stage::sentinel::Sentinel;

use crate::storm_load::{Era, Load};
use crate::storm_oracle::settle;

pub(crate) struct Scene<'a> {
    stage: &'a Stage,
    pub(crate) log: Log,
    pub(crate) load: Load,
    pub(crate) sentinels: [Sentinel; 2],
}

impl<'a> Scene<'a> {
    /// Two sentinels that see, and the load, whose rollouts begin by the newest rules.
    pub(crate) async fn begin(stage: &'a Stage) -> Result<Self> {
        let (bus, log, era) = (stage.bus().await?, stage.log().await?, Arc::new(Era::default()));
        era.move_on();
        let mut sentinels =
            [Sentinel::start(stage, "sentinel-a").await?, Sentinel::start(stage, "sentinel-b").await?];
        for sentinel in &mut sentinels {
            sentinel.ready().await?;
        }
        let load = Load::begin(&bus, stage.domain(), &era).await?;
        Ok(Self { stage, log, load, sentinels })
    }

    /// Waits until both sentinels see, which live as they did.
    pub(crate) async fn ready(&mut self) -> Result<()> {
        for sentinel in &mut self.sentinels {
            sentinel.ready().await?;
            sentinel.process.must_run()?;
        }
        Ok(())
    }

    /// Ends the load, and holds what was said against what was promised; `what` says what befell the scene.
    pub(crate) async fn end(self, what: &str) -> Result<()> {
        let ledger = self.load.end().await?;
        settle(self.stage, &self.log, &ledger).await.tell(what, "")?;
        self.stage.all_signatures_held()
    }
}
