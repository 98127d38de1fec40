//! What is wrong with a schema by itself, and beside the vocabulary.

use std::collections::BTreeMap;

use pavane_choreography::diagnostic::{Code, Diagnostic};
use pavane_contracts::style::{self, Rule};
use pavane_contracts::{Schema, bounds, can_read, likeness};
use pavane_events::Speaker;
use pavane_events::vocabulary::NAMESPACE;

use super::{Offered, built_in, of_defect, place, pointed};

/// Everything that is wrong with these schemas, each and beside one another.
pub fn findings(offered: &[Offered]) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let mut sound = Vec::new();
    for one in offered {
        match one.schema() {
            Ok(schema) => {
                found.extend(of_one(one, &schema));
                sound.push((one, schema));
            }
            Err(defects) => found.extend(defects),
        }
    }
    found.extend(names(&sound));
    found
}

fn of_one(one: &Offered, schema: &Schema) -> Vec<Diagnostic> {
    let file = &one.file;
    let mut found: Vec<Diagnostic> = Vec::new();
    let dangers = bounds::check(schema);
    found.extend(dangers.iter().map(|defect| of_defect(Code::SchemaDangerous, file, defect)));
    let misfits = schema.misfit_defaults();
    found.extend(misfits.iter().map(|defect| of_defect(Code::SchemaDefault, file, defect)));
    for remark in style::remarks(schema) {
        let (code, is_error) = match remark.rule {
            Rule::DefaultSymbol => (Code::SchemaSymbol, true),
            Rule::Optional => (Code::SchemaOptional, false),
            Rule::Doc => (Code::SchemaDoc, false),
        };
        let message = pointed(&remark.message, &remark.spot.pointer);
        let told = Diagnostic::new(code, file, place(remark.spot.place), message, remark.help);
        found.push(if is_error { told } else { told.warning() });
    }
    for (spot, field, earlier) in likeness::fields(schema) {
        let message =
            pointed(&format!("the field {field} and the field {earlier} say one thing"), &spot.pointer);
        let help = "keep one of them: whoever reads the other waits in vain";
        found.push(Diagnostic::new(Code::SchemaAlike, file, place(spot.place), message, help));
    }
    found.extend(own_form(one, schema));
    found
}

/// What keeps a schema from being a service's own form of an event.
fn own_form(one: &Offered, schema: &Schema) -> Vec<Diagnostic> {
    let (Some((_, word)), at) = (&one.own, place(schema.place())) else { return Vec::new() };
    let mut found = Vec::new();
    let mut wrong = |message: String, help: String| {
        found.push(Diagnostic::new(Code::SchemaName, &one.file, at, message, help));
    };
    if schema.name() != word {
        let message = format!("the record is {}, and the file says {word}", schema.full_name());
        wrong(message, "name them alike: the record after the event".to_owned());
    }
    if schema.namespace() == NAMESPACE || schema.namespace().is_empty() {
        let message = format!("{} does not lie in the service's own namespace", schema.full_name());
        wrong(
            message,
            "give the record a `namespace` of the service: it is the name in the registry".to_owned(),
        );
    }
    let Some((_, event)) = one.event().filter(|(_, event)| event.speaker() == Speaker::Service) else {
        return found;
    };
    for difference in can_read(schema, &built_in(event)) {
        let message = format!(
            "readers of {event} cannot read this form of it: {}: {}",
            field(&difference.field),
            difference.message
        );
        let help = "keep all fields of the event as they are, and add your own beside them";
        let message = pointed(&message, &difference.writer.pointer);
        found.push(Diagnostic::new(
            Code::SchemaForm,
            &one.file,
            place(difference.writer.place),
            message,
            help,
        ));
    }
    found
}

/// Two records of one name, and events that people take for one another.
fn names(sound: &[(&Offered, Schema)]) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let mut seen: BTreeMap<&str, &Offered> = BTreeMap::new();
    for (at, (one, schema)) in sound.iter().enumerate() {
        let tell =
            |code, message, help| Diagnostic::new(code, &one.file, place(schema.place()), message, help);
        if let Some(earlier) = seen.insert(schema.full_name(), one) {
            let message = format!("{} is the record of {} too", schema.full_name(), earlier.file);
            found.push(tell(
                Code::SchemaName,
                message,
                "one name, one schema: give one of them another name",
            ));
            continue;
        }
        let alike = |(_, other): &&(&Offered, Schema)| {
            other.namespace() == schema.namespace()
                && other.name() != schema.name()
                && likeness::alike(other.name(), schema.name())
        };
        if let Some((earlier, other)) = sound[..at].iter().find(alike) {
            let message = format!("{} says the same as {} in {}", schema.name(), other.name(), earlier.file);
            found.push(tell(
                Code::SchemaAlike,
                message,
                "keep one of them, and add the fields of the other to it",
            ));
        }
    }
    found
}

pub(super) fn field(path: &str) -> &str {
    if path.is_empty() { "the whole" } else { path }
}
