//! Choreographies as files, and as they stand published on the bus.

use std::path::Path;

use pavane_bus::{Bus, Topic};
use pavane_choreography::Plan;
use pavane_events::Domain;
use serde::{Deserialize, Serialize};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::outage;

/// A choreography as it was written and as it is meant.
#[derive(Clone, Debug)]
pub struct Document {
    /// The text of the file.
    pub source: String,
    /// The plan, every default resolved.
    pub plan: Plan,
}

/// The value under `<domain>/<name>` on the topic of choreographies.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Published {
    /// The text of the file.
    pub source: String,
    /// The plan, every default resolved.
    pub plan: Plan,
    /// SHA-256 of the plan's canonical JSON.
    pub digest: String,
}

/// Reads a choreography from a file; all its defects are in the failure.
pub fn read(file: &Path) -> Result<Document, Failure> {
    let name = file.display().to_string();
    let source = std::fs::read_to_string(file)
        .map_err(|error| Failure::new(Exit::Invalid, format!("cannot read {name}")).because(error))?;
    parse(source, &name)
}

/// Reads a choreography from a text that is known under a name.
pub fn parse(source: String, name: &str) -> Result<Document, Failure> {
    match pavane_choreography::read(&source, name) {
        Ok(plan) => Ok(Document { source, plan }),
        Err(diagnostics) => Err(Failure::invalid(name, diagnostics)),
    }
}

/// The key of a choreography on its topic.
pub fn key(domain: &Domain, name: &str) -> String {
    format!("{domain}/{name}")
}

/// The published choreography with this name, or that there is none.
pub async fn published(bus: &Bus, domain: &Domain, name: &str) -> Result<Published, Failure> {
    let wanted = key(domain, name);
    let mut table = bus.table(Topic::Choreographies).await.map_err(outage::of)?;
    let mut rows = table.load().await.map_err(outage::of)?;
    let Some(value) = rows.remove(&wanted) else {
        let prefix = key(domain, "");
        let known: Vec<&str> = rows.keys().filter_map(|row| row.strip_prefix(&prefix)).collect();
        let known =
            if known.is_empty() { "none is".to_owned() } else { format!("known are {}", known.join(", ")) };
        return Err(Failure::new(
            Exit::Findings,
            format!("no choreography {name} is published in {domain}; {known}"),
        )
        .help("publish it with `pavane apply FILE`, or name the file itself"));
    };
    serde_json::from_slice(&value).map_err(|error| {
        Failure::new(Exit::Invalid, format!("cannot read the published choreography {wanted}"))
            .because(error)
            .help("publish it again with `pavane apply FILE`")
    })
}

impl From<&Document> for Published {
    fn from(document: &Document) -> Self {
        let digest = document.plan.digest();
        Self { source: document.source.clone(), plan: document.plan.clone(), digest }
    }
}
