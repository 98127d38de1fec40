//! How the sidecar ends and how it bears what is away, as it stands in the file.

use std::time::Duration;

use pavane_choreography::yaml::{Fields, Item, Reported};

use super::run::{Timed, hook};

/// Below the 30 s after which Kubernetes kills, with room for the last log lines.
pub(super) const GRACE: Duration = Duration::from_secs(25);
const HOLD: Duration = Duration::from_mins(10);
const SENTINEL: Duration = Duration::from_mins(2);

/// What the service does before it is stopped: it ends its work and takes no more. The time is that until nothing is in
/// flight.
pub type Drain = Timed;

/// How long what is away is borne.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outage {
    /// How long a record is held whose schema is not known and cannot be asked for; then it is a dead letter.
    pub hold: Duration,
    /// How long no sentinel may be heard while a rollout is open.
    pub sentinel: Duration,
    /// Who is told when none is heard, by a POST.
    pub webhook: Option<String>,
}

impl Default for Outage {
    fn default() -> Self {
        Self { hold: HOLD, sentinel: SENTINEL, webhook: None }
    }
}

/// Reads `drain`: a hook as a reaction's.
pub(super) fn drain(item: &Item<'_>) -> Result<Drain, Reported> {
    hook(item)
}

/// Reads `outage`.
pub(super) fn outage(item: &Item<'_>) -> Result<Outage, Reported> {
    item.fields(|f| {
        let (hold, sentinel) = (duration(f, "hold"), duration(f, "sentinel"));
        let webhook = f.optional("webhook", Item::url);
        let usual = Outage::default();
        Ok(Outage {
            hold: hold?.unwrap_or(usual.hold),
            sentinel: sentinel?.unwrap_or(usual.sentinel),
            webhook: webhook?,
        })
    })
}

/// Reads a duration that may be left out.
pub(super) fn duration(f: &mut Fields<'_>, name: &'static str) -> Result<Option<Duration>, Reported> {
    let millis = f.optional(name, Item::duration)?;
    Ok(millis.map(|millis| Duration::from_millis(millis.max(0).unsigned_abs())))
}
