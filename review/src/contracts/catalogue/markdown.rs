//! The catalogue as Markdown, to lie in a repository.

use std::fmt::Write as _;

use super::form::Form;
use super::{Catalogue, Event, anchor, heading, listed};

const ROOM: &str = "a string takes all that is written to it";

pub(super) fn page(catalogue: &Catalogue) -> String {
    let mut text = format!("# Events\n\n{}\n", catalogue.sum());
    contents(&mut text, catalogue);
    for event in &catalogue.events {
        let Some(form) = &event.own else { continue };
        section(&mut text, event, form);
    }
    for (name, form) in &catalogue.built_in {
        write!(text, "\n## {}\n\n{}\n", heading(name), cell(&form.doc)).expect(ROOM);
        fields(&mut text, form);
    }
    text
}

/// One line for each event, so that a long page can be overlooked.
fn contents(text: &mut String, catalogue: &Catalogue) {
    text.push_str("\n| event | said by | read by | awaited in | form |\n|---|---|---|---|---|\n");
    for event in &catalogue.events {
        let to = match &event.own {
            Some(_) => anchor(&event.name),
            None => anchor(&heading(event.kind.as_str())),
        };
        let Event { name, said_by, read_by, awaited_in, .. } = event;
        let row = [said_by.clone(), listed(read_by), listed(awaited_in), event.form()].map(|one| cell(&one));
        writeln!(text, "| [{}](#{to}) | {} |", cell(name), row.join(" | ")).expect(ROOM);
    }
}

fn section(text: &mut String, event: &Event, form: &Form) {
    write!(text, "\n## {}\n\n{}\n\n| | |\n|---|---|\n", cell(&event.name), cell(&form.doc)).expect(ROOM);
    writeln!(text, "| schema | `{}` in {} |", form.full_name, cell(&form.place)).expect(ROOM);
    writeln!(text, "| said by | {} |", cell(&event.said_by)).expect(ROOM);
    writeln!(text, "| read by | {} |", cell(&listed(&event.read_by))).expect(ROOM);
    writeln!(text, "| awaited in | {} |", cell(&listed(&event.awaited_in))).expect(ROOM);
    fields(text, form);
    if form.history.is_empty() {
        return;
    }
    text.push_str("\n| version | what changed |\n|---|---|\n");
    for step in &form.history {
        writeln!(text, "| {} | {} |", cell(&step.label), cell(&step.told.join("; "))).expect(ROOM);
    }
}

fn fields(text: &mut String, form: &Form) {
    if form.fields.is_empty() {
        return text.push_str("\nIt has no fields.\n");
    }
    text.push_str("\n| field | type | default | meaning |\n|---|---|---|---|\n");
    for field in &form.fields {
        let row = [&field.name, &field.kind, &field.default, &field.doc].map(|one| cell(one));
        writeln!(text, "| {} |", row.join(" | ")).expect(ROOM);
    }
}

/// A text that stays in its cell.
fn cell(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect::<String>().replace('<', "&lt;").replace('|', "\\|")
}
