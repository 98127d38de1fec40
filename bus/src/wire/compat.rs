//! Whether a reader's schema can read what a writer's schema writes: every difference, with its JSON pointer.
//!
//! Stricter than the library's check where that would differ from the registries people run: a narrower union
//! and a lost enum symbol are differences, and a type is the same wherever in the schema it is defined.

use std::collections::BTreeSet;

use apache_avro::Schema;
use apache_avro::schema::{EnumSchema, RecordField, RecordSchema};

use super::contract::{Contract, View};
use super::error::Finding;

/// Every reason why `reader` cannot read what `writer` writes; empty when it can.
pub fn can_read(writer: &Contract, reader: &Contract) -> Vec<Finding> {
    let mut check = Check { writer, reader, seen: BTreeSet::new() };
    check.compare(writer.root(), reader.root())
}

/// Whether a writer's type can be read as a reader's, looking at the top alone.
pub(crate) fn promotes(writer: &View<'_>, reader: &View<'_>) -> bool {
    use View::{
        Array, Boolean, Bytes, Double, Enum, Fixed, Float, Int, Long, Map, Null, Record, String, Union,
    };
    match (writer, reader) {
        (Null, Null)
        | (Boolean, Boolean)
        | (Int, Int | Long | Float | Double)
        | (Long, Long | Float | Double)
        | (Float, Float | Double)
        | (Double, Double)
        | (Bytes | String, Bytes | String)
        | (Array(_), Array(_))
        | (Map(_), Map(_))
        | (Union(_), Union(_)) => true,
        (Fixed(writer), Fixed(reader)) => {
            writer.size == reader.size && writer.name.name() == reader.name.name()
        }
        (Enum(writer), Enum(reader)) => writer.name.name() == reader.name.name(),
        (Record(writer), Record(reader)) => same_record(writer, reader),
        _ => false,
    }
}

/// The branch of a reader's union that takes a writer's type: the same type first, then one it promotes to.
pub(crate) fn branch<'a>(
    writer: &View<'_>,
    reader: &'a Contract,
    variants: &'a [Schema],
) -> Option<(usize, &'a Schema)> {
    let fits = |exact: bool| {
        variants.iter().enumerate().find(|(_, variant)| {
            let view = reader.view(variant);
            promotes(writer, &view) && (!exact || kind(writer) == kind(&view))
        })
    };
    fits(true).or_else(|| fits(false))
}

/// The writer's field that a reader's field is filled from.
pub(crate) fn source<'a>(writer: &'a RecordSchema, field: &RecordField) -> Option<&'a RecordField> {
    let named = |name: &str| writer.fields.iter().find(|candidate| candidate.name == name);
    named(&field.name).or_else(|| field.aliases.iter().find_map(|alias| named(alias)))
}

fn same_record(writer: &RecordSchema, reader: &RecordSchema) -> bool {
    let aliases = reader.aliases.iter().flatten();
    writer.name.name() == reader.name.name()
        || aliases.into_iter().any(|alias| alias.name() == writer.name.name())
}

/// The name of a type for a person.
pub(crate) const fn kind(view: &View<'_>) -> &'static str {
    match view {
        View::Null => "null",
        View::Boolean => "boolean",
        View::Int => "int",
        View::Long => "long",
        View::Float => "float",
        View::Double => "double",
        View::Bytes => "bytes",
        View::String => "string",
        View::Fixed(_) => "fixed",
        View::Enum(_) => "enum",
        View::Array(_) => "array",
        View::Map(_) => "map",
        View::Union(_) => "union",
        View::Record(_) => "record",
    }
}

struct Check<'a> {
    writer: &'a Contract,
    reader: &'a Contract,
    /// Pairs of records that were compared: a schema of many references costs no more than its text.
    seen: BTreeSet<(String, String)>,
}

impl<'a> Check<'a> {
    fn compare(&mut self, writer: &'a Schema, reader: &'a Schema) -> Vec<Finding> {
        let (from, to) = (self.writer.view(writer), self.reader.view(reader));
        match (&from, &to) {
            (View::Union(variants), _) => {
                variants.iter().flat_map(|variant| self.compare(variant, reader)).collect()
            }
            (_, View::Union(variants)) => match branch(&from, self.reader, variants) {
                Some((_, variant)) => self.compare(writer, variant),
                None => vec![Finding::new(format!("the reader's union takes no {}", kind(&from)))],
            },
            _ if !promotes(&from, &to) => vec![differ(&from, &to)],
            (View::Array(writer), View::Array(reader)) | (View::Map(writer), View::Map(reader)) => {
                under(self.compare(writer, reader), "*")
            }
            (View::Enum(writer), View::Enum(reader)) => symbols(writer, reader),
            (View::Record(writer), View::Record(reader)) => self.fields(writer, reader),
            _ => Vec::new(),
        }
    }

    fn fields(&mut self, writer: &'a RecordSchema, reader: &'a RecordSchema) -> Vec<Finding> {
        if !self.seen.insert((writer.name.to_string(), reader.name.to_string())) {
            return Vec::new();
        }
        let mut findings = Vec::new();
        for field in &reader.fields {
            let found = match source(writer, field) {
                Some(from) => self.compare(&from.schema, &field.schema),
                None if field.default.is_some() => Vec::new(),
                None => vec![
                    Finding::new("the writer has no such field, and the reader has no default for it")
                        .with_help("give the field a default"),
                ],
            };
            findings.extend(under(found, &field.name));
        }
        findings
    }
}

fn under(findings: Vec<Finding>, step: &str) -> Vec<Finding> {
    findings.into_iter().map(|finding| finding.under(step)).collect()
}

fn differ(writer: &View<'_>, reader: &View<'_>) -> Finding {
    let (from, to) = (named(writer), named(reader));
    Finding::new(format!("the writer has {from} where the reader has {to}"))
}

fn named(view: &View<'_>) -> String {
    let name = match view {
        View::Record(record) => Some(record.name.name()),
        View::Enum(symbols) => Some(symbols.name.name()),
        View::Fixed(fixed) => Some(fixed.name.name()),
        View::Null
        | View::Boolean
        | View::Int
        | View::Long
        | View::Float
        | View::Double
        | View::Bytes
        | View::String
        | View::Array(_)
        | View::Map(_)
        | View::Union(_) => None,
    };
    name.map_or_else(|| kind(view).to_owned(), |name| format!("{} {name}", kind(view)))
}

fn symbols(writer: &EnumSchema, reader: &EnumSchema) -> Vec<Finding> {
    let lost = writer.symbols.iter().filter(|symbol| !reader.symbols.contains(symbol));
    if reader.default.is_some() {
        return Vec::new();
    }
    lost.map(|symbol| {
        Finding::new(format!("the reader does not know the symbol {symbol}, and has no default symbol"))
            .with_help("give the enum a default symbol")
    })
    .collect()
}
