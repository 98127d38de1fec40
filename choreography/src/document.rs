//! A choreography as it is written, read into the plan that is meant.
//!
//! A file is read whole: every defect is reported with its place, and only a file without any becomes a plan. What is
//! short-hand in the document (matrix, zones, cohorts, an orchestrated plan's phases) is written out in the plan.

use std::ops::RangeInclusive;

use pavane_events::{Millis, PhaseId};
use serde_json::json;

use crate::diagnostic::{Code, Diagnostic};
use crate::expand::matrix;
use crate::expand::meant::Meant;
use crate::layout::Staged;
use crate::phase::Phase;
use crate::places::Places;
use crate::plan::{Method, Plan, Step};
use crate::resolve::resolve;
use crate::written::phase::phase;
use crate::written::step::{WrittenStep, step};
use crate::written::whole::{self, Metadata};
use crate::yaml::{self, Fields, Item, Reported, Spanned};

/// The most steps that a choreography may have, written out.
pub const MAX_STEPS: usize = 1000;

/// The most bytes that a plan may have as JSON: it travels in one record of at most 1 MiB, with what is said around it.
pub const MAX_PLAN_BYTES: usize = 900 * 1024;

/// What may lie between two starts at most, in milliseconds. A sentinel that has nothing to watch looks twice a minute, and
/// no longer than this is the log kept.
pub const EVERY: RangeInclusive<Millis> = 60_000..=yaml::MAX_DURATION;

/// Reads a choreography. `file` is the name that stands in the diagnostics.
pub fn read(text: &str, file: &str) -> Result<Plan, Vec<Diagnostic>> {
    read_with_places(text, file).map(|(plan, _)| plan)
}

/// Reads a choreography, and where in the file each part of the plan was written.
pub fn read_with_places(text: &str, file: &str) -> Result<(Plan, Places), Vec<Diagnostic>> {
    yaml::read_prepared(text, file, matrix::write_out, choreography)
}

/// Reads the document.
pub(crate) fn choreography(item: &Item<'_>) -> Result<(Plan, Places), Reported> {
    item.fields(|f| {
        let version = f.required("apiVersion", whole::api_version);
        let kind = f.required("kind", whole::kind);
        if let Err(reported) = version.and(kind) {
            f.ignore_rest();
            return Err(reported);
        }
        let metadata = f.required("metadata", whole::metadata);
        let told = metadata.as_ref().map_err(|reported| *reported);
        let method = f.optional("method", |i| i.spanned(whole::method));
        let trigger = f.optional("trigger", whole::trigger);
        let every = f.optional("every", |i| i.duration_in(EVERY));
        let concurrency = f.optional("concurrency", whole::concurrency);
        let maintenance = f.optional("maintenance", whole::maintenance);
        let matrix = f.optional("matrix", matrix::axes);
        let steps = f.required("steps", |i| steps(i, told));
        let phases = phases(f, &method, told);
        let _read_by_the_rehearsal = f.get("tests");
        let meant = steps.and_then(|steps| resolve(steps, phases));
        let Metadata { name, owner, runbook, severity, labels } = metadata?;
        let method = method?.map(|method| method.value).unwrap_or_default();
        matrix?;
        let meant = meant?;
        let places = Places::of(item, &meant);
        let (steps, phases) = parts(meant, method);
        let (trigger, concurrency) = (trigger?, concurrency?.unwrap_or_default());
        let (every, maintenance) = (every?, maintenance?);
        let plan = Plan {
            name,
            owner,
            runbook,
            severity,
            labels,
            method,
            trigger,
            every,
            concurrency,
            maintenance,
            phases,
            steps,
        };
        fits(item, &plan)?;
        Ok((plan, places))
    })
}

fn steps<'d>(
    item: &Item<'d>,
    metadata: Result<&Metadata, Reported>,
) -> Result<Vec<Result<WrittenStep<'d>, Reported>>, Reported> {
    item.note("minItems", json!(1));
    item.note("maxItems", json!(MAX_STEPS));
    let written = item.each(|item| step(item, metadata))?;
    match written.len() {
        0 => Err(item.refuse(Code::NoSteps, "there are no steps", "name at least one event to await")),
        1..=MAX_STEPS => Ok(written),
        count => {
            let message = format!("there are {count} steps; at most {MAX_STEPS} are judged");
            Err(item.refuse(Code::TooManySteps, message, "make it several choreographies"))
        }
    }
}

/// Reads the phases, which a hybrid choreography has and no other.
fn phases<'d>(
    f: &mut Fields<'d>,
    method: &Result<Option<Spanned<'d, Method>>, Reported>,
    metadata: Result<&Metadata, Reported>,
) -> Result<Option<Staged<'d>>, Reported> {
    let hybrid = json!({ "properties": { "method": { "const": "hybrid" } }, "required": ["method"] });
    f.map().note("if", hybrid);
    f.map().note("then", json!({ "required": ["phases"] }));
    f.map().note("else", json!({ "properties": { "phases": { "maxItems": 0 } } }));
    let each = |i: &Item<'d>| Ok(Staged { item: *i, phases: i.each(|i| phase(i, metadata))? });
    let staged = f.optional("phases", each)?.filter(|staged| !staged.phases.is_empty());
    let written = method.as_ref().map_err(|reported| *reported)?;
    match (written.as_ref().map(|method| method.value).unwrap_or_default(), staged) {
        (Method::Hybrid, Some(staged)) => Ok(Some(staged)),
        (Method::Choreography | Method::Orchestrated, None) => Ok(None),
        (Method::Hybrid, None) => {
            let at = written.as_ref().map_or(f.map(), |method| method.item);
            let help = "add `phases:`, or write `method: orchestrated` for a phase for each step";
            Err(at.refuse(Code::MethodPhases, "`method: hybrid` stands without phases", help))
        }
        (Method::Choreography, Some(staged)) => {
            let (message, help) = ("only a hybrid choreography has phases", "write `method: hybrid`");
            Err(staged.item.refuse(Code::MethodPhases, message, help))
        }
        (Method::Orchestrated, Some(staged)) => {
            let message = "an orchestrated choreography has a phase for each step; none are written";
            let help = "take the phases out, or write `method: hybrid`";
            Err(staged.item.refuse(Code::MethodPhases, message, help))
        }
    }
}

/// The steps and phases of the plan. The method `orchestrated` makes a phase of each step.
fn parts(meant: Meant<'_>, method: Method) -> (Vec<Step>, Vec<Phase>) {
    let steps: Vec<_> = meant.steps.into_iter().map(|(step, _)| step).collect();
    let phases = match method {
        Method::Choreography | Method::Hybrid => meant.phases.into_iter().map(|(phase, _)| phase).collect(),
        Method::Orchestrated => steps.iter().map(phase_of_its_own).collect(),
    };
    (steps, phases)
}

fn phase_of_its_own(step: &Step) -> Phase {
    let id = PhaseId::new(step.id.as_str()).expect("phases and steps are named alike");
    Phase { id, steps: vec![step.id.clone()], approval: None, cohort: None, soak: 0, watch: None }
}

fn fits(item: &Item<'_>, plan: &Plan) -> Result<(), Reported> {
    let bytes = plan.to_json().len();
    if bytes <= MAX_PLAN_BYTES {
        return Ok(());
    }
    let message =
        format!("the plan has {bytes} bytes written out; at most {MAX_PLAN_BYTES} fit into a record");
    Err(item.refuse(Code::PlanTooLarge, message, "shorten its texts, or make it several choreographies"))
}
