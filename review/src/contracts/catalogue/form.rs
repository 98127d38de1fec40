//! A schema as a person reads it: what is in it, and how it came to be so.

use pavane_contracts::Schema;
use pavane_contracts::change::{Change, changes};

use super::Version;

/// The form of an event.
#[derive(Clone, Debug)]
pub(super) struct Form {
    pub(super) full_name: String,
    /// Where it is: a file, or `the registry`.
    pub(super) place: String,
    pub(super) doc: String,
    pub(super) fields: Vec<Field>,
    /// The versions, newest first.
    pub(super) history: Vec<Step>,
}

#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) default: String,
    pub(super) doc: String,
}

/// A version, with what it changed of the one before.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) label: String,
    /// Lines that begin with `+` or `-`; or one that says something else.
    pub(super) told: Vec<String>,
}

impl Form {
    /// A schema with its versions, which are given oldest first.
    pub(super) fn of(schema: &Schema, place: &str, versions: &[Version]) -> Self {
        let field = |(name, _): (&str, _)| Field {
            name: name.to_owned(),
            kind: schema.field_type(name).unwrap_or_default(),
            default: schema.field_default(name).unwrap_or_else(|| "none".to_owned()),
            doc: schema.field_doc(name).to_owned(),
        };
        Self {
            full_name: schema.full_name().to_owned(),
            place: place.to_owned(),
            doc: schema.doc().to_owned(),
            fields: schema.fields().into_iter().map(field).collect(),
            history: history(versions),
        }
    }
}

fn history(versions: &[Version]) -> Vec<Step> {
    let parsed: Vec<Option<Schema>> = versions.iter().map(|one| Schema::parse(&one.text).ok()).collect();
    let steps = (0..versions.len()).rev().map(|at| {
        let before = at.checked_sub(1).and_then(|before| parsed[before].as_ref());
        let told = match (before, &parsed[at]) {
            (_, None) => vec!["no schema that can be read".to_owned()],
            (None, Some(_)) if at == 0 => vec!["the first one that is known".to_owned()],
            (None, Some(_)) => vec!["a schema again".to_owned()],
            (Some(old), Some(new)) => {
                let lines: Vec<String> = changes(old, new).iter().flat_map(Change::lines).collect();
                if lines.is_empty() { vec!["words alone".to_owned()] } else { lines }
            }
        };
        Step { label: versions[at].label.clone(), told }
    });
    steps.collect()
}
