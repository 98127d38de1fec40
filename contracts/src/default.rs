//! Whether the default of a field is a value of its type: for a union, of the union's first branch.
//!
//! Some libraries take a default of another branch, and write by it what others cannot read.

use crate::json::{Json, Value};
use crate::parse::defect;
use crate::place::below;
use crate::schema::{Defect, Primitive, Record, Schema, Shape};

/// Every field whose default does not fit.
pub(crate) fn misfits(schema: &Schema) -> Vec<Defect> {
    let mut found = Vec::new();
    for kind in &schema.types {
        let Shape::Record(record) = &kind.shape else { continue };
        for field in &record.fields {
            let Some(default) = &field.default else { continue };
            if let Err(why) = fits(schema, field.slot.of, default) {
                let union = matches!(schema.types[field.slot.of].shape, Shape::Union(_));
                let help = if union {
                    "the default of a union is of its first branch: put that branch first"
                } else {
                    "write a default of the field's type"
                };
                let message = format!("the default of {} does not fit: {why}", field.name);
                found.push(defect(
                    &schema.text,
                    default.at,
                    &below(&field.pointer, "default"),
                    message,
                    help,
                ));
            }
        }
    }
    found
}

/// The walk follows the default, not the schema, so it ends however the schema refers to itself; where a record's
/// fields are left to their own defaults it stops, for those are looked at where they stand.
fn fits(schema: &Schema, of: usize, json: &Json) -> Result<(), String> {
    let found = &schema.types[of];
    let differs = || Err(format!("{} is no {}", brief(json), schema.told(of)));
    match (&found.shape, &json.value) {
        (Shape::Primitive(primitive), _) => {
            if primitive_fits(*primitive, json) {
                Ok(())
            } else {
                differs()
            }
        }
        (Shape::Union(branches), _) => branches.first().map_or(Ok(()), |first| fits(schema, first.of, json)),
        (Shape::Array(items), Value::Array(values)) => {
            values.iter().try_for_each(|value| fits(schema, items.of, value))
        }
        (Shape::Map(values), Value::Object(members)) => {
            members.iter().try_for_each(|member| fits(schema, values.of, &member.json))
        }
        (Shape::Enum(symbols), Value::Text(text)) if symbols.symbols.contains(text) => Ok(()),
        (Shape::Fixed(fixed), Value::Text(text))
            if is_bytes(text) && text.chars().count() as u64 == fixed.size =>
        {
            Ok(())
        }
        (Shape::Record(record), Value::Object(_)) => record_fits(schema, record, json),
        (Shape::Open, _) => Ok(()),
        (Shape::Array(_) | Shape::Map(_) | Shape::Enum(_) | Shape::Fixed(_) | Shape::Record(_), _) => {
            differs()
        }
    }
}

fn record_fits(schema: &Schema, record: &Record, json: &Json) -> Result<(), String> {
    for field in &record.fields {
        match json.get(&field.name) {
            Some(value) => fits(schema, field.slot.of, value)?,
            None if field.default.is_some() => {}
            None => return Err(format!("it lacks the field {}", field.name)),
        }
    }
    Ok(())
}

fn primitive_fits(primitive: Primitive, json: &Json) -> bool {
    let number = match &json.value {
        Value::Number(number) => Some(number),
        Value::Null | Value::Boolean(_) | Value::Text(_) | Value::Array(_) | Value::Object(_) => None,
    };
    match primitive {
        Primitive::Null => json.value == Value::Null,
        Primitive::Boolean => matches!(json.value, Value::Boolean(_)),
        Primitive::Int => number.is_some_and(|number| number.parse::<i32>().is_ok()),
        Primitive::Long => number.is_some_and(|number| number.parse::<i64>().is_ok()),
        Primitive::Float | Primitive::Double => number.is_some(),
        Primitive::Bytes => json.text().is_some_and(is_bytes),
        Primitive::String => json.text().is_some(),
    }
}

/// A value as far as a person reads it.
fn brief(json: &Json) -> String {
    match &json.value {
        Value::Array(_) | Value::Object(_) => json.kind().to_owned(),
        Value::Null | Value::Boolean(_) | Value::Number(_) | Value::Text(_) => {
            json.to_string().chars().take(40).collect()
        }
    }
}

/// Bytes are written as the characters from U+0000 to U+00FF.
fn is_bytes(text: &str) -> bool {
    text.chars().all(|c| u32::from(c) < 256)
}
