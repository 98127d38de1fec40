//! Who is told, who has to talk to whom, and what they can do.

use std::collections::BTreeMap;

use pavane_choreography::diagnostic::{Code, Diagnostic};
use pavane_choreography::{OnStall, Severity, Step};

use super::words::listed;
use super::{Choreography, Project};

/// How many edges between two teams are named.
const FEW: usize = 3;

pub(super) fn findings(project: &Project) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for one in &project.choreographies {
        found.extend(no_runbook(one));
        found.extend(across_teams(one));
        found.extend(one.plan.steps.iter().filter_map(|step| teams_differ(project, one, step)));
        found.extend(one.plan.steps.iter().filter_map(|step| quiet_stall(one, step)));
        found.extend(unmeasured(project, one));
    }
    found.extend(project.watchers.iter().filter(|watcher| watcher.receivers == 0).map(|watcher| {
        let message = "this sentinel tells nobody when a rollout stalls";
        let help = "add `receivers:`, or look at the log and the metrics yourself";
        Diagnostic::new(Code::NobodyTold, &watcher.file, watcher.place, message, help).warning()
    }));
    found
}

fn no_runbook(one: &Choreography) -> Option<Diagnostic> {
    let silent: Vec<_> = one.plan.steps.iter().filter(|step| step.runbook.is_none()).collect();
    let first = silent.first()?;
    let all = silent.len() == one.plan.steps.len();
    let (place, message) = if all {
        (one.part("metadata.name"), format!("nothing says what to do when `{}` stalls", one.plan.name))
    } else {
        let ids = listed(silent.iter().map(|step| &step.id));
        (one.step(&first.id, "id"), format!("nothing says what to do when {ids} stalls"))
    };
    let help = "write `runbook: https://…` under `metadata`, or in each step";
    Some(Diagnostic::new(Code::NoRunbook, &one.file, place, message, help).warning())
}

/// Whoever is told of a stall should be whoever owns the service.
fn teams_differ(project: &Project, one: &Choreography, step: &Step) -> Option<Diagnostic> {
    let differs = |file: &&crate::participant::Participant| !file.team.is_empty() && file.team != step.owner;
    let file = project.of(&step.expect.service).find(differs)?;
    let message = format!(
        "a stall of step `{}` is told to {}, and `{}` belongs to {} in {}",
        step.id, step.owner, step.expect.service, file.team, file.file
    );
    let help = format!("write `owner: {}` in the step, or mend `team` in {}", file.team, file.file);
    Some(Diagnostic::new(Code::TeamsDiffer, &one.file, one.step(&step.id, "owner"), message, help).warning())
}

/// One note for each pair of teams, at the first edge between them.
fn across_teams(one: &Choreography) -> Vec<Diagnostic> {
    let mut pairs: BTreeMap<(&str, &str), Vec<(&Step, &Step)>> = BTreeMap::new();
    for step in &one.plan.steps {
        for awaited in step.prerequisites().filter_map(|id| one.plan.step(id)) {
            if awaited.owner != step.owner {
                pairs.entry((&step.owner, &awaited.owner)).or_default().push((step, awaited));
            }
        }
    }
    let note = |((waiting, awaited), edges): ((&str, &str), Vec<(&Step, &Step)>)| {
        let told = edges.iter().map(|(step, other)| format!("`{}` for `{}`", step.id, other.id));
        let mut told: Vec<String> = told.take(FEW).collect();
        if edges.len() > FEW {
            told.push(format!("and {} more", edges.len() - FEW));
        }
        let message = format!("{waiting} waits for {awaited}: {}", told.join(", "));
        let help = "the two teams agree on the event, its version and the window before the rollout";
        let (step, other) = edges[0];
        let place = one.places.prerequisite(&step.id, &other.id);
        Diagnostic::new(Code::AcrossTeams, &one.file, place, message, help).note()
    };
    pairs.into_iter().map(note).collect()
}

/// A stall that is a ticket to its owner holds up steps whose stall would wake somebody; their windows have not even
/// begun.
fn quiet_stall(one: &Choreography, step: &Step) -> Option<Diagnostic> {
    if step.severity != Severity::Ticket || step.on_stall != OnStall::Alert {
        return None;
    }
    let loud = |other: &&Step| other.severity == Severity::Page;
    let waiting: Vec<_> = one.plan.dependants(&step.id).filter(loud).map(|step| &step.id).collect();
    if waiting.is_empty() {
        return None;
    }
    let message = format!(
        "a stall of step `{}` wakes nobody, and without it the window of {} does not begin",
        step.id,
        listed(waiting)
    );
    let help = "write `severity: page`, or `on_stall: pause` so that no clock runs meanwhile";
    Some(Diagnostic::new(Code::QuietStall, &one.file, one.step(&step.id, "severity"), message, help).note())
}

/// A watch that no sentinel can ask for holds its phase for ever, with nobody knowing why.
fn unmeasured(project: &Project, one: &Choreography) -> Option<Diagnostic> {
    let phase = one.plan.phases.iter().find(|phase| phase.watch.is_some())?;
    let blind = !project.watchers.is_empty() && project.watchers.iter().all(|watcher| !watcher.measures);
    if !blind {
        return None;
    }
    let files: Vec<&str> = project.watchers.iter().map(|watcher| watcher.file.as_str()).collect();
    let message =
        format!("phase `{}` is watched by a metric, and no sentinel knows where metrics are", phase.id);
    let help = format!("add `prometheus: {{ url: … }}` to {}", listed(files));
    let place = one.places.phase(&phase.id, "watch");
    Some(Diagnostic::new(Code::Unmeasured, &one.file, place, message, help).warning())
}
