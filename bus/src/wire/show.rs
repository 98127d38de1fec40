//! An Avro value as plain JSON, for people's eyes: `pavane audit`, alerts, the live page.

use apache_avro::types::Value;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The value as plain JSON: a union is its content, bytes are base64, a number that JSON cannot hold is text.
pub(crate) fn json(value: &Value) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Boolean(yes) => (*yes).into(),
        Value::Int(int) | Value::Date(int) | Value::TimeMillis(int) => (*int).into(),
        Value::Long(long)
        | Value::TimeMicros(long)
        | Value::TimestampMillis(long)
        | Value::TimestampMicros(long)
        | Value::TimestampNanos(long)
        | Value::LocalTimestampMillis(long)
        | Value::LocalTimestampMicros(long)
        | Value::LocalTimestampNanos(long) => (*long).into(),
        Value::Float(float) => number(f64::from(*float)),
        Value::Double(double) => number(*double),
        Value::Bytes(bytes) | Value::Fixed(_, bytes) => STANDARD.encode(bytes).into(),
        Value::String(text) | Value::Enum(_, text) => text.clone().into(),
        Value::Union(_, inner) => json(inner),
        Value::Array(items) => items.iter().map(json).collect(),
        Value::Map(entries) => entries.iter().map(|(key, entry)| (key.clone(), json(entry))).collect(),
        Value::Record(fields) => fields.iter().map(|(name, field)| (name.clone(), json(field))).collect(),
        Value::Decimal(_) | Value::BigDecimal(_) | Value::Duration(_) | Value::Uuid(_) => {
            unreachable!("our readers make plain values, without logical dress")
        }
    }
}

fn number(double: f64) -> serde_json::Value {
    let number = serde_json::Number::from_f64(double);
    number.map_or_else(|| double.to_string().into(), serde_json::Value::Number)
}
