//! A compacted topic, read to its end and then followed, for as long as the process lives: what fails is tried again,
//! loudly.

use pavane_bus::{Error, TableItem, TableReader, Topic};

use crate::connection::{Connection, Patience};

/// A compacted topic that is followed.
pub(crate) struct Table {
    connection: Connection,
    topic: Topic,
    patience: Patience,
    reader: Option<TableReader>,
}

impl Table {
    /// Follows this topic. `doing` says what is being tried, for whoever reads that it failed: `read the snapshots`.
    pub(crate) fn new(connection: Connection, topic: Topic, doing: &'static str) -> Self {
        Self { connection, topic, patience: Patience::new(doing), reader: None }
    }

    /// The next row, or that all that stood there at the start has been read. An error only when a new process alone can
    /// go on.
    pub(crate) async fn next(&mut self) -> anyhow::Result<TableItem> {
        loop {
            match self.attempt().await {
                Ok(item) => {
                    self.patience.reset();
                    return Ok(item);
                }
                Err(error @ Error::Stopped { .. }) => return Err(error.into()),
                Err(error) => self.patience.wait(&error).await,
            }
        }
    }

    async fn attempt(&mut self) -> Result<TableItem, Error> {
        if self.reader.is_none() {
            self.reader = Some(self.connection.bus().await.table(self.topic).await?);
        }
        self.reader.as_mut().expect("opened just before").next().await
    }
}
