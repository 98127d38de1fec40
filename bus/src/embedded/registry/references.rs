//! Named types of other subjects, put into the places where a schema uses them.
//!
//! Avro has one name space for a text, so a type is written out where it is used first and named wherever it is used
//! again.

use serde_json::Value;

/// Puts the definition of a named type into the first place of a schema that uses the name.
pub(super) fn put(schema: &mut Value, name: &str, definition: &Value) {
    put_first(schema, name, definition, "");
}

/// Whether it was put.
fn put_first(schema: &mut Value, name: &str, definition: &Value, namespace: &str) -> bool {
    match schema {
        Value::String(used) if is_it(used, name, namespace) => {
            *schema = definition.clone();
            true
        }
        Value::Array(branches) => branches.iter_mut().any(|one| put_first(one, name, definition, namespace)),
        Value::Object(parts) => {
            let own = parts.get("namespace").and_then(Value::as_str).unwrap_or(namespace).to_owned();
            if let Some(Value::Array(fields)) = parts.get_mut("fields") {
                let mut types = fields.iter_mut().filter_map(|field| field.get_mut("type"));
                return types.any(|one| put_first(one, name, definition, &own));
            }
            ["type", "items", "values"]
                .into_iter()
                .any(|part| parts.get_mut(part).is_some_and(|inner| put_first(inner, name, definition, &own)))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// A name without a namespace is of the namespace that it stands in.
fn is_it(used: &str, name: &str, namespace: &str) -> bool {
    used == name || (!used.contains('.') && !namespace.is_empty() && name == format!("{namespace}.{used}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_type_is_written_out_where_it_is_used_first_and_named_after_that() {
        let record = |one: Value| {
            json!({ "type": "record", "name": "A", "namespace": "n", "fields": [
                { "name": "type", "type": ["null", one], "default": null },
                { "name": "b", "type": { "type": "array", "items": "n.B" } },
            ]})
        };
        let definition = json!({ "type": "enum", "name": "B", "namespace": "n", "symbols": ["x"] });
        let mut schema = record("B".into());
        put(&mut schema, "n.B", &definition);
        assert_eq!(schema, record(definition.clone()));
        put(&mut schema, "other.B", &definition);
        assert_eq!(schema, record(definition));
    }
}
