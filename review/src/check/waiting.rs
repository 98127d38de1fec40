//! What a sidecar waits for, held against what its step waits for: steps that never fire, circles that no single file
//! shows, and dependencies that stand in one file alone.

use std::collections::BTreeSet;

use pavane_choreography::diagnostic::{Code, Diagnostic};
use pavane_choreography::{Expect, Step};
use pavane_events::StepId;

use super::graph::Graph;
use super::versions::can_all_hold;
use super::words::listed;
use super::{Choreography, Project};
use crate::participant::{On, Participant, Reaction};

pub(super) fn findings(project: &Project) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for one in &project.choreographies {
        let graph = Graph::of(&one.plan);
        for step in &one.plan.steps {
            found.extend(empty_versions(one, step));
            for participant in project.of(&step.expect.service) {
                found.extend(Waiting { one, graph: &graph, step, participant }.findings());
            }
        }
    }
    found
}

/// One step, and one sidecar file of its service.
struct Waiting<'a> {
    one: &'a Choreography,
    graph: &'a Graph<'a>,
    step: &'a Step,
    participant: &'a Participant,
}

/// What the plan makes of an event that a reaction waits for.
enum Standing<'a> {
    /// It comes before the step.
    Before(&'a Step),
    /// Nothing in the plan orders it against the step.
    Beside(&'a Step),
    /// It comes only after the step, or is the step's own word.
    After(&'a Step),
    /// No step brings it.
    Never,
}

impl<'a> Waiting<'a> {
    fn findings(&self) -> Vec<Diagnostic> {
        if self.step.zone.is_some()
            && self.participant.zone.is_some()
            && self.step.zone != self.participant.zone
        {
            return Vec::new();
        }
        let emit = self.step.expect.event;
        let moving: Vec<&Reaction> = self.participant.forward().filter(|r| r.emit == emit).collect();
        let fires = |reaction: &&&Reaction| self.fires(&reaction.on);
        if moving.is_empty() {
            return Vec::new();
        }
        if moving.iter().find(fires).is_none() {
            return self.never(&moving);
        }
        moving.iter().filter(fires).flat_map(|reaction| self.of(reaction)).collect()
    }

    /// Whether a reaction can fire before its step is late for all time.
    fn fires(&self, on: &On) -> bool {
        let comes = |expect: &Expect| match self.standing(expect) {
            Standing::Before(_) | Standing::Beside(_) => true,
            Standing::After(_) | Standing::Never => false,
        };
        match on {
            On::Due => true,
            On::Phase => !self.one.plan.phases.is_empty(),
            On::RollbackRequested => false,
            On::AllOf(events) => events.iter().all(comes),
            On::AnyOf(events) => events.iter().any(comes),
        }
    }

    /// The steps that bring an event.
    fn bring(&self, expect: &Expect) -> impl Iterator<Item = &'a Step> {
        self.one.plan.steps.iter().filter(move |step| step.expect == *expect)
    }

    fn standing(&self, expect: &Expect) -> Standing<'a> {
        let mut steps: Vec<&'a Step> = self.bring(expect).collect();
        // Of several steps with the same word the one that helps most counts: zones share their words.
        steps.sort_by_key(|other| {
            (!self.graph.waits(&self.step.id, &other.id), self.graph.waits(&other.id, &self.step.id))
        });
        match steps.first() {
            None => Standing::Never,
            Some(other) if self.graph.waits(&self.step.id, &other.id) => Standing::Before(other),
            Some(other) if other.id == self.step.id || self.graph.waits(&other.id, &self.step.id) => {
                Standing::After(other)
            }
            Some(other) => Standing::Beside(other),
        }
    }

    /// No reaction can bring the step's word; said once, for the one that is the nearest to it.
    fn never(&self, moving: &[&Reaction]) -> Vec<Diagnostic> {
        let events = || moving.iter().flat_map(|r| r.on.events().iter().map(move |expect| (*r, expect)));
        for (reaction, expect) in events() {
            if let Standing::After(other) = self.standing(expect) {
                return vec![self.circle(reaction, expect, other)];
            }
        }
        let mut waited: BTreeSet<String> = events().map(|(_, expect)| expect.to_string()).collect();
        if moving.iter().any(|reaction| reaction.on == On::Phase) {
            waited.insert("PhaseBegun".to_owned());
        }
        let Step { id, expect, .. } = self.step;
        let message = format!(
            "step `{id}` never fires: {} moves on {}, which nothing before it brings",
            expect.service,
            listed(&waited)
        );
        let before: BTreeSet<String> = self.graph.below(id).map(|step| step.expect.to_string()).collect();
        let file = &self.participant.file;
        let help = if before.is_empty() {
            format!("let it react on `RolloutStarted` in {file}, or add a step for what it waits for")
        } else {
            format!("let it react in {file} on one of {}, or on `RolloutStarted`", listed(&before))
        };
        vec![self.found(Code::NeverFires, message, help)]
    }

    /// A circle of which the plan has all edges but one, and the sidecar's file has that one.
    fn circle(&self, reaction: &Reaction, expect: &Expect, other: &Step) -> Diagnostic {
        let Participant { file, service, .. } = self.participant;
        let id = &self.step.id;
        let way = self.graph.way(id, &other.id);
        let mut path: Vec<&str> = way.iter().map(|id| id.as_str()).collect();
        path.push(id.as_str());
        let edge = |pair: &[&StepId]| {
            let (awaited, waiting) = (pair[0], pair[1]);
            let line = self.one.places.prerequisite(waiting, awaited).line;
            format!("`{waiting}` waits for `{awaited}` in line {line} of the choreography")
        };
        let mut edges: Vec<String> = way.windows(2).map(edge).collect();
        edges.push(format!("`{service}` waits for {expect} in line {} of {file}", reaction.place.line));
        let message = format!("a plan and a sidecar wait for each other in a circle: {}", path.join(" -> "));
        self.found(Code::CrossCycle, message, format!("take one of these out: {}", edges.join(", ")))
    }

    /// What is odd about a reaction that fires.
    fn of(&self, reaction: &Reaction) -> Vec<Diagnostic> {
        let mut found: Vec<_> = self.versions(reaction).into_iter().collect();
        for expect in reaction.on.events() {
            match self.standing(expect) {
                Standing::Before(other) => found.extend(self.instances(reaction, other)),
                Standing::Beside(other) => found.push(self.undeclared(reaction, expect, other)),
                Standing::After(_) | Standing::Never => {}
            }
        }
        found
    }

    /// The sidecar asks for versions that no step which brings the event lets through. Where another event will do, it is a
    /// warning.
    fn versions(&self, reaction: &Reaction) -> Option<Diagnostic> {
        let wanted = reaction.version.as_ref()?;
        let can = |step: &Step| step.version.as_ref().is_none_or(|given| can_all_hold(&[wanted, given]));
        let apart = |expect: &&Expect| self.bring(expect).next().is_some() && !self.bring(expect).any(can);
        let events = reaction.on.events();
        let first = events.iter().find(apart)?;
        let (step, given) = self.bring(first).find_map(|step| Some((step, step.version.as_ref()?)))?;
        let message = format!(
            "`{}` moves on {first} of {wanted} alone, and step `{}` wants {given}: no version is both",
            self.participant.service, step.id
        );
        let help = format!(
            "let both ranges have a version in common: this one, or that of `{}` in {}",
            step.id, self.one.file
        );
        let found =
            Diagnostic::new(Code::VersionsApart, &self.participant.file, reaction.place, message, help);
        let another_will_do =
            matches!(reaction.on, On::AnyOf(_)) && !events.iter().all(|expect| apart(&expect));
        Some(if another_will_do { found.warning() } else { found })
    }

    /// The sidecar asks for more than fills the step before: the plan goes on, and the sidecar waits.
    fn instances(&self, reaction: &Reaction, other: &Step) -> Option<Diagnostic> {
        let wanted = other.instances.count().filter(|count| reaction.instances > *count)?;
        let message = format!(
            "`{}` waits for {} instances to say {}, and step `{}` is full with {wanted}",
            self.participant.service, reaction.instances, other.expect, other.id
        );
        let help = format!(
            "write the same number in step `{}` of {} and here; a sidecar never moves before its step is due",
            other.id, self.one.file
        );
        let file = &self.participant.file;
        Some(Diagnostic::new(Code::InstancesDiffer, file, reaction.place, message, help).warning())
    }

    fn undeclared(&self, reaction: &Reaction, expect: &Expect, other: &Step) -> Diagnostic {
        let Participant { file, service, .. } = self.participant;
        let id = &self.step.id;
        let message = format!(
            "`{service}` waits for {expect} in line {} of {file}, and step `{id}` does not wait for `{}`",
            reaction.place.line, other.id
        );
        let help = format!("add `{}` to the `after` of `{id}`: its window runs while it waits", other.id);
        self.found(Code::UndeclaredWait, message, help).warning()
    }

    fn found(&self, code: Code, message: String, help: String) -> Diagnostic {
        Diagnostic::new(code, &self.one.file, self.one.step(&self.step.id, "expect"), message, help)
    }
}

/// A requirement whose bounds exclude each other.
fn empty_versions(one: &Choreography, step: &Step) -> Option<Diagnostic> {
    let wanted = step.version.as_ref()?;
    if can_all_hold(&[wanted]) {
        return None;
    }
    let message = format!("no version is `{wanted}`: step `{}` can never be filled", step.id);
    let help = "the lower bound must lie below the upper one, e.g. `\">=2.0.0, <3\"`";
    Some(Diagnostic::new(Code::EmptyVersions, &one.file, one.step(&step.id, "version"), message, help))
}
