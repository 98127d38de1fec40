//! A catalogue of all events: who says each, who reads it, what is in it, and how it came to be so.
//!
//! | room | what is in it |
//! |---|---|
//! | `form` | a schema as a person reads it: fields, and versions with what each changed |
//! | `markdown` `html` | the page, for a repository and for a browser |

mod form;
mod html;
mod markdown;

use std::collections::{BTreeMap, BTreeSet};

use pavane_choreography::{Expect, Plan};
use pavane_contracts::Schema;
use pavane_events::{EventType, Service};

use crate::check::Project;
use crate::drift::Declared;
use form::Form;

/// An earlier or present version of a schema.
#[derive(Clone, Debug)]
pub struct Version {
    /// Where it was found, for a person: `2026-01-05 in 1a2b3c4d5`, `version 3 in the registry`.
    pub label: String,
    /// Its text.
    pub text: String,
}

/// A service's own form of an event that a registry holds, whether a file here has it or not.
#[derive(Clone, Debug)]
pub struct Published {
    /// The full name of the record.
    pub subject: String,
    /// The event.
    pub event: EventType,
    /// The service, where somebody says it; a registry does not.
    pub service: Option<Service>,
    /// All versions, oldest first.
    pub versions: Vec<Version>,
}

/// What is known beside the files.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The versions of each file that holds a schema, oldest first.
    pub versions: BTreeMap<String, Vec<Version>>,
    /// What a registry holds.
    pub published: Vec<Published>,
}

/// All events that files and a registry know of.
#[derive(Clone, Debug)]
pub struct Catalogue {
    events: Vec<Event>,
    /// The built-in forms of the events that have no other, by the event's short name.
    built_in: BTreeMap<&'static str, Form>,
}

/// An event of a service.
#[derive(Clone, Debug)]
struct Event {
    /// `matchmaking.Ready`; the full name of the record where nobody knows the service.
    name: String,
    said_by: String,
    read_by: BTreeSet<String>,
    awaited_in: BTreeSet<String>,
    kind: EventType,
    /// The service's own form; none for one that is said in the built-in form.
    own: Option<Form>,
}

impl Catalogue {
    /// Gathers what the files declare and what a registry holds.
    pub fn of(project: &Project, known: &Known) -> Self {
        let mut events: BTreeMap<String, Event> = BTreeMap::new();
        for expect in Declared::of(project).events() {
            events.insert(expect.to_string(), Event::of(project, expect));
        }
        let mut here = BTreeSet::new();
        for offered in &project.offered {
            let (Ok(schema), Some((service, kind))) = (offered.schema(), offered.event()) else { continue };
            let versions = known.versions.get(&offered.file).map_or(&[][..], Vec::as_slice);
            here.insert(schema.full_name().to_owned());
            let expect = Expect { service: service.clone(), event: kind };
            let event = events.entry(expect.to_string()).or_insert_with(|| Event::of(project, &expect));
            event.own = Some(Form::of(&schema, &offered.file, versions));
        }
        for one in known.published.iter().filter(|one| !here.contains(&one.subject)) {
            let Some(schema) = one.versions.iter().rev().find_map(|one| Schema::parse(&one.text).ok()) else {
                continue;
            };
            let event = Event::published(project, one);
            let event = events.entry(event.name.clone()).or_insert(event);
            event.own = Some(Form::of(&schema, "the registry", &one.versions));
        }
        let plain = events.values().filter(|event| event.own.is_none()).map(|event| event.kind);
        let form = |kind: EventType| Form::of(&super::built_in(kind), "the program", &[]);
        let built_in = plain.map(|kind| (kind.as_str(), form(kind))).collect();
        Self { events: events.into_values().collect(), built_in }
    }

    /// Whether nothing is known of any event.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// The page for a repository.
    pub fn to_markdown(&self) -> String {
        markdown::page(self)
    }

    /// The page for a browser: one file, without a script, for light and dark, for wide and narrow.
    pub fn to_html(&self) -> String {
        html::page(self)
    }

    /// How many events there are, in a sentence.
    fn sum(&self) -> String {
        let own = self.events.iter().filter(|event| event.own.is_some()).count();
        let all = crate::words::counted(self.events.len(), "event");
        format!("{all}, {own} in a form of the service's own.")
    }
}

impl Event {
    fn of(project: &Project, expect: &Expect) -> Self {
        Self {
            name: expect.to_string(),
            said_by: format!("{}{}", expect.service, of_team(team(project, &expect.service))),
            read_by: readers(project, expect),
            awaited_in: plans(project, expect),
            kind: expect.event,
            own: None,
        }
    }

    fn published(project: &Project, one: &Published) -> Self {
        if let Some(service) = &one.service {
            return Self::of(project, &Expect { service: service.clone(), event: one.event });
        }
        Self {
            name: one.subject.clone(),
            said_by: "a service that the registry does not name".to_owned(),
            read_by: BTreeSet::new(),
            awaited_in: BTreeSet::new(),
            kind: one.event,
            own: None,
        }
    }

    /// In which form it is said, in a word or two.
    fn form(&self) -> String {
        match &self.own {
            None => "built in".to_owned(),
            Some(form) => match form.history.len() {
                0 => "own".to_owned(),
                number => format!("own, {}", crate::words::counted(number, "version")),
            },
        }
    }
}

/// The name of a heading in links, as those who show Markdown make it.
fn anchor(heading: &str) -> String {
    let kept = |c: char| match c {
        ' ' => Some('-'),
        c if c.is_alphanumeric() || matches!(c, '-' | '_') => Some(c.to_ascii_lowercase()),
        _ => None,
    };
    heading.chars().filter_map(kept).collect()
}

/// The heading of a built-in form.
fn heading(event: &str) -> String {
    format!("{event} (built in)")
}

fn team<'a>(project: &'a Project, service: &Service) -> Option<&'a str> {
    project.participants.iter().find(|one| one.service == *service).map(|one| one.team.as_str())
}

fn readers(project: &Project, expect: &Expect) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for one in &project.participants {
        let reacts = one.reactions.iter().any(|reaction| reaction.on.events().contains(expect));
        if reacts || one.consumes.iter().any(|consumed| consumed.event == *expect) {
            found.insert(format!("{}{}", one.service, of_team(Some(&one.team))));
        }
    }
    found
}

fn plans(project: &Project, expect: &Expect) -> BTreeSet<String> {
    let awaits = |plan: &Plan| plan.steps.iter().any(|step| step.expect == *expect);
    let plans = project.choreographies.iter().filter(|one| awaits(&one.plan));
    plans.map(|one| one.plan.name.clone()).collect()
}

fn of_team(team: Option<&str>) -> String {
    team.filter(|team| !team.is_empty()).map_or_else(String::new, |team| format!(" (team {team})"))
}

fn listed(names: &BTreeSet<String>) -> String {
    if names.is_empty() {
        "nobody here".to_owned()
    } else {
        names.iter().cloned().collect::<Vec<_>>().join(", ")
    }
}
