//! What is wrong with files that are sound by themselves: each finding with its place and its remedy.
//!
//! A [`Project`] is all that was read in one run; [`check`] is a function of it. Who gives only some of the files
//! gets only what can be known from these.
//!
//! | room | what is looked at |
//! |---|---|
//! | `files` | files that say the same thing twice, or against each other |
//! | `speech` | who says what is awaited, and who awaits what is said |
//! | `waiting` | what a sidecar waits for, against what its step waits for |
//! | `together` | which versions run together, against what the plan brings |
//! | `versions` | whether ranges of versions have one in common |
//! | `windows` | lengths that cannot all hold |
//! | `back` | what a rollback would meet |
//! | `people` | who is told, and what they can do |
//! | `noise` | several words for one thing |
//! | [`allowed`] | comments that let a finding pass |

pub mod allowed;
mod back;
mod files;
mod graph;
mod noise;
mod people;
mod speech;
mod together;
mod versions;
mod waiting;
mod windows;
mod words;

use pavane_choreography::diagnostic::{Code, Diagnostic, Place};
use pavane_choreography::{Places, Plan, Step};
use pavane_events::{Domain, Service, StepId};

pub use windows::PACE;

use crate::contracts::{Offered, consumers, lint};
use crate::participant::Participant;

/// All that was read in one run.
#[derive(Clone, Debug, Default)]
pub struct Project {
    /// The choreographies that are sound by themselves.
    pub choreographies: Vec<Choreography>,
    /// The sidecar files that are sound by themselves.
    pub participants: Vec<Participant>,
    /// The sentinel files that are sound by themselves.
    pub watchers: Vec<Watcher>,
    /// The schemas of services' own events.
    pub schemas: Vec<OwnEvent>,
    /// The schemas as they are offered, services' own and others.
    pub offered: Vec<Offered>,
}

/// A choreography with the places of what stands in it.
#[derive(Clone, Debug)]
pub struct Choreography {
    /// The file as it is named to the reader.
    pub file: String,
    /// The plan that it means.
    pub plan: Plan,
    /// Where its parts stand.
    pub places: Places,
}

/// A sentinel's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watcher {
    /// The file as it is named to the reader.
    pub file: String,
    /// Where it says what it watches.
    pub place: Place,
    /// The domains that it watches.
    pub domains: Vec<Domain>,
    /// How many receivers it tells.
    pub receivers: usize,
    /// Whether it knows where metrics are.
    pub measures: bool,
}

/// The schema of an event that a service says with fields of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnEvent {
    /// The file as it is named to the reader.
    pub file: String,
    /// The service, after its folder.
    pub service: Service,
    /// The short name of the event, after the file; it may not be in the vocabulary.
    pub event: String,
}

/// Everything that is found, in the order of files, lines and columns.
pub fn check(project: &Project) -> Vec<Diagnostic> {
    let rooms = [
        files::findings,
        speech::findings,
        waiting::findings,
        together::findings,
        windows::findings,
        back::findings,
        people::findings,
        noise::findings,
        contracts,
    ];
    let mut found: Vec<Diagnostic> = rooms.iter().flat_map(|room| room(project)).collect();
    sort(&mut found);
    gather(found)
}

fn contracts(project: &Project) -> Vec<Diagnostic> {
    let mut found = lint::findings(&project.offered);
    let sound = project.offered.iter().filter_map(|one| Some((one, one.schema().ok()?)));
    found.extend(consumers::unwritten(project, &sound.collect::<Vec<_>>()));
    found
}

/// Steps that were written out of one place have one cause: of their findings of a code the first is told, and how
/// many more there are. Findings about other files are told one by one.
fn gather(found: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut told: Vec<(Diagnostic, usize)> = Vec::new();
    for one in found {
        let place = |one: &Diagnostic| (one.file.clone(), one.line, one.column, one.code.clone());
        let of_steps = one.code.as_str() >= Code::UnknownService.as_str();
        match told.last_mut().filter(|(last, _)| of_steps && place(last) == place(&one)) {
            Some((_, more)) => *more += 1,
            None => told.push((one, 0)),
        }
    }
    let message = |(mut one, more): (Diagnostic, usize)| {
        if more > 0 {
            one.message = format!("{} (and {more} more like it here)", one.message);
        }
        one
    };
    told.into_iter().map(message).collect()
}

/// Puts findings of any origin into the order in which they are told, each once.
pub fn sort(found: &mut Vec<Diagnostic>) {
    found.sort_by(|a, b| key(a).cmp(&key(b)));
    found.dedup();
}

fn key(found: &Diagnostic) -> (&str, u32, u32, &str, &str) {
    (&found.file, found.line, found.column, &found.code, &found.message)
}

impl Project {
    /// The sidecar files of a service.
    fn of<'a>(&'a self, service: &'a Service) -> impl Iterator<Item = &'a Participant> {
        self.participants.iter().filter(move |participant| participant.service == *service)
    }

    /// Every step of every choreography.
    fn steps(&self) -> impl Iterator<Item = (&Choreography, &Step)> {
        self.choreographies.iter().flat_map(|one| one.plan.steps.iter().map(move |step| (one, step)))
    }
}

impl Choreography {
    /// Where a field of a step stands; where the step's id stands when the field is not written.
    fn step(&self, id: &StepId, field: &str) -> Place {
        self.places.step(id, field)
    }

    /// Whether a field of a step is written.
    fn writes(&self, id: &StepId, field: &str) -> bool {
        self.places.step(id, field) != self.places.step(id, "id")
    }

    /// Where a part outside the steps and phases stands, e.g. `metadata.name`.
    fn part(&self, path: &str) -> Place {
        self.places.whole(path)
    }
}
