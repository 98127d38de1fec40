//! Writes what is known of services to `pavane.services`, so that whoever checks a rollback need not read the log.

use pavane_bus::{Error, Topic};
use pavane_events::ServiceRow;
use tokio::sync::mpsc;

use crate::connection::{Connection, Patience};

/// Writes each row until the broker has it, in order. A row that is not written before a crash is written by whoever
/// speaks next: the engine hands all of them out anew.
pub(crate) async fn write(
    connection: Connection,
    mut rows: mpsc::UnboundedReceiver<ServiceRow>,
) -> anyhow::Result<()> {
    let mut patience = Patience::new("write to the services");
    while let Some(row) = rows.recv().await {
        let (key, value) = (ServiceRow::key(&row.domain, &row.service), serde_json::to_vec(&row)?);
        loop {
            let put = async {
                let writer = connection.writer().await?;
                writer.put(Topic::Services, &key, Some(value.clone())).await
            };
            match put.await {
                Ok(_) => break patience.reset(),
                Err(error @ Error::ProducerDead { .. }) => return Err(error.into()),
                Err(error) => patience.wait(&error).await,
            }
        }
    }
    Ok(())
}
