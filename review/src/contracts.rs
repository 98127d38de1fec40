//! Contracts between services: what is wrong with a schema, what a change of one breaks, and whom.
//!
//! | room | what is looked at |
//! |---|---|
//! | [`lint`] | a schema by itself, and beside the vocabulary |
//! | [`change`] | a schema against the versions before it |
//! | [`consumers`] | who reads it, in which choreographies, and who must move first |
//! | [`summary`] | the change as a person reads it |
//! | [`asyncapi`] [`catalogue`] | all events of a domain, for programs and for people |

pub mod asyncapi;
pub mod catalogue;
pub mod change;
pub mod consumers;
pub mod lint;
pub mod summary;

use pavane_choreography::diagnostic::{Code, Diagnostic, Place};
use pavane_contracts::{Defect, Schema};
use pavane_events::{EventType, Service};

pub use change::{Before, Mode, breaches, gone};
pub use summary::{Summary, summary};

/// A schema file as it is offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offered {
    /// The file as it is named to the reader.
    pub file: String,
    /// What it holds.
    pub text: String,
    /// The service and the short name of the event, after the folder and the file, for a service's own form of an event.
    pub own: Option<(Service, String)>,
}

impl Offered {
    /// The schema; or else everything that keeps the text from being one.
    pub fn schema(&self) -> Result<Schema, Vec<Diagnostic>> {
        Schema::parse(&self.text).map_err(|defects| {
            let told = |defect: &Defect| {
                let code = if defect.not_json { Code::SchemaNotJson } else { Code::SchemaBroken };
                of_defect(code, &self.file, defect)
            };
            defects.iter().map(told).collect()
        })
    }

    /// The event of the vocabulary that it is a service's own form of.
    pub fn event(&self) -> Option<(&Service, EventType)> {
        let (service, event) = self.own.as_ref()?;
        Some((service, EventType::from_short(event)?))
    }
}

pub(crate) fn of_defect(code: Code, file: &str, defect: &Defect) -> Diagnostic {
    let message = pointed(&defect.message, &defect.spot.pointer);
    Diagnostic::new(code, file, place(defect.spot.place), message, defect.help.clone())
}

/// A message with the JSON pointer of what it is about.
pub(crate) fn pointed(message: &str, pointer: &str) -> String {
    if pointer.is_empty() { message.to_owned() } else { format!("{message} (at {pointer})") }
}

pub(crate) const fn place(place: pavane_contracts::Place) -> Place {
    Place { line: place.line, column: place.column }
}

/// The schema by which everybody reads an event who says nothing else.
pub(crate) fn built_in(event: EventType) -> Schema {
    let one = pavane_schemas::ALL.iter().find(|one| one.event == event.as_str());
    let text = one.expect("every event of the vocabulary has a schema").schema;
    Schema::parse(text).expect("built-in schemas are sound")
}
