//! The JSON Schema of the document, for editors and for whoever checks files without us.
//!
//! What is required, known and of which shape is what the reader asks for; only the words for people stand beside it.

mod words;

use serde_json::{Map, Value, json};

use crate::document::choreography;
use crate::yaml::sketch;
pub use words::{Word, words};

/// Where a placeholder of the matrix stands in a text.
const PLACEHOLDER: &str = "\\{[A-Za-z][A-Za-z0-9_]*\\}";

/// The JSON Schema (draft 2020-12) of `pavane/v1` choreographies. It says what can be said of one value at a time; that
/// names exist, that there is no circle and the like is said by the reader alone.
pub fn schema() -> Value {
    let mut schema = sketch(choreography);
    for list in ["steps", "phases"] {
        let items = schema.pointer_mut(&format!("/properties/{list}/items"));
        allow_placeholders(items.expect("the reader asks for both lists"));
    }
    for word in words() {
        describe(&mut schema, word);
    }
    let mut whole = Map::new();
    whole.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
    whole.insert("$id".to_owned(), json!("urn:pavane:schema:choreography:v1"));
    whole.insert("title".to_owned(), json!("A choreography of pavane"));
    if let Value::Object(schema) = schema {
        whole.extend(schema);
    }
    Value::Object(whole)
}

/// The paths of all fields that the reader knows, e.g. `steps.compensate.within`, in the order in which it asks.
pub fn paths() -> Vec<String> {
    let mut paths = Vec::new();
    collect(&sketch(choreography), "", &mut paths);
    paths
}

fn collect(schema: &Value, under: &str, paths: &mut Vec<String>) {
    for part in parts(schema) {
        collect(part, under, paths);
    }
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let path = if under.is_empty() { name.clone() } else { format!("{under}.{name}") };
        paths.push(path.clone());
        collect(field, &path, paths);
    }
}

/// The schemas that stand for the same path: of the entries of a list, of each way to write a value.
fn parts(schema: &Value) -> impl Iterator<Item = &Value> {
    let ways = schema["anyOf"].as_array().into_iter().flatten();
    schema.get("items").into_iter().chain(ways)
}

/// Lets a text of a step or phase hold a placeholder, since the matrix is written out before texts are judged.
fn allow_placeholders(schema: &mut Value) {
    match schema {
        Value::Object(keywords) => {
            if let Some(Value::String(pattern)) = keywords.get_mut("pattern") {
                *pattern = format!("({pattern})|{PLACEHOLDER}");
            }
            if let Some(words) = keywords.remove("enum") {
                keywords.insert("anyOf".to_owned(), json!([{ "enum": words }, { "pattern": PLACEHOLDER }]));
                return;
            }
            keywords.values_mut().for_each(allow_placeholders);
        }
        Value::Array(schemas) => schemas.iter_mut().for_each(allow_placeholders),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn describe(schema: &mut Value, word: &Word) {
    let Some(field) = find(schema, word.path) else { return };
    field.insert("description".to_owned(), json!(word.meaning));
    if let Some(default) = word.default {
        field.insert("default".to_owned(), default_of(default));
    }
}

/// A default as a value where it is one; else the words for it stand in the description.
fn default_of(default: &str) -> Value {
    serde_json::from_str(default).unwrap_or_else(|_| json!(default))
}

fn find<'s>(schema: &'s mut Value, path: &str) -> Option<&'s mut Map<String, Value>> {
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    let holder = holder(schema, name)?;
    let field = holder.get_mut("properties")?.get_mut(name)?;
    match rest {
        Some(rest) => find(field, rest),
        None => field.as_object_mut(),
    }
}

/// The map with fields that holds a field: the schema itself, an entry of the list, or one way to write it.
fn holder<'s>(schema: &'s mut Value, name: &str) -> Option<&'s mut Value> {
    if schema.pointer(&format!("/properties/{name}")).is_some() {
        return Some(schema);
    }
    if schema.get("items").is_some() {
        return holder(schema.get_mut("items")?, name);
    }
    schema.get_mut("anyOf")?.as_array_mut()?.iter_mut().find_map(|way| holder(way, name))
}
