//! Who reads an event: which services of which teams a change breaks, in which choreographies, and who moves first.
//!
//! A consumer is whoever says so (`consumes` in its sidecar's file) or reacts to the event; who says nothing more reads
//! by the built-in schema, as its sidecar does.

use std::collections::{BTreeMap, BTreeSet};

use pavane_choreography::diagnostic::{Code, Diagnostic, Place};
use pavane_choreography::{Expect, Step};
use pavane_contracts::{Difference, Direction, Schema, can_read};

use super::lint::field;
use super::{Before, Mode, Offered, built_in, place};
use crate::check::Project;
use crate::participant::{Participant, Reads};

/// A service's own event in its new form, and what it was.
#[derive(Debug)]
pub struct Change<'a> {
    /// The file of the new form.
    pub offered: &'a Offered,
    /// The new form.
    pub new: &'a Schema,
    /// The forms before it, oldest first; none for one that is not compared.
    pub before: &'a [Before],
}

/// Everybody who breaks, each in a sentence; and the order in which services must move, where a change asks for one.
pub fn findings(project: &Project, change: &Change<'_>, mode: Mode) -> Vec<Diagnostic> {
    let Some((service, event)) = change.offered.event() else { return Vec::new() };
    let expect = Expect { service: service.clone(), event };
    let mut found = Vec::new();
    let mut readers: BTreeSet<&str> = BTreeSet::new();
    for consumer in project.participants.iter().filter(|one| one.service != expect.service) {
        let Some((reads, at)) = reading(consumer, &expect) else { continue };
        if !readers.insert(consumer.service.as_str()) {
            continue;
        }
        if let Some((message, place)) = broken(change, &expect, reads) {
            found.push(sentence(project, change, &expect, consumer, at, (message, place)));
        }
    }
    found.extend(order(project, change, &expect, &readers, mode));
    found
}

/// What consumers read that nobody writes, whatever changes: told in the consumer's file.
pub fn unwritten(project: &Project, schemas: &[(&Offered, Schema)]) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for consumer in &project.participants {
        for consumed in &consumer.consumes {
            let written = schemas.iter().find(|(one, _)| {
                one.event().is_some_and(|(service, event)| {
                    *service == consumed.event.service && event == consumed.event.event
                })
            });
            let plain = built_in(consumed.event.event);
            let (by, schema) =
                written.map_or(("the built-in schema", &plain), |(one, schema)| (&one.file, schema));
            let mut tell = |message: String, help: &str| {
                found.push(Diagnostic::new(
                    Code::ConsumesNothing,
                    &consumer.file,
                    consumed.place,
                    message,
                    help,
                ));
            };
            match &consumed.reads {
                Reads::Fields(fields) => {
                    let known: BTreeSet<&str> = schema.fields().into_iter().map(|(name, _)| name).collect();
                    for name in fields.iter().filter(|name| !known.contains(name.as_str())) {
                        let message = format!(
                            "`{}` reads the field {name} of {}, which {by} does not have",
                            consumer.service, consumed.event
                        );
                        tell(message, "take it out, or ask the service's team to write it");
                    }
                }
                Reads::Schema { file, schema: Ok(reader) } => {
                    for difference in can_read(schema, reader).iter().filter(|one| one.kind.breaks_bytes()) {
                        let message = format!(
                            "`{}` reads {} by {file}, which cannot read {by}: {}: {}",
                            consumer.service,
                            consumed.event,
                            field(&difference.field),
                            difference.message
                        );
                        tell(message, "bring the reader's schema up to date");
                    }
                }
                Reads::Schema { file, schema: Err(why) } => {
                    let message = format!(
                        "`{}` reads {} by {file}, which is no schema that is read: {why}",
                        consumer.service, consumed.event
                    );
                    tell(message, "name the file from the folder of this one, and mend it");
                }
            }
        }
    }
    found
}

/// What a consumer reads of an event, and where it says so.
fn reading<'a>(consumer: &'a Participant, expect: &Expect) -> Option<(Option<&'a Reads>, Place)> {
    let declared = consumer.consumes.iter().find(|one| one.event == *expect);
    let reacts =
        || consumer.reactions.iter().find(|one| one.on.events().contains(expect)).map(|one| one.place);
    match declared {
        Some(one) => Some((Some(&one.reads), one.place)),
        None => reacts().map(|at| (None, at)),
    }
}

/// Why a consumer cannot read the new form, and where in it that stands. A consumer that could not read the form before
/// either is told elsewhere.
fn broken(change: &Change<'_>, expect: &Expect, reads: Option<&Reads>) -> Option<(String, Place)> {
    let by_schema = |reader: &Schema| {
        let differences = can_read(change.new, reader);
        let first = differences.iter().find(|one| one.kind.breaks_bytes())?;
        Some((format!("{}: {}", field(&first.field), first.message), place(first.writer.place)))
    };
    let built_in = || by_schema(&built_in(expect.event));
    match reads {
        None => built_in(),
        Some(Reads::Schema { schema, .. }) => schema.as_ref().ok().and_then(by_schema).or_else(built_in),
        Some(Reads::Fields(fields)) => {
            fields.iter().find_map(|name| by_field(change, name)).or_else(built_in)
        }
    }
}

/// A field that is used is broken when it is gone, default or not, or when it is another thing now.
fn by_field(change: &Change<'_>, name: &str) -> Option<(String, Place)> {
    let old = &change.before.last()?.schema;
    let was = old.field_type(name)?;
    let Some(_) = change.new.field_type(name) else {
        return Some((
            format!("/{name}: it was {was}, and is not written any more"),
            place(change.new.place()),
        ));
    };
    let inside =
        |one: &&Difference| one.field == format!("/{name}") || one.field.starts_with(&format!("/{name}/"));
    let differences = can_read(change.new, old);
    let first = differences.iter().find(inside)?;
    Some((format!("{}: {}", first.field, first.message), place(first.writer.place)))
}

fn sentence(
    project: &Project,
    change: &Change<'_>,
    expect: &Expect,
    consumer: &Participant,
    at: Place,
    (why, place): (String, Place),
) -> Diagnostic {
    let team = team(consumer);
    let waits = waits(project, expect, consumer);
    let stall =
        if waits.is_empty() { String::new() } else { format!("; {} would stall", waits.join(", and ")) };
    let message =
        format!("{expect} changes, and `{}` ({team}) cannot read it: {why}{stall}", consumer.service);
    let help = format!(
        "tell {team} before this is merged ({}:{}); add a field under another name and keep the old one until they read the new",
        consumer.file, at.line
    );
    Diagnostic::new(Code::ConsumerBreaks, &change.offered.file, place, message, help)
}

fn team(consumer: &Participant) -> String {
    if consumer.team.is_empty() { "no team named".to_owned() } else { format!("team {}", consumer.team) }
}

/// The steps of the consumer that would wait in vain, choreography by choreography.
fn waits(project: &Project, expect: &Expect, consumer: &Participant) -> Vec<String> {
    let mut told = Vec::new();
    for one in &project.choreographies {
        let says = |step: &Step| step.expect == *expect;
        let of_consumer: Vec<&Step> =
            one.plan.steps.iter().filter(|step| step.expect.service == consumer.service).collect();
        if !one.plan.steps.iter().any(says) || of_consumer.is_empty() {
            continue;
        }
        let steps: Vec<String> = of_consumer.iter().map(|step| format!("`{}`", step.id)).collect();
        told.push(format!("in the choreography `{}` the step {}", one.plan.name, steps.join(", ")));
    }
    told
}

/// Who moves first: readers, where the old cannot read the new; the writer, where the new cannot read the old.
fn order(
    project: &Project,
    change: &Change<'_>,
    expect: &Expect,
    readers: &BTreeSet<&str>,
    mode: Mode,
) -> Option<Diagnostic> {
    if readers.is_empty() || mode == Mode::None {
        return None;
    }
    let old = &change.before.last()?.schema;
    let found: BTreeSet<Direction> = Mode::Full
        .breaches(change.new, &[old])
        .into_iter()
        .filter(|one| one.difference.kind.breaks_bytes())
        .map(|one| one.direction)
        .collect();
    let sorted = sorted(project, readers);
    let order = sorted.join(", then ");
    let (forward, backward) = (found.contains(&Direction::Forward), found.contains(&Direction::Backward));
    let message = match (forward, backward) {
        (false, false) => return None,
        (true, false) => {
            format!("who reads {expect} must be upgraded first: {order}, then {}", expect.service)
        }
        (false, true) => {
            format!("{} must be upgraded first, then who reads {expect}: {order}", expect.service)
        }
        (true, true) => format!(
            "no order of roll-out carries this change of {expect}: {} and {} would have to change in one moment",
            sorted.join(", "),
            expect.service
        ),
    };
    let help = "add beside the old, move everybody over, and take the old away last: then any order will do";
    Some(
        Diagnostic::new(Code::ConsumerOrder, &change.offered.file, place(change.new.place()), message, help)
            .warning(),
    )
}

/// The services in the order in which the choreographies move them; those that none moves behind.
fn sorted(project: &Project, services: &BTreeSet<&str>) -> Vec<String> {
    let mut ranks: BTreeMap<&str, usize> = BTreeMap::new();
    let steps = project.choreographies.iter().flat_map(|one| &one.plan.steps);
    for (rank, step) in steps.enumerate() {
        ranks.entry(step.expect.service.as_str()).or_insert(rank);
    }
    let mut sorted: Vec<&str> = services.iter().copied().collect();
    sorted.sort_by_key(|service| (ranks.get(service).copied().unwrap_or(usize::MAX), *service));
    sorted.into_iter().map(|service| format!("`{service}`")).collect()
}
