//! Files that say one thing twice, or speak against each other.

use std::collections::{BTreeMap, BTreeSet};

use pavane_choreography::Concurrency;
use pavane_choreography::diagnostic::{Code, Diagnostic};
use pavane_events::{Domain, Service, StepId};

use super::words::listed;
use super::{Choreography, Project};
use crate::participant::{On, Participant, Reaction};

pub(super) fn findings(project: &Project) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (at, later) in project.choreographies.iter().enumerate() {
        for earlier in &project.choreographies[..at] {
            found.extend(pair(earlier, later));
        }
    }
    for (at, later) in project.participants.iter().enumerate() {
        let mut earlier = project.participants[..at].iter();
        found.extend(
            earlier.find(|earlier| earlier.service == later.service).and_then(|e| disagree(e, later)),
        );
    }
    found.extend(project.choreographies.iter().filter_map(|one| many_domains(project, one)));
    found.extend(unwatched(project));
    found
}

/// The folder of a file. Files of one folder are meant together; those of several may be for several environments.
fn folder(file: &str) -> &str {
    file.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// What is wrong between two choreographies. Of one name: nothing else matters.
fn pair(earlier: &Choreography, later: &Choreography) -> Option<Diagnostic> {
    let (one, other) = (&earlier.plan, &later.plan);
    let together = folder(&earlier.file) == folder(&later.file);
    if one.name == other.name {
        let message = format!("`{}` is the name of the choreography in {} too", other.name, earlier.file);
        let help = "whichever is applied last replaces the other: give one of them another name";
        let place = later.part("metadata.name");
        let found = Diagnostic::new(Code::SamePlan, &later.file, place, message, help);
        return Some(if together { found } else { found.note() });
    }
    if !together {
        return None;
    }
    same_trigger(earlier, later).or_else(|| shared_service(earlier, later))
}

/// Two plans that one event starts would be one rollout, under one id.
fn same_trigger(earlier: &Choreography, later: &Choreography) -> Option<Diagnostic> {
    let (one, other) = (earlier.plan.trigger.as_ref()?, later.plan.trigger.as_ref()?);
    let apart = one.version.is_some() && other.version.is_some() && one.version != other.version;
    if one.on != other.on || apart {
        return None;
    }
    let message = format!("{} starts `{}` in {} too", other.on, earlier.plan.name, earlier.file);
    let help = "one event starts one rollout: await another event, or keep the `version` of the two apart";
    Some(Diagnostic::new(Code::SameTrigger, &later.file, later.part("trigger.on"), message, help))
}

/// Two plans that move one service cannot run at a time. Where a person starts both, that person is told; where an
/// event starts one, nobody is there to be told.
fn shared_service(earlier: &Choreography, later: &Choreography) -> Option<Diagnostic> {
    let services = |one: &Choreography| -> BTreeSet<Service> {
        one.plan.steps.iter().map(|step| step.expect.service.clone()).collect()
    };
    let (ours, theirs) = (services(later), services(earlier));
    let shared: Vec<_> = ours.intersection(&theirs).collect();
    let queues = |one: &Choreography| one.plan.concurrency == Concurrency::Queue;
    if shared.is_empty() || queues(earlier) || queues(later) {
        return None;
    }
    let step = later.plan.steps.iter().find(|step| step.expect.service == *shared[0])?;
    let message = format!(
        "`{}` and `{}` in {} both move {}: of two rollouts at a time the later one is refused",
        later.plan.name,
        earlier.plan.name,
        earlier.file,
        listed(&shared),
    );
    let help = "write `concurrency: queue` in the one that can wait";
    let place = later.step(&step.id, "expect");
    let found = Diagnostic::new(Code::SharedService, &later.file, place, message, help);
    let unattended = earlier.plan.trigger.is_some() || later.plan.trigger.is_some();
    Some(if unattended { found.warning() } else { found.note() })
}

/// Instances of one service may differ in where they run and how they are changed, not in when they move and what
/// they say.
fn disagree(earlier: &Participant, later: &Participant) -> Option<Diagnostic> {
    let (service, file) = (&later.service, &earlier.file);
    let (what, place) = if earlier.domain != later.domain {
        (format!("lives in `{}` here and in `{}` in {file}", later.domain, earlier.domain), later.place)
    } else if earlier.team != later.team {
        let team = |one: &Participant| if one.team.is_empty() { "nobody" } else { &one.team }.to_owned();
        (format!("belongs to {} here and to {} in {file}", team(later), team(earlier)), later.place)
    } else {
        let does = |one: &Participant| -> BTreeSet<(On, u32, String)> {
            let row = |one: &Reaction| (one.on.clone(), one.instances, one.emit.to_string());
            one.reactions.iter().map(row).collect()
        };
        if does(earlier) == does(later) {
            return None;
        }
        (format!("does not react here as it does in {file}"), later.place)
    };
    let help = "all instances of a service move as one: let the files agree, or name two services";
    let message = format!("`{service}` {what}");
    let found = Diagnostic::new(Code::SidecarsDisagree, &later.file, place, message, help);
    let together = folder(&earlier.file) == folder(&later.file);
    Some(if together { found.warning() } else { found.note() })
}

/// A rollout lives in one domain: what happens in another never reaches it.
fn many_domains(project: &Project, one: &Choreography) -> Option<Diagnostic> {
    let mut domains: BTreeMap<&Domain, (&StepId, &Participant)> = BTreeMap::new();
    for step in &one.plan.steps {
        for participant in project.of(&step.expect.service) {
            domains.entry(&participant.domain).or_insert((&step.id, participant));
        }
    }
    let first = domains.first_key_value()?.1.1;
    let (domain, (step, other)) = domains.iter().nth(1)?;
    let message = format!(
        "`{}` lives in the domain `{domain}` ({}) and `{}` in `{}` ({})",
        other.service, other.file, first.service, first.domain, first.file
    );
    let help =
        "a rollout hears one domain alone: move the service, or make it a choreography for each domain";
    Some(Diagnostic::new(Code::ManyDomains, &one.file, one.step(step, "expect"), message, help))
}

fn unwatched(project: &Project) -> Vec<Diagnostic> {
    if project.watchers.is_empty() {
        return Vec::new();
    }
    let watched: BTreeSet<&Domain> = project.watchers.iter().flat_map(|watcher| &watcher.domains).collect();
    let mut told = BTreeSet::new();
    let unwatched = project.participants.iter().filter(|one| !watched.contains(&one.domain));
    let first = unwatched.filter(|one| told.insert(&one.domain));
    let files: BTreeSet<&str> = project.watchers.iter().map(|watcher| watcher.file.as_str()).collect();
    first
        .map(|one| {
            let message = format!("no sentinel watches `{}`, the domain of `{}`", one.domain, one.service);
            let help = format!("add it to `domains` in {}", listed(&files));
            Diagnostic::new(Code::Unwatched, &one.file, one.place, message, help).warning()
        })
        .collect()
}
