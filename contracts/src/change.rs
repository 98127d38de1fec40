//! What a person wants to see of a change: field by field, what came, what went, and what is another thing now.

use std::collections::BTreeSet;

use crate::place::below;
use crate::schema::{Field, Record, Schema, Shape};

/// One change of a schema.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// The field as a path in the data; empty for the schema as a whole.
    pub field: String,
    /// What it was; none for a field that came.
    pub was: Option<String>,
    /// What it is; none for a field that went.
    pub is: Option<String>,
}

/// Every change from one schema to another; in the order of the new one, what went behind it.
pub fn changes(old: &Schema, new: &Schema) -> Vec<Change> {
    let mut walk = Walk { old, new, seen: BTreeSet::new(), found: Vec::new() };
    walk.compare(old.root.of, new.root.of, "");
    walk.found
}

impl Change {
    /// The change in a line or two, as a difference of texts is shown: what went behind `-`, what came behind `+`.
    pub fn lines(&self) -> Vec<String> {
        let field = if self.field.is_empty() { "(the record)" } else { &self.field };
        let line =
            |sign: char, what: &Option<String>| what.as_ref().map(|what| format!("{sign} {field}: {what}"));
        line('-', &self.was).into_iter().chain(line('+', &self.is)).collect()
    }
}

struct Walk<'a> {
    old: &'a Schema,
    new: &'a Schema,
    seen: BTreeSet<(usize, usize)>,
    found: Vec<Change>,
}

impl Walk<'_> {
    fn compare(&mut self, old: usize, new: usize, field: &str) {
        if !self.seen.insert((old, new)) || self.seen.len() > 10_000 {
            return;
        }
        let (from, to) = (self.old, self.new);
        match (&from.types[old].shape, &to.types[new].shape) {
            (Shape::Record(a), Shape::Record(b)) => self.records(a, b, field),
            (Shape::Array(a), Shape::Array(b)) | (Shape::Map(a), Shape::Map(b)) => {
                self.compare(a.of, b.of, &below(field, "*"));
            }
            (Shape::Union(a), Shape::Union(b)) if a.len() == b.len() => {
                for (a, b) in a.iter().zip(b) {
                    self.compare(a.of, b.of, field);
                }
            }
            (Shape::Enum(a), Shape::Enum(b)) if a.symbols != b.symbols || a.default != b.default => {
                let told = |symbols: &[String], default: &Option<String>| {
                    let default =
                        default.as_ref().map_or_else(String::new, |default| format!(", default {default}"));
                    format!("enum of {}{default}", symbols.join(" "))
                };
                let (was, is) = (told(&a.symbols, &a.default), told(&b.symbols, &b.default));
                self.found.push(Change { field: field.to_owned(), was: Some(was), is: Some(is) });
            }
            _ => {}
        }
    }

    fn records(&mut self, a: &Record, b: &Record, path: &str) {
        if a.naming.full != b.naming.full {
            let (was, is) = (Some(a.naming.full.clone()), Some(b.naming.full.clone()));
            self.found.push(Change { field: path.to_owned(), was, is });
        }
        for field in &b.fields {
            let path = below(path, &field.name);
            let old = a.fields.iter().find(|old| old.name == field.name);
            let is = told(self.new, field);
            match old {
                None => self.found.push(Change { field: path, was: None, is: Some(is) }),
                Some(old) => {
                    let was = told(self.old, old);
                    if was != is {
                        self.found.push(Change { field: path.clone(), was: Some(was), is: Some(is) });
                    }
                    self.compare(old.slot.of, field.slot.of, &path);
                }
            }
        }
        for field in a.fields.iter().filter(|field| b.fields.iter().all(|new| new.name != field.name)) {
            let was = Some(told(self.old, field));
            self.found.push(Change { field: below(path, &field.name), was, is: None });
        }
    }
}

/// A field's type and default, for a person.
fn told(schema: &Schema, field: &Field) -> String {
    let default =
        field.default.as_ref().map_or_else(|| ", no default".to_owned(), |json| format!(" = {json}"));
    let aliases =
        if field.aliases.is_empty() { String::new() } else { format!(", alias {}", field.aliases.join(" ")) };
    format!("{}{default}{aliases}", schema.told(field.slot.of))
}
