//! Keeps the marks and `pavane.notifications` the same: reads its rows, writes ours.

use std::sync::Arc;

use pavane_bus::{Error, TableItem, Topic};
use tokio::sync::mpsc;

use crate::alert::marks::{Marks, ToWrite};
use crate::clock::wall;
use crate::connection::{Connection, Patience};
use crate::table::Table;

/// Reads all rows, then follows them, for as long as the process lives.
pub(crate) async fn read(
    connection: Connection,
    marks: Arc<Marks>,
    receivers: Vec<String>,
) -> anyhow::Result<()> {
    let mut table = Table::new(connection, Topic::Notifications, "read the notifications");
    loop {
        match table.next().await? {
            TableItem::Row(row) => marks.read(&row.key, row.value.as_deref()),
            TableItem::CaughtUp => marks.load(&receivers, wall()),
        }
    }
}

/// Writes each row until the broker has it. A row that is not written before a crash costs a second delivery
/// under the same id.
pub(crate) async fn write(
    connection: Connection,
    mut rows: mpsc::UnboundedReceiver<ToWrite>,
) -> anyhow::Result<()> {
    let mut patience = Patience::new("write to the notifications");
    while let Some((key, row)) = rows.recv().await {
        let value = row.map(|row| serde_json::to_vec(&row)).transpose()?;
        loop {
            let put = async {
                let writer = connection.writer().await?;
                writer.put(Topic::Notifications, &key, value.clone()).await
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
