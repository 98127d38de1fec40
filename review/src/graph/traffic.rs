//! What flowed on a log, laid over the network: which waits were seen, which never were, and which nobody declared.

use std::collections::{BTreeMap, BTreeSet};

use pavane_events::Service;
use serde::Serialize;

use super::network::By;
use crate::check::Project;
use crate::drift::{Declared, Flow};

/// The team of a service that no file names a team for.
const NOBODY: &str = "nobody";

/// How a wait looks on the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// Whether a choreography or a sidecar's file declares it.
    pub declared: bool,
    /// How often it was seen.
    pub times: u64,
    /// How many of these moved on an event that nobody declares.
    pub undeclared: u64,
}

/// Who moved on whose word, as the files and a log have it.
#[derive(Clone, Debug, Default)]
pub struct Traffic {
    /// By the service that spoke and the one that moved.
    pub(super) ways: BTreeMap<(Service, Service), Seen>,
    /// Every service that a file or the log names.
    pub(super) services: BTreeSet<Service>,
    teams: BTreeMap<Service, String>,
}

impl Traffic {
    /// What the files of a project declare and a log holds.
    pub fn of(project: &Project, declared: &Declared, flow: &Flow) -> Self {
        let mut traffic = Self::default();
        for pair in declared.pairs().into_iter().filter(|(from, to)| from != to) {
            traffic.ways.entry(pair).or_default().declared = true;
        }
        for (event, to, way) in flow.ways() {
            let seen = traffic.ways.entry((event.service.clone(), to.clone())).or_default();
            seen.times += way.times;
            seen.declared |= declared.moves(event, to);
            seen.undeclared += if declared.moves(event, to) { 0 } else { way.times };
        }
        for step in project.choreographies.iter().flat_map(|one| &one.plan.steps) {
            traffic.teams.insert(step.expect.service.clone(), step.owner.clone());
        }
        for one in project.participants.iter().filter(|one| !one.team.is_empty()) {
            traffic.teams.insert(one.service.clone(), one.team.clone());
        }
        let of_ways = traffic.ways.keys().flat_map(|(from, to)| [from.clone(), to.clone()]);
        traffic.services = of_ways.chain(flow.services().into_iter().cloned()).collect();
        traffic
    }

    pub(super) fn team(&self, service: &Service) -> &str {
        self.teams.get(service).map_or(NOBODY, String::as_str)
    }

    /// Under which node a service stands.
    pub(super) fn key<'a>(&'a self, service: &'a Service, by: By) -> &'a str {
        match by {
            By::Step | By::Service => service.as_str(),
            By::Team => self.team(service),
        }
    }
}

impl Seen {
    pub(super) const fn and(self, other: Self) -> Self {
        Self {
            declared: self.declared || other.declared,
            times: self.times + other.times,
            undeclared: self.undeclared + other.undeclared,
        }
    }

    /// The words beside an edge.
    pub(super) fn told(self) -> String {
        match (self.declared, self.times, self.undeclared) {
            (true, 0, _) => "never seen".to_owned(),
            (true, times, 0) => format!("seen {times}×"),
            (true, times, undeclared) => format!("seen {times}×, {undeclared} undeclared"),
            (false, times, _) => format!("undeclared, seen {times}×"),
        }
    }
}
