//! Whether a reader's schema can read what a writer's schema writes: every difference, with its JSON pointer.
//!
//! The rules are those of `pavane-contracts`, as for pull requests and the embedded registry; a reader passes over
//! what leaves the bytes as they are. Here is what a reader does by them, one datum at a time.

use apache_avro::Schema;
use apache_avro::schema::{RecordField, RecordSchema};

use super::contract::{Contract, View};
use super::error::Finding;

/// Every reason why `reader` cannot read what `writer` writes; empty when it can.
pub fn can_read(writer: &Contract, reader: &Contract) -> Vec<Finding> {
    let differences = pavane_contracts::can_read(writer.shape(), reader.shape()).into_iter();
    differences.filter(|difference| difference.kind.breaks_bytes()).map(Finding::from).collect()
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
