//! What does not hurt today and will make the next change hard: an enum without a default, an optional field of the
//! wrong form, a field that nobody explains.

use crate::place::{Spot, below};
use crate::schema::{Field, Naming, Primitive, Schema, Shape};

/// What is to be seen to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Remark {
    /// Which rule it is about.
    pub rule: Rule,
    /// Where.
    pub spot: Spot,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: String,
}

/// A rule that keeps the next change easy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// An enum has a default symbol.
    DefaultSymbol,
    /// An optional field is `["null", T]` with the default `null`.
    Optional,
    /// Every type with a name and every field says what it is for.
    Doc,
}

/// Everything that is to be seen to, in the order of the text.
pub fn remarks(schema: &Schema) -> Vec<Remark> {
    let mut found = Vec::new();
    for (of, kind) in schema.types.iter().enumerate() {
        let spot = || schema.spot(kind.at, &kind.pointer);
        if let Some(Naming { full, doc, .. }) = schema.naming(of)
            && doc.trim().is_empty()
        {
            let message = format!("nothing says what {full} is for");
            found.push(Remark::new(Rule::Doc, spot(), message, "add a `doc` of one sentence"));
        }
        match &kind.shape {
            Shape::Enum(symbols) if symbols.default.is_none() => {
                let message = format!(
                    "the enum {} has no default symbol: no symbol can ever be added",
                    symbols.naming.full
                );
                let help = "add a symbol `unknown` and `\"default\": \"unknown\"`, from the first version on";
                found.push(Remark::new(Rule::DefaultSymbol, spot(), message, help));
            }
            Shape::Record(record) => {
                found.extend(record.fields.iter().flat_map(|field| of_field(schema, field)));
            }
            Shape::Primitive(_)
            | Shape::Enum(_)
            | Shape::Fixed(_)
            | Shape::Array(_)
            | Shape::Map(_)
            | Shape::Union(_)
            | Shape::Open => {}
        }
    }
    found.sort_by_key(|remark| remark.spot.place);
    found
}

fn of_field(schema: &Schema, field: &Field) -> Vec<Remark> {
    let mut found = Vec::new();
    if field.doc.trim().is_empty() {
        let message = format!("nothing says what the field {} is for", field.name);
        let spot = schema.spot(field.at, &field.pointer);
        found.push(Remark::new(
            Rule::Doc,
            spot,
            message,
            "add a `doc` of one sentence; of a number, its unit",
        ));
    }
    if let Shape::Union(branches) = &schema.types[field.slot.of].shape {
        let is_null = |of: usize| matches!(schema.types[of].shape, Shape::Primitive(Primitive::Null));
        let nulls = branches.iter().filter(|branch| is_null(branch.of)).count();
        let first = branches.first().is_some_and(|branch| is_null(branch.of));
        if nulls > 0 && (!first || field.default.is_none()) {
            let spot = schema.spot(field.slot.at, &below(&field.pointer, "type"));
            let message =
                format!("the optional field {} is not `[\"null\", …]` with the default `null`", field.name);
            let help = "put null first and add `\"default\": null`: then it may be left out, by anyone";
            found.push(Remark::new(Rule::Optional, spot, message, help));
        }
    }
    found
}

impl Remark {
    fn new(rule: Rule, spot: Spot, message: impl Into<String>, help: &str) -> Self {
        Self { rule, spot, message: message.into(), help: help.to_owned() }
    }
}
