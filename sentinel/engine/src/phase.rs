//! The phases of a rollout: which is open, when the gate of the next one opens, and what must be in before it begins.

use pavane_choreography::{Bound, Phase};
use pavane_events::command::{Member, PhaseBegun};
use pavane_events::{Evidence, EvidenceKind, Timestamp};

use crate::clock::Mark;
use crate::rollout::{Counted, Rollout};
use crate::step::Proof;

/// What is known of one phase.
#[derive(Clone, Debug)]
pub(crate) struct PhaseState {
    /// Where it began.
    pub(crate) begun: Option<Mark>,
    /// The attempt of its gate: one more after each rejection.
    pub(crate) attempt: i64,
    /// Who said that it may begin.
    pub(crate) approved: Option<String>,
    /// Why the metric that it is watched by has no value, while a sentinel says so.
    pub(crate) missing: Option<String>,
    /// Whether nobody is heard of whom it asks for a share, as a sentinel says.
    pub(crate) unheard: bool,
}

impl Default for PhaseState {
    fn default() -> Self {
        Self { begun: None, attempt: 1, approved: None, missing: None, unheard: false }
    }
}

impl Rollout {
    /// The phase of the plan with this index.
    pub(crate) fn plan_phase(&self, k: usize) -> &Phase {
        &self.score.plan.phases[k]
    }

    /// The phase that began last.
    pub(crate) fn phase_open(&self) -> Option<usize> {
        self.phases.iter().rposition(|phase| phase.begun.is_some())
    }

    /// The phase that comes next.
    pub(crate) fn phase_next(&self) -> Option<usize> {
        self.phases.iter().position(|phase| phase.begun.is_none())
    }

    /// When every step of a phase was met; in the future while a step must hold, none while one is not full.
    pub(crate) fn phase_met(&self, k: usize) -> Option<Timestamp> {
        let begun = self.phases[k].begun?;
        let met = |i: &usize| {
            let (state, step) = (&self.steps[*i], self.plan_step(*i));
            let healthy = if state.overridden { 0 } else { step.healthy_for };
            state.full.map(|full| full.at.plus(healthy))
        };
        self.score.phases[k].iter().map(met).try_fold(begun.at, |latest, met| Some(latest.max(met?)))
    }

    /// When a phase has soaked.
    pub(crate) fn phase_soaked(&self, k: usize) -> Option<Timestamp> {
        self.phase_met(k).map(|met| met.plus(self.plan_phase(k).soak))
    }

    /// When the gate of a phase opens: the one before has soaked. The first one's is open from the start.
    pub(crate) fn gate_opens(&self, k: usize) -> Option<Timestamp> {
        match k.checked_sub(1) {
            Some(before) => self.phase_soaked(before),
            None => Some(self.started.at),
        }
    }

    /// Whether the gate of a phase is open.
    pub(crate) fn gate_is_open(&self, k: usize, now: Timestamp) -> bool {
        self.phase_next() == Some(k) && self.gate_opens(k).is_some_and(|opens| opens <= now)
    }

    /// Whether a phase waits for someone to say that it may begin.
    pub(crate) fn awaits_approval(&self, k: usize) -> bool {
        self.plan_phase(k).approval.is_some() && self.phases[k].approved.is_none()
    }

    /// Whether the next phase may begin, as far as the log and what is quoted say.
    pub(crate) fn may_begin(&self, k: usize, evidence: &[Evidence], now: Timestamp) -> bool {
        let before = k.checked_sub(1);
        self.gate_is_open(k, now)
            && !self.awaits_approval(k)
            && self.closes.is_none_or(|closes| now < closes)
            && before.is_none_or(|before| self.passed(before, evidence, now))
    }

    /// Whether every phase is complete; true for a plan without phases.
    pub(crate) fn phases_complete(&self, evidence: &[Evidence], now: Timestamp) -> bool {
        let Some(last) = self.phases.len().checked_sub(1) else { return true };
        self.phase_soaked(last).is_some_and(|soaked| soaked <= now) && self.passed(last, evidence, now)
    }

    /// Whether the watch of a phase is over and what is quoted keeps to its bound. How long it has kept to it is the
    /// proposer's to see; the log alone knows that it was long enough ago that the phase was met.
    fn passed(&self, k: usize, evidence: &[Evidence], now: Timestamp) -> bool {
        let Some(watch) = &self.plan_phase(k).watch else { return true };
        let long_enough = || self.phase_met(k).is_some_and(|met| met.plus(watch.hold) <= now);
        self.is_waived(k)
            || (!self.is_breached(k) && long_enough() && quoted(evidence, |value| watch.bound.holds(value)))
    }

    /// Whether the metric of a phase is looked at: it is met and the next one has not begun.
    pub(crate) fn is_watched(&self, k: usize, now: Timestamp) -> bool {
        self.plan_phase(k).watch.is_some()
            && self.phase_open() == Some(k)
            && self.phase_met(k).is_some_and(|met| met <= now)
            && !self.is_waived(k)
            && !self.is_breached(k)
    }

    /// The step that a breach of a phase's bound is told of: its first.
    pub(crate) fn told_of(&self, k: usize) -> usize {
        self.score.phases[k][0]
    }

    /// Whether a person says that the metric does not matter: by counting the step that tells of it as met.
    fn is_waived(&self, k: usize) -> bool {
        self.steps[self.told_of(k)].overridden
    }

    fn is_breached(&self, k: usize) -> bool {
        self.steps[self.told_of(k)].stall.as_ref().is_some_and(|stall| stall.proof == Proof::Breach)
    }

    /// Begins a phase where its event stands.
    pub(crate) fn begin_phase(&mut self, k: usize, said: &PhaseBegun, mark: Mark) -> Vec<Counted> {
        self.phases[k].begun = Some(mark);
        let mut counted = Vec::new();
        for i in self.score.phases[k].clone() {
            let service = self.service(i);
            let members = said.cohort.iter().filter(|member| member.service == *service);
            let members: std::collections::BTreeSet<_> =
                members.map(|member: &Member| member.instance.clone()).collect();
            // The cohort names the members of every zone; how many of them are in one is counted for itself.
            let anywhere = self.plan_step(i).zone.is_none();
            if anywhere && self.plan_step(i).instances.share().is_some() && !members.is_empty() {
                self.steps[i].counted = u32::try_from(members.len()).ok();
            }
            if !members.is_empty() || !self.steps[i].members.is_empty() {
                self.steps[i].members = members;
            }
            self.open(i, mark);
            counted.push(self.count(i, mark));
        }
        counted
    }
}

/// Whether a metric is quoted and every value of it passes a test.
pub(crate) fn quoted(evidence: &[Evidence], passes: impl Fn(f64) -> bool) -> bool {
    let metrics = || evidence.iter().filter(|seen| seen.kind == EvidenceKind::Metric);
    let fits = |seen: &Evidence| seen.value.parse::<f64>().is_ok_and(&passes);
    metrics().next().is_some() && metrics().all(fits)
}

/// What is missing while a metric breaks its bound.
pub(crate) fn broken(phase: &Phase, bound: &Bound, evidence: &[Evidence]) -> String {
    let value = evidence.first().map_or("unknown", |seen| seen.value.as_str());
    let query = phase.watch.as_ref().map_or("", |watch| watch.query.as_str());
    format!("{query} {bound} in phase {} (it is {value})", phase.id)
}
