//! The steps and phases of the plan, and what each copy of a step waits for.
//!
//! A step of the same phase is waited for in the same cohort and zone; from outside a phase, its last cohort in all
//! zones is. Within a phase each cohort waits for the one before.

use std::collections::{BTreeMap, BTreeSet};

use pavane_events::{EventType, PhaseId, StepId};

use crate::diagnostic::Code;
use crate::expand::copies::{Copies, Placed};
use crate::expand::stages::Stage;
use crate::graph;
use crate::instances::Instances;
use crate::layout::Layout;
use crate::phase::Phase;
use crate::plan::{Compensate, Expect, Step};
use crate::resolve::{Wait, Waits};
use crate::written::step::{Terms, WrittenStep};
use crate::yaml::{Item, Reported};

/// The steps and phases of the plan, and what each was written as.
pub(crate) struct Meant<'d> {
    /// In the order of the plan, with the written step.
    pub(crate) steps: Vec<(Step, Origin<'d>)>,
    /// In their order, with the written phase.
    pub(crate) phases: Vec<(Phase, Item<'d>)>,
}

/// What a step of the plan was written as.
pub(crate) struct Origin<'d> {
    pub(crate) id: StepId,
    pub(crate) item: Item<'d>,
    /// Each prerequisite as it was written; a cohort that waits for the one before was not.
    pub(crate) waits: Vec<(StepId, Item<'d>)>,
}

/// The steps and phases of the plan. Every part of the document must have been found good but the terms.
pub(crate) fn meant<'d>(
    copies: &Copies,
    written: &[WrittenStep<'d>],
    layout: &Layout<'d>,
    waits: &[Waits<'d>],
) -> Result<Meant<'d>, Reported> {
    let whole = [Stage::whole()];
    let spread = Spread { all: copies, layout, whole: &whole };
    let edges: Vec<_> = copies.list.iter().map(|placed| spread.edges(placed, &waits[placed.step])).collect();
    let edges = edges.into_iter().collect::<Result<Vec<_>, Reported>>()?;
    let order = graph::order(&edges.iter().map(Edges::all).collect::<Vec<_>>());
    let order = order.expect("a circle of copies would be one of the steps that they were written out of");
    let mut steps = Vec::new();
    for copy in &order {
        steps.push(spread.step(&copies.list[*copy], &edges[*copy], written)?);
    }
    Ok(Meant { steps, phases: spread.phases(&order)? })
}

struct Spread<'c, 'd> {
    all: &'c Copies,
    layout: &'c Layout<'d>,
    whole: &'c [Stage],
}

/// What one copy waits for: copies, each with the entry that says so.
#[derive(Default)]
struct Edges<'d> {
    after: Vec<(usize, Option<Item<'d>>)>,
    any: Vec<(usize, Option<Item<'d>>)>,
}

impl Edges<'_> {
    fn all(&self) -> Vec<usize> {
        self.after.iter().chain(&self.any).map(|(copy, _)| *copy).collect()
    }
}

impl<'d> Spread<'_, 'd> {
    fn stage(&self, placed: &Placed) -> &Stage {
        &self.layout.stages(placed.phase, self.whole)[placed.stage]
    }

    fn edges(&self, placed: &Placed, waits: &Waits<'d>) -> Result<Edges<'d>, Reported> {
        let (mut edges, mut seen, mut outcome) = (Edges::default(), BTreeSet::new(), Ok(()));
        for wait in &waits.all {
            let copies = self.copies_of(placed, wait);
            outcome = outcome.and(self.judge_order(placed, wait, &copies));
            edges.after.extend(copies.into_iter().filter(|c| seen.insert(*c)).map(|c| (c, Some(wait.item))));
        }
        for wait in &waits.any {
            let copies = self.copies_of(placed, wait);
            outcome = outcome.and(self.judge_order(placed, wait, &copies)).and(judge_one(wait, &copies));
            edges.any.extend(copies.into_iter().filter(|c| seen.insert(*c)).map(|c| (c, Some(wait.item))));
        }
        if !self.stage(placed).first {
            let before = self.all.at[&(placed.step, placed.stage - 1, placed.copy)];
            edges.after.push((before, None));
        }
        outcome.map(|()| edges)
    }

    /// The copies that a prerequisite means for one copy.
    fn copies_of(&self, placed: &Placed, wait: &Wait<'d>) -> Vec<usize> {
        if let Some(copy) = wait.copy {
            return vec![copy];
        }
        if self.layout.phase_of[wait.step].is_none_or(|phase| phase == placed.phase) {
            return vec![self.all.at[&(wait.step, placed.stage, placed.copy)]];
        }
        let phase = self.layout.phase_of[wait.step].unwrap_or(0);
        let stages = self.layout.stages(phase, self.whole).iter().enumerate().filter(|(_, stage)| stage.last);
        let copies = |(at, stage): (usize, &Stage)| {
            let at = (0..stage.copies.len()).map(move |copy| (wait.step, at, copy));
            at.map(|key| self.all.at[&key]).collect::<Vec<_>>()
        };
        stages.flat_map(copies).collect()
    }

    /// Whether nothing is waited for that a later phase opens.
    fn judge_order(&self, placed: &Placed, wait: &Wait<'d>, copies: &[usize]) -> Result<(), Reported> {
        let rank = |placed: &Placed| (placed.phase, placed.stage);
        let later = copies.iter().map(|&copy| &self.all.list[copy]).find(|c| rank(c) > rank(placed));
        let Some(later) = later else { return Ok(()) };
        let awaited = if wait.copy.is_some() { later.id.as_ref() } else { None };
        let name = |phase: usize| {
            let id = self.layout.phases[phase].written.id.as_ref();
            id.map_or("?", |id| id.value.as_str())
        };
        let what = awaited.map_or("the step".to_owned(), |id| format!("`{id}`"));
        let message = format!(
            "{what} that is waited for here opens later, in phase `{}`; the one that waits, in phase `{}`",
            name(later.phase),
            name(placed.phase)
        );
        let help = "take it out, or move one of the two into another phase";
        Err(wait.item.refuse(Code::PhaseOrder, message, help))
    }

    fn step(
        &self,
        placed: &Placed,
        edges: &Edges<'d>,
        written: &[WrittenStep<'d>],
    ) -> Result<(Step, Origin<'d>), Reported> {
        let step = &written[placed.step];
        let stage = self.stage(placed);
        let own = step.instances.as_ref().map_err(|reported| *reported)?.as_ref().map(|own| own.value);
        let instances = stage.share.map(Instances::Share).or(own).unwrap_or(Instances::Count(1));
        let own = step.zone.as_ref().map_err(|reported| *reported)?.as_ref().map(|own| own.value.clone());
        let zone = stage.copies[placed.copy].zone.clone().or(own);
        let ids = |edges: &[(usize, Option<Item<'d>>)]| edges.iter().map(|(c, _)| self.all.id(*c)).collect();
        let id = placed.id.clone();
        let expect = step.expect.as_ref().map_err(|reported| *reported)?.value.clone();
        let terms = step.terms.as_ref().map_err(|reported| *reported)?;
        let meant = Step {
            id: id.expect("a name that was refused ends the reading before"),
            after: ids(&edges.after),
            after_any: ids(&edges.any),
            zone,
            instances,
            ..bare(expect, terms)
        };
        let entry = |(copy, item): &(usize, Option<Item<'d>>)| Some((self.all.id(*copy), (*item)?));
        let waits = edges.after.iter().chain(&edges.any).filter_map(entry).collect();
        let id = step.id.as_ref().map_err(|reported| *reported)?.value.clone();
        Ok((meant, Origin { id, item: step.item, waits }))
    }

    fn phases(&self, order: &[usize]) -> Result<Vec<(Phase, Item<'d>)>, Reported> {
        let mut phases = Vec::new();
        let mut seen = BTreeSet::new();
        let mut opened: BTreeMap<(usize, usize), Vec<StepId>> = BTreeMap::new();
        for &copy in order {
            let placed = &self.all.list[copy];
            opened.entry((placed.phase, placed.stage)).or_default().push(self.all.id(copy));
        }
        for (at, laid) in self.layout.phases.iter().enumerate() {
            let written = &laid.written;
            let id = written.id.as_ref().map_err(|reported| *reported)?;
            let gates = written.gates.as_ref().map_err(|reported| *reported)?;
            for (number, stage) in laid.stages.iter().enumerate() {
                let named = PhaseId::new(format!("{}{}", id.value, stage.suffix)).map_err(|_| {
                    let message = format!("`{}` is too long a name to be written out", id.value);
                    id.item.refuse(Code::BadName, message, "give the phase a shorter id")
                })?;
                if !seen.insert(named.clone()) {
                    let message =
                        format!("`{}` stands for `{named}` as well, which stands already", id.value);
                    let help = "give each phase an id of its own";
                    return Err(id.item.refuse(Code::DuplicatePhase, message, help));
                }
                let phase = Phase {
                    id: named,
                    steps: opened.remove(&(at, number)).unwrap_or_default(),
                    approval: gates.approval.clone().filter(|_| number == 0),
                    cohort: stage.cohort,
                    soak: gates.soak,
                    watch: gates.watch.clone(),
                };
                phases.push((phase, written.item));
            }
        }
        Ok(phases)
    }
}

/// Whether one of several means one step.
fn judge_one(wait: &Wait<'_>, copies: &[usize]) -> Result<(), Reported> {
    if copies.len() == 1 {
        return Ok(());
    }
    let message = "this step stands in several zones, and `after_any` waits for one step";
    let help = "name the one that is meant, e.g. `users-eu`, or move it to `after`";
    Err(wait.item.refuse(Code::ZonesOfOne, message, help))
}

fn bare(expect: Expect, terms: &Terms) -> Step {
    let back = Expect { service: expect.service.clone(), event: EventType::RollbackComplete };
    let (windows, remedy, told) = (&terms.windows, &terms.remedy, &terms.told);
    let blank = StepId::new("unnamed").expect("a name");
    Step {
        version: terms.count.version.clone(),
        runs_with: terms.count.runs_with.clone(),
        max_parallel: terms.count.max_parallel,
        started_within: windows.started_within,
        healthy_for: windows.healthy_for,
        on_stall: remedy.on_stall,
        reversible: remedy.reversible,
        interruptible: remedy.interruptible,
        compensate: Compensate { expect: back, within: remedy.back_within.unwrap_or(windows.within) },
        runbook: told.runbook.clone(),
        severity: told.severity,
        ..Step::new(blank, expect, windows.within, told.owner.clone())
    }
}
