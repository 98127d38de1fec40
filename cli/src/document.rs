//! Choreographies as files, and as they stand published on the bus.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pavane_bus::{Bus, Topic};
use pavane_choreography::{BadRow, Plan, Published};
use pavane_events::Domain;
use pavane_rehearsal::Piece;

use crate::exit::Exit;
use crate::failure::{Failure, counted};
use crate::files;
use crate::outage;

/// A choreography as it was written and as it is meant.
#[derive(Clone, Debug)]
pub struct Document {
    /// The text of the file.
    pub source: String,
    /// The plan, every default resolved.
    pub plan: Plan,
}

/// Reads a choreography from a file; all its defects are in the failure.
pub fn read(file: &Path) -> Result<Document, Failure> {
    parse(text(file)?, &file.display().to_string())
}

/// The text of a file.
pub fn text(file: &Path) -> Result<String, Failure> {
    Ok(files::one(file)?.text)
}

/// The choreography that a file names, as seen from the folder of that file; or why there is none, in one line.
pub fn beside(file: &Path, plan: &str) -> Result<Arc<Piece>, String> {
    let read = read(&file.parent().unwrap_or(Path::new(".")).join(plan));
    let failure = match read {
        Ok(document) => return Ok(Arc::new(Piece::new(document.plan))),
        Err(failure) => failure,
    };
    Err(match failure.into_diagnostics() {
        Ok(defects) => match defects.first() {
            Some(first) => format!("the plan {plan} has {}: {first}", counted(defects.len(), "defect")),
            None => format!("the plan {plan} is not sound"),
        },
        Err(failure) => failure.to_string(),
    })
}

/// Reads a choreography from a text that is known under a name.
pub fn parse(source: String, name: &str) -> Result<Document, Failure> {
    match pavane_choreography::read(&source, name) {
        Ok(plan) => Ok(Document { source, plan }),
        Err(diagnostics) => Err(Failure::invalid(name, diagnostics)),
    }
}

/// What looks like a file is one: it exists, or its name has a slash or ends in `.yaml` or `.yml`.
pub fn as_file(text: &str) -> Option<PathBuf> {
    let path = Path::new(text);
    let yaml = path.extension().is_some_and(|end| end == "yaml" || end == "yml");
    (yaml || text.contains('/') || path.is_file()).then(|| path.to_owned())
}

/// The choreographies that are published in a domain, by name; of those that cannot be read, why.
pub async fn shelf(
    bus: &Bus,
    domain: &Domain,
) -> Result<BTreeMap<String, Result<Published, BadRow>>, Failure> {
    let mut table = bus.table(Topic::Choreographies).await.map_err(outage::of)?;
    let rows = table.load().await.map_err(outage::of)?;
    let prefix = Published::key(domain, "");
    let named = |(key, value): (String, Vec<u8>)| {
        let name = key.strip_prefix(&prefix)?.to_owned();
        Some((name, Published::from_json(&key, &value)))
    };
    Ok(rows.into_iter().filter_map(named).collect())
}

/// The published choreography with this name, or that there is none.
pub async fn published(bus: &Bus, domain: &Domain, name: &str) -> Result<Published, Failure> {
    let mut shelf = shelf(bus, domain).await?;
    match shelf.remove(name) {
        Some(Ok(row)) => Ok(row),
        Some(Err(bad)) => Err(Failure::new(Exit::Invalid, format!("failed to {bad}"))),
        None => {
            let known: Vec<&str> = shelf.keys().map(String::as_str).collect();
            let known = if known.is_empty() {
                "none is".to_owned()
            } else {
                format!("known are {}", known.join(", "))
            };
            let what = format!("no choreography {name} is published in {domain}; {known}");
            Err(Failure::new(Exit::Findings, what)
                .help("publish it with `pavane apply FILE`, or name the file itself"))
        }
    }
}
