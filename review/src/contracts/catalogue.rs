//! A page of all events of a checkout: who says each, who reads it, what is in it, and how it came to be so.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use pavane_choreography::{Expect, Plan};
use pavane_contracts::Schema;
use pavane_contracts::change::{Change, changes};

use super::Offered;
use crate::check::Project;

const ROOM: &str = "a string takes all that is written to it";

/// An earlier or present version of a schema.
#[derive(Clone, Debug)]
pub struct Version {
    /// Where it was found, for a person: `2026-01-05 in 1a2b3c4d5`, `version 3 in the registry`.
    pub label: String,
    /// Its text.
    pub text: String,
}

/// The page in Markdown. `versions` are those of each file, oldest first.
pub fn page(project: &Project, versions: &BTreeMap<String, Vec<Version>>) -> String {
    let mut text = "# Events\n".to_owned();
    contents(&mut text, project);
    for offered in &project.offered {
        let (Ok(schema), Some((service, event))) = (offered.schema(), offered.event()) else { continue };
        write!(text, "\n## {service}.{event}\n\n{}\n\n", cell(schema.doc())).expect(ROOM);
        writeln!(text, "| | |\n|---|---|\n| schema | `{}` in {} |", schema.full_name(), cell(&offered.file))
            .expect(ROOM);
        let team = team(project, offered);
        writeln!(text, "| said by | {service}{} |", of_team(team)).expect(ROOM);
        writeln!(text, "| read by | {} |", listed(&readers(project, offered))).expect(ROOM);
        writeln!(text, "| awaited in | {} |", listed(&plans(project, offered))).expect(ROOM);
        fields(&mut text, &schema);
        history(&mut text, versions.get(&offered.file).map_or(&[], Vec::as_slice));
    }
    text
}

/// One line for each event, so that a long page can be overlooked.
fn contents(text: &mut String, project: &Project) {
    text.push_str("\n| event | said by | read by | awaited in |\n|---|---|---|---|\n");
    for offered in &project.offered {
        let (Ok(_), Some((service, event))) = (offered.schema(), offered.event()) else { continue };
        let link = format!("{service}{event}").to_lowercase().replace('.', "");
        writeln!(
            text,
            "| [{service}.{event}](#{link}) | {service}{} | {} | {} |",
            of_team(team(project, offered)),
            listed(&readers(project, offered)),
            listed(&plans(project, offered))
        )
        .expect(ROOM);
    }
}

fn fields(text: &mut String, schema: &Schema) {
    text.push_str("\n| field | type | default | meaning |\n|---|---|---|---|\n");
    for (name, _) in schema.fields() {
        let kind = schema.field_type(name).unwrap_or_default();
        let default = schema.field_default(name).unwrap_or_else(|| "none".to_owned());
        let doc = schema.field_doc(name);
        writeln!(text, "| {} | {} | {} | {} |", cell(name), cell(&kind), cell(&default), cell(doc))
            .expect(ROOM);
    }
}

/// The versions, newest first, each with what it changed of the one before. One that is no schema is named as such.
fn history(text: &mut String, versions: &[Version]) {
    if versions.is_empty() {
        return;
    }
    text.push_str("\n| version | what changed |\n|---|---|\n");
    let parsed: Vec<(&Version, Option<Schema>)> =
        versions.iter().map(|one| (one, Schema::parse(&one.text).ok())).collect();
    for (at, (version, schema)) in parsed.iter().enumerate().rev() {
        let before = at.checked_sub(1).and_then(|before| parsed[before].1.as_ref());
        let told = match (before, schema) {
            (_, None) => "no schema that can be read".to_owned(),
            (None, Some(_)) if at == 0 => "the first one that is known".to_owned(),
            (None, Some(_)) => "a schema again".to_owned(),
            (Some(old), Some(new)) => {
                let lines: Vec<String> = changes(old, new).iter().flat_map(Change::lines).collect();
                if lines.is_empty() { "words alone".to_owned() } else { lines.join("; ") }
            }
        };
        writeln!(text, "| {} | {} |", cell(&version.label), cell(&told)).expect(ROOM);
    }
}

fn team<'a>(project: &'a Project, offered: &Offered) -> Option<&'a str> {
    let (service, _) = offered.event()?;
    project.participants.iter().find(|one| one.service == *service).map(|one| one.team.as_str())
}

fn readers(project: &Project, offered: &Offered) -> BTreeSet<String> {
    let Some((service, event)) = offered.event() else { return BTreeSet::new() };
    let mut found = BTreeSet::new();
    for one in &project.participants {
        let is_it = |expect: &Expect| expect.service == *service && expect.event == event;
        let reacts = one.reactions.iter().any(|reaction| reaction.on.events().iter().any(is_it));
        if reacts || one.consumes.iter().any(|consumed| is_it(&consumed.event)) {
            found.insert(format!("{}{}", one.service, of_team(Some(&one.team))));
        }
    }
    found
}

fn plans(project: &Project, offered: &Offered) -> BTreeSet<String> {
    let Some((service, event)) = offered.event() else { return BTreeSet::new() };
    let awaits = |plan: &Plan| {
        plan.steps.iter().any(|step| step.expect.service == *service && step.expect.event == event)
    };
    project.choreographies.iter().filter(|one| awaits(&one.plan)).map(|one| cell(&one.plan.name)).collect()
}

fn of_team(team: Option<&str>) -> String {
    team.filter(|team| !team.is_empty()).map_or_else(String::new, |team| format!(" (team {})", cell(team)))
}

fn listed(names: &BTreeSet<String>) -> String {
    if names.is_empty() {
        "nobody here".to_owned()
    } else {
        names.iter().cloned().collect::<Vec<_>>().join(", ")
    }
}

/// A text that stays in its cell.
fn cell(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect::<String>().replace('<', "&lt;").replace('|', "\\|")
}
