//! Who says what is awaited, and who awaits what is said.

use std::collections::{BTreeMap, BTreeSet};

use pavane_choreography::diagnostic::{Code, Diagnostic};
use pavane_choreography::{Expect, Step};
use pavane_events::{EventType, Service};

use super::words::listed;
use super::{Choreography, Project};
use crate::participant::{Participant, Reaction};

pub(super) fn findings(project: &Project) -> Vec<Diagnostic> {
    if project.participants.is_empty() {
        return Vec::new();
    }
    let mut found: Vec<_> = project
        .steps()
        .filter_map(|(one, step)| {
            slip(project, one, step)
                .or_else(|| nobody_says(project, one, step))
                .or_else(|| nobody_in_zone(project, one, step))
        })
        .collect();
    found.extend(project.choreographies.iter().flat_map(|one| unknown(project, one)));
    found.extend(strangers(project));
    if !project.choreographies.is_empty() {
        found.extend(project.participants.iter().flat_map(|one| nobody_waits(project, one)));
    }
    found
}

/// The services that some sidecar file is for.
pub(super) fn known(project: &Project) -> BTreeSet<&Service> {
    project.participants.iter().map(|one| &one.service).collect()
}

/// A name near that of a service with a file is a slip.
fn slip(project: &Project, one: &Choreography, step: &Step) -> Option<Diagnostic> {
    let (known, service) = (known(project), &step.expect.service);
    let names: Vec<&str> = known.iter().map(|service| service.as_str()).collect();
    let near =
        slip_of(service.as_str(), &names).filter(|near| !known.contains(service) && !one.moves(near))?;
    let message = format!("no sidecar file is for `{service}`, of which step `{}` awaits a word", step.id);
    let (place, help) = (one.step(&step.id, "expect"), format!("did you mean `{near}`?"));
    Some(Diagnostic::new(Code::UnknownService, &one.file, place, message, help))
}

/// Another name may be of a service that speaks through CI, or whose file lies elsewhere. The more of the plan's
/// services have a file, the less likely that is; where none has, these files and this plan have nothing in common.
fn unknown(project: &Project, one: &Choreography) -> Vec<Diagnostic> {
    let known = known(project);
    let mut first: BTreeMap<&Service, &Step> = BTreeMap::new();
    for step in one.plan.steps.iter().filter(|step| slip(project, one, step).is_none()) {
        first.entry(&step.expect.service).or_insert(step);
    }
    let all = first.len();
    first.retain(|service, _| !known.contains(service));
    let with_file = all - first.len();
    if with_file == 0 {
        return Vec::new();
    }
    let found = first.into_iter().map(|(service, step)| {
        let message = format!("no sidecar file is for `{service}`, of which step `{}` awaits a word", step.id);
        let help = format!(
            "{with_file} of the {all} services of this choreography have one here; without one, CI or a deploy tool must say {} with `pavane emit`",
            step.expect
        );
        let place = one.step(&step.id, "expect");
        let found = Diagnostic::new(Code::UnknownService, &one.file, place, message, help);
        let forgotten = step.expect.event != EventType::Ready && with_file * 2 > all;
        if forgotten { found.warning() } else { found.note() }
    });
    found.collect()
}

/// The name of which another one is a slip of the hand: a letter too much, too few, wrong, or two in the wrong order.
/// Numbers at the end and words in front make names, not slips.
pub(super) fn slip_of<'n>(found: &str, names: &[&'n str]) -> Option<&'n str> {
    let plain = |name: &str| -> Vec<char> {
        name.chars().filter(|c| !"-_.".contains(*c)).map(|c| c.to_ascii_lowercase()).collect()
    };
    let found = plain(found);
    names.iter().copied().find(|name| is_slip(&found, &plain(name)))
}

fn is_slip(found: &[char], meant: &[char]) -> bool {
    let same = found.iter().zip(meant).take_while(|(a, b)| a == b).count();
    let (found, meant) = (&found[same..], &meant[same..]);
    let digits = |text: &[char]| text.first().is_some_and(char::is_ascii_digit);
    match (found, meant) {
        ([], []) => true,
        _ if same == 0 || digits(found) || digits(meant) => false,
        ([_, rest @ ..], _) if rest == meant => true,
        (_, [_, rest @ ..]) if rest == found => true,
        ([_, a @ ..], [_, b @ ..]) if a == b => true,
        ([a, b, rest @ ..], [c, d, other @ ..]) => a == d && b == c && rest == other,
        _ => false,
    }
}

/// The reactions of a service that say the event.
fn sayers<'a>(
    project: &'a Project,
    expect: &'a Expect,
) -> impl Iterator<Item = (&'a Participant, &'a Reaction)> {
    let of = project.of(&expect.service);
    of.flat_map(|one| one.forward().filter(|r| r.emit == expect.event).map(move |reaction| (one, reaction)))
}

fn nobody_says(project: &Project, one: &Choreography, step: &Step) -> Option<Diagnostic> {
    let expect = &step.expect;
    if sayers(project, expect).next().is_some() || says_itself(project, expect) {
        return None;
    }
    let files: Vec<&Participant> = project.of(&expect.service).collect();
    if files.is_empty() {
        return None;
    }
    let said: BTreeSet<&str> =
        files.iter().flat_map(|one| one.forward().map(|reaction| reaction.emit.as_str())).collect();
    if said.is_empty() && expect.event == EventType::Ready {
        return None; // What is ready is often said at the sidecar's door, by a tool that is no reaction.
    }
    let names: BTreeSet<&str> = files.iter().map(|one| one.file.as_str()).collect();
    let message =
        format!("step `{}` awaits {expect}, and no reaction in {} says it", step.id, listed(&names));
    let place = one.step(&step.id, "expect");
    let found = |help: String| Diagnostic::new(Code::NobodySays, &one.file, place, message.clone(), help);
    if said.is_empty() {
        let help = format!("add a reaction that emits {}, or let CI say it with `pavane emit`", expect.event);
        return Some(found(help).warning());
    }
    let help = format!("its reactions say {}: await that, or change what they `emit`", listed(said));
    let at_the_door = expect.event == EventType::Ready;
    Some(if at_the_door { found(help).warning() } else { found(help) })
}

/// Whether the service has fields of its own for the event: then it says it at its sidecar's door.
fn says_itself(project: &Project, expect: &Expect) -> bool {
    let own = |own: &super::OwnEvent| own.service == expect.service && own.event == expect.event.as_str();
    project.schemas.iter().any(own)
}

fn nobody_in_zone(project: &Project, one: &Choreography, step: &Step) -> Option<Diagnostic> {
    let zone = step.zone.as_ref()?;
    let files: Vec<&Participant> = project.of(&step.expect.service).collect();
    let zones: BTreeSet<&str> = files.iter().filter_map(|file| Some(file.zone.as_ref()?.as_str())).collect();
    // A file without a zone is completed where the instance runs, with `--zone`.
    if zones.is_empty() || zones.contains(zone.as_str()) || files.iter().any(|file| file.zone.is_none()) {
        return None;
    }
    let message =
        format!("step `{}` awaits `{}` in zone `{zone}`, where none of it is", step.id, step.expect.service);
    let help = format!("its sidecar files name {}", listed(&zones));
    let place = one.step(&step.id, "zone");
    Some(Diagnostic::new(Code::NobodyInZone, &one.file, place, message, help).warning())
}

/// Services that are waited for by sidecars and have a name near that of a service with a file.
fn strangers(project: &Project) -> Vec<Diagnostic> {
    let known = known(project);
    let names: Vec<&str> = known.iter().map(|service| service.as_str()).collect();
    let mut found = Vec::new();
    for one in &project.participants {
        for reaction in &one.reactions {
            for expect in reaction.on.events() {
                let service = &expect.service;
                let moved = project.choreographies.iter().any(|plan| plan.moves(service.as_str()));
                let near = slip_of(service.as_str(), &names).filter(|near| *near != one.service.as_str());
                if let Some(near) = near.filter(|_| !known.contains(service) && !moved) {
                    let message =
                        format!("no sidecar file and no step is for `{service}`, whose word is waited for");
                    let help = format!("did you mean `{near}`?");
                    found.push(Diagnostic::new(
                        Code::UnknownService,
                        &one.file,
                        reaction.place,
                        message,
                        help,
                    ));
                }
            }
        }
    }
    found
}

/// A word that no step awaits and no reaction waits for changes nothing when it is said.
fn nobody_waits(project: &Project, one: &Participant) -> Vec<Diagnostic> {
    let service = &one.service;
    let first = project.of(service).next().is_some_and(|first| first.file == one.file);
    if !first {
        return Vec::new();
    }
    if !project.choreographies.iter().any(|plan| plan.moves(service.as_str())) {
        let message = format!("no choreography that is read here moves `{service}`");
        let help = "read its choreography too, or add a step that awaits it";
        return vec![Diagnostic::new(Code::NobodyWaits, &one.file, one.place, message, help).warning()];
    }
    let awaited = |event: EventType| {
        let expect = Expect { service: service.clone(), event };
        let by_step = project.steps().any(|(_, step)| step.expect == expect);
        by_step
            || project
                .participants
                .iter()
                .flat_map(|one| &one.reactions)
                .any(|r| r.on.events().contains(&expect))
    };
    let idle = one.forward().filter(|reaction| !awaited(reaction.emit));
    idle.map(|reaction| {
        let message =
            format!("{service}.{} is said here, and no step and no reaction waits for it", reaction.emit);
        let help =
            "a reaction moves only under a step that awaits its word: await it, or take the reaction out";
        Diagnostic::new(Code::NobodyWaits, &one.file, reaction.place, message, help).warning()
    })
    .collect()
}

impl Choreography {
    /// Whether one of its steps awaits a service of this name.
    fn moves(&self, service: &str) -> bool {
        self.plan.steps.iter().any(|step| step.expect.service.as_str() == service)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_hand_is_told_from_another_name() {
        let names = ["user-service", "ts-travel-service", "orders"];
        for (found, meant) in [
            ("user-servcie", "user-service"),
            ("user_service", "user-service"),
            ("user-servce", "user-service"),
            ("user-servicee", "user-service"),
            ("user-servixe", "user-service"),
            ("order", "orders"),
        ] {
            assert_eq!(slip_of(found, &names), Some(meant), "{found}");
        }
        for found in
            ["ts-user-service", "ts-travel2-service", "news-service", "users", "user-service-eu", "xrders"]
        {
            assert_eq!(slip_of(found, &names), None, "{found}");
        }
    }
}
