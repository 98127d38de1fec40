//! The catalogue as a page for a browser: one file that asks for nothing else and runs nothing.

use std::fmt::Write as _;

use super::form::{Form, Step};
use super::{Catalogue, Event, anchor, heading, listed};
use crate::words::escaped;

const ROOM: &str = "a string takes all that is written to it";
const STYLE: &str = include_str!("page.css");

pub(super) fn page(catalogue: &Catalogue) -> String {
    let mut text = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>Events</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>Events</h1>\n\
         <p class=\"soft\">{}</p>\n",
        escaped(&catalogue.sum())
    );
    contents(&mut text, catalogue);
    for event in &catalogue.events {
        if let Some(form) = &event.own {
            section(&mut text, event, form);
        }
    }
    for (name, form) in &catalogue.built_in {
        let heading = heading(name);
        opened(&mut text, &heading, form);
        fields(&mut text, form);
        text.push_str("</section>\n");
    }
    text.push_str("</main>\n</body>\n</html>\n");
    text
}

/// A table with a line for each event, so that a long page can be overlooked.
fn contents(text: &mut String, catalogue: &Catalogue) {
    let rows = catalogue.events.iter().map(|event| {
        let to = match &event.own {
            Some(_) => anchor(&event.name),
            None => anchor(&heading(event.kind.as_str())),
        };
        let name = format!("<a href=\"#{}\">{}</a>", escaped(&to), escaped(&event.name));
        let Event { said_by, read_by, awaited_in, .. } = event;
        let rest = [said_by.clone(), listed(read_by), listed(awaited_in), event.form()];
        [vec![name], rest.iter().map(|one| escaped(one)).collect()].concat()
    });
    table(text, &["event", "said by", "read by", "awaited in", "form"], rows);
}

fn section(text: &mut String, event: &Event, form: &Form) {
    opened(text, &event.name, form);
    text.push_str("<dl>\n");
    let schema = format!("<code>{}</code> in {}", escaped(&form.full_name), escaped(&form.place));
    let facts = [
        ("schema", schema),
        ("said by", escaped(&event.said_by)),
        ("read by", escaped(&listed(&event.read_by))),
        ("awaited in", escaped(&listed(&event.awaited_in))),
    ];
    for (what, told) in facts {
        writeln!(text, "<dt>{what}</dt><dd>{told}</dd>").expect(ROOM);
    }
    text.push_str("</dl>\n");
    fields(text, form);
    if !form.history.is_empty() {
        text.push_str("<h3>Versions, the newest first</h3>\n<ol>\n");
        form.history.iter().for_each(|step| version(text, step));
        text.push_str("</ol>\n");
    }
    text.push_str("</section>\n");
}

fn opened(text: &mut String, heading: &str, form: &Form) {
    let id = escaped(&anchor(heading));
    writeln!(text, "<section id=\"{id}\">\n<h2>{}</h2>\n<p>{}</p>", escaped(heading), escaped(&form.doc))
        .expect(ROOM);
}

fn fields(text: &mut String, form: &Form) {
    if form.fields.is_empty() {
        return text.push_str("<p class=\"soft\">It has no fields.</p>\n");
    }
    let code = |one: &str| format!("<code>{}</code>", escaped(one));
    let rows = form
        .fields
        .iter()
        .map(|field| vec![code(&field.name), code(&field.kind), code(&field.default), escaped(&field.doc)]);
    table(text, &["field", "type", "default", "meaning"], rows);
}

fn version(text: &mut String, step: &Step) {
    write!(text, "<li>{}", escaped(&step.label)).expect(ROOM);
    for line in &step.told {
        let (class, told) = match line.split_at_checked(1) {
            Some(("+", _)) => (" class=\"came\"", format!("<code>{}</code>", escaped(line))),
            Some(("-", _)) => (" class=\"went\"", format!("<code>{}</code>", escaped(line))),
            _ => ("", escaped(line)),
        };
        write!(text, "\n<div{class}>{told}</div>").expect(ROOM);
    }
    text.push_str("</li>\n");
}

/// A table whose cells name their columns, for screens that are too narrow for columns.
fn table(text: &mut String, columns: &[&str], rows: impl Iterator<Item = Vec<String>>) {
    let head = columns.join("</th><th>");
    writeln!(text, "<div class=\"scroll\"><table>\n<thead><tr><th>{head}</th></tr></thead>\n<tbody>")
        .expect(ROOM);
    for row in rows {
        text.push_str("<tr>");
        for (name, cell) in columns.iter().zip(&row) {
            let class = if *name == "meaning" { " class=\"words\"" } else { "" };
            write!(text, "<td{class} data-of=\"{name}\">{cell}</td>").expect(ROOM);
        }
        text.push_str("</tr>\n");
    }
    text.push_str("</tbody>\n</table></div>\n");
}
