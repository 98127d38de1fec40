//! What a step says that its versions run with, held against what the steps of its own plan bring. What ran before is in no
//! file, so only what no version can mend is told.

use std::collections::BTreeSet;

use pavane_choreography::diagnostic::{Code, Diagnostic};
use pavane_choreography::{Plan, Step};
use pavane_events::{EventType, Service};
use semver::VersionReq;

use super::graph::Graph;
use super::speech::{known, slip_of};
use super::versions::{all_lie_in, can_all_hold};
use super::{Choreography, Project};

pub(super) fn findings(project: &Project) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for one in &project.choreographies {
        let graph = Graph::of(&one.plan);
        for step in &one.plan.steps {
            for (with, wanted) in &step.runs_with {
                let stated = Stated { one, graph: &graph, step, with, wanted };
                found.extend(stated.empty().or_else(|| stated.slip(project)).or_else(|| stated.apart()));
                found.extend(stated.early());
            }
        }
    }
    found
}

/// One entry of a step's `runs_with`.
struct Stated<'a> {
    one: &'a Choreography,
    graph: &'a Graph<'a>,
    step: &'a Step,
    with: &'a Service,
    wanted: &'a VersionReq,
}

impl<'a> Stated<'a> {
    /// The steps that bring versions of the other service to where this one runs, with these versions.
    fn bringing(&self) -> impl Iterator<Item = (&'a Step, &'a VersionReq)> {
        let meets = |other: &Step| match (&self.step.zone, &other.zone) {
            (Some(here), Some(there)) => here == there,
            (None, _) | (_, None) => true,
        };
        let brings = move |other: &&Step| {
            other.expect.service == *self.with && other.expect.event != EventType::Drained && meets(other)
        };
        let plan: &'a Plan = &self.one.plan;
        plan.steps.iter().filter(brings).filter_map(|other| Some((other, other.version.as_ref()?)))
    }

    /// No version at all is meant.
    fn empty(&self) -> Option<Diagnostic> {
        if can_all_hold(&[self.wanted]) {
            return None;
        }
        let message = format!("no version of {} is `{}`", self.with, self.wanted);
        let help = "the lower bound must lie below the upper one, e.g. `\">=5, <7\"`";
        Some(self.found(Code::EmptyVersions, message, help.to_owned()))
    }

    /// The name is near that of a service that is known, and is none itself.
    fn slip(&self, project: &Project) -> Option<Diagnostic> {
        let moved = project.steps().map(|(_, step)| &step.expect.service);
        let known: BTreeSet<&Service> = known(project).into_iter().chain(moved).collect();
        let names: Vec<&str> = known.iter().map(|service| service.as_str()).collect();
        let near = slip_of(self.with.as_str(), &names).filter(|_| !known.contains(self.with))?;
        let message =
            format!("no sidecar file and no step is for `{}`, which `{}` runs with", self.with, self.step.id);
        Some(self.found(Code::UnknownService, message, format!("did you mean `{near}`?")))
    }

    /// A step of the same plan brings the other service to where this one does not run with it.
    fn apart(&self) -> Option<Diagnostic> {
        let (other, given) = self.bringing().find(|(_, given)| !can_all_hold(&[self.wanted, given]))?;
        let message = format!(
            "step `{}` runs with {} {}, and step `{}` brings {given}: no version is both",
            self.step.id, self.with, self.wanted, other.id
        );
        let help =
            format!("let both ranges have a version in common: this one, or `version` of `{}`", other.id);
        Some(self.found(Code::RunsApart, message, help))
    }

    /// All versions that this step runs with are brought by another one, for which it does not wait.
    fn early(&self) -> Option<Diagnostic> {
        let (id, mut bringing) = (&self.step.id, self.bringing());
        let (other, _) = bringing.find(|(other, given)| {
            self.step.expect.service != *self.with
                && can_all_hold(&[self.wanted])
                && all_lie_in(self.wanted, given)
                && !self.graph.waits(id, &other.id)
        })?;
        let message = format!(
            "step `{id}` runs with {} {} alone, which step `{}` brings, and does not wait for it",
            self.with, self.wanted, other.id
        );
        let help =
            format!("add `{}` to the `after` of `{id}`: till then it runs beside what ran before", other.id);
        Some(self.found(Code::RunsEarly, message, help).warning())
    }

    fn found(&self, code: Code, message: String, help: String) -> Diagnostic {
        let place = self.one.step(&self.step.id, "runs_with");
        Diagnostic::new(code, &self.one.file, place, message, help)
    }
}
