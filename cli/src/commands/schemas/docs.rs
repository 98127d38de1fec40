//! `pavane schemas docs`: a page of all events of a checkout: who says each, who reads it, what is in it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use pavane_contracts::Schema;
use pavane_review::check::Project;
use pavane_review::contracts::Offered;

use crate::commands::Context;
use crate::commands::check::reading;
use crate::failure::Failure;
use crate::files;

/// Writes a page in Markdown of the services' own events: who says each, who reads it, in which choreographies it is
/// awaited, and its fields with their types, defaults and meanings.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pavane schemas docs > docs/events.md

Exit codes: 0 written, 3 a file or folder cannot be read.")]
pub struct Docs {
    /// Files and folders: schemas, sidecar files, choreographies.
    #[arg(default_value = ".", value_name = "PATH")]
    paths: Vec<PathBuf>,
}

const ROOM: &str = "a string takes all that is written to it";

impl Docs {
    /// Reads all and writes the page.
    pub fn run(&self, context: Context<'_>) -> Result<(), Failure> {
        let read = files::read(&self.paths, &[])?;
        read.whole()?;
        let project = reading::read(read).project;
        context.console.print(&page(&project))
    }
}

fn page(project: &Project) -> String {
    let mut text = "# Events\n".to_owned();
    for offered in &project.offered {
        let (Ok(schema), Some((service, event))) = (offered.schema(), offered.event()) else { continue };
        write!(text, "\n## {service}.{event}\n\n{}\n\n", cell(schema.doc())).expect(ROOM);
        writeln!(text, "| | |\n|---|---|\n| schema | `{}` in {} |", schema.full_name(), cell(&offered.file))
            .expect(ROOM);
        let team =
            project.participants.iter().find(|one| one.service == *service).map(|one| one.team.as_str());
        writeln!(text, "| said by | {service}{} |", of_team(team)).expect(ROOM);
        writeln!(text, "| read by | {} |", listed(&readers(project, offered))).expect(ROOM);
        writeln!(text, "| awaited in | {} |", listed(&plans(project, offered))).expect(ROOM);
        fields(&mut text, &schema);
    }
    text
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

fn readers(project: &Project, offered: &Offered) -> BTreeSet<String> {
    let Some((service, event)) = offered.event() else { return BTreeSet::new() };
    let mut found = BTreeSet::new();
    for one in &project.participants {
        let is_it =
            |expect: &pavane_choreography::Expect| expect.service == *service && expect.event == event;
        let reacts = one.reactions.iter().any(|reaction| reaction.on.events().iter().any(is_it));
        if reacts || one.consumes.iter().any(|consumed| is_it(&consumed.event)) {
            found.insert(format!("{}{}", one.service, of_team(Some(&one.team))));
        }
    }
    found
}

fn plans(project: &Project, offered: &Offered) -> BTreeSet<String> {
    let Some((service, event)) = offered.event() else { return BTreeSet::new() };
    let awaits = |plan: &pavane_choreography::Plan| {
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
