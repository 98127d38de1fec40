//! One phase as it is written: what it opens, in which cohorts and zones, and what must hold before the next.

use std::collections::BTreeSet;

use pavane_events::{Millis, PhaseId, Zone};
use serde_json::json;

use crate::diagnostic::Code;
use crate::instances::Share;
use crate::phase::{Approval, Bound, Watch};
use crate::plan::OnStall;
use crate::written::step::{Named, on_stall, share};
use crate::written::whole::Metadata;
use crate::yaml::{Fields, Item, MAX_DURATION, Reported, Spanned};

/// The shortest time between two questions for a metric, in milliseconds.
const MIN_PACE: Millis = 100;

/// How often a metric is asked for at most when the document does not say, in milliseconds.
const USUAL_PACE: Millis = 1000;

/// A phase of which some parts may have been refused.
pub(crate) struct WrittenPhase<'d> {
    pub(crate) item: Item<'d>,
    pub(crate) id: Result<Spanned<'d, PhaseId>, Reported>,
    pub(crate) steps: Named<'d>,
    pub(crate) cohorts: Result<Option<Vec<Share>>, Reported>,
    pub(crate) zones: Result<Option<Zones>, Reported>,
    pub(crate) gates: Result<Gates, Reported>,
}

/// The zones that a phase is spread over.
pub(crate) struct Zones {
    pub(crate) names: Vec<Zone>,
    pub(crate) order: Order,
}

/// How zones follow each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Order {
    /// All at once.
    #[default]
    Parallel,
    /// One after the other.
    Sequence,
}

/// What must hold before a phase, and after it.
#[derive(Clone)]
pub(crate) struct Gates {
    pub(crate) approval: Option<Approval>,
    pub(crate) soak: Millis,
    pub(crate) watch: Option<Watch>,
}

/// Reads a phase.
pub(crate) fn phase<'d>(
    item: &Item<'d>,
    metadata: Result<&Metadata, Reported>,
) -> Result<WrittenPhase<'d>, Reported> {
    item.fields(|f| {
        let id = f.required("id", |i| i.spanned(Item::name));
        let steps = f.required("steps", |i| filled(i, i.each(|i| i.spanned(Item::name))?));
        let approval = f.optional("approval", |i| approval(i, metadata));
        let cohorts = f.optional("cohorts", cohorts);
        let zones = f.optional("zones", zones);
        let soak = f.optional("soak", |i| i.duration_in(0..=MAX_DURATION));
        let watch = f.optional("watch", watch);
        let gates = || Ok(Gates { approval: approval?.flatten(), soak: soak?.unwrap_or(0), watch: watch? });
        Ok(WrittenPhase { item: *item, id, steps, cohorts, zones, gates: gates() })
    })
}

fn filled<T>(item: &Item<'_>, entries: Vec<T>) -> Result<Vec<T>, Reported> {
    item.note("minItems", json!(1));
    if !entries.is_empty() {
        return Ok(entries);
    }
    let message = format!("`{}` is an empty list", item.field());
    Err(item.refuse(Code::EmptyPhase, message, "name at least one, or leave it out"))
}

fn approval(item: &Item<'_>, metadata: Result<&Metadata, Reported>) -> Result<Option<Approval>, Reported> {
    let by = |item: &Item<'_>| item.fields(|f| f.required("by", Item::text)).map(|by| Some(Approval { by }));
    let wanted = |item: &Item<'_>| {
        let wanted = item.boolean()?;
        let owner = metadata.map(|metadata| metadata.owner.clone());
        if wanted { owner.map(|by| Some(Approval { by })) } else { Ok(None) }
    };
    item.map_or(by, wanted)
}

fn cohorts(item: &Item<'_>) -> Result<Vec<Share>, Reported> {
    let cohorts = filled(item, item.list(|item| item.spanned(share))?)?;
    let falls = cohorts.windows(2).find(|pair| pair[0].value >= pair[1].value);
    if let Some([before, cohort]) = falls {
        let message = format!("{} does not grow on {}, which stands before it", cohort.value, before.value);
        return Err(cohort.item.refuse(Code::CohortOrder, message, "write the shares in ascending order"));
    }
    match cohorts.last() {
        Some(last) if last.value != Share::ALL => {
            let message = format!("the cohorts end at {}: the rest would never move", last.value);
            Err(last.item.refuse(Code::CohortOrder, message, "add `100%` at the end"))
        }
        Some(_) | None => Ok(cohorts.into_iter().map(|cohort| cohort.value).collect()),
    }
}

fn zones(item: &Item<'_>) -> Result<Zones, Reported> {
    item.fields(|f| {
        let names = f.required("names", zone_names);
        let order = f
            .optional("order", |i| i.one_of(&[("parallel", Order::Parallel), ("sequence", Order::Sequence)]));
        Ok(Zones { names: names?, order: order?.unwrap_or_default() })
    })
}

fn zone_names(item: &Item<'_>) -> Result<Vec<Zone>, Reported> {
    item.note("uniqueItems", json!(true));
    let names: Vec<Spanned<'_, Zone>> = filled(item, item.list(|item| item.spanned(Item::name))?)?;
    let mut seen = BTreeSet::new();
    match names.iter().find(|name| !seen.insert(&name.value)) {
        Some(twice) => {
            let message = format!("`{}` stands twice in `names`", twice.value);
            Err(twice.item.refuse(Code::Duplicate, message, "keep one of them"))
        }
        None => Ok(names.iter().map(|name| name.value.clone()).collect()),
    }
}

fn watch(item: &Item<'_>) -> Result<Watch, Reported> {
    item.fields(|f| {
        let query = f.required("query", Item::text);
        let bound = bound(f);
        let hold = f.required("for", |i| i.duration_in(MIN_PACE..=MAX_DURATION));
        let every = f.optional("every", |i| i.spanned(|i| i.duration_in(MIN_PACE..=MAX_DURATION)));
        let on_breach = f.optional("on_breach", on_stall);
        let (hold, every) = (hold?, every?);
        if let Some(every) = every.as_ref().filter(|every| every.value > hold) {
            let message = "`every` is longer than `for`: the metric would not be asked for in time";
            return Err(every.item.refuse(Code::WatchPace, message, "shorten `every` or lengthen `for`"));
        }
        let every = every.map_or((hold / 6).max(USUAL_PACE).min(hold), |every| every.value);
        let on_breach: OnStall = on_breach?.unwrap_or_default();
        Ok(Watch { query: query?, bound: bound?, hold, every, on_breach })
    })
}

fn bound(f: &mut Fields<'_>) -> Result<Bound, Reported> {
    let map = f.map();
    map.note("oneOf", json!([{ "required": ["max"] }, { "required": ["min"] }]));
    let most = f.optional("max", |i| i.spanned(Item::decimal));
    let least = f.optional("min", |i| i.spanned(Item::decimal));
    match (most?, least?) {
        (Some(most), None) => Ok(Bound::AtMost(most.value)),
        (None, Some(least)) => Ok(Bound::AtLeast(least.value)),
        (Some(_), Some(least)) => {
            let message = "a watch has one bound; here stand `max` and `min`";
            Err(least.item.refuse(
                Code::WatchBound,
                message,
                "keep one of them, or watch a query that joins both",
            ))
        }
        (None, None) => {
            let message = "the watch has no bound";
            Err(map.refuse(Code::WatchBound, message, "add `max:` or `min:` with a number"))
        }
    }
}
