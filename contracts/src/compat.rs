//! Whether a reader's schema can read what a writer's schema writes: every difference, with both places.
//!
//! By the rules of the Avro specification, and stricter where those let through what hurts: a narrower union and a
//! lost symbol are differences (some libraries call them partly compatible), a type is the same wherever it is
//! defined, and a change of a logical type is one although the bytes stay the same.

use std::collections::BTreeSet;
use std::fmt;

use crate::place::{Spot, below};
use crate::schema::{Enum, Field, Naming, Primitive, Record, Schema, Shape, Slot, kind, short};

/// How deep two schemas are compared; far deeper than any that may be read by.
const MAX_LEVELS: usize = 200;

/// One thing that a reader cannot read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    /// Of what kind it is.
    pub kind: Kind,
    /// The field as a path in the data, e.g. `/pools/*`; empty for the whole.
    pub field: String,
    /// Where it stands in the writer's schema: the part itself, or what it is missing from.
    pub writer: Spot,
    /// Where it stands in the reader's schema.
    pub reader: Spot,
    /// What is wrong.
    pub message: String,
    /// What to do; empty where the message says it.
    pub help: String,
}

/// The kind of a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The reader wants a field that the writer does not write, and has no default for it.
    MissingDefault,
    /// A type is another one.
    Type,
    /// The reader's union does not take what the writer may write.
    Union,
    /// The reader does not know a symbol of an enum, and has no default symbol.
    Symbol,
    /// A record, an enum or a fixed has another name, or a fixed another size.
    Name,
    /// The bytes stay the same, and mean something else.
    Logical,
    /// Two fields of the writer go by the names of one field of the reader.
    Ambiguous,
}

impl Kind {
    /// Whether the bytes cannot be read. What is left is read, and means something else.
    pub const fn breaks_bytes(self) -> bool {
        match self {
            Self::MissingDefault | Self::Type | Self::Union | Self::Symbol | Self::Name | Self::Ambiguous => {
                true
            }
            Self::Logical => false,
        }
    }
}

/// Everything that `reader` cannot read of what `writer` writes; nothing when it can read it all.
pub fn can_read(writer: &Schema, reader: &Schema) -> Vec<Difference> {
    let mut check =
        Check { writer, reader, seen: BTreeSet::new(), level: 0, field: String::new(), found: Vec::new() };
    check.compare(&writer.root, &reader.root);
    check.found
}

/// Whether a writer's type may be read as a reader's, looking at the top alone: the type that a reader's union is
/// searched for.
fn takes(writer: &Schema, from: usize, reader: &Schema, to: usize, exact: bool) -> bool {
    match (&writer.types[from].shape, &reader.types[to].shape) {
        (Shape::Primitive(from), Shape::Primitive(to)) => from == to || (!exact && promotes(*from, *to)),
        (Shape::Record(_), Shape::Record(_))
        | (Shape::Enum(_), Shape::Enum(_))
        | (Shape::Fixed(_), Shape::Fixed(_)) => {
            let (from, to) = (writer.naming(from), reader.naming(to));
            from.zip(to)
                .is_some_and(|(from, to)| if exact { from.full == to.full } else { same_name(from, to) })
        }
        (from, to) => kind(from) == kind(to),
    }
}

const fn promotes(from: Primitive, to: Primitive) -> bool {
    use Primitive::{Bytes, Double, Float, Int, Long, String};
    matches!(
        (from, to),
        (Int, Long | Float | Double)
            | (Long, Float | Double)
            | (Float, Double)
            | (Bytes, String)
            | (String, Bytes)
    )
}

/// Names are compared without their namespaces, as every registry does.
fn same_name(writer: &Naming, reader: &Naming) -> bool {
    short(&writer.full) == short(&reader.full) || reader.aliases.contains(&writer.full)
}

struct Check<'a> {
    writer: &'a Schema,
    reader: &'a Schema,
    /// Pairs that were compared, or are being: a schema of many references costs no more than its text, and a
    /// recursive one ends.
    seen: BTreeSet<(usize, usize)>,
    level: usize,
    field: String,
    found: Vec<Difference>,
}

impl<'a> Check<'a> {
    fn compare(&mut self, from: &'a Slot, to: &'a Slot) {
        if !self.seen.insert((from.of, to.of)) {
            return;
        }
        if self.level > MAX_LEVELS {
            let message = format!("it nests deeper than {MAX_LEVELS} levels, and was not compared");
            return self.add(Kind::Type, from, to, message, "flatten it");
        }
        self.level += 1;
        self.compare_shapes(from, to);
        self.level -= 1;
    }

    fn compare_shapes(&mut self, from: &'a Slot, to: &'a Slot) {
        let (writer, reader) = (&self.writer.types[from.of], &self.reader.types[to.of]);
        match (&writer.shape, &reader.shape) {
            (Shape::Union(branches), _) => branches.iter().for_each(|branch| self.compare(branch, to)),
            (_, Shape::Union(branches)) => match self.branch(from, branches) {
                Some(branch) => self.compare(from, branch),
                None => self.lacks_branch(from, to),
            },
            (Shape::Primitive(a), Shape::Primitive(b)) if a == b || promotes(*a, *b) => {
                self.logical(from, to);
            }
            (Shape::Array(from), Shape::Array(to)) | (Shape::Map(from), Shape::Map(to)) => {
                self.under("*", |check| check.compare(from, to));
            }
            (Shape::Enum(a), Shape::Enum(b)) => {
                self.names(from, to, &a.naming, &b.naming);
                self.symbols(from, to, a, b);
                self.logical(from, to);
            }
            (Shape::Fixed(a), Shape::Fixed(b)) => {
                self.names(from, to, &a.naming, &b.naming);
                if a.size != b.size {
                    let message =
                        format!("the writer writes {} bytes, and the reader reads {}", a.size, b.size);
                    self.add(Kind::Name, from, to, message, "make a type with another name of it");
                }
                self.logical(from, to);
            }
            (Shape::Record(a), Shape::Record(b)) => {
                self.names(from, to, &a.naming, &b.naming);
                self.fields(from, a, b);
            }
            _ => {
                let (a, b) = (self.writer.told(from.of), self.reader.told(to.of));
                let message = format!("the writer has {a} where the reader has {b}");
                self.add(Kind::Type, from, to, message, "keep the type, and add a field under another name");
            }
        }
    }

    /// The branch that a reader takes: the very type, then one of that name, then one that it becomes.
    fn branch(&self, from: &Slot, branches: &'a [Slot]) -> Option<&'a Slot> {
        let fits = |exact| branches.iter().find(|to| takes(self.writer, from.of, self.reader, to.of, exact));
        fits(true).or_else(|| fits(false))
    }

    fn lacks_branch(&mut self, from: &'a Slot, to: &'a Slot) {
        let (a, b) = (self.writer.told(from.of), self.reader.told(to.of));
        let message = format!("the reader's union {b} takes no {a}");
        self.add(
            Kind::Union,
            from,
            to,
            message,
            "a union may grow where readers come first, and never shrinks",
        );
    }

    fn names(&mut self, from: &'a Slot, to: &'a Slot, a: &Naming, b: &Naming) {
        if !same_name(a, b) {
            let (a, b) = (short(&a.full), short(&b.full));
            let message = format!("the writer's type is named {a}, and the reader's {b}");
            self.add(Kind::Name, from, to, message, "give the reader's type an alias, or keep the name");
        }
    }

    fn symbols(&mut self, from: &'a Slot, to: &'a Slot, a: &Enum, b: &Enum) {
        if b.default.is_some() {
            return;
        }
        for symbol in a.symbols.iter().filter(|symbol| !b.symbols.contains(symbol)) {
            let message = format!("the reader does not know the symbol {symbol}, and has no default symbol");
            self.add(
                Kind::Symbol,
                from,
                to,
                message,
                "give the enum a default symbol from its first version on",
            );
        }
    }

    fn logical(&mut self, from: &'a Slot, to: &'a Slot) {
        let (a, b) = (&self.writer.types[from.of].logical, &self.reader.types[to.of].logical);
        if a != b {
            let told =
                |logical: &Option<String>| logical.clone().unwrap_or_else(|| "no logical type".to_owned());
            let message = format!(
                "the writer means {}, and the reader {}: the bytes are read as something else",
                told(a),
                told(b)
            );
            self.add(
                Kind::Logical,
                from,
                to,
                message,
                "add a field under another name, and keep this one as it is",
            );
        }
    }

    fn fields(&mut self, from: &'a Slot, writer: &'a Record, reader: &'a Record) {
        for field in &reader.fields {
            let sources = sources(writer, field);
            match sources.as_slice() {
                [source] => self.under(&field.name, |check| check.compare(&source.slot, &field.slot)),
                [] if field.default.is_some() => {}
                [] => self.under(&field.name, |check| {
                    let message = "the writer has no such field, and the reader has no default for it";
                    check.add_at(Kind::MissingDefault, from, field, message, "give the field a default");
                }),
                [first, second, ..] => {
                    let message = format!(
                        "the writer's {} and {} both go by this field's names",
                        first.name, second.name
                    );
                    self.under(&field.name, |check| {
                        check.add_at(Kind::Ambiguous, from, field, message, "take the alias away");
                    });
                }
            }
        }
    }

    fn under(&mut self, step: &str, work: impl FnOnce(&mut Self)) {
        let length = self.field.len();
        self.field = below(&self.field, step);
        work(self);
        self.field.truncate(length);
    }

    fn add(&mut self, kind: Kind, from: &Slot, to: &Slot, message: impl Into<String>, help: &str) {
        let reader = self.reader.spot(to.at, &to.pointer);
        self.push(kind, from, reader, message.into(), help);
    }

    fn add_at(&mut self, kind: Kind, from: &Slot, to: &Field, message: impl Into<String>, help: &str) {
        let reader = self.reader.spot(to.at, &to.pointer);
        self.push(kind, from, reader, message.into(), help);
    }

    fn push(&mut self, kind: Kind, from: &Slot, reader: Spot, message: String, help: &str) {
        let writer = self.writer.spot(from.at, &from.pointer);
        let (field, help) = (self.field.clone(), help.to_owned());
        self.found.push(Difference { kind, field, writer, reader, message, help });
    }
}

/// The writer's fields that a reader's field may be filled from: its own name first.
fn sources<'a>(writer: &'a Record, field: &Field) -> Vec<&'a Field> {
    let aliases: BTreeSet<&str> =
        field.aliases.iter().map(String::as_str).filter(|alias| *alias != field.name).collect();
    let named = |name: &str| writer.fields.iter().find(|source| source.name == name);
    named(&field.name).into_iter().chain(aliases.into_iter().filter_map(named)).collect()
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = if self.field.is_empty() { "the whole" } else { &self.field };
        write!(f, "{field}: {}", self.message)?;
        if self.help.is_empty() { Ok(()) } else { write!(f, " ({})", self.help) }
    }
}
