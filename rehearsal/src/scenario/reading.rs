//! Scenarios as they are written, read into what is meant; all defects at once, each with its place.

mod cue;
mod names;
mod wish;

use std::collections::BTreeMap;
use std::sync::Arc;

use pavane_choreography::diagnostic::Code;
use pavane_choreography::yaml::{self, Fields, Item, Reported};
use pavane_choreography::{Diagnostic, Weekday};
use pavane_events::{Millis, Service};

use super::{Cue, Fault, Scenario, What};
use crate::clock::WeekTime;
use crate::piece::Piece;
use crate::script::Script;
use names::Names;

/// Where the plans come from that a scenario names: by its name the plan, or why there is none.
pub type Library<'l> = dyn FnMut(&str) -> Result<Arc<Piece>, String> + 'l;

/// The most instances that a service may have.
const MOST_INSTANCES: u32 = 1_000;
/// The most things that may happen.
const MOST_CUES: usize = 200;

/// Reads a file that holds one scenario.
pub fn read(text: &str, file: &str, library: &mut Library<'_>) -> Result<Script, Vec<Diagnostic>> {
    yaml::read(text, file, |item| {
        item.fields(|f| {
            let version = f.required("apiVersion", |i| exactly(i, "pavane/v1"));
            let kind = f.required("kind", |i| exactly(i, "Scenario"));
            if let Err(reported) = version.and(kind) {
                f.ignore_rest();
                return Err(reported);
            }
            let named = f.required("plan", |i| {
                let name = i.text()?;
                let help = "a plan is named by its file, as seen from the scenario's";
                let piece = library(&name).map_err(|why| i.refuse(Code::UnknownChoice, why, help))?;
                Ok((name, piece))
            });
            let Ok((name, piece)) = named else {
                f.ignore_rest();
                return Err(named.expect_err("it is none"));
            };
            let mut script = scenario(f, &piece, library)?;
            script.scenario.plan = Some(name);
            Ok(script)
        })
    })
}

/// Reads the scenarios that stand in a choreography's own `tests:`; none when it has no such section.
pub fn tests(
    text: &str,
    file: &str,
    own: &Arc<Piece>,
    library: &mut Library<'_>,
) -> Result<Vec<Script>, Vec<Diagnostic>> {
    yaml::read(text, file, |item| {
        item.fields(|f| {
            f.ignore_rest();
            let read = |i: &Item<'_>| i.fields(|f| scenario(f, own, library));
            let scripts = f.optional("tests", |i| i.list(read))?;
            Ok(scripts.unwrap_or_default())
        })
    })
}

fn exactly(item: &Item<'_>, wanted: &str) -> Result<(), Reported> {
    if item.scalar("a word")? == wanted {
        return Ok(());
    }
    let message = format!("`{}` is not `{wanted}`", item.field());
    let help = format!("a scenario says `{}: {wanted}`", item.field());
    Err(item.refuse(Code::WrongDocument, message, help))
}

fn scenario(f: &mut Fields<'_>, piece: &Arc<Piece>, library: &mut Library<'_>) -> Result<Script, Reported> {
    let others = f.get("timeline").map(|item| others(&item, library)).transpose();
    let others: BTreeMap<String, Arc<Piece>> = others.clone().ok().flatten().unwrap_or_default();
    let names = Names::of(std::iter::once(piece).chain(others.values()).map(AsRef::as_ref));
    let name = f.required("name", Item::text);
    let fleet = f.optional("fleet", |i| of_services(i, &names, |i| i.count(0..=MOST_INSTANCES)));
    let takes = f.optional("takes", |i| of_services(i, &names, Item::duration));
    let sentinels = f.optional("sentinels", |i| i.count(1..=2));
    let begins = f.optional("begins", week_time);
    let timeline = f.optional("timeline", |i| timeline(i, &names));
    let expect = f.optional("expect", |i| i.list(|i| wish::wish(i, &names)));
    let mut timeline = timeline?.unwrap_or_default();
    if !timeline.iter().any(|cue| matches!(cue.what, What::Start { .. })) {
        timeline.insert(0, Cue::start());
    }
    let crashes = |cue: &Cue| matches!(cue.what, What::Fault(Fault::Sentinel(..)));
    let usual = if timeline.iter().any(crashes) { 2 } else { 1 };
    let scenario = Scenario {
        name: name?,
        plan: None,
        fleet: fleet?.unwrap_or_default(),
        takes: takes?.unwrap_or_default(),
        sentinels: sentinels?.unwrap_or(usual),
        begins: begins?,
        timeline,
        expect: expect?.unwrap_or_default(),
    };
    Ok(Script { scenario, piece: Arc::clone(piece), others })
}

/// The other plans that a timeline starts, before anything else in it is read: their names count too.
fn others(item: &Item<'_>, library: &mut Library<'_>) -> Result<BTreeMap<String, Arc<Piece>>, Reported> {
    let mut others = BTreeMap::new();
    item.each(|entry| {
        entry.fields(|f| {
            f.ignore_rest();
            f.optional("start", |start| {
                start.fields(|f| {
                    f.ignore_rest();
                    f.optional("plan", |i| {
                        let name = i.text()?;
                        let piece = library(&name).map_err(|why| i.refuse(Code::UnknownChoice, why, ""))?;
                        others.insert(name, piece);
                        Ok(())
                    })
                })
            })
        })
    })?;
    Ok(others)
}

fn timeline(item: &Item<'_>, names: &Names) -> Result<Vec<Cue>, Reported> {
    let cues = item.list(|i| cue::cue(i, names))?;
    if cues.len() > MOST_CUES {
        let message = format!("{} things happen; at most {MOST_CUES} are played", cues.len());
        return Err(item.refuse(Code::TooLarge, message, "make it several scenarios"));
    }
    Ok(cues)
}

/// A map from services to something.
fn of_services<'d, T>(
    item: &Item<'d>,
    names: &Names,
    read: impl Fn(&Item<'d>) -> Result<T, Reported>,
) -> Result<BTreeMap<Service, T>, Reported> {
    let entries = item.entries(|i| Ok((names.service_named(i, i.field())?, read(i)?)))?;
    Ok(entries.into_values().collect())
}

/// A moment of the week such as `sat 22:30`, in UTC.
fn week_time(item: &Item<'_>) -> Result<WeekTime, Reported> {
    let text = item.scalar("a day and a time such as `sat 22:30`")?;
    let read = || {
        let (day, time) = text.split_once(' ')?;
        let day = *Weekday::ALL.iter().find(|known| known.as_str() == day)?;
        let (hour, minute) = time.trim().split_once(':')?;
        let (hour, minute): (u32, u32) = (hour.parse().ok()?, minute.parse().ok()?);
        (hour < 24 && minute < 60).then_some(WeekTime { day, minute: hour * 60 + minute })
    };
    read().ok_or_else(|| {
        let message = format!("`{}` is not a moment of the week: {text:?}", item.field());
        item.refuse(Code::BadDuration, message, "write e.g. `sat 22:30`, in UTC")
    })
}

/// A length of time that may be nothing at all.
fn moment(item: &Item<'_>) -> Result<Millis, Reported> {
    item.duration_in(0..=yaml::MAX_DURATION)
}
