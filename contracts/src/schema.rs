//! A parsed schema: its types in one list, each with its place, references followed.
//!
//! A named type is one entry of the list, wherever it is used, so a type whose definition has moved to another field
//! is still the same type. A recursive schema can be held and compared; whether it may be used is another question
//! ([`crate::bounds`]).

use crate::json::Json;
use crate::place::{Place, Spot};
use crate::{default, parse};

/// A schema that is one, with the places of all that stands in it.
#[derive(Clone, Debug)]
pub struct Schema {
    pub(crate) text: String,
    pub(crate) types: Vec<Type>,
    pub(crate) root: Slot,
}

/// Why a text is no schema: each reason, with its place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Defect {
    /// Where.
    pub spot: Spot,
    /// Whether the text is not even JSON.
    pub not_json: bool,
    /// What is wrong.
    pub message: String,
    /// What to do; empty where the message says it.
    pub help: String,
}

/// A place where a type is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) of: usize,
    pub(crate) at: usize,
    pub(crate) pointer: String,
}

/// A type, and where it is written out.
#[derive(Clone, Debug)]
pub(crate) struct Type {
    pub(crate) at: usize,
    pub(crate) pointer: String,
    pub(crate) shape: Shape,
    /// The logical type with its terms, e.g. `decimal(9, 2)`; nothing where there is none.
    pub(crate) logical: Option<String>,
}

/// What a type is.
#[derive(Clone, Debug)]
pub(crate) enum Shape {
    Primitive(Primitive),
    Record(Record),
    Enum(Enum),
    Fixed(Fixed),
    Array(Slot),
    Map(Slot),
    Union(Vec<Slot>),
    /// A named type that is being read, or one that could not be.
    Open,
}

/// A type without parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Primitive {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    String,
}

/// What names a type: its full name, and the full names that it goes by too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Naming {
    pub(crate) full: String,
    pub(crate) aliases: Vec<String>,
    pub(crate) doc: String,
}

#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) naming: Naming,
    pub(crate) fields: Vec<Field>,
}

#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) at: usize,
    pub(crate) pointer: String,
    pub(crate) name: String,
    pub(crate) aliases: Vec<String>,
    pub(crate) doc: String,
    pub(crate) slot: Slot,
    pub(crate) default: Option<Json>,
}

#[derive(Clone, Debug)]
pub(crate) struct Enum {
    pub(crate) naming: Naming,
    pub(crate) symbols: Vec<String>,
    pub(crate) default: Option<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Fixed {
    pub(crate) naming: Naming,
    pub(crate) size: u64,
}

impl Schema {
    /// Parses a schema; or else says everything that keeps the text from being one.
    pub fn parse(text: &str) -> Result<Self, Vec<Defect>> {
        parse::schema(text)
    }

    /// Every field whose default is no value of its type; for a union, of its first branch. Records can be read by
    /// such a schema, yet registries and other languages refuse it.
    pub fn misfit_defaults(&self) -> Vec<Defect> {
        default::misfits(self)
    }

    /// The full name of the record, enum or fixed that the schema is; empty for a type without a name.
    pub fn full_name(&self) -> &str {
        self.naming(self.root.of).map_or("", |naming| &naming.full)
    }

    /// The name without its namespace.
    pub fn name(&self) -> &str {
        short(self.full_name())
    }

    /// The namespace; empty when there is none.
    pub fn namespace(&self) -> &str {
        self.full_name().rsplit_once('.').map_or("", |(namespace, _)| namespace)
    }

    /// Whether it is a record, as every event is.
    pub fn is_record(&self) -> bool {
        matches!(self.types[self.root.of].shape, Shape::Record(_))
    }

    /// The names of the record's own fields with the places that they are written at; nothing when it is no record.
    pub fn fields(&self) -> Vec<(&str, Spot)> {
        let fields = self.record().map_or(&[] as &[Field], |record| &record.fields);
        fields.iter().map(|field| (field.name.as_str(), self.spot(field.at, &field.pointer))).collect()
    }

    /// What a field is for a person, e.g. `array of string`; none when the record has no such field.
    pub fn field_type(&self, name: &str) -> Option<String> {
        let field = self.record()?.fields.iter().find(|field| field.name == name)?;
        Some(self.told(field.slot.of))
    }

    /// What the schema says that it is for.
    pub fn doc(&self) -> &str {
        self.naming(self.root.of).map_or("", |naming| &naming.doc)
    }

    /// What a field is for; empty when nothing is said, or when the record has no such field.
    pub fn field_doc(&self, name: &str) -> &str {
        let field = self.record().and_then(|record| record.fields.iter().find(|field| field.name == name));
        field.map_or("", |field| &field.doc)
    }

    /// The default of a field as JSON; none when it has none, or when the record has no such field.
    pub fn field_default(&self, name: &str) -> Option<String> {
        let field = self.record()?.fields.iter().find(|field| field.name == name)?;
        field.default.as_ref().map(ToString::to_string)
    }

    /// The text that it was parsed from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where the name of the schema stands, or its beginning.
    pub fn place(&self) -> Place {
        Place::of(&self.text, self.types[self.root.of].at)
    }

    pub(crate) fn record(&self) -> Option<&Record> {
        match &self.types[self.root.of].shape {
            Shape::Record(record) => Some(record),
            Shape::Primitive(_)
            | Shape::Enum(_)
            | Shape::Fixed(_)
            | Shape::Array(_)
            | Shape::Map(_)
            | Shape::Union(_)
            | Shape::Open => None,
        }
    }

    pub(crate) fn naming(&self, of: usize) -> Option<&Naming> {
        match &self.types[of].shape {
            Shape::Record(record) => Some(&record.naming),
            Shape::Enum(symbols) => Some(&symbols.naming),
            Shape::Fixed(fixed) => Some(&fixed.naming),
            Shape::Primitive(_) | Shape::Array(_) | Shape::Map(_) | Shape::Union(_) | Shape::Open => None,
        }
    }

    pub(crate) fn spot(&self, at: usize, pointer: &str) -> Spot {
        Spot { pointer: pointer.to_owned(), place: Place::of(&self.text, at) }
    }

    /// What a type is, for a person.
    pub(crate) fn told(&self, of: usize) -> String {
        let found = &self.types[of];
        let plain = match &found.shape {
            Shape::Array(items) => format!("array of {}", self.told(items.of)),
            Shape::Map(values) => format!("map of {}", self.told(values.of)),
            Shape::Union(branches) => {
                let branches: Vec<String> = branches.iter().map(|branch| self.told(branch.of)).collect();
                format!("[{}]", branches.join(", "))
            }
            Shape::Fixed(fixed) => format!("fixed {} of {} bytes", short(&fixed.naming.full), fixed.size),
            Shape::Primitive(_) | Shape::Record(_) | Shape::Enum(_) | Shape::Open => {
                let name =
                    self.naming(of).map_or_else(String::new, |naming| format!(" {}", short(&naming.full)));
                format!("{}{name}", kind(&found.shape))
            }
        };
        found.logical.as_ref().map_or_else(|| plain.clone(), |logical| format!("{plain} ({logical})"))
    }
}

impl Primitive {
    /// The type with this name.
    pub(crate) fn of(name: &str) -> Option<Self> {
        Some(match name {
            "null" => Self::Null,
            "boolean" => Self::Boolean,
            "int" => Self::Int,
            "long" => Self::Long,
            "float" => Self::Float,
            "double" => Self::Double,
            "bytes" => Self::Bytes,
            "string" => Self::String,
            _ => return None,
        })
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "boolean",
            Self::Int => "int",
            Self::Long => "long",
            Self::Float => "float",
            Self::Double => "double",
            Self::Bytes => "bytes",
            Self::String => "string",
        }
    }
}

/// The kind of a type, for a person.
pub(crate) const fn kind(shape: &Shape) -> &'static str {
    match shape {
        Shape::Primitive(primitive) => primitive.name(),
        Shape::Record(_) => "record",
        Shape::Enum(_) => "enum",
        Shape::Fixed(_) => "fixed",
        Shape::Array(_) => "array",
        Shape::Map(_) => "map",
        Shape::Union(_) => "union",
        Shape::Open => "nothing",
    }
}

/// A full name without its namespace.
pub(crate) fn short(full: &str) -> &str {
    full.rsplit_once('.').map_or(full, |(_, short)| short)
}

impl std::fmt::Display for Defect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let pointer = if self.spot.pointer.is_empty() { "the whole" } else { &self.spot.pointer };
        write!(f, "{pointer}: {}", self.message)?;
        if self.help.is_empty() { Ok(()) } else { write!(f, " ({})", self.help) }
    }
}
