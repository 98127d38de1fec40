//! The process that the sidecar wraps, as it stands in the file: when it is started again, and how it is ended.

use std::ops::RangeInclusive;
use std::time::Duration;

use pavane_choreography::yaml::{Item, Reported};

const STOP: Duration = Duration::from_secs(10);
const BACKOFF: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(30);
const RESTARTS: u32 = 10;
const WITHIN: Duration = Duration::from_mins(10);
const MOST: u32 = 1_000;

/// How the process of `pavane sidecar -- COMMAND` is looked after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keeping {
    /// When it is started again after its end.
    pub restart: Restart,
    /// How long to wait before that: the first wait, doubled up to the longest.
    pub backoff: RangeInclusive<Duration>,
    /// How often it is started again `within` that time; after that it is given up.
    pub restarts: u32,
    /// The time in which restarts are counted.
    pub within: Duration,
    /// How long it may take to end after SIGTERM; then its whole group is killed.
    pub stop: Duration,
}

/// When a process is started again after its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    /// Never: the sidecar ends with it.
    Never,
    /// When it did not say that all went well.
    OnFailure,
    /// Whatever it said.
    Always,
}

impl Default for Keeping {
    fn default() -> Self {
        Self { restart: Restart::Never, backoff: BACKOFF, restarts: RESTARTS, within: WITHIN, stop: STOP }
    }
}

/// Reads `process`.
pub(super) fn keeping(item: &Item<'_>) -> Result<Keeping, Reported> {
    item.fields(|f| {
        let restart = f.optional("restart", restart);
        let backoff = f.optional("backoff", Item::duration_range);
        let restarts = f.optional("restarts", |i| i.count(1..=MOST));
        let within = super::outage::duration(f, "within");
        let stop = super::outage::duration(f, "stop");
        let usual = Keeping::default();
        let millis = |ms: i64| Duration::from_millis(ms.max(0).unsigned_abs());
        Ok(Keeping {
            restart: restart?.unwrap_or(usual.restart),
            backoff: backoff?.map_or(usual.backoff, |range| millis(*range.start())..=millis(*range.end())),
            restarts: restarts?.unwrap_or(usual.restarts),
            within: within?.unwrap_or(usual.within),
            stop: stop?.unwrap_or(usual.stop),
        })
    })
}

fn restart(item: &Item<'_>) -> Result<Restart, Reported> {
    item.one_of(&[("never", Restart::Never), ("on-failure", Restart::OnFailure), ("always", Restart::Always)])
}
