//! One step as it is written: each field read and judged by itself.

use pavane_events::{EventType, Millis, StepId};
use semver::VersionReq;

use crate::diagnostic::Code;
use crate::document::{Metadata, severity};
use crate::expectation::event_of_service;
use crate::plan::{Expect, OnStall, Severity};
use crate::yaml::{Fields, Item, MAX_DURATION, Reported, Spanned};

/// The most instances that a step may ask for.
const MAX_INSTANCES: u32 = 10_000;

/// A step of which some parts may have been refused; the steps are judged together all the same.
pub(crate) struct Written<'d> {
    pub(crate) id: Result<Spanned<'d, StepId>, Reported>,
    pub(crate) expect: Result<Spanned<'d, Expect>, Reported>,
    pub(crate) after: Result<Vec<Result<Spanned<'d, StepId>, Reported>>, Reported>,
    pub(crate) terms: Result<Terms, Reported>,
}

/// What a step asks for beyond its event and its place in the order.
pub(crate) struct Terms {
    pub(crate) count: Count,
    pub(crate) windows: Windows,
    pub(crate) remedy: Remedy,
    pub(crate) told: Told,
}

/// What counts, and how much of it is needed.
pub(crate) struct Count {
    pub(crate) version: Option<VersionReq>,
    pub(crate) instances: u32,
}

/// By when.
pub(crate) struct Windows {
    pub(crate) within: Millis,
    pub(crate) started_within: Option<Millis>,
    pub(crate) healthy_for: Millis,
}

/// What happens when it does not come.
pub(crate) struct Remedy {
    pub(crate) on_stall: OnStall,
    pub(crate) reversible: bool,
    pub(crate) back_within: Option<Millis>,
}

/// Who is told of it.
pub(crate) struct Told {
    pub(crate) owner: String,
    pub(crate) runbook: Option<String>,
    pub(crate) severity: Severity,
}

/// Reads a step.
pub(crate) fn step<'d>(
    item: &Item<'d>,
    metadata: Result<&Metadata, Reported>,
) -> Result<Written<'d>, Reported> {
    item.fields(|f| {
        let id = f.required("id", |i| i.spanned(Item::name));
        let expect = f.required("expect", |i| i.spanned(awaited));
        let after = f.optional("after", |i| i.each(|i| i.spanned(Item::name)));
        let (count, windows) = (count(f), windows(f));
        let (remedy, told) = (remedy(f, expect.as_ref().ok()), told(f, metadata));
        let terms = || Ok(Terms { count: count?, windows: windows?, remedy: remedy?, told: told? });
        Ok(Written { id, expect, after: after.map(Option::unwrap_or_default), terms: terms() })
    })
}

/// Reads the event that a step awaits: one that says that something is done.
fn awaited(item: &Item<'_>) -> Result<Expect, Reported> {
    let expect = event_of_service(item)?;
    let event = expect.event;
    if matches!(event, EventType::Ready | EventType::DeploymentComplete | EventType::Drained) {
        return Ok(expect);
    }
    let message = format!("a step cannot await {event}: it does not say that the step is done");
    let help = if event == EventType::DeploymentStarted {
        "await `DeploymentComplete` and set `started_within`"
    } else {
        "await `Ready`, `DeploymentComplete` or `Drained`"
    };
    Err(item.refuse(Code::BadEvent, message, help))
}

fn count(f: &mut Fields<'_>) -> Result<Count, Reported> {
    let version = f.optional("version", Item::version_requirement);
    let instances = f.optional("instances", instances);
    Ok(Count { version: version?, instances: instances?.unwrap_or(1) })
}

fn instances(item: &Item<'_>) -> Result<u32, Reported> {
    if item.scalar("a number of instances")?.trim_end().ends_with('%') {
        let message = "a percentage of the instances is not supported";
        return Err(item.refuse(
            Code::NotSupported,
            message,
            "write how many must say it, e.g. `instances: 3`",
        ));
    }
    item.count(1..=MAX_INSTANCES)
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
    let choices = [("alert", OnStall::Alert), ("pause", OnStall::Pause), ("rollback", OnStall::Rollback)];
    let on_stall = f.optional("on_stall", |i| i.spanned(|i| i.one_of(&choices)));
    let reversible = f.optional("reversible", Item::boolean);
    let back = f.optional("compensate", |i| i.spanned(|i| compensate(i, expect)));
    let (on_stall, reversible, back) = (on_stall?, reversible?.unwrap_or(true), back?);
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
    Ok(Remedy { on_stall, reversible, back_within: back.and_then(|back| back.value) })
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
