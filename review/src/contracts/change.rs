//! A schema against the versions before it: every breach of the level that is asked for, with its line.

use std::collections::BTreeMap;

use pavane_choreography::diagnostic::{Code, Diagnostic, Place};
use pavane_contracts::{Breach, Direction, Kind, Schema};

pub use pavane_contracts::Mode;

use super::lint::field;
use super::{place, pointed};

/// A version that was there before.
#[derive(Clone, Debug)]
pub struct Before {
    /// Where it was found, for a person: `origin/main`, `version 3 in the registry`.
    pub label: String,
    /// The schema.
    pub schema: Schema,
}

/// Everything that a schema breaks of the versions before it, which are given oldest first; what it breaks of several
/// versions alike is told once.
pub fn breaches(file: &str, new: &Schema, before: &[Before], mode: Mode) -> Vec<Diagnostic> {
    let old: Vec<&Schema> = before.iter().map(|one| &one.schema).collect();
    let mut told: BTreeMap<(Place, &'static str, String, String), Vec<&str>> = BTreeMap::new();
    for breach in mode.breaches(new, &old) {
        let label = before[breach.version].label.as_str();
        let spot = match breach.direction {
            Direction::Backward => &breach.difference.reader,
            Direction::Forward => &breach.difference.writer,
        };
        let (message, help) = words(&breach);
        let key = (
            place(spot.place),
            code(breach.difference.kind).as_str(),
            pointed(&message, &spot.pointer),
            help,
        );
        let labels = told.entry(key).or_default();
        if !labels.contains(&label) {
            labels.push(label);
        }
    }
    let known =
        |name: &str| Code::ALL.iter().find(|code| code.as_str() == name).copied().expect("a code of ours");
    let diagnostic =
        |((at, code, message, help), labels): ((Place, &'static str, String, String), Vec<&str>)| {
            Diagnostic::new(known(code), file, at, format!("{message}; against {}", listed(&labels)), help)
        };
    told.into_iter().map(diagnostic).collect()
}

/// A schema that was there and is not any more; `now` is the file in its place, with what it holds instead.
pub fn gone(name: &str, file: &str, label: &str, now: Option<&str>) -> Diagnostic {
    let message = match now {
        Some(other) => {
            format!("{name} was here in {label}, and now this is {other}: another name, another subject")
        }
        None => {
            format!("{name} is gone, which was there in {label}: what was written by it is still on the log")
        }
    };
    let help =
        "keep the schema for as long as anyone reads or wrote by it; `--allow PAV527` when nobody does";
    Diagnostic::new(Code::SchemaGone, file, Place::START, message, help)
}

const fn code(kind: Kind) -> Code {
    match kind {
        Kind::MissingDefault => Code::ChangeNoDefault,
        Kind::Type => Code::ChangeType,
        Kind::Union => Code::ChangeUnion,
        Kind::Symbol => Code::ChangeSymbol,
        Kind::Name => Code::ChangeName,
        Kind::Logical => Code::ChangeMeaning,
        Kind::Ambiguous => Code::ChangeAlias,
    }
}

fn words(breach: &Breach) -> (String, String) {
    let difference = &breach.difference;
    let path = field(&difference.field);
    match (difference.kind, breach.direction) {
        (Kind::MissingDefault, Direction::Backward) => {
            let message = format!("{path} came without a default: what was written before cannot be read");
            (message, "give the field a default".to_owned())
        }
        (Kind::MissingDefault, Direction::Forward) => {
            let message = format!("{path} went, and who reads by the old schema has no default for it");
            (message, "keep the field: only one that has a default may be taken away".to_owned())
        }
        (
            Kind::Type | Kind::Union | Kind::Symbol | Kind::Name | Kind::Logical | Kind::Ambiguous,
            direction,
        ) => (format!("{}: {path}: {}", direction.told(), difference.message), difference.help.clone()),
    }
}

/// The versions in their order, runs of them as a range.
pub(super) fn listed(labels: &[&str]) -> String {
    match labels {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first, .., last] if labels.len() > 3 => format!("{first} to {last} ({} versions)", labels.len()),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}
