//! From files to what is checked: each by its own reader, every defect kept.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use pavane_choreography::diagnostic::{Code, Diagnostic, Place};
use pavane_contracts::Schema;
use pavane_events::Service;
use pavane_rehearsal::{Piece, scenario};
use pavane_review::check::{Choreography, OwnEvent, Project, Watcher};
use pavane_review::contracts::Offered;
use pavane_review::participant::{Hook, On, Participant, Reaction};
use pavane_sidecar::config::{Consumed, Reads, Survey, Surveyed};
use pavane_sidecar_engine::Trigger;

use crate::document;
use crate::files::{self, File, Files, Kind};

/// What the files say, and what each of them has wrong by itself.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) project: Project,
    pub(crate) defects: Vec<Diagnostic>,
    pub(crate) texts: BTreeMap<String, String>,
}

/// Reads all files of ours in the order of their names, and those that are not and were named.
pub(crate) fn read(mut files: Files) -> Found {
    let mut found = Found { defects: files.garbled, ..Found::default() };
    files.read.retain(|file| file.named || file.kind != Kind::Other);
    files.read.sort_by(|a, b| a.name.cmp(&b.name));
    for file in files.read {
        if file.kind == Kind::Other {
            found.defects.push(not_ours(&file.name));
            continue;
        }
        if let Err(defects) = found.take(&file) {
            found.defects.extend(file.unfilled().map_or(defects, |note| vec![note]));
        }
        found.texts.insert(file.name, file.text);
    }
    found
}

impl Found {
    fn take(&mut self, file: &File) -> Result<(), Vec<Diagnostic>> {
        let (name, text) = (&file.name, &file.text);
        match &file.kind {
            Kind::Choreography => {
                let (plan, places) = pavane_choreography::read_with_places(text, name)?;
                let piece = Arc::new(Piece::new(plan.clone()));
                self.project.choreographies.push(Choreography { file: name.clone(), plan, places });
                scenario::tests(text, name, &piece, &mut |plan| document::beside(&file.path, plan))?;
            }
            Kind::Sidecar => {
                let survey = pavane_sidecar::config::survey(text, name)?;
                self.project.participants.push(participant(name, &file.path, survey));
            }
            Kind::Sentinel => {
                let config = pavane_sentinel::Config::from_yaml(text, name)?;
                let (domains, receivers) = (config.domains, config.receivers.len());
                let measures = config.prometheus.is_some();
                let (file, place) = (name.clone(), domains_of(text));
                self.project.watchers.push(Watcher { file, place, domains, receivers, measures });
            }
            Kind::Scenario => {
                scenario::read(text, name, &mut |plan| document::beside(&file.path, plan))?;
            }
            Kind::Schema { service, event } => {
                let service = Service::new(service).map_err(|error| {
                    let help = "name the folder after the service";
                    vec![Diagnostic::new(Code::BadName, name, Place::START, error.to_string(), help)]
                })?;
                let own = Some((service.clone(), event.clone()));
                self.project.offered.push(Offered { file: name.clone(), text: text.clone(), own });
                self.project.schemas.push(OwnEvent { file: name.clone(), service, event: event.clone() });
            }
            Kind::Other => {}
        }
        Ok(())
    }
}

/// A file that was named and is nothing of ours.
fn not_ours(name: &str) -> Diagnostic {
    let message = "this is none of the files that are checked";
    let help = "a choreography says `kind: Choreography`, a scenario `kind: Scenario`, a sidecar file `service:` and \
                `domain:`, a sentinel file `domains:`";
    Diagnostic::new(Code::NotOurs, name, Place::START, message, help)
}

/// Where a sentinel's file says what it watches.
fn domains_of(text: &str) -> Place {
    let line = (1..).zip(text.lines()).find(|(_, line)| line.starts_with("domains"));
    line.map_or(Place::START, |(line, _)| Place { line, column: 1 })
}

/// A sidecar's file as it can be held against plans.
pub(crate) fn participant(file: &str, path: &Path, survey: Survey) -> Participant {
    let consumed = |one: Consumed| pavane_review::participant::Consumed {
        event: one.event,
        place: one.at,
        reads: reads(one.reads, path),
    };
    Participant {
        file: file.to_owned(),
        service: survey.service,
        place: survey.service_at,
        domain: survey.domain,
        team: survey.team.map(|(team, _)| team).unwrap_or_default(),
        zone: survey.zone,
        reactions: survey.reactions.into_iter().map(reaction).collect(),
        consumes: survey.consumes.into_iter().map(consumed).collect(),
    }
}

/// What is read of an event; a schema's file lies where the sidecar's file says, seen from its folder.
fn reads(reads: Reads, beside: &Path) -> pavane_review::participant::Reads {
    match reads {
        Reads::Fields(fields) => pavane_review::participant::Reads::Fields(fields),
        Reads::Schema(path) => {
            let place = beside.parent().unwrap_or(Path::new("")).join(&path);
            let file = path.display().to_string();
            let schema = files::one(&place).map_err(|failure| failure.to_string()).and_then(|file| {
                Schema::parse(&file.text)
                    .map_err(|defects| defects.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
            });
            pavane_review::participant::Reads::Schema { file, schema }
        }
    }
}

fn reaction(surveyed: Surveyed) -> Reaction {
    let terms = surveyed.terms;
    let hook = terms.hook.then(|| Hook {
        timeout: terms.timeout,
        attempts: terms.retry.attempts,
        waits: terms.retry.longest(0),
    });
    Reaction {
        on: on(terms.on),
        place: surveyed.on_at,
        version: terms.sieve.version,
        instances: terms.instances,
        emit: terms.emit,
        hook,
        ready_within: terms.ready.map_or(0, |ready| ready.within),
    }
}

fn on(trigger: Trigger) -> On {
    match trigger {
        Trigger::RolloutStarted => On::Due,
        Trigger::PhaseBegun => On::Phase,
        Trigger::RollbackRequested => On::RollbackRequested,
        Trigger::Event(expect) => On::AllOf(vec![expect]),
        Trigger::All(events) => On::AllOf(events.into_iter().collect()),
        Trigger::Any(events) => On::AnyOf(events.into_iter().collect()),
    }
}
