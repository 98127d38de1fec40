//! The words of reminders.

use std::collections::BTreeSet;

use pavane_events::{PhaseId, identity};

use crate::alert::{About, Wait, outlook, spoken};
use crate::effect::Alert;
use crate::fold::Fold;
use crate::rollout::{Rollout, Status};

/// The words of a reminder that begins to hold at the record that was read last.
pub(super) fn reminder(fold: &Fold, rollout: &Rollout, about: About) -> Alert {
    match about {
        About::Phase(k, wait) => phase(fold, rollout, k, wait),
        About::Step(i, _) => {
            let (step, event) = (rollout.plan_step(i), rollout.missing(i));
            let mut alert = alert(fold, rollout, "StepOrphaned", None, Some(i));
            let long = spoken(fold.settings.newest().orphan_after_ms);
            alert.say("summary", format!("{}: nobody has looked after step {}", plan(rollout), step.id));
            alert.say(
                "description",
                format!(
                    "Step {} of rollout {} has stood still for {long}: {event} is missing. The sentinel waits on.",
                    step.id, rollout.id
                ),
            );
            let next = "let {service} report, or `pavane override {id} {step}`, `pavane rollback {id}` or `pavane abort {id}`";
            let next =
                next.replace("{service}", rollout.service(i).as_str()).replace("{step}", step.id.as_str());
            alert.say("next_step", next.replace("{id}", rollout.id.as_str()));
            alert.say("outlook", fold.outlook_of_orphan(rollout, i));
            alert
        }
        About::Whole(_) => {
            let mut alert = alert(fold, rollout, "RolloutOrphaned", None, None);
            alert.labels.insert("severity".to_owned(), "ticket".to_owned());
            let (cause, why, next) = stands(fold, rollout);
            alert.labels.insert("cause".to_owned(), cause.to_owned());
            let long = spoken(fold.settings.newest().orphan_after_ms);
            alert.say("summary", format!("{}: no clock has run for {long}", plan(rollout)));
            alert.say(
                "description",
                format!(
                    "Rollout {} has stood for {long}, and keeps its services from others: {why}. The sentinel waits on.",
                    rollout.id
                ),
            );
            alert.say("next_step", format!("{next}; `pavane abort {}` ends it where it stands", rollout.id));
            let since = super::stands_since(rollout, super::time_of(fold, rollout));
            alert.say("outlook", fold.outlook_of_standing(since));
            alert
        }
    }
}

/// Why no clock of a rollout runs: a word for it, in a sentence, and what lets it run on.
fn stands(fold: &Fold, rollout: &Rollout) -> (&'static str, String, String) {
    let id = &rollout.id;
    if fold.held.is_some() {
        return ("held", "the domain is held".to_owned(), "`pavane release` lets it run on".to_owned());
    }
    if rollout.status == Status::Queued {
        let other =
            fold.behind(rollout).map_or_else(|| "another rollout".to_owned(), |other| other.to_string());
        let next = format!("`pavane why {other}` tells what keeps that one");
        return ("queued", format!("it waits for {other} to end"), next);
    }
    if rollout.stopped.is_some() {
        return ("paused", "it is paused".to_owned(), format!("`pavane resume {id}` lets it run on"));
    }
    let next = format!("`pavane status {id}` names the phase to approve or reject");
    ("approval", "it waits for an approval".to_owned(), next)
}

fn phase(fold: &Fold, rollout: &Rollout, k: usize, wait: Wait) -> Alert {
    let (phase, plan) = (rollout.plan_phase(k), plan(rollout));
    let name = match wait {
        Wait::Approval | Wait::Rejected => "ApprovalAwaited",
        Wait::Maintenance => "MaintenanceOver",
        Wait::Cohort => "CohortUnknown",
        Wait::Metric => "MetricMissing",
    };
    let mut alert = alert(fold, rollout, name, Some(&phase.id), None);
    let (id, step) = (&rollout.id, &rollout.plan_step(rollout.told_of(k)).id);
    let (what, next) = match wait {
        Wait::Maintenance => {
            alert.say("summary", format!("{plan}: phase {} is left over when the window closes", phase.id));
            let what =
                "was not begun when the maintenance window closed. The sentinel does not begin it".to_owned();
            (
                what,
                format!(
                    "`pavane rollback {id} --reason …` goes back, `pavane abort {id}` leaves it as it is"
                ),
            )
        }
        Wait::Approval | Wait::Rejected => {
            let by = phase.approval.as_ref().map_or("someone", |approval| &approval.by);
            alert.labels.insert("severity".to_owned(), "ticket".to_owned());
            alert.labels.insert("owner".to_owned(), by.to_owned());
            alert.say("culprit_owner", by.to_owned());
            alert.say("summary", format!("{plan}: phase {} waits for the approval of {by}", phase.id));
            let what =
                "may begin, and all before it is complete. The sentinel begins it when someone approves"
                    .to_owned();
            (what, format!("`pavane approve {id} {0}`, or `pavane reject {id} {0} --reason …`", phase.id))
        }
        Wait::Cohort => {
            alert.say("summary", format!("{plan}: phase {} cannot begin, nobody is heard", phase.id));
            let steps = rollout.score.phases[k].iter();
            let services: BTreeSet<String> = steps.map(|i| rollout.service(*i).to_string()).collect();
            let services = services.into_iter().collect::<Vec<_>>().join(", ");
            alert.say("culprit", services.clone());
            let what = "moves a share of the instances, and of one of its services no sidecar is heard. The sentinel begins \
                        it when they are"
                .to_owned();
            (what, format!("look whether {services} and the sidecars beside run"))
        }
        Wait::Metric => {
            let why = rollout.phases[k].missing.as_ref().map_or("no answer", String::as_str);
            alert.say("summary", format!("{plan}: phase {} is watched blindly", phase.id));
            alert.say("culprit", "prometheus".to_owned());
            let what = format!(
                "is watched by a metric of which there has been no value for a minute: {why}. The sentinel decides nothing \
                 without it"
            );
            let ways = format!("`pavane override {id} {step} --reason …` goes on without");
            (what, format!("look whether Prometheus answers and has the series; {ways}"))
        }
    };
    alert.say("description", format!("Phase {} of rollout {id} {what}.", phase.id));
    alert.say("next_step", next);
    alert.say("outlook", outlook_of_phase(fold, rollout, k, wait));
    alert
}

fn outlook_of_phase(fold: &Fold, rollout: &Rollout, k: usize, wait: Wait) -> String {
    match wait {
        Wait::Approval | Wait::Rejected => fold.outlook_of_gate(rollout, k),
        Wait::Maintenance => fold.outlook_of_closed(rollout, k),
        Wait::Cohort => outlook::unheard(rollout.plan_phase(k).id.as_str()),
        Wait::Metric => outlook::blindfold(rollout, k),
    }
}

/// An alert with the id that every replica gives it: of its name, and of the record at which it began to hold.
fn alert(fold: &Fold, rollout: &Rollout, name: &str, phase: Option<&PhaseId>, i: Option<usize>) -> Alert {
    let what = phase.map_or_else(|| name.to_owned(), |phase| format!("{name}/{phase}"));
    let step = i.map(|i| &rollout.plan_step(i).id);
    let id = identity::decision_id(&rollout.id, rollout.epoch, step, &what, fold.offset);
    let cause = match name {
        "CohortUnknown" => "unreachable",
        "MetricMissing" => "metric",
        "ApprovalAwaited" => "approval",
        "MaintenanceOver" => "maintenance",
        _ => i
            .and_then(|i| rollout.steps[i].stall.as_ref())
            .map_or("not_started", |stall| stall.cause.as_str()),
    };
    let mut alert = fold.alert(rollout, name, i, cause, &id, fold.clock.raw());
    if let Some(phase) = phase {
        alert.labels.insert("phase".to_owned(), phase.to_string());
    }
    alert
}

fn plan(rollout: &Rollout) -> &str {
    &rollout.score.plan.name
}
