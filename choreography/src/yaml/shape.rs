//! The shapes of single values, as JSON Schema. YAML gives a number where a text is written without quotes and reads like
//! one, so what takes any text takes a number too.

use std::ops::RangeInclusive;

use serde_json::{Value, json};

pub(crate) fn text() -> Value {
    json!({ "type": ["string", "number"], "minLength": 1, "maxLength": 4096 })
}

pub(crate) fn name() -> Value {
    json!({ "type": ["string", "integer"], "pattern": "^[A-Za-z0-9._-]{1,64}$" })
}

pub(crate) fn count(range: &RangeInclusive<u32>) -> Value {
    json!({ "type": "integer", "minimum": range.start(), "maximum": range.end() })
}

pub(crate) fn decimal() -> Value {
    json!({ "type": "number" })
}

pub(crate) fn boolean() -> Value {
    json!({ "type": "boolean" })
}

pub(crate) fn time_of_day() -> Value {
    json!({ "type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$" })
}

pub(crate) fn duration() -> Value {
    json!({ "type": "string", "pattern": "^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$", "minLength": 2 })
}

pub(crate) fn duration_range() -> Value {
    json!({ "type": "string", "pattern": "^[0-9a-z]+\\.\\.[0-9a-z]+$" })
}

pub(crate) fn version_requirement() -> Value {
    json!({ "type": ["string", "number"], "minLength": 1 })
}

pub(crate) fn url() -> Value {
    json!({ "type": "string", "pattern": "^https?://[^\\s/?#]+\\S*$", "maxLength": 4096 })
}

pub(crate) fn socket() -> Value {
    json!({ "type": "string", "pattern": ":[0-9]{1,5}$" })
}

pub(crate) fn word(words: &[&str]) -> Value {
    json!({ "type": "string", "enum": words })
}

/// One of some events of a service.
pub(crate) fn event(names: &[&str]) -> Value {
    let names = names.join("|");
    json!({ "type": "string", "pattern": format!("^[A-Za-z0-9._-]{{1,64}}\\.({names})$") })
}

pub(crate) fn share() -> Value {
    json!({ "type": "string", "pattern": "^(100|[1-9][0-9]?)%$" })
}
