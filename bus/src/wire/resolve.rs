//! A datum as its writer meant it, turned into what the reader expects: Avro's schema resolution.
//!
//! Of our own, because the library's loses the place where writer and reader part, and looks at the shape of a
//! value where it should look at the writer's schema.

use std::collections::HashMap;

use apache_avro::Schema;
use apache_avro::schema::{EnumSchema, RecordSchema};
use apache_avro::types::Value;

use super::compat::{branch, kind, source};
use super::contract::{Contract, View};
use super::error::Finding;
use super::json;

/// Turns a value of the writer's contract into one of the reader's.
pub(crate) fn resolve(writer: &Contract, reader: &Contract, value: Value) -> Result<Value, Finding> {
    if writer.fingerprint() == reader.fingerprint() {
        return Ok(value);
    }
    Resolution { writer, reader }.value(writer.root(), reader.root(), value)
}

struct Resolution<'a> {
    writer: &'a Contract,
    reader: &'a Contract,
}

impl Resolution<'_> {
    fn value(&self, writer: &Schema, reader: &Schema, value: Value) -> Result<Value, Finding> {
        let (from, to) = (self.writer.view(writer), self.reader.view(reader));
        match (&from, &to, value) {
            (View::Union(variants), _, Value::Union(index, inner)) => {
                let variant = usize::try_from(index).ok().and_then(|index| variants.get(index));
                self.value(variant.expect("the branch was read by this schema"), reader, *inner)
            }
            (_, View::Union(variants), value) => {
                let Some((index, variant)) = branch(&from, self.reader, variants) else {
                    return Err(Finding::new(format!("the reader's union takes no {}", kind(&from))));
                };
                let index = u32::try_from(index).expect("a union has few branches");
                Ok(Value::Union(index, Box::new(self.value(writer, variant, value)?)))
            }
            (View::Record(writer), View::Record(reader), Value::Record(fields)) => {
                self.record(writer, reader, fields)
            }
            (View::Array(writer), View::Array(reader), Value::Array(items)) => {
                let items = items.into_iter().enumerate().map(|(place, item)| {
                    self.value(writer, reader, item).map_err(|finding| finding.under(place))
                });
                items.collect::<Result<_, _>>().map(Value::Array)
            }
            (View::Map(writer), View::Map(reader), Value::Map(entries)) => {
                let entries = entries.into_iter().map(|(key, entry)| {
                    let entry = self.value(writer, reader, entry).map_err(|finding| finding.under(&key))?;
                    Ok((key, entry))
                });
                entries.collect::<Result<HashMap<_, _>, _>>().map(Value::Map)
            }
            (_, View::Enum(reader), Value::Enum(_, symbol)) => symbol_of(reader, &symbol),
            (_, _, value) => promote(&from, &to, value),
        }
    }

    fn record(
        &self,
        writer: &RecordSchema,
        reader: &RecordSchema,
        fields: Vec<(String, Value)>,
    ) -> Result<Value, Finding> {
        let mut given: HashMap<String, Value> = fields.into_iter().collect();
        let mut resolved = Vec::with_capacity(reader.fields.len());
        for field in &reader.fields {
            let found = source(writer, field).and_then(|from| Some((from, given.remove(&from.name)?)));
            let value = match (found, &field.default) {
                (Some((from, value)), _) => self.value(&from.schema, &field.schema, value),
                (None, Some(default)) => json::default_value(self.reader, &field.schema, default),
                (None, None) => Err(Finding::new("the writer has no such field, and it has no default")),
            };
            resolved.push((field.name.clone(), value.map_err(|finding| finding.under(&field.name))?));
        }
        Ok(Value::Record(resolved))
    }
}

fn symbol_of(reader: &EnumSchema, symbol: &str) -> Result<Value, Finding> {
    let place = |symbol: &str| reader.symbols.iter().position(|known| known == symbol);
    let known = place(symbol).map(|index| (index, symbol.to_owned()));
    let chosen =
        known.or_else(|| reader.default.as_ref().and_then(|name| Some((place(name)?, name.clone()))));
    let Some((index, chosen)) = chosen else {
        return Err(Finding::new(format!("{symbol} is not a symbol that the reader knows")));
    };
    Ok(Value::Enum(u32::try_from(index).expect("an enum has few symbols"), chosen))
}

fn promote(from: &View<'_>, to: &View<'_>, value: Value) -> Result<Value, Finding> {
    #[expect(clippy::cast_precision_loss, reason = "Avro promotes long to float and double with loss")]
    let promoted = match (to, value) {
        (View::Long, Value::Int(int)) => Value::Long(i64::from(int)),
        (View::Float, Value::Int(int)) => Value::Float(int as f32),
        (View::Float, Value::Long(long)) => Value::Float(long as f32),
        (View::Double, Value::Int(int)) => Value::Double(f64::from(int)),
        (View::Double, Value::Long(long)) => Value::Double(long as f64),
        (View::Double, Value::Float(float)) => Value::Double(f64::from(float)),
        (View::Bytes, Value::String(text)) => Value::Bytes(text.into_bytes()),
        (View::String, Value::Bytes(bytes)) => {
            let text = String::from_utf8(bytes);
            Value::String(text.map_err(|_| Finding::new("the bytes are no text"))?)
        }
        (_, value) if kind(from) == kind(to) => value,
        _ => {
            let (from, to) = (kind(from), kind(to));
            return Err(Finding::new(format!("the writer has {from} where the reader has {to}")));
        }
    };
    Ok(promoted)
}
