//! Which domains this replica owns. Ownership decides who speaks first, never what is true.

use std::collections::BTreeMap;

use pavane_bus::{Error, partition_of};
use pavane_events::Domain;
use tokio::sync::watch;

use crate::connection::{Connection, Patience};

/// The consumer group that shares out the partitions among the sentinels.
const GROUP: &str = "pavane-sentinel";

/// Keeps each domain's `speaks` true while this replica owns its partition, for as long as the process lives.
pub(crate) async fn follow(
    connection: Connection,
    speaks: BTreeMap<Domain, watch::Sender<bool>>,
) -> anyhow::Result<()> {
    let mut patience = Patience::new("join the sentinels' group");
    let (mut ownership, partitions) = loop {
        let joined: Result<_, Error> = async {
            let bus = connection.bus().await;
            let group = format!("{}-{GROUP}", bus.settings().prefix);
            Ok((bus.ownership(&group).await?, bus.partitions()))
        }
        .await;
        match joined {
            Ok(joined) => break joined,
            Err(error) => patience.wait(&error).await,
        }
    };
    let mut owned = ownership.owned();
    loop {
        for (domain, speaks) in &speaks {
            let owns = owned.contains(&partition_of(domain.as_str().as_bytes(), partitions));
            if speaks.send_if_modified(|speaks| std::mem::replace(speaks, owns) != owns) {
                tracing::info!(%domain, owns, "the sentinels' group has shared out the partitions");
            }
        }
        owned = ownership.changed().await?;
    }
}
