//! One step as it is written: each field read and judged by itself.

use std::collections::BTreeMap;

use pavane_events::{EventType, Millis, Service, StepId, Zone};
use semver::VersionReq;
use serde_json::json;

use crate::diagnostic::Code;
use crate::expectation::event_of_service;
use crate::instances::{Instances, Share};
use crate::plan::{Expect, OnStall, Severity};
use crate::written::whole::{Metadata, severity};
use crate::yaml::{Fields, Item, MAX_DURATION, Reported, Spanned, shape, shown};

/// The most instances that a step may ask for.
const MAX_INSTANCES: u32 = 10_000;

/// The events that say that something is done.
const DONE: [EventType; 3] = [EventType::Ready, EventType::DeploymentComplete, EventType::Drained];

/// A step of which some parts may have been refused; the steps are judged together all the same.
pub(crate) struct WrittenStep<'d> {
    pub(crate) item: Item<'d>,
    pub(crate) id: Result<Spanned<'d, StepId>, Reported>,
    pub(crate) expect: Result<Spanned<'d, Expect>, Reported>,
    pub(crate) after: Named<'d>,
    pub(crate) after_any: Named<'d>,
    pub(crate) zone: Result<Option<Spanned<'d, Zone>>, Reported>,
    pub(crate) instances: Result<Option<Spanned<'d, Instances>>, Reported>,
    pub(crate) terms: Result<Terms, Reported>,
}

/// A list of steps by their names, each of which may have been refused.
pub(crate) type Named<'d> = Result<Vec<Result<Spanned<'d, StepId>, Reported>>, Reported>;

/// What a step asks for beyond its event, its instances and its place in the order.
#[derive(Clone)]
pub(crate) struct Terms {
    pub(crate) count: Count,
    pub(crate) windows: Windows,
    pub(crate) remedy: Remedy,
    pub(crate) told: Told,
}

/// What counts, and how much of it may go on at once.
#[derive(Clone)]
pub(crate) struct Count {
    pub(crate) version: Option<VersionReq>,
    pub(crate) runs_with: BTreeMap<Service, VersionReq>,
    pub(crate) max_parallel: Option<u32>,
}

/// By when.
#[derive(Clone)]
pub(crate) struct Windows {
    pub(crate) within: Millis,
    pub(crate) started_within: Option<Millis>,
    pub(crate) healthy_for: Millis,
}

/// What happens when it does not come.
#[derive(Clone)]
pub(crate) struct Remedy {
    pub(crate) on_stall: OnStall,
    pub(crate) reversible: bool,
    pub(crate) interruptible: bool,
    pub(crate) back_within: Option<Millis>,
}

/// Who is told of it.
#[derive(Clone)]
pub(crate) struct Told {
    pub(crate) owner: String,
    pub(crate) runbook: Option<String>,
    pub(crate) severity: Severity,
}

impl WrittenStep<'_> {
    /// Whether every part of the step could be read.
    pub(crate) fn judged(&self) -> Result<(), Reported> {
        let lists = [part(&self.after), part(&self.after_any)];
        let entries = [&self.after, &self.after_any].into_iter().flatten().flatten();
        let entries = entries.filter_map(|entry| entry.as_ref().err()).map(|reported| Err(*reported));
        let parts =
            [part(&self.id), part(&self.expect), part(&self.zone), part(&self.instances), part(&self.terms)];
        parts.into_iter().chain(lists).chain(entries).fold(Ok(()), Result::and)
    }
}

/// Whether one part of something could be read.
pub(crate) fn part<T>(part: &Result<T, Reported>) -> Result<(), Reported> {
    part.as_ref().map_or_else(|reported| Err(*reported), |_| Ok(()))
}

/// Reads a step.
pub(crate) fn step<'d>(
    item: &Item<'d>,
    metadata: Result<&Metadata, Reported>,
) -> Result<WrittenStep<'d>, Reported> {
    item.fields(|f| {
        let id = f.required("id", |i| i.spanned(Item::name));
        let after = named(f, "after");
        let after_any = named(f, "after_any");
        let expect = f.required("expect", |i| i.spanned(awaited));
        let version = f.optional("version", Item::version_requirement);
        let runs_with = f.optional("runs_with", |i| runs_with(i, &version));
        let zone = f.optional("zone", |i| i.spanned(Item::name));
        let instances = f.optional("instances", |i| i.spanned(instances));
        let max_parallel = f.optional("max_parallel", |i| i.count(1..=MAX_INSTANCES));
        let windows = windows(f);
        let (remedy, told) = (remedy(f, expect.as_ref().ok()), told(f, metadata));
        let count = || {
            let (runs_with, max_parallel) = (runs_with?.unwrap_or_default(), max_parallel?);
            Ok(Count { version: version?, runs_with, max_parallel })
        };
        let terms = || Ok(Terms { count: count()?, windows: windows?, remedy: remedy?, told: told? });
        Ok(WrittenStep { item: *item, id, expect, after, after_any, zone, instances, terms: terms() })
    })
}

/// Reads which versions of other services those of the step run with.
fn runs_with(
    item: &Item<'_>,
    version: &Result<Option<VersionReq>, Reported>,
) -> Result<BTreeMap<Service, VersionReq>, Reported> {
    item.note("propertyNames", shape::name());
    let named = item.entries(|i| {
        let wanted = i.version_requirement()?;
        Ok((service(i)?, wanted))
    })?;
    if matches!(version, Ok(None)) && !named.is_empty() {
        let message = "`runs_with` is about the versions in `version`, and there is none";
        let help = "add e.g. `version: \">=2\"`: what ran before may run with other versions";
        return Err(item.refuse(Code::MissingField, message, help));
    }
    Ok(named.into_values().collect())
}

/// Reads the name of a service that stands before a value.
fn service(item: &Item<'_>) -> Result<Service, Reported> {
    Service::new(item.field()).map_err(|error| {
        let message = format!("{:?} cannot be a service: {error}", shown(item.field()));
        item.refuse(Code::BadName, message, "name the service as in its sidecar's file")
    })
}

fn named<'d>(f: &mut Fields<'d>, field: &'static str) -> Named<'d> {
    let names = |i: &Item<'d>| {
        i.note("uniqueItems", json!(true));
        i.each(|i| i.spanned(Item::name))
    };
    f.optional(field, names).map(Option::unwrap_or_default)
}

/// Reads the event that a step awaits: one that says that something is done.
fn awaited(item: &Item<'_>) -> Result<Expect, Reported> {
    done(item, "a step cannot await")
}

/// Reads an event that says that something is done. `cannot` is what no other event is good for.
pub(crate) fn done(item: &Item<'_>, cannot: &str) -> Result<Expect, Reported> {
    item.shaped(|| shape::event(&DONE.map(EventType::as_str)))?;
    let expect = event_of_service(item)?;
    let event = expect.event;
    if DONE.contains(&event) {
        return Ok(expect);
    }
    let message = format!("{cannot} {event}: it does not say that something is done");
    let help = if event == EventType::DeploymentStarted {
        "await `DeploymentComplete` and set `started_within`"
    } else {
        "await `Ready`, `DeploymentComplete` or `Drained`"
    };
    Err(item.refuse(Code::BadEvent, message, help))
}

/// Reads a number of instances, or a share of them.
fn instances(item: &Item<'_>) -> Result<Instances, Reported> {
    item.shaped(|| json!({ "anyOf": [shape::count(&(1..=MAX_INSTANCES)), shape::share()] }))?;
    if item.scalar("a number of instances or a share, e.g. `3` or `25%`")?.ends_with('%') {
        return share(item).map(Instances::Share);
    }
    item.count(1..=MAX_INSTANCES).map(Instances::Count)
}

/// Reads a share of the instances.
pub(crate) fn share(item: &Item<'_>) -> Result<Share, Reported> {
    item.shaped(shape::share)?;
    let text = item.scalar("a share, e.g. `25%`")?;
    text.parse().map_err(|_| {
        let message = format!("`{}` is {}; it wants a share from 1% to 100%", item.field(), shown(text));
        item.refuse(Code::BadNumber, message, "write whole per cent, e.g. `25%`")
    })
}

fn windows(f: &mut Fields<'_>) -> Result<Windows, Reported> {
    let within = f.required("within", Item::duration);
    let started_within = f.optional("started_within", |i| i.spanned(Item::duration));
    let healthy_for = f.optional("healthy_for", |i| i.duration_in(0..=MAX_DURATION));
    let (within, started_within) = (within?, started_within?);
    if let Some(started) = started_within.as_ref().filter(|started| started.value > within) {
        let message = "`started_within` is longer than `within`";
        let help = "a step starts before it is done: shorten one or lengthen the other";
        return Err(started.item.refuse(Code::WindowOrder, message, help));
    }
    let started_within = started_within.map(|started| started.value);
    Ok(Windows { within, started_within, healthy_for: healthy_for?.unwrap_or(0) })
}

fn remedy(f: &mut Fields<'_>, expect: Option<&Spanned<'_, Expect>>) -> Result<Remedy, Reported> {
    let on_stall = f.optional("on_stall", |i| i.spanned(on_stall));
    let reversible = f.optional("reversible", Item::boolean);
    let interruptible = f.optional("interruptible", Item::boolean);
    let back = f.optional("compensate", |i| i.spanned(|i| compensate(i, expect)));
    let (on_stall, reversible, back) = (on_stall?, reversible?.unwrap_or(true), back?);
    let interruptible = interruptible?.unwrap_or(true);
    let asks = on_stall.as_ref().filter(|on_stall| on_stall.value == OnStall::Rollback);
    if let (Some(asks), false) = (asks, reversible) {
        let message = "`on_stall: rollback` asks for what `reversible: false` forbids";
        let help = "an irreversible step can `alert` or `pause`";
        return Err(asks.item.refuse(Code::Irreversible, message, help));
    }
    if let (Some(back), false) = (&back, reversible) {
        let message = "`compensate` says how to take back what `reversible: false` never takes back";
        return Err(back.item.refuse(Code::Contradiction, message, "leave one of them out"));
    }
    let on_stall = on_stall.map(|on_stall| on_stall.value).unwrap_or_default();
    Ok(Remedy { on_stall, reversible, interruptible, back_within: back.and_then(|back| back.value) })
}

/// Reads what is done about a stall or a breach.
pub(crate) fn on_stall(item: &Item<'_>) -> Result<OnStall, Reported> {
    item.one_of(&[("alert", OnStall::Alert), ("pause", OnStall::Pause), ("rollback", OnStall::Rollback)])
}

/// Reads how a step is taken back. The event is fixed by how sidecars go back; it may be written out.
fn compensate(item: &Item<'_>, forth: Option<&Spanned<'_, Expect>>) -> Result<Option<Millis>, Reported> {
    item.fields(|f| {
        let expect = f.optional("expect", |i| back(i, forth));
        let within = f.optional("within", Item::duration);
        expect.and(within)
    })
}

fn back(item: &Item<'_>, forth: Option<&Spanned<'_, Expect>>) -> Result<(), Reported> {
    item.shaped(|| shape::event(&[EventType::RollbackComplete.as_str()]))?;
    let expect = event_of_service(item)?;
    let same = forth.is_none_or(|forth| forth.value.service == expect.service);
    if same && expect.event == EventType::RollbackComplete {
        return Ok(());
    }
    let service = forth.map_or("the service", |forth| forth.value.service.as_str());
    let message = format!("{expect} does not say that {service} is back");
    Err(item.refuse(Code::BadEvent, message, format!("await `{service}.RollbackComplete`")))
}

fn told(f: &mut Fields<'_>, metadata: Result<&Metadata, Reported>) -> Result<Told, Reported> {
    let owner = f.optional("owner", Item::text);
    let runbook = f.optional("runbook", Item::url);
    let severity = f.optional("severity", severity);
    let metadata = metadata?;
    Ok(Told {
        owner: owner?.unwrap_or_else(|| metadata.owner.clone()),
        runbook: runbook?.or_else(|| metadata.runbook.clone()),
        severity: severity?.unwrap_or(metadata.severity),
    })
}
