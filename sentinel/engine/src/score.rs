//! A plan with its arrows as numbers, and the rules that it is judged by; shared by all rollouts that dance it.

use std::collections::BTreeSet;
use std::sync::Arc;

use pavane_choreography::{Phase, Plan, Step};
use pavane_events::{PhaseId, RolloutId, Service, StepId, Zone};

use crate::spoken::Saying;

/// A plan and, by index, what each step waits for and who waits for it.
#[derive(Clone, Debug)]
pub(crate) struct Score {
    pub(crate) plan: Plan,
    /// Its name, for whoever is told of its rollouts.
    pub(crate) name: Arc<str>,
    pub(crate) digest: String,
    /// The version of the rules by which it is judged.
    pub(crate) rules: i64,
    /// The text that it was read from.
    pub(crate) json: Box<str>,
    /// All of these must be full.
    pub(crate) after: Vec<Vec<usize>>,
    /// One of these must be full as well, where there are any.
    pub(crate) after_any: Vec<Vec<usize>>,
    /// Who waits for a step, for it alone or for one of several.
    pub(crate) dependants: Vec<Vec<usize>>,
    /// The steps of each phase.
    pub(crate) phases: Vec<Vec<usize>>,
    /// The phase of each step.
    pub(crate) phase_of: Vec<Option<usize>>,
    /// Whether a step wants a share of the instances.
    pub(crate) has_shares: bool,
    /// Whether a step says what it runs with.
    pub(crate) has_claims: bool,
    /// The steps that wait for nothing but the start.
    pub(crate) roots: Vec<usize>,
    /// Whether every step is of another service than all others, whoever dances it.
    pub(crate) one_step_each: bool,
    pub(crate) own: Own,
}

/// The services that every rollout of a plan has for itself, by the names that the plan gives them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Own {
    /// How long the longest name is; none where all services are shared.
    longest: Option<usize>,
    /// Whether there are no others.
    pub(crate) all: bool,
    /// Whether there are no others, and no name has a hyphen: with an id that has none, nobody else has these services.
    pub(crate) plain: bool,
}

impl Own {
    fn of(plan: &Plan) -> Self {
        let own =
            || plan.steps.iter().filter(|step| step.per_rollout).map(|step| step.expect.service.as_str());
        let all = own().count() == plan.steps.len();
        let longest = own().map(str::len).max();
        Self { longest, all, plain: all && own().all(|name| !name.contains('-')) }
    }
}

impl Score {
    /// Reads a plan from the log. The digest must be its own, and every prerequisite must stand before its step.
    pub(crate) fn read(json: &str, digest: &str, rules: i64) -> Result<Arc<Self>, String> {
        let plan = Plan::from_json(json).map_err(|error| format!("the plan cannot be read: {error}"))?;
        let own = pavane_events::identity::sha256_hex(json);
        if own != digest {
            return Err(format!("the plan's digest is {own}, not {digest}"));
        }
        plan.check().map_err(|error| format!("the plan cannot be danced: {error}"))?;
        let after = arrows(&plan, |step| &step.after)?;
        let after_any = arrows(&plan, |step| &step.after_any)?;
        let mut dependants = vec![Vec::new(); plan.steps.len()];
        for (i, awaited) in after.iter().zip(&after_any).map(|(all, any)| all.iter().chain(any)).enumerate() {
            for &a in awaited {
                dependants[a].push(i);
            }
        }
        let phases = phases(&plan)?;
        let phase_of = (0..plan.steps.len()).map(|i| phases.iter().position(|steps| steps.contains(&i)));
        let phase_of: Vec<Option<usize>> = phase_of.collect();
        let is_root = |i: &usize| after[*i].is_empty() && after_any[*i].is_empty() && phase_of[*i].is_none();
        Ok(Arc::new(Self {
            roots: (0..plan.steps.len()).filter(is_root).collect(),
            has_shares: plan.steps.iter().any(|step| step.instances.share().is_some()),
            has_claims: plan.steps.iter().any(|step| !step.runs_with.is_empty()),
            one_step_each: has_one_step_each(&plan),
            own: Own::of(&plan),
            name: plan.name.as_str().into(),
            plan,
            digest: own,
            rules,
            json: json.into(),
            after,
            after_any,
            dependants,
            phases,
            phase_of,
        }))
    }

    /// What it is called in a snapshot.
    pub(crate) fn kept_as(&self) -> String {
        match self.rules {
            1 => self.digest.clone(),
            rules => format!("{}/{rules}", self.digest),
        }
    }

    /// Whether a word is a verdict of its own and waits for no deadline: a failure, and since version 2 of the rules the
    /// awaited event of a version that does not count.
    pub(crate) const fn tells(&self, saying: Saying) -> bool {
        match saying {
            Saying::Failed => true,
            Saying::WrongVersion => self.rules >= 2,
            Saying::Started | Saying::Awaited | Saying::Drained => false,
        }
    }

    /// Whether a rollout of this id may dance it: each service that it has for itself has a name, and none is another's.
    pub(crate) fn bind(&self, id: &RolloutId) -> Result<(), String> {
        let Some(longest) = self.own.longest else { return Ok(()) };
        let fits = longest + 1 + id.as_str().len() <= Service::MAX;
        if fits && self.own.all {
            return Ok(());
        }
        let bound = self.plan.clone().bound_to(id).map_err(|error| error.to_string())?;
        bound.check().map_err(|error| format!("the plan cannot be danced: {error}"))
    }

    /// Whether what is said in a zone concerns a step.
    pub(crate) fn concerns(&self, i: usize, zone: Option<&Zone>) -> bool {
        self.plan.steps[i].concerns(zone)
    }

    /// The step with this name.
    pub(crate) fn place(&self, id: &StepId) -> Option<usize> {
        self.plan.steps.iter().position(|step| step.id == *id)
    }

    /// The phase with this name.
    pub(crate) fn phase(&self, id: &PhaseId) -> Option<usize> {
        self.plan.phases.iter().position(|phase| phase.id == *id)
    }

    /// Whether what a step waits for is there, phases apart.
    pub(crate) fn is_due(&self, i: usize, full: impl Fn(usize) -> bool) -> bool {
        let any = &self.after_any[i];
        self.after[i].iter().all(|&a| full(a)) && (any.is_empty() || any.iter().any(|&a| full(a)))
    }

    /// What must go back before a step may: who waits for it, and the phase after its own.
    pub(crate) fn above(&self, i: usize) -> impl Iterator<Item = usize> + '_ {
        let next = self.phase_of[i].and_then(|phase| self.phases.get(phase + 1));
        self.dependants[i].iter().chain(next.into_iter().flatten()).copied()
    }

    /// The step and all that it rests on: what it waits for, directly or not, and the phases before its own.
    pub(crate) fn below(&self, step: usize, into: &mut [bool]) {
        let mut left = vec![step];
        while let Some(i) = left.pop() {
            if std::mem::replace(&mut into[i], true) {
                continue;
            }
            let before = self.phase_of[i].and_then(|phase| phase.checked_sub(1)).map(|k| &self.phases[k]);
            left.extend(self.after[i].iter().chain(&self.after_any[i]).chain(before.into_iter().flatten()));
        }
    }
}

/// A service that a rollout has for itself may be called as one that is shared, so a plan that has both may have two steps
/// of one service for some rollout.
fn has_one_step_each(plan: &Plan) -> bool {
    let alike = plan.steps.windows(2).all(|pair| pair[0].per_rollout == pair[1].per_rollout);
    let services: BTreeSet<&Service> = plan.steps.iter().map(|step| &step.expect.service).collect();
    alike && services.len() == plan.steps.len()
}

fn arrows(plan: &Plan, of: impl Fn(&Step) -> &Vec<StepId>) -> Result<Vec<Vec<usize>>, String> {
    let of = |(i, step): (usize, &Step)| {
        let place = |id: &StepId| plan.steps[..i].iter().position(|other| other.id == *id);
        let missing = |id| format!("step {} waits for {id}, which is not before it", step.id);
        of(step).iter().map(|id| place(id).ok_or_else(|| missing(id))).collect()
    };
    plan.steps.iter().enumerate().map(of).collect()
}

fn phases(plan: &Plan) -> Result<Vec<Vec<usize>>, String> {
    let place = |id: &StepId| plan.steps.iter().position(|step| step.id == *id);
    let unknown = |id: &StepId| format!("a phase opens {id}, which is no step");
    let of = |phase: &Phase| phase.steps.iter().map(|id| place(id).ok_or_else(|| unknown(id))).collect();
    plan.phases.iter().map(of).collect()
}
