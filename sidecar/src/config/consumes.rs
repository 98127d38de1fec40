//! What the service reads of other services' events, for those who change them: held against each change of a schema
//! before it is merged. The sidecar itself does not act on it.
//!
//! ```yaml
//! consumes:
//!   - { event: matchmaking.Ready, fields: [prerequisite, pools] }         # the fields that it uses
//!   - { event: lobby.DeploymentComplete, schema: schemas/lobby.avsc }     # the schema that it reads by, beside this file
//! ```

use std::path::PathBuf;

use pavane_choreography::Expect;
use pavane_choreography::diagnostic::{Code, Place};
use pavane_choreography::expectation::event_of_service;
use pavane_choreography::yaml::{Item, Reader, Reported};

/// An event of another service that the service reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consumed {
    /// The event.
    pub event: Expect,
    /// What of it is read.
    pub reads: Reads,
    /// Where it is named.
    pub at: Place,
}

/// What of an event is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reads {
    /// All that this schema holds; a file, from the folder of the sidecar's file.
    Schema(PathBuf),
    /// These fields.
    Fields(Vec<String>),
}

/// Reads what is consumed; each event stands once.
pub(super) fn consumes(item: &Item<'_>) -> Result<Vec<Consumed>, Reported> {
    let mut known: Vec<Expect> = Vec::new();
    item.list(|item| {
        let consumed = item.fields(|f| {
            let event = f.required("event", |i| i.spanned(event_of_service));
            let reads = f.exactly_one(&[
                ("schema", (|i| i.text().map(|path| Reads::Schema(path.into()))) as Reader<'_, Reads>),
                ("fields", |i| i.list(Item::text).map(Reads::Fields)),
            ]);
            let (event, reads) = (event?, reads?);
            Ok(Consumed { at: event.item.place(), event: event.value, reads })
        })?;
        if known.contains(&consumed.event) {
            let message = format!("{} stands twice among what is consumed", consumed.event);
            return Err(item.refuse(Code::Duplicate, message, "say once what is read of it"));
        }
        known.push(consumed.event.clone());
        Ok(consumed)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::survey;

    const HEAD: &str = "service: a\ndomain: shop\njournal: /tmp/j\nversion: { env: V }\nconsumes:\n";

    #[test]
    fn what_is_read_of_an_event_is_known_with_its_place() {
        let text = format!(
            "{HEAD}  - {{ event: b.Ready, fields: [x, y] }}\n  - event: c.Drained\n    schema: s/c.avsc\n"
        );
        let consumes = survey(&text, "sidecar.yaml").expect("a sound file").consumes;
        let told: Vec<_> =
            consumes.iter().map(|one| (one.event.to_string(), &one.reads, one.at.line)).collect();
        let fields = Reads::Fields(vec!["x".to_owned(), "y".to_owned()]);
        let schema = Reads::Schema("s/c.avsc".into());
        assert_eq!(told, [("b.Ready".to_owned(), &fields, 6), ("c.Drained".to_owned(), &schema, 7)]);
    }

    #[test]
    fn what_is_said_twice_or_not_at_all_is_refused() {
        for (entry, code) in [
            ("  - { event: b.Ready }\n", "PAV008"),
            ("  - { event: b.Ready, fields: [x], schema: s }\n", "PAV020"),
            ("  - { event: b.Reday, fields: [x] }\n", "PAV017"),
            ("  - { event: b.Ready, fields: [x] }\n  - { event: b.Ready, fields: [y] }\n", "PAV019"),
        ] {
            let defects = survey(&format!("{HEAD}{entry}"), "sidecar.yaml").expect_err(entry);
            assert!(defects.iter().any(|defect| defect.code == code), "{entry}: {defects:?}");
        }
    }
}
