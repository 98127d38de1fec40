//! One entry of what is expected.

use pavane_choreography::Severity;
use pavane_choreography::diagnostic::Code;
use pavane_choreography::yaml::{Fields, Item, Reported, did_you_mean};
use pavane_events::{Cause, Millis};

use super::{Names, moment};
use crate::scenario::{AlertWish, ENDINGS, StallWish, Wish};

/// The alerts that there are.
const ALERTS: [&str; 10] = [
    "ApprovalAwaited",
    "Blind",
    "CohortUnknown",
    "GateRejected",
    "MaintenanceOver",
    "MetricMissing",
    "RollbackStalled",
    "RolloutPartial",
    "RolloutStalled",
    "SequenceViolated",
];

/// The causes with their words.
const CAUSES: [(&str, Cause); 10] = [
    ("failed", Cause::Failed),
    ("not_finished", Cause::NotFinished),
    ("not_started", Cause::NotStarted),
    ("out_of_order", Cause::OutOfOrder),
    ("conflict", Cause::Conflict),
    ("contract_broken", Cause::ContractBroken),
    ("undelivered", Cause::Undelivered),
    ("gap", Cause::Gap),
    ("unreachable", Cause::Unreachable),
    ("unknown", Cause::Unknown),
];

type Read = for<'i, 'd> fn(&'i Item<'d>, &Names) -> Result<Wish, Reported>;

const WISHES: [(&str, Read); 6] = [
    ("stalled", |i, names| i.fields(|f| stall(f, names)).map(Wish::Stalled)),
    ("alert", |i, names| i.fields(|f| alert(f, names)).map(Wish::Alert)),
    ("never", |i, names| wish(i, names).map(|wish| Wish::Never(Box::new(wish)))),
    ("order", |i, names| i.list(|i| names.named(i)).map(Wish::Order)),
    ("version", version),
    ("versions", |i, _| i.one_of(&[("old", Wish::AllNew(false)), ("new", Wish::AllNew(true))])),
];

pub(super) fn wish(item: &Item<'_>, names: &Names) -> Result<Wish, Reported> {
    item.fields(|f| {
        let mut found: Vec<Result<Wish, Reported>> = Vec::new();
        let mut fields: Vec<Item<'_>> = Vec::new();
        for (name, read) in &WISHES {
            if let Some(item) = f.get(name) {
                found.push(read(&item, names));
                fields.push(item);
            }
        }
        for (name, read) in [("ends", ends as fn(&mut Fields<'_>, &Item<'_>, &Names) -> _), ("said", said)] {
            if let Some(item) = f.get(name) {
                found.push(read(f, &item, names));
                fields.push(item);
            }
        }
        if found.len() > 1 {
            let message = "two expectations stand in one entry";
            return Err(fields[1].refuse(Code::Contradiction, message, "make it two entries"));
        }
        found.pop().unwrap_or_else(|| {
            let help = "say what is expected: stalled, alert, never, order, ends, said, version, versions";
            Err(f.refuse(Code::MissingField, "nothing is expected in this entry", help))
        })
    })
}

fn stall(f: &mut Fields<'_>, names: &Names) -> Result<StallWish, Reported> {
    let step = f.optional("step", |i| names.step(i));
    let cause = f.optional("cause", |i| i.one_of(&CAUSES));
    let within = f.optional("within", Item::duration);
    Ok(StallWish { step: step?, cause: cause?, within: within? })
}

fn alert(f: &mut Fields<'_>, names: &Names) -> Result<AlertWish, Reported> {
    let name = f.optional("name", |i| {
        let text = i.scalar("the name of an alert")?;
        if ALERTS.contains(&text) {
            return Ok(text.to_owned());
        }
        let message = format!("there is no alert {text:?}");
        Err(i.refuse(Code::UnknownChoice, message, did_you_mean(text, &ALERTS)))
    });
    let team = f.optional("team", Item::text);
    let severity =
        f.optional("severity", |i| i.one_of(&[("page", Severity::Page), ("ticket", Severity::Ticket)]));
    let step = f.optional("step", |i| names.step(i));
    let by = f.optional("by", moment);
    let resolved = f.optional("resolved", Item::boolean);
    Ok(AlertWish { name: name?, team: team?, severity: severity?, step: step?, by: by?, resolved: resolved? })
}

fn version(item: &Item<'_>, names: &Names) -> Result<Wish, Reported> {
    item.fields(|f| {
        let service = f.required("service", |i| names.service(i));
        let version = f.required("is", Item::name);
        Ok(Wish::Version(service?, version?))
    })
}

fn ends(f: &mut Fields<'_>, item: &Item<'_>, _names: &Names) -> Result<Wish, Reported> {
    let by = by(f);
    let rollout = f.optional("rollout", Item::name);
    let status = item.one_of(&ENDINGS);
    Ok(Wish::Ends { rollout: rollout?, status: status?, by: by? })
}

fn said(f: &mut Fields<'_>, item: &Item<'_>, names: &Names) -> Result<Wish, Reported> {
    let by = by(f);
    let event = names.named(item);
    Ok(Wish::Said(event?, by?))
}

fn by(f: &mut Fields<'_>) -> Result<Option<Millis>, Reported> {
    f.optional("by", moment)
}
