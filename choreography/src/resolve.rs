//! The steps judged together: names, circles and order.

use std::collections::BTreeSet;

use pavane_events::StepId;

use crate::diagnostic::Code;
use crate::expand::copies::Copies;
use crate::expand::meant::{Meant, meant};
use crate::graph;
use crate::layout::{Layout, Staged};
use crate::names::{Names, expectations};
use crate::written::step::{Named, WrittenStep};
use crate::yaml::{Item, Reported, Spanned};

/// Turns the steps and phases as written into those of a plan, each step behind all that it waits for.
pub(crate) fn resolve<'d>(
    read: Vec<Result<WrittenStep<'d>, Reported>>,
    staged: Result<Option<Staged<'d>>, Reported>,
) -> Result<Meant<'d>, Reported> {
    let mut outcome = Ok(());
    let mut written = Vec::new();
    for step in read {
        match step {
            Ok(step) => written.push(step),
            Err(reported) => outcome = outcome.and(Err(reported)),
        }
    }
    let mut names = Names::of(&written, outcome);
    let layout = Layout::of(&written, &names, staged);
    names.complete = names.complete.and(layout.outcome);
    let copies = Copies::of(&written, &layout);
    let expectations = layout.outcome.and_then(|()| expectations(&written, &layout));
    let waits: Vec<_> = written.iter().map(|step| waits(step, &names, &copies)).collect();
    let circles = circles(&written, &waits);
    let terms = written.iter().map(WrittenStep::judged).fold(Ok(()), Result::and);
    names.outcome.and(names.complete).and(copies.outcome)?;
    let waits = waits
        .into_iter()
        .map(Waits::judged)
        .collect::<Vec<_>>()
        .into_iter()
        .collect::<Result<Vec<_>, _>>()?;
    circles?;
    let meant = meant(&copies, &written, &layout, &waits);
    expectations.and(terms).and(meant)
}

/// What one step waits for, as far as it could be found.
pub(crate) struct Waits<'d> {
    pub(crate) all: Vec<Wait<'d>>,
    pub(crate) any: Vec<Wait<'d>>,
    outcome: Result<(), Reported>,
}

/// One prerequisite: a step of the document, or the one copy of it that is named.
#[derive(Clone, Copy)]
pub(crate) struct Wait<'d> {
    pub(crate) step: usize,
    pub(crate) copy: Option<usize>,
    pub(crate) item: Item<'d>,
}

impl Waits<'_> {
    fn judged(self) -> Result<Self, Reported> {
        self.outcome.map(|()| self)
    }

    fn each(&self) -> impl Iterator<Item = &Wait<'_>> {
        self.all.iter().chain(&self.any)
    }
}

fn waits<'d>(step: &WrittenStep<'d>, names: &Names, copies: &Copies) -> Waits<'d> {
    let mut waits = Waits { all: Vec::new(), any: Vec::new(), outcome: Ok(()) };
    let mut seen = BTreeSet::new();
    for (field, named) in [("after", &step.after), ("after_any", &step.after_any)] {
        for entry in readable(named) {
            let judged = if seen.insert(&entry.value) {
                wait(step, entry, names, copies)
            } else {
                let message = format!("`{}` stands twice in `{field}`", entry.value);
                Err(entry.item.refuse(Code::Duplicate, message, "keep one of them"))
            };
            match judged {
                Ok(wait) if field == "after" => waits.all.push(wait),
                Ok(wait) => waits.any.push(wait),
                Err(reported) => waits.outcome = waits.outcome.and(Err(reported)),
            }
        }
    }
    waits
}

fn readable<'w, 'd>(named: &'w Named<'d>) -> impl Iterator<Item = &'w Spanned<'d, StepId>> {
    named.iter().flatten().filter_map(|entry| entry.as_ref().ok())
}

fn wait<'d>(
    step: &WrittenStep<'d>,
    entry: &Spanned<'d, StepId>,
    names: &Names,
    copies: &Copies,
) -> Result<Wait<'d>, Reported> {
    let (id, item) = (&entry.value, entry.item);
    let own = step.id.as_ref().ok().map(|own| &own.value);
    let whole = names.places.get(id).map(|&step| Wait { step, copy: None, item });
    let found = whole.or_else(|| {
        let (step, copy) = copies.named(id)?;
        Some(Wait { step, copy: Some(copy), item })
    });
    match found {
        Some(found) if own.is_some_and(|own| names.places.get(own) == Some(&found.step)) => {
            let message = format!("step `{id}` waits for itself");
            Err(item.refuse(Code::SelfWait, message, format!("take it out of `{}`", item.field())))
        }
        Some(found) => Ok(found),
        None => {
            names.complete?;
            let help = item.guess(id.as_str(), names.places.keys().map(StepId::as_str));
            Err(item.refuse(Code::UnknownStep, format!("there is no step `{id}`"), help))
        }
    }
}

fn circles(written: &[WrittenStep<'_>], waits: &[Waits<'_>]) -> Result<(), Reported> {
    let edges: Vec<Vec<_>> = waits.iter().map(|waits| waits.each().map(|wait| wait.step).collect()).collect();
    let Err(graph::Circles { first, rest }) = graph::order(&edges) else { return Ok(()) };
    let reported = report_circle(written, waits, &first);
    for circle in &rest {
        report_circle(written, waits, circle);
    }
    Err(reported)
}

/// Names a circle edge by edge, at the place where its first step in the file closes it.
fn report_circle(written: &[WrittenStep<'_>], waits: &[Waits<'_>], circle: &[usize]) -> Reported {
    let id = |node: usize| written[node].id.as_ref().map_or("?", |id| id.value.as_str());
    let mut path: Vec<_> = circle.iter().map(|&node| id(node)).collect();
    path.push(id(circle[0]));
    let message = format!("steps wait for each other in a circle: {}", path.join(" -> "));
    let before = |at: usize| circle[(at + circle.len() - 1) % circle.len()];
    let edge = |at: usize| {
        let (waiting, awaited) = (circle[at], before(at));
        let item = waits[waiting].each().find(|wait| wait.step == awaited).map(|wait| wait.item);
        (item, id(waiting), id(awaited))
    };
    let told = (0..circle.len()).map(edge).map(|(item, waiting, awaited)| {
        let line = item.map_or(0, |item| item.place().line);
        format!("`{waiting}` waits for `{awaited}` in line {line}")
    });
    let help = format!("take one of these out: {}", told.collect::<Vec<_>>().join(", "));
    let place = edge(0).0.expect("a circle is made of entries that were read");
    place.refuse(Code::Cycle, message, help)
}
