//! A log read to be held against files: each record with the schema that it was written by and all its fields.

use std::collections::BTreeMap;

use pavane_bus::wire::{self, Contract, catalog};
use pavane_bus::{Raw, Topic};
use pavane_events::{Entry, EventType};
use pavane_review::check::Project;
use pavane_review::drift::{Declared, Flow, Told};
use serde_json::Value;

use crate::commands::Context;
use crate::failure::Failure;
use crate::published;
use crate::replay::range::Range;

/// What begins the name of a schema in a record's headers.
const URN: &str = "urn:pavane:schema:sha256:";

/// What is declared, and what flows.
#[derive(Debug)]
pub struct Held {
    /// What is declared.
    pub declared: Declared,
    /// What flows.
    pub flow: Flow,
}

/// Schemas by their fingerprints.
#[derive(Default)]
struct Known {
    contracts: BTreeMap<String, Contract>,
}

impl Held {
    /// Reads the records of a range, and all that declares something.
    pub async fn read(range: &Range, project: &Project, context: Context<'_>) -> Result<Self, Failure> {
        let mut declared = Declared::of(project);
        if declared.is_empty() {
            return Err(Failure::usage(
                "nothing is declared here: no choreography, no sidecar file, no schema",
            )
            .help("name the files or folders that hold them"));
        }
        let mut known = Known::default();
        for one in &project.offered {
            if let (Some((service, event)), Some(fingerprint)) = (one.event(), known.add(&one.text)) {
                declared.add_fingerprint(service, event, &fingerprint);
            }
        }
        if range.file.is_none() {
            published(context, &mut known, &mut declared).await?;
        }
        let mut records = range.records(context).await?;
        let mut flow = Flow::new(records.name(&Topic::Lifecycle.name(&context.connection.prefix)));
        while let Some((entry, raw)) = records.next().await? {
            if range.is_over(&entry) {
                break;
            }
            if range.is_before(&entry) {
                continue;
            }
            let fields = raw.as_ref().and_then(|raw| known.fields(raw));
            let fingerprint = raw.as_ref().and_then(fingerprint).filter(|one| !is_built_in(&entry, one));
            let told = Told { line: records.line(), fingerprint, fields: fields.as_ref() };
            flow.read(&entry, told, &declared);
        }
        for plan in flow.plans() {
            declared.add_plan(plan);
        }
        Ok(Self { declared, flow })
    }
}

/// What was published counts as declared: whoever published it has told everybody.
async fn published(context: Context<'_>, known: &mut Known, declared: &mut Declared) -> Result<(), Failure> {
    for row in published::load(context).await? {
        known.add(&row.schema);
        if let (Some(service), Some(event)) = (&row.service, EventType::from_short(&row.event)) {
            declared.add_fingerprint(service, event, &row.fingerprint);
        }
    }
    Ok(())
}

impl Known {
    /// Keeps a schema; gives its fingerprint.
    fn add(&mut self, text: &str) -> Option<String> {
        let contract = Contract::parse_to_read(text).ok()?;
        let fingerprint = contract.fingerprint().to_owned();
        self.contracts.insert(fingerprint.clone(), contract);
        Some(fingerprint)
    }

    /// All fields of a record, where its schema is known.
    fn fields(&self, raw: &Raw) -> Option<Value> {
        wire::to_json(self.contracts.get(fingerprint(raw)?)?, raw.value.as_deref()?).ok()
    }
}

fn fingerprint(raw: &Raw) -> Option<&str> {
    raw.header("ce_dataschema")?.strip_prefix(URN)
}

fn is_built_in(entry: &Entry, fingerprint: &str) -> bool {
    match entry {
        Entry::Event(record) => catalog::of(record.event.body.event_type()).fingerprint() == fingerprint,
        Entry::Unreadable(_) => false,
    }
}
