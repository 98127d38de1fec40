//! Which versions of the service are known to be good: its row of the table of services, followed for as long as the sidecar
//! runs.

use std::collections::BTreeSet;
use std::time::Duration;

use pavane_bus::{Bus, Error as BusError, TableItem, Topic};
use pavane_events::ServiceRow;
use pavane_sidecar_engine::Input;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::sleep;

use crate::config::Config;
use crate::error::Error;
use crate::telemetry;

/// How long to wait before the table is read again after an error.
const AGAIN: Duration = Duration::from_secs(5);

/// Tells the engine what the row says, whenever it changes. A sidecar that may not read the table works on, and goes back
/// only to what it has seen run itself.
pub(crate) async fn follow(bus: Bus, key: String, facts: UnboundedSender<Input>) -> Result<(), Error> {
    loop {
        let Err(error) = read(&bus, &key, &facts).await;
        telemetry::trouble("read which versions are good", &error, AGAIN);
        sleep(AGAIN).await;
    }
}

/// The key of the service's row.
pub(crate) fn key(config: &Config) -> String {
    ServiceRow::key(&config.domain, &config.service)
}

async fn read(
    bus: &Bus,
    key: &str,
    facts: &UnboundedSender<Input>,
) -> Result<std::convert::Infallible, BusError> {
    let mut table = bus.table(Topic::Services).await?;
    let mut known = BTreeSet::new();
    let mut whole = false;
    loop {
        match table.next().await? {
            TableItem::Row(row) if row.key == key => {
                let read = row.value.as_deref().map(serde_json::from_slice::<ServiceRow>);
                known = match read {
                    None => BTreeSet::new(),
                    Some(Ok(row)) => row.known_good.into_iter().map(|known| known.version).collect(),
                    Some(Err(error)) => {
                        telemetry::trouble("read the row of the service", &error, AGAIN);
                        continue;
                    }
                };
            }
            TableItem::Row(_) => continue,
            TableItem::CaughtUp => whole = true,
        }
        if whole {
            // The receiver goes only when the sidecar ends.
            drop(facts.send(Input::KnownGood(known.clone())));
        }
    }
}
