//! What took a rollout back or ended it: the decision, and the step that it was taken for.

use super::{Decision, Facts, chain};
use crate::view::RolloutView;

/// The step for which a rollout went back or ended: the one that the decision names, else the first that stood still.
pub(super) fn origin(facts: &Facts<'_>, view: &RolloutView) -> Option<usize> {
    let named = verdict(facts).and_then(|decision| decision.step.clone());
    let stalls = view.verdicts.iter().filter(|verdict| verdict.kind == "RolloutStalled");
    let first = || stalls.clone().find_map(|verdict| verdict.step.clone());
    let told = || view.verdicts.iter().find(|verdict| verdict.kind == "RollbackRequested")?.step.clone();
    chain::place(view, &named.or_else(told).or_else(first)?)
}

/// The decision that took the rollout back or ended it, where the log still holds it.
pub(super) fn verdict<'a>(facts: &Facts<'a>) -> Option<&'a Decision> {
    let ends = |decision: &&Decision| decision.event == "RolloutAborted" || is_decision(decision);
    facts.chronicle.decisions().rev().find(ends)
}

/// Whether it is the decision to go back, not the part of one service in it.
fn is_decision(decision: &Decision) -> bool {
    decision.event == "RollbackRequested" && !decision.text.starts_with("asked ")
}
