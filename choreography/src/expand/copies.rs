//! What the steps of the plan are called: a copy of each written step for each cohort and zone of its phase.

use std::collections::BTreeMap;

use pavane_events::StepId;

use crate::diagnostic::Code;
use crate::expand::stages::Stage;
use crate::layout::Layout;
use crate::written::step::WrittenStep;
use crate::yaml::Reported;

/// The copies of all steps, by phase.
pub(crate) struct Copies {
    pub(super) list: Vec<Placed>,
    pub(super) at: BTreeMap<(usize, usize, usize), usize>,
    names: BTreeMap<StepId, usize>,
    pub(crate) outcome: Result<(), Reported>,
}

/// Where a copy stands: its written step, its phase (with none, there is one stage for all), and within the phase.
pub(super) struct Placed {
    pub(super) id: Option<StepId>,
    pub(super) step: usize,
    pub(super) phase: usize,
    pub(super) stage: usize,
    pub(super) copy: usize,
}

impl Copies {
    /// Writes the names of all copies out. Nothing is written out of phases that were refused.
    pub(crate) fn of(written: &[WrittenStep<'_>], layout: &Layout<'_>) -> Self {
        let mut all = Self { list: Vec::new(), at: BTreeMap::new(), names: BTreeMap::new(), outcome: Ok(()) };
        if layout.outcome.is_err() {
            return all;
        }
        let mut members = vec![Vec::new(); layout.phases.len().max(1)];
        for step in 0..written.len() {
            members[layout.phase_of[step].unwrap_or(0)].push(step);
        }
        let whole = [Stage::whole()];
        for (phase, members) in members.iter().enumerate() {
            for (stage, spread) in layout.stages(phase, &whole).iter().enumerate() {
                for &step in members {
                    for (copy, spread) in spread.copies.iter().enumerate() {
                        let id = all.name(written, step, &spread.suffix);
                        all.at.insert((step, stage, copy), all.list.len());
                        all.list.push(Placed { id, step, phase, stage, copy });
                    }
                }
            }
        }
        all
    }

    fn name(&mut self, written: &[WrittenStep<'_>], step: usize, suffix: &str) -> Option<StepId> {
        let id = written[step].id.as_ref().ok()?;
        let reported = if let Ok(named) = StepId::new(format!("{}{suffix}", id.value)) {
            let of = self.names.get(&named).map(|&copy| &written[self.list[copy].step].id);
            // steps that are written under one id are told already
            if of.is_none_or(|of| of.as_ref().is_ok_and(|of| of.value == id.value)) {
                self.names.insert(named.clone(), self.list.len());
                return Some(named);
            }
            let message = format!("`{}` stands for `{named}` as well, which stands already", id.value);
            id.item.refuse(Code::DuplicateStep, message, "give each step an id of its own")
        } else {
            let message =
                format!("`{}` is too long a name to be written out for cohorts and zones", id.value);
            id.item.refuse(Code::BadName, message, "give the step a shorter id")
        };
        self.outcome = self.outcome.and(Err(reported));
        None
    }

    /// The written step and the copy of it that has this name.
    pub(crate) fn named(&self, id: &StepId) -> Option<(usize, usize)> {
        self.names.get(id).map(|&copy| (self.list[copy].step, copy))
    }

    /// The name of a copy.
    pub(super) fn id(&self, copy: usize) -> StepId {
        self.list[copy].id.clone().expect("a name that was refused ends the reading before")
    }
}
