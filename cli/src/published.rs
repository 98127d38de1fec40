//! What `pavane schemas push` has published: the schemas that readers allow beside the built-in ones.

use pavane_bus::Topic;
use pavane_events::Service;
use serde::{Deserialize, Serialize};

use crate::commands::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::outage;

/// A published schema.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Published {
    /// The fingerprint of its parsing canonical form.
    pub fingerprint: String,
    /// The full name of the record.
    pub subject: String,
    /// The service whose own form it is.
    pub service: Option<Service>,
    /// The short name of the event.
    pub event: String,
    /// The text.
    pub schema: String,
    /// The id in the registry.
    pub id: u32,
    /// Who published it, where that was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Whence: the address of a run of CI, `ci`, or `desk`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whence: Option<String>,
}

/// All that is published, in the order of the fingerprints.
pub async fn load(context: Context<'_>) -> Result<Vec<Published>, Failure> {
    let bus = context.connection.bus().await?;
    let mut table = bus.table(Topic::Schemas).await.map_err(outage::of)?;
    let rows = table.load().await.map_err(outage::of)?;
    let read = |(key, row): (&String, &Vec<u8>)| {
        serde_json::from_slice(row).map_err(|error| {
            Failure::new(Exit::Invalid, format!("cannot read the row {key} of the published schemas"))
                .because(error)
                .help("push the schemas again with `pavane schemas push`")
        })
    };
    rows.iter().map(read).collect()
}

impl Published {
    /// In a line, with who published it: `matchmaking.Ready  shop.matchmaking.Ready  id 7  3f2a61…  by ana, desk`.
    pub fn line(&self) -> String {
        let Self { subject, event, id, .. } = self;
        let service = self.service.as_ref().map_or("-", Service::as_str);
        let fingerprint: String = self.fingerprint.chars().take(12).collect();
        let pusher = match (&self.by, &self.whence) {
            (Some(by), Some(whence)) => format!("by {by}, {whence}"),
            (Some(by), None) => format!("by {by}"),
            (None, _) => "nobody says by whom".to_owned(),
        };
        format!("{service}.{event}  {subject}  id {id}  {fingerprint}  {pusher}\n")
    }
}
