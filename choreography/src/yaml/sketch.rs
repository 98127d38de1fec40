//! What a reader reads, told by the reader itself: it is run without a text, and every question that it asks is noted.
//!
//! So the published schema cannot say anything else than the code that reads: there is one declaration, and it is the
//! reader.

use serde_json::{Map, Value, json};

use super::book::{Book, Reported};
use super::item::Item;
use super::tree::{Node, Value as Tree};
use crate::diagnostic::Place;

/// What stands in for the text when there is none.
static BLANK: Node = Node { place: Place::START, value: Tree::Scalar { text: String::new(), plain: false } };

/// What was asked of one value.
#[derive(Debug, Default)]
pub(super) struct Sketch {
    keywords: Map<String, Value>,
    fields: Vec<(&'static str, usize)>,
    required: Vec<&'static str>,
    entries: Option<usize>,
    values: Option<usize>,
    either: Vec<usize>,
}

/// Runs a reader without a text and gives what it asks for as a JSON Schema.
pub(crate) fn sketch<T>(read: impl FnOnce(&Item<'_>) -> Result<T, Reported>) -> Value {
    let book = Book::new("");
    let root = book.sketch();
    let _nothing_was_there_to_read = read(&Item::sketched(&BLANK, "", &book, root));
    book.schema(root)
}

impl Book {
    /// Begins the sketch of one more value.
    fn sketch(&self) -> usize {
        let mut sketches = self.sketches.borrow_mut();
        sketches.push(Sketch::default());
        sketches.len() - 1
    }

    fn note(&self, at: usize, note: impl FnOnce(&mut Sketch)) {
        if let Some(sketch) = self.sketches.borrow_mut().get_mut(at) {
            note(sketch);
        }
    }

    fn schema(&self, at: usize) -> Value {
        let sketches = self.sketches.borrow();
        let Some(sketch) = sketches.get(at) else { return json!(true) };
        let mut schema = sketch.keywords.clone();
        if !sketch.fields.is_empty() {
            let fields = sketch.fields.iter().map(|(name, at)| ((*name).to_owned(), self.schema(*at)));
            schema.insert("properties".to_owned(), Value::Object(fields.collect()));
            schema.insert("required".to_owned(), json!(sketch.required));
            schema.insert("additionalProperties".to_owned(), json!(false));
        }
        if let Some(entries) = sketch.entries {
            schema.insert("items".to_owned(), self.schema(entries));
        }
        if let Some(values) = sketch.values {
            schema.insert("additionalProperties".to_owned(), self.schema(values));
        }
        if !sketch.either.is_empty() {
            let either = sketch.either.iter().map(|at| self.schema(*at)).collect();
            schema.insert("anyOf".to_owned(), Value::Array(either));
        }
        Value::Object(schema)
    }
}

impl<'d> Item<'d> {
    /// Says of what shape the value must be, as JSON Schema. Without a text there is nothing more to read.
    pub(crate) fn shaped(&self, shape: impl FnOnce() -> Value) -> Result<(), Reported> {
        let Some(at) = self.sketch else { return Ok(()) };
        self.book.note(at, |sketch| {
            if let (Value::Object(shape), true) = (shape(), sketch.keywords.is_empty()) {
                sketch.keywords = shape;
            }
        });
        Err(self.book.no_text())
    }

    /// Notes one keyword of JSON Schema about the value.
    pub(crate) fn note(&self, keyword: &str, value: Value) {
        if let Some(at) = self.sketch {
            self.book.note(at, |sketch| drop(sketch.keywords.insert(keyword.to_owned(), value)));
        }
    }

    /// The value of a field of a map that is not there.
    pub(super) fn field_sketched(&self, name: &'static str) -> Option<Item<'d>> {
        let at = self.sketch?;
        let field = self.book.sketch();
        self.book.note(at, |sketch| sketch.fields.push((name, field)));
        Some(Item::sketched(&BLANK, name, self.book, field))
    }

    /// Notes that a field must be there.
    pub(super) fn require_sketched(&self, name: &'static str) {
        if let Some(at) = self.sketch {
            self.book.note(at, |sketch| sketch.required.push(name));
        }
    }

    /// An entry of a list that is not there.
    pub(super) fn entry_sketched(&self) -> Option<Item<'d>> {
        self.part_sketched("array", |sketch, part| sketch.entries = Some(part))
    }

    /// A value of a map with free keys that is not there.
    pub(super) fn value_sketched(&self) -> Option<Item<'d>> {
        self.part_sketched("object", |sketch, part| sketch.values = Some(part))
    }

    /// One of several ways to write a value that is not there.
    pub(super) fn way_sketched(&self) -> Option<Item<'d>> {
        let at = self.sketch?;
        let way = self.book.sketch();
        self.book.note(at, |sketch| sketch.either.push(way));
        Some(Item::sketched(self.node, self.field(), self.book, way))
    }

    fn part_sketched(&self, kind: &str, put: impl FnOnce(&mut Sketch, usize)) -> Option<Item<'d>> {
        let at = self.sketch?;
        self.note("type", json!(kind));
        let part = self.book.sketch();
        self.book.note(at, |sketch| put(sketch, part));
        Some(Item::sketched(self.node, self.field(), self.book, part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_tells_what_it_reads() {
        let read = |item: &Item<'_>| {
            item.fields(|f| {
                let name = f.required("name", Item::text);
                let counts = f.optional("counts", |i| i.list(|i| i.count(1..=3)));
                let free = f.optional("free", |i| i.entries(Item::boolean));
                let way = f.optional("way", |i| i.map_or(Item::text, Item::text));
                name.and(counts.map(|_| ())).and(free.map(|_| ())).and(way.map(|_| ()))
            })
        };
        let schema = sketch(read);
        assert_eq!(schema["required"], json!(["name"]));
        assert_eq!(schema["additionalProperties"], json!(false));
        let field = |name: &str| schema["properties"][name].clone();
        assert_eq!(
            field("counts"),
            json!({ "type": "array", "items": { "type": "integer", "minimum": 1, "maximum": 3 } })
        );
        assert_eq!(field("free"), json!({ "type": "object", "additionalProperties": { "type": "boolean" } }));
        assert_eq!(field("way")["anyOf"].as_array().map(Vec::len), Some(2));
    }
}
