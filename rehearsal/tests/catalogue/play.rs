//! Plays one fault, and holds what people are told against what is expected of it.

use std::path::Path;
use std::sync::Arc;

use pavane_events::Domain;
use pavane_rehearsal::performance::{Noted, Performance, Told};
use pavane_rehearsal::{Piece, Sidecars, Stage, scenario};
use pavane_sentinel_engine::diagnosis::{self, Awaited, Chronicle, Diagnosis, Facts, diagnose};
use pavane_sentinel_engine::{AlertStatus, Engine, Input};

use crate::faults::Fault;

const SEED: u64 = 11;

/// What came of a fault.
pub(crate) struct Played {
    pub(crate) performance: Performance,
}

/// Plays a fault.
pub(crate) fn play(fault: &Fault) -> Played {
    perform(fault.name, fault.plan, fault.timeline)
}

/// Plays a timeline with a plan of `tests/scenarios`.
pub(crate) fn perform(name: &str, plan: &str, timeline: &str) -> Played {
    let lines: String = timeline.lines().flat_map(|line| ["  ", line.trim(), "\n"]).collect();
    let text = format!(
        "apiVersion: pavane/v1\nkind: Scenario\nname: \"{name}\"\nplan: {plan}\nsentinels: 2\ntimeline:\n{lines}expect: []\n"
    );
    let script = scenario::read(&text, name, &mut |plan| piece(plan));
    let script = script.unwrap_or_else(|defects| panic!("{name}: {defects:#?}"));
    Played { performance: Stage::new(script, &Sidecars::new()).play(SEED) }
}

fn piece(name: &str) -> Result<Arc<Piece>, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios").join(name);
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let plan = pavane_choreography::read(&text, name).map_err(|defects| format!("{defects:#?}"))?;
    Ok(Arc::new(Piece::new(plan)))
}

/// The page that the alert of a fault leads to, as seen from the folder of pages.
pub(crate) fn page_of(fault: &Fault) -> String {
    let page = diagnosis::page_of(fault.alert, fault.cause);
    page.strip_prefix("docs/verdicts/").unwrap_or(&page).to_owned()
}

impl Played {
    /// The first alert of the kind that the fault is told by, and its place.
    fn first(&self, fault: &Fault) -> Option<(usize, &Told)> {
        let mut told = self.performance.told.iter().enumerate();
        told.find(|(_, told)| told.alert.status == AlertStatus::Firing && told.name() == fault.alert)
    }

    /// Whether people are told what the fault is; else what they are told.
    pub(crate) fn check(&self, fault: &Fault) -> Result<(), String> {
        let heard = || {
            let told = self.performance.told.iter().filter(|told| told.alert.status == AlertStatus::Firing);
            told.map(|told| format!("  {:#?}\n", told.alert)).collect::<Vec<_>>().concat()
        };
        let wrong = |what: String| format!("{}: {what}\n{}", fault.name, heard());
        let Some((place, told)) = self.first(fault) else {
            return Err(wrong(format!("no {} came", fault.alert)));
        };
        for (what, found, wanted) in [
            ("cause", told.label("cause"), fault.cause),
            ("culprit", told.annotation("culprit"), fault.culprit),
            ("culprit's owner", told.annotation("culprit_owner"), fault.owner),
        ] {
            if found != wanted {
                return Err(wrong(format!("the {what} is {found:?} instead of {wanted:?}")));
            }
        }
        let next = told.annotation("next_step");
        if !next.contains(fault.next) {
            return Err(wrong(format!("the next step is {next:?} and does not say {:?}", fault.next)));
        }
        let page = told.annotation("page");
        if page != diagnosis::page_of(fault.alert, fault.cause) {
            return Err(wrong(format!("the page is {page}")));
        }
        if !Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(page).exists() {
            return Err(wrong(format!("there is no page {page}")));
        }
        if told.annotation("outlook").is_empty() {
            return Err(wrong("it does not say what the sentinel does".to_owned()));
        }
        shows(fault, told).map_err(wrong)?;
        self.blames_nobody_else(fault).map_err(wrong)?;
        self.why(fault, place).map_err(wrong)
    }

    /// Whoever is named in any alert is whose doing it is.
    fn blames_nobody_else(&self, fault: &Fault) -> Result<(), String> {
        let firing = self.performance.told.iter().filter(|told| told.alert.status == AlertStatus::Firing);
        let mut others = firing.filter(|told| {
            let culprit = told.annotation("culprit");
            !culprit.is_empty() && culprit != fault.culprit && !fault.also.contains(&culprit)
        });
        match others.next() {
            Some(other) => Err(format!("{} blames {}", other.name(), other.annotation("culprit"))),
            None => Ok(()),
        }
    }

    /// What `pavane why` said when the alert came says the same.
    fn why(&self, fault: &Fault, place: usize) -> Result<(), String> {
        let Some(diagnosis) = self.diagnosis(place) else { return Ok(()) };
        let told = &self.performance.told[place];
        if told.is_stall() {
            let first = diagnosis.awaited.first().ok_or("why names nothing that is awaited")?;
            let culprit = first.culprit.as_deref().unwrap_or(&first.service);
            let owner = first.culprit_owner.as_deref().unwrap_or(&first.owner);
            let found = (first.cause.map_or("", pavane_events::Cause::as_str), culprit, owner);
            if found != (fault.cause, fault.culprit, fault.owner) {
                return Err(format!("why names {found:?}"));
            }
            if told.annotation("page") != first.page.as_deref().unwrap_or_default() {
                return Err(format!("why leads to {:?}", first.page));
            }
            why_shows(fault, told, first)?;
        } else if !matches!(fault.alert, "Blind" | "RolloutRefused" | "VersionDrift")
            && !format!("{diagnosis:?}").contains(fault.why)
        {
            return Err(format!("why does not say {:?}: {diagnosis:#?}", fault.why));
        }
        let says = diagnosis.next.iter().any(|line| line.contains(fault.next));
        if told.is_stall() && !says {
            return Err(format!("why says to do {:?}", diagnosis.next));
        }
        Ok(())
    }

    /// What `pavane why` says where the log ended when an alert was told.
    fn diagnosis(&self, place: usize) -> Option<Diagnosis> {
        let performance = &self.performance;
        let told = performance.notes.iter().find(|note| note.what == Noted::Told(place))?;
        let id = pavane_events::RolloutId::new(performance.told[place].label("rollout")).ok()?;
        let mut engine = Engine::new(Domain::new("rehearsal").expect("a name"), "why".to_owned());
        let mut chronicle = Chronicle::of(id.clone());
        // the named event of what was decided follows at once
        let log = &performance.log[..(told.below + 2).min(performance.log.len())];
        for entry in log {
            drop(engine.handle(0, Input::Read(entry.clone())));
            chronicle.read(entry);
        }
        let view = engine.view();
        let now = log.last()?.at();
        let (beats, deliveries) = (&performance.beats, &[]);
        let facts = Facts { view: &view, chronicle: &chronicle, beats, deliveries, now };
        diagnose(&facts, &id, None)
    }
}

/// What stands apart in the alert begins as it must.
fn shows(fault: &Fault, told: &Told) -> Result<(), String> {
    let lacks = |(field, begins): &&(&str, &str)| {
        let shown = told.annotation(field);
        shown.is_empty() || !shown.starts_with(begins)
    };
    fault.shows.iter().find(lacks).map_or(Ok(()), |(field, begins)| {
        Err(format!("the {field} is {:?}, which does not begin with {begins:?}", told.annotation(field)))
    })
}

/// What stands apart in the alert stands in what `pavane why` says, too.
fn why_shows(fault: &Fault, told: &Told, first: &Awaited) -> Result<(), String> {
    let seen = first.evidence.iter();
    let wanted = |field: &str| fault.shows.iter().any(|(shown, _)| *shown == field);
    let of_instance = |by: &str, number: i64| format!("{by} {number}");
    for (field, found) in [
        (
            "schema_id",
            seen.clone().filter_map(|seen| seen.schema_id).map(|id| id.to_string()).collect::<Vec<_>>(),
        ),
        ("field", seen.clone().map(|seen| seen.field.clone()).collect()),
        ("outbox", seen.clone().map(|seen| of_instance(&seen.by, seen.outbox)).collect()),
        ("lag", seen.clone().map(|seen| of_instance(&seen.by, seen.behind)).collect()),
        ("lacking", vec![first.lacking.join(", ")]),
    ] {
        let shown = told.annotation(field);
        if wanted(field) && !found.iter().any(|found| found == shown) {
            return Err(format!("the {field} is {shown:?} and why says {found:?}"));
        }
    }
    Ok(())
}
