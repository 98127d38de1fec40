//! The parsing canonical form of the Avro specification: what of a schema decides how bytes are read.
//!
//! Of our own, because the library's keeps `{"type":"long"}` where a logical type stood, and then a stock client
//! would compute another fingerprint for the same schema.

use apache_avro::Schema;

use super::contract::{Contract, View};

/// The canonical form of a contract's schema.
pub(crate) fn form(contract: &Contract) -> String {
    let mut text = String::new();
    write(contract, contract.root(), &mut text);
    text
}

fn write(contract: &Contract, schema: &Schema, out: &mut String) {
    if let Schema::Ref { name } = schema {
        return quoted(name.as_ref(), out);
    }
    match contract.view(schema) {
        View::Null => quoted("null", out),
        View::Boolean => quoted("boolean", out),
        View::Int => quoted("int", out),
        View::Long => quoted("long", out),
        View::Float => quoted("float", out),
        View::Double => quoted("double", out),
        View::Bytes => quoted("bytes", out),
        View::String => quoted("string", out),
        View::Fixed(fixed) => {
            head(fixed.name.as_ref(), "fixed", out);
            out.extend([",\"size\":", &fixed.size.to_string(), "}"]);
        }
        View::Enum(symbols) => {
            head(symbols.name.as_ref(), "enum", out);
            out.push_str(",\"symbols\":");
            list(&symbols.symbols, out, |symbol, out| quoted(symbol, out));
            out.push('}');
        }
        View::Array(items) => nested("array\",\"items", contract, items, out),
        View::Map(values) => nested("map\",\"values", contract, values, out),
        View::Union(variants) => list(variants, out, |variant, out| write(contract, variant, out)),
        View::Record(record) => {
            head(record.name.as_ref(), "record", out);
            out.push_str(",\"fields\":");
            list(&record.fields, out, |field, out| {
                out.push_str("{\"name\":");
                quoted(&field.name, out);
                out.push_str(",\"type\":");
                write(contract, &field.schema, out);
                out.push('}');
            });
            out.push('}');
        }
    }
}

fn head(name: &str, kind: &str, out: &mut String) {
    out.push_str("{\"name\":");
    quoted(name, out);
    out.push_str(",\"type\":");
    quoted(kind, out);
}

fn nested(head: &str, contract: &Contract, inner: &Schema, out: &mut String) {
    out.push_str("{\"type\":\"");
    out.push_str(head);
    out.push_str("\":");
    write(contract, inner, out);
    out.push('}');
}

fn list<T>(items: &[T], out: &mut String, write_one: impl Fn(&T, &mut String)) {
    out.push('[');
    for (place, item) in items.iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        write_one(item, out);
    }
    out.push(']');
}

fn quoted(text: &str, out: &mut String) {
    out.push('"');
    out.push_str(text);
    out.push('"');
}
