//! The steps laid out over the phases: every step in exactly one, every phase with what it can open.

use std::collections::BTreeMap;

use pavane_events::{PhaseId, StepId};

use crate::diagnostic::Code;
use crate::document::MAX_STEPS;
use crate::expand::stages::{self, Stage};
use crate::instances::{Instances, Share};
use crate::names::Names;
use crate::written::phase::WrittenPhase;
use crate::written::step::{WrittenStep, part};
use crate::yaml::{Item, Reported};

/// The phases as written, as far as they could be read, and the steps that each opens.
pub(crate) struct Layout<'d> {
    pub(crate) phases: Vec<Laid<'d>>,
    /// For each step the phase that opens it.
    pub(crate) phase_of: Vec<Option<usize>>,
    pub(crate) outcome: Result<(), Reported>,
}

/// A phase as written, and how it is spread.
pub(crate) struct Laid<'d> {
    pub(crate) written: WrittenPhase<'d>,
    pub(crate) stages: Vec<Stage>,
}

/// The phases of a document, each of which may have been refused, and where they stand.
pub(crate) struct Staged<'d> {
    pub(crate) item: Item<'d>,
    pub(crate) phases: Vec<Result<WrittenPhase<'d>, Reported>>,
}

impl<'d> Layout<'d> {
    pub(crate) fn of(
        steps: &[WrittenStep<'d>],
        names: &Names,
        staged: Result<Option<Staged<'d>>, Reported>,
    ) -> Self {
        let mut layout = Self { phases: Vec::new(), phase_of: vec![None; steps.len()], outcome: Ok(()) };
        match staged {
            Ok(None) => {}
            Ok(Some(staged)) => layout.lay(steps, names, staged),
            Err(reported) => layout.outcome = Err(reported),
        }
        layout
    }

    /// How a phase is spread; without phases there is one stage for all steps.
    pub(crate) fn stages<'s>(&'s self, phase: usize, whole: &'s [Stage]) -> &'s [Stage] {
        self.phases.get(phase).map_or(whole, |phase| &phase.stages)
    }

    fn refuse(&mut self, reported: Reported) {
        self.outcome = self.outcome.and(Err(reported));
    }

    fn lay(&mut self, steps: &[WrittenStep<'d>], names: &Names, staged: Staged<'d>) {
        let Staged { item, phases } = staged;
        let mut complete = Ok(());
        for phase in phases {
            match phase {
                Ok(written) => complete = complete.and(self.open(steps, names, written)),
                Err(reported) => {
                    complete = Err(reported);
                    self.refuse(reported);
                }
            }
        }
        self.tell_twice();
        if complete.and(names.complete).is_ok() {
            self.tell_left_out(steps);
        }
        self.spread(&item);
    }

    /// Lays the steps of one phase out. An error says that not all of them could be read.
    fn open(
        &mut self,
        steps: &[WrittenStep<'d>],
        names: &Names,
        written: WrittenPhase<'d>,
    ) -> Result<(), Reported> {
        let mut complete = part(&written.steps);
        for entry in written.steps.iter().flatten() {
            let outcome = match entry {
                Ok(step) => match names.places.get(&step.value) {
                    Some(&place) => self.put(place, &step.item, &written, &steps[place]),
                    None => {
                        names.complete.and_then(|()| Err(unknown(names, &step.item, step.value.as_str())))
                    }
                },
                Err(reported) => {
                    complete = Err(*reported);
                    Err(*reported)
                }
            };
            self.outcome = self.outcome.and(outcome);
        }
        let parts =
            [complete, part(&written.cohorts), part(&written.zones), part(&written.gates), part(&written.id)];
        self.outcome = parts.into_iter().fold(self.outcome, Result::and);
        self.phases.push(Laid { written, stages: vec![Stage::whole()] });
        complete
    }

    fn put(
        &mut self,
        place: usize,
        named: &Item<'_>,
        phase: &WrittenPhase<'_>,
        step: &WrittenStep<'_>,
    ) -> Result<(), Reported> {
        if let Some(other) = self.phase_of[place].replace(self.phases.len()) {
            let line = self.phases.get(other).map_or(phase.item, |other| other.written.item).place().line;
            let message = format!("a phase opens this step already, in line {line}");
            return Err(named.refuse(Code::PhaseTwice, message, "let one phase open each step"));
        }
        if let (Ok(Some(_)), Ok(Some(zone))) = (&phase.zones, &step.zone) {
            let message = "the phase spreads this step over zones, and it names one itself";
            return Err(zone.item.refuse(Code::ZoneTwice, message, "leave `zone` out"));
        }
        let (Ok(Some(_)), Ok(Some(instances))) = (&phase.cohorts, &step.instances) else { return Ok(()) };
        if instances.value == Instances::Share(Share::ALL) {
            return Ok(());
        }
        let message = "the cohorts of the phase say how many instances this step wants, and so does the step";
        Err(instances.item.refuse(Code::CohortCount, message, "leave `instances` out, or `cohorts`"))
    }

    fn tell_twice(&mut self) {
        let mut lines: BTreeMap<PhaseId, u32> = BTreeMap::new();
        let mut outcome = Ok(());
        for id in self.phases.iter().filter_map(|phase| phase.written.id.as_ref().ok()) {
            if let Some(first) = lines.get(&id.value) {
                let message = format!("phase `{}` stands already in line {first}", id.value);
                outcome =
                    Err(id.item.refuse(Code::DuplicatePhase, message, "give each phase an id of its own"));
            } else {
                lines.insert(id.value.clone(), id.item.place().line);
            }
        }
        self.outcome = self.outcome.and(outcome);
    }

    fn tell_left_out(&mut self, steps: &[WrittenStep<'_>]) {
        for (step, phase) in steps.iter().zip(self.phase_of.clone()) {
            let (Ok(id), None) = (&step.id, phase) else { continue };
            let message = format!("no phase opens step `{}`", id.value);
            self.refuse(id.item.refuse(Code::PhaseNone, message, "name it in the `steps` of a phase"));
        }
    }

    /// Spreads every phase, as long as that does not become more than is judged.
    fn spread(&mut self, item: &Item<'_>) {
        let mut count = 0_usize;
        for phase in &self.phases {
            let (Ok(cohorts), Ok(zones)) = (&phase.written.cohorts, &phase.written.zones) else { continue };
            let copies = stages::count(cohorts.as_deref(), zones.as_ref());
            let steps = phase.written.steps.as_ref().map_or(0, Vec::len);
            count = count.saturating_add(copies.saturating_mul(steps));
        }
        if count > MAX_STEPS {
            let message = format!("the phases make {count} steps; at most {MAX_STEPS} are judged");
            return self.refuse(item.refuse(Code::TooManySteps, message, "make it several choreographies"));
        }
        for Laid { written, stages } in &mut self.phases {
            if let (Ok(cohorts), Ok(zones)) = (&written.cohorts, &written.zones) {
                *stages = stages::stages(cohorts.as_deref(), zones.as_ref());
            }
        }
    }
}

fn unknown(names: &Names, item: &Item<'_>, id: &str) -> Reported {
    let help = item.guess(id, names.places.keys().map(StepId::as_str));
    item.refuse(Code::PhaseOfUnknown, format!("there is no step `{id}`"), help)
}
