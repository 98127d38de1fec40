//! From JSON to types: every defect is kept, and what can be read beside it is read on.

use std::collections::{BTreeMap, BTreeSet};

use crate::json::{self, Json, Value};
use crate::place::{Place, Spot, below};
use crate::schema::{Defect, Enum, Field, Fixed, Naming, Primitive, Record, Schema, Shape, Slot, Type};

/// The longest text of a schema, in bytes.
pub(crate) const MAX_BYTES: usize = 256 * 1024;

/// How many defects of one text are told.
const MOST: usize = 100;

/// Parses a text.
pub(crate) fn schema(text: &str) -> Result<Schema, Vec<Defect>> {
    if text.len() > MAX_BYTES {
        let message = format!("the schema has {} bytes, and {MAX_BYTES} are the limit", text.len());
        return Err(vec![defect(text, 0, "", message, "split the record, or shorten its texts")]);
    }
    let json = json::read(text).map_err(|broken| {
        let help = "a schema is one JSON value, without comments";
        vec![Defect { not_json: true, ..defect(text, broken.at, "", broken.why, help) }]
    })?;
    let mut reader = Reader {
        schema: Schema {
            text: text.to_owned(),
            types: Vec::new(),
            root: Slot { of: 0, at: 0, pointer: String::new() },
        },
        named: BTreeMap::new(),
        defects: Vec::new(),
    };
    reader.schema.root = reader.slot(&json, "", "");
    let Reader { schema, defects, .. } = reader;
    if defects.is_empty() { Ok(schema) } else { Err(defects) }
}

pub(crate) fn defect(text: &str, at: usize, pointer: &str, message: impl Into<String>, help: &str) -> Defect {
    Defect {
        spot: Spot { pointer: pointer.to_owned(), place: Place::of(text, at) },
        not_json: false,
        message: message.into(),
        help: help.to_owned(),
    }
}

struct Reader {
    schema: Schema,
    named: BTreeMap<String, usize>,
    defects: Vec<Defect>,
}

impl Reader {
    fn wrong(&mut self, json: &Json, pointer: &str, message: impl Into<String>, help: &str) {
        if self.defects.len() < MOST {
            self.defects.push(defect(&self.schema.text, json.at, pointer, message, help));
        }
    }

    fn add(&mut self, json: &Json, pointer: &str, shape: Shape) -> usize {
        let logical = logical(json);
        self.schema.types.push(Type { at: json.at, pointer: pointer.to_owned(), shape, logical });
        self.schema.types.len() - 1
    }

    fn slot(&mut self, json: &Json, pointer: &str, namespace: &str) -> Slot {
        let of = match &json.value {
            Value::Text(name) => self.named(json, pointer, name, namespace),
            Value::Array(branches) => self.union(json, branches, pointer, namespace),
            Value::Object(_) => self.object(json, pointer, namespace),
            Value::Null | Value::Boolean(_) | Value::Number(_) => {
                let message = format!("a type is wanted here, and this is {}", json.kind());
                self.wrong(
                    json,
                    pointer,
                    message,
                    "write a type's name, a list of types, or an object with `type`",
                );
                self.add(json, pointer, Shape::Open)
            }
        };
        Slot { of, at: json.at, pointer: pointer.to_owned() }
    }

    /// A type by its name: one that every schema has, or one that stands above.
    fn named(&mut self, json: &Json, pointer: &str, name: &str, namespace: &str) -> usize {
        if let Some(primitive) = Primitive::of(name) {
            return self.add(json, pointer, Shape::Primitive(primitive));
        }
        let full = full(name, namespace);
        if let Some(of) = self.named.get(&full).or_else(|| self.named.get(name)) {
            return *of;
        }
        let help = "write the type out where it is first used, and use its name behind that, not an alias";
        self.wrong(json, pointer, format!("no type {name} stands above this"), help);
        self.add(json, pointer, Shape::Open)
    }

    fn union(&mut self, json: &Json, branches: &[Json], pointer: &str, namespace: &str) -> usize {
        let mut slots: Vec<Slot> = Vec::new();
        let mut seen = BTreeSet::new();
        for (place, branch) in branches.iter().enumerate() {
            let pointer = below(pointer, place);
            let slot = self.slot(branch, &pointer, namespace);
            let kind = match (&self.schema.types[slot.of].shape, self.schema.naming(slot.of)) {
                (Shape::Open, _) => None,
                (_, Some(naming)) => Some(naming.full.clone()),
                (shape, None) => Some(crate::schema::kind(shape).to_owned()),
            };
            if kind.as_deref() == Some("union") {
                self.wrong(branch, &pointer, "a union cannot hold a union", "list all types in one");
            } else if let Some(kind) = kind.filter(|kind| !seen.insert(kind.clone())) {
                let message = format!("{kind} stands twice in one union");
                self.wrong(
                    branch,
                    &pointer,
                    message,
                    "each type stands once; named types may differ by name",
                );
            }
            slots.push(slot);
        }
        if slots.is_empty() {
            self.wrong(json, pointer, "a union of nothing has no value", "list the types that it may be");
        }
        self.add(json, pointer, Shape::Union(slots))
    }

    fn object(&mut self, json: &Json, pointer: &str, namespace: &str) -> usize {
        let Some(kind) = json.get("type") else {
            self.wrong(json, pointer, "a type is wanted here, and this has no `type`", "add `type`");
            return self.add(json, pointer, Shape::Open);
        };
        let inner = below(pointer, "type");
        match kind.text() {
            Some("record" | "error") => self.definition(json, pointer, namespace, Self::record),
            Some("enum") => self.definition(json, pointer, namespace, Self::symbols),
            Some("fixed") => self.definition(json, pointer, namespace, Self::fixed),
            Some("array") => {
                let items = self.part(json, pointer, "items", namespace);
                self.add(json, pointer, Shape::Array(items))
            }
            Some("map") => {
                let values = self.part(json, pointer, "values", namespace);
                self.add(json, pointer, Shape::Map(values))
            }
            Some(name) if Primitive::of(name).is_some() => {
                let primitive = Primitive::of(name).expect("the guard has asked");
                self.add(json, pointer, Shape::Primitive(primitive))
            }
            Some(name) => self.named(kind, &inner, name, namespace),
            None => {
                let message = format!("`type` of a type is a name, and this is {}", kind.kind());
                self.wrong(kind, &inner, message, "write the inner type without the object around it");
                self.add(json, pointer, Shape::Open)
            }
        }
    }

    fn part(&mut self, json: &Json, pointer: &str, key: &str, namespace: &str) -> Slot {
        let at = below(pointer, key);
        if let Some(part) = json.get(key) {
            return self.slot(part, &at, namespace);
        }
        self.wrong(json, pointer, format!("`{key}` is missing"), "say what it holds");
        Slot { of: self.add(json, &at, Shape::Open), at: json.at, pointer: at }
    }

    /// A named type: known by its name from here on, inside itself too.
    fn definition(
        &mut self,
        json: &Json,
        pointer: &str,
        namespace: &str,
        read: fn(&mut Self, &Json, &str, Naming) -> Shape,
    ) -> usize {
        let of = self.add(json, pointer, Shape::Open);
        let naming = self.naming(json, pointer, namespace);
        if !naming.full.is_empty() && self.named.insert(naming.full.clone(), of).is_some() {
            let message = format!("{} is defined twice", naming.full);
            self.wrong(json, pointer, message, "define it once, and use its name elsewhere");
        }
        self.schema.types[of].shape = read(self, json, pointer, naming);
        of
    }

    fn naming(&mut self, json: &Json, pointer: &str, around: &str) -> Naming {
        let doc = json.get("doc").and_then(Json::text).unwrap_or_default().to_owned();
        let Some(name) = json.get("name").and_then(Json::text) else {
            self.wrong(json, pointer, "a named type without a `name`", "add `name`");
            return Naming { full: String::new(), aliases: Vec::new(), doc };
        };
        let own = json.get("namespace").and_then(Json::text);
        let full = full(name, own.unwrap_or(around));
        if !full.split('.').all(is_name) || Primitive::of(&full).is_some() {
            let at = json.get("name").unwrap_or(json);
            let help =
                "a name is letters, digits and _, does not begin with a digit, and is no type of Avro's own";
            self.wrong(at, &below(pointer, "name"), format!("{full} is no name for a type"), help);
        }
        let namespace = full.rsplit_once('.').map_or("", |(namespace, _)| namespace).to_owned();
        let aliases = self.names(json, pointer, "aliases");
        let aliases = aliases.iter().map(|alias| self::full(alias, &namespace)).collect();
        Naming { full, aliases, doc }
    }

    fn names(&mut self, json: &Json, pointer: &str, key: &str) -> Vec<String> {
        let Some(list) = json.get(key) else { return Vec::new() };
        let names: Option<Vec<String>> =
            list.items().and_then(|items| items.iter().map(|item| item.text().map(str::to_owned)).collect());
        names.unwrap_or_else(|| {
            self.wrong(
                list,
                &below(pointer, key),
                format!("`{key}` is a list of names"),
                "write a list of texts",
            );
            Vec::new()
        })
    }

    fn record(&mut self, json: &Json, pointer: &str, naming: Naming) -> Shape {
        let at = below(pointer, "fields");
        let Some(items) = json.get("fields").and_then(Json::items) else {
            self.wrong(
                json,
                pointer,
                "a record without a list of `fields`",
                "add `fields`, empty if need be",
            );
            return Shape::Open;
        };
        let namespace = naming.full.rsplit_once('.').map_or("", |(namespace, _)| namespace).to_owned();
        let mut seen = BTreeSet::new();
        let mut fields = Vec::new();
        for (place, item) in items.iter().enumerate() {
            let pointer = below(&at, place);
            if let Some(field) = self.field(item, &pointer, &namespace) {
                if !seen.insert(field.name.clone()) {
                    let message = format!("the field {} stands twice in one record", field.name);
                    self.wrong(item, &pointer, message, "name each field once");
                }
                fields.push(field);
            }
        }
        Shape::Record(Record { naming, fields })
    }

    fn field(&mut self, json: &Json, pointer: &str, namespace: &str) -> Option<Field> {
        let Some(name) = json.get("name").and_then(Json::text) else {
            self.wrong(json, pointer, "a field is an object with `name` and `type`", "add them");
            return None;
        };
        if !is_name(name) {
            let help = "a name is letters, digits and _, and does not begin with a digit";
            self.wrong(json, pointer, format!("{name:?} is no name for a field"), help);
        }
        let aliases = self.names(json, pointer, "aliases");
        let slot = self.part(json, pointer, "type", namespace);
        let doc = json.get("doc").and_then(Json::text).unwrap_or_default().to_owned();
        let default = json.get("default").cloned();
        let (at, pointer) = (json.at, pointer.to_owned());
        Some(Field { at, pointer, name: name.to_owned(), aliases, doc, slot, default })
    }

    fn symbols(&mut self, json: &Json, pointer: &str, naming: Naming) -> Shape {
        let symbols = self.names(json, pointer, "symbols");
        let unique: BTreeSet<&String> = symbols.iter().collect();
        if json.get("symbols").is_none() {
            self.wrong(json, pointer, "an enum without `symbols`", "list its symbols");
        } else if unique.len() < symbols.len() || !symbols.iter().all(|symbol| is_name(symbol)) {
            let at = below(pointer, "symbols");
            let message = "the symbols of an enum are names, each of which stands once";
            self.wrong(json.get("symbols").unwrap_or(json), &at, message, "correct the list");
        }
        let default = json.get("default").and_then(Json::text).map(str::to_owned);
        if let Some(json) = json.get("default")
            && !default.as_ref().is_some_and(|default| symbols.contains(default))
        {
            let message = format!("the default of an enum is one of its symbols, and {json} is none");
            self.wrong(json, &below(pointer, "default"), message, "name one of the symbols");
        }
        Shape::Enum(Enum { naming, symbols, default })
    }

    fn fixed(&mut self, json: &Json, pointer: &str, naming: Naming) -> Shape {
        let size = json.get("size").map(ToString::to_string).and_then(|size| size.parse().ok());
        if size.is_none() {
            self.wrong(json, pointer, "a fixed says its `size` in bytes", "add `size`, a whole number");
        }
        Shape::Fixed(Fixed { naming, size: size.unwrap_or(0) })
    }
}

/// The logical type with its terms. One that nobody knows counts too: whoever changes it means something by it.
fn logical(json: &Json) -> Option<String> {
    let name = json.get("logicalType")?.text()?;
    match (json.get("precision"), json.get("scale")) {
        (None, None) => Some(name.to_owned()),
        (Some(precision), None) => Some(format!("{name}({precision})")),
        (None, Some(scale)) => Some(format!("{name}(, {scale})")),
        (Some(precision), Some(scale)) if scale.to_string() == "0" => Some(format!("{name}({precision})")),
        (Some(precision), Some(scale)) => Some(format!("{name}({precision}, {scale})")),
    }
}

fn full(name: &str, namespace: &str) -> String {
    if name.contains('.') || namespace.is_empty() { name.to_owned() } else { format!("{namespace}.{name}") }
}

fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
