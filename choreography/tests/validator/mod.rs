//! As much of JSON Schema as the published one uses. A keyword that it does not know is a violation, so that none is
//! passed over in silence.

use regex_lite::Regex;
use serde_json::{Map, Value};

/// Everything in which a value differs from a schema, each with its place.
pub(crate) fn violations(schema: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    hold(schema, value, "", &mut found);
    found
}

fn hold(schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    let Value::Object(keywords) = schema else {
        if *schema != Value::Bool(true) {
            found.push(format!("{at} may not be there"));
        }
        return;
    };
    for (keyword, wanted) in keywords {
        if let Some(holds) = holds(keywords, keyword, wanted, value) {
            if !holds {
                found.push(format!("{at} breaks {keyword}: {wanted}"));
            }
        } else {
            hold_parts(keywords, keyword, wanted, value, at, found);
        }
    }
}

/// Whether a value holds against a keyword that judges it as a whole; none for one that judges its parts.
fn holds(keywords: &Map<String, Value>, keyword: &str, wanted: &Value, value: &Value) -> Option<bool> {
    let (list, map, text) = (value.as_array(), value.as_object(), value.as_str());
    let number = || wanted.as_f64().expect("a number");
    let least =
        |size: Option<usize>| size.is_none_or(|size| size as u64 >= wanted.as_u64().expect("a number"));
    let most =
        |size: Option<usize>| size.is_none_or(|size| size as u64 <= wanted.as_u64().expect("a number"));
    let matches =
        |text: &str| Regex::new(wanted.as_str().expect("a text")).expect("a pattern").is_match(text);
    Some(match keyword {
        "$schema" | "$id" | "title" | "description" | "default" | "then" | "else" => true,
        "type" => {
            wanted.as_array().map_or_else(|| is(value, wanted), |kinds| kinds.iter().any(|k| is(value, k)))
        }
        "const" => value == wanted,
        "enum" => wanted.as_array().expect("a list").contains(value),
        "pattern" => text.is_none_or(matches),
        "minLength" => least(text.map(str::len)),
        "maxLength" => most(text.map(str::len)),
        "minItems" => least(list.map(Vec::len)),
        "maxItems" => most(list.map(Vec::len)),
        "minProperties" => least(map.map(Map::len)),
        "minimum" => value.as_f64().is_none_or(|value| value >= number()),
        "maximum" => value.as_f64().is_none_or(|value| value <= number()),
        "uniqueItems" => list.is_none_or(|list| (1..list.len()).all(|at| !list[..at].contains(&list[at]))),
        "required" => {
            let mut names =
                wanted.as_array().expect("a list").iter().map(|name| name.as_str().expect("a text"));
            map.is_none_or(|map| names.all(|name| map.contains_key(name)))
        }
        "anyOf" => ways(wanted, value) > 0,
        "oneOf" => ways(wanted, value) == 1,
        "if" => {
            let way = if violations(wanted, value).is_empty() { "then" } else { "else" };
            keywords.get(way).is_none_or(|schema| violations(schema, value).is_empty())
        }
        _ => return None,
    })
}

/// Holds the parts of a value against a keyword about them.
fn hold_parts(
    keywords: &Map<String, Value>,
    keyword: &str,
    wanted: &Value,
    value: &Value,
    at: &str,
    found: &mut Vec<String>,
) {
    let known = |name: &str| keywords.get("properties").and_then(|known| known.get(name));
    for (number, value) in value.as_array().into_iter().flatten().enumerate().filter(|_| keyword == "items") {
        hold(wanted, value, &format!("{at}/{number}"), found);
    }
    for (name, value) in value.as_object().into_iter().flatten() {
        let at = format!("{at}/{name}");
        match (keyword, known(name)) {
            ("propertyNames", _) => hold(wanted, &name.as_str().into(), &at, found),
            ("properties", Some(schema)) => hold(schema, value, &at, found),
            ("additionalProperties", None) => hold(wanted, value, &at, found),
            _ => {}
        }
    }
    let held = ["items", "propertyNames", "properties", "additionalProperties"];
    assert!(held.contains(&keyword), "the schema uses {keyword}, which is not held here");
}

fn ways(schemas: &Value, value: &Value) -> usize {
    schemas.as_array().expect("a list").iter().filter(|schema| violations(schema, value).is_empty()).count()
}

fn is(value: &Value, kind: &Value) -> bool {
    match kind.as_str().expect("a text") {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        unknown => panic!("{unknown} is no type that is held here"),
    }
}
