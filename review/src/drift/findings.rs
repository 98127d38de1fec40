//! Where log and files differ, each difference in a sentence with its place.

use std::collections::BTreeMap;

use pavane_choreography::Expect;
use pavane_choreography::diagnostic::{Code, Diagnostic, Place};
use pavane_contracts::Schema;
use pavane_events::EventType;
use serde_json::Value;

use super::flow::{Said, Way};
use super::{Declared, Flow};
use crate::check::Project;
use crate::contracts::built_in;
use crate::participant::Reads;
use crate::words::counted;

pub(super) fn all(project: &Project, declared: &Declared, flow: &Flow) -> Vec<Diagnostic> {
    let mut found = undeclared(declared, flow);
    found.extend(strange(flow));
    found.extend(schemas(project, declared, flow));
    found.extend(never_seen(declared, flow));
    found.extend(never_filled(project, flow));
    found.extend(ways(declared, flow));
    found
}

fn undeclared(declared: &Declared, flow: &Flow) -> Vec<Diagnostic> {
    let said = flow.said.iter().filter(|(expect, _)| !declared.says(expect));
    let told = |(expect, said): (&Expect, &Said)| {
        let why = if declared.services.contains(&expect.service) {
            format!("no file says that {} says it", expect.service)
        } else {
            format!("no file knows {}", expect.service)
        };
        let message = format!("{expect} flows, and {why}: {}", seen(said.seen));
        let help = "await it in a choreography, say it in the service's sidecar file, or give it a schema in \
                    schemas/services/";
        at(Code::EventUndeclared, flow, said.seen, message, help)
    };
    said.map(told).collect()
}

fn strange(flow: &Flow) -> Vec<Diagnostic> {
    let told = |((name, service), way): (&(String, Option<pavane_events::Service>), &Way)| {
        let from = service.as_ref().map_or_else(String::new, |service| format!(" from {service}"));
        let message = format!("{name}{from} flows, and nobody can read it: {}", seen(*way));
        let help =
            "`pavane dlq list` tells why; publish its schema with `pavane schemas push`, or stop who says it";
        at(Code::EventUndeclared, flow, *way, message, help)
    };
    flow.strange.iter().map(told).collect()
}

/// Events that are written by a schema which is neither built in, nor here, nor published.
fn schemas(project: &Project, declared: &Declared, flow: &Flow) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (expect, said) in &flow.said {
        let known = declared.fingerprints.get(expect);
        for (fingerprint, way) in &said.schemas {
            if known.is_some_and(|known| known.contains(fingerprint)) {
                continue;
            }
            let short: String = fingerprint.chars().take(12).collect();
            let message =
                format!("{expect} is written by a schema that no file here is ({short}): {}", seen(*way));
            let own = project.offered.iter().any(|one| {
                one.event()
                    .is_some_and(|(service, event)| *service == expect.service && event == expect.event)
            });
            let help = if own {
                "it is an earlier form, or one that was changed elsewhere: `pavane schemas list` shows what is published"
            } else {
                "ask the service's team for the schema, and put it into schemas/services/"
            };
            found.push(at(Code::SchemaUndeclared, flow, *way, message, help).warning());
        }
    }
    found
}

fn never_seen(declared: &Declared, flow: &Flow) -> Vec<Diagnostic> {
    let silent = declared.events.iter().filter(|(expect, _)| !flow.said.contains_key(expect));
    let told = |(expect, (file, place)): (&Expect, &(String, Place))| {
        let records = counted(usize::try_from(flow.records).unwrap_or(usize::MAX), "record");
        let message = format!("{expect} is declared, and was never seen in {records} of {}", flow.log);
        let help = "look at a longer range; if nobody says it any more, take it out";
        Diagnostic::new(Code::EventNeverSeen, file, *place, message, help).warning()
    };
    silent.map(told).collect()
}

/// Fields of services' own forms that nobody has ever filled, and fields that somebody uses.
fn never_filled(project: &Project, flow: &Flow) -> Vec<Diagnostic> {
    let mut users: BTreeMap<(&Expect, &str), Vec<String>> = BTreeMap::new();
    for one in &project.participants {
        for consumed in &one.consumes {
            let Reads::Fields(fields) = &consumed.reads else { continue };
            for field in fields {
                let user = format!("`{}` ({}:{})", one.service, one.file, consumed.place.line);
                users.entry((&consumed.event, field)).or_default().push(user);
            }
        }
    }
    let mut found = Vec::new();
    for (expect, said) in &flow.said {
        let own = project.offered.iter().find(|one| {
            one.event().is_some_and(|(service, event)| *service == expect.service && event == expect.event)
        });
        let schema = own.and_then(|one| one.schema().ok());
        for (name, values) in &said.fields {
            let used = users.get(&(expect, name.as_str()));
            let (schema, file) = match (&schema, own) {
                (Some(schema), Some(one)) => (schema.clone(), one.file.as_str()),
                _ if used.is_some() => (built_in(expect.event), ""),
                _ => continue,
            };
            if is_ours(expect.event, name) && used.is_none() {
                continue;
            }
            let default =
                schema.field_default(name).and_then(|text| serde_json::from_str::<Value>(&text).ok());
            if !values.is_never_filled(default.as_ref()) {
                continue;
            }
            let by =
                used.map_or_else(String::new, |users| format!(", though {} uses it", users.join(" and ")));
            let message = format!("the field {name} of {expect} was never filled{by}: {}", seen(said.seen));
            let help = "fill it, or take it out of the schema and of who reads it";
            found.push(
                match field_place(&schema, name).filter(|_| !file.is_empty()) {
                    Some(place) => Diagnostic::new(Code::FieldNeverFilled, file, place, message, help),
                    None => at(Code::FieldNeverFilled, flow, said.seen, message, help),
                }
                .warning(),
            );
        }
    }
    found
}

fn ways(declared: &Declared, flow: &Flow) -> Vec<Diagnostic> {
    let unwritten = flow.ways.iter().filter(|((event, to), _)| !declared.moves(event, to));
    let told = |((event, to), way): (&(Expect, pavane_events::Service), &Way)| {
        let message =
            format!("{to} moves on {event}, and no choreography and no sidecar file says so: {}", seen(*way));
        let help =
            format!("write it down: `after:` in the choreography, or `consumes:` in {to}'s sidecar file");
        at(Code::EdgeUndeclared, flow, *way, message, help)
    };
    unwritten.map(told).collect()
}

/// Whether every event of this kind has the field.
fn is_ours(event: EventType, field: &str) -> bool {
    built_in(event).field_type(field).is_some()
}

fn field_place(schema: &Schema, name: &str) -> Option<Place> {
    let fields = schema.fields();
    let spot = &fields.iter().find(|(field, _)| *field == name)?.1;
    Some(crate::contracts::place(spot.place))
}

fn seen(way: Way) -> String {
    let times = usize::try_from(way.times).unwrap_or(usize::MAX);
    format!("seen {}, first at offset {}", counted(times, "time"), way.offset)
}

fn at(code: Code, flow: &Flow, way: Way, message: String, help: impl Into<String>) -> Diagnostic {
    let place = Place { line: way.line.max(1), column: 1 };
    Diagnostic::new(code, &flow.log, place, message, help)
}
