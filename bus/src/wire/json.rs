//! JSON bodies into Avro, strictly: what the schema does not know is an error, and every error is told at once.
//!
//! A body comes from a person's `curl` or a service's HTTP client; a misspelt field that is dropped in silence
//! would be found days later, by whoever waits for it.

use std::collections::HashMap;

use apache_avro::Schema;
use apache_avro::schema::{EnumSchema, FixedSchema, RecordField, RecordSchema};
use apache_avro::types::Value;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::compat::kind;
use super::contract::{Contract, View};
use super::datum::MAX_VALUES;
use super::error::{ContractError, Finding};
use super::node::{self, Node};

/// Turns a JSON body into a value of the contract. `null` and plain values stand for a union's branches; bytes
/// are base64; a field with a default may be left out.
///
/// Fails with every finding, each with its JSON pointer.
pub(crate) fn read(contract: &Contract, body: &[u8]) -> Result<Value, ContractError> {
    let findings = match node::parse(body) {
        Err(finding) => vec![finding],
        Ok(node) => {
            let mut reading = Reading::new(contract);
            match reading.value(contract.root(), &node) {
                Some(value) if reading.findings.is_empty() => return Ok(value),
                _ => reading.findings,
            }
        }
    };
    Err(ContractError { record: contract.full_name(), findings })
}

/// A field's default as a value.
pub(crate) fn default_value(
    contract: &Contract,
    schema: &Schema,
    default: &serde_json::Value,
) -> Result<Value, Finding> {
    let mut reading = Reading { of_default: true, ..Reading::new(contract) };
    let value = reading.value(schema, &Node::from(default));
    match (value, reading.findings.into_iter().next()) {
        (Some(value), None) => Ok(value),
        (_, finding) => {
            Err(finding.unwrap_or_else(|| Finding::new("the default does not fit its own field")))
        }
    }
}

/// Every field of the record whose default does not fit its type, or the first branch of its union.
pub(crate) fn misfit_defaults(contract: &Contract) -> Vec<Finding> {
    let fields = contract.record().fields.iter();
    let misfits = fields.filter_map(|field| {
        let first =
            if let View::Union([first, ..]) = contract.view(&field.schema) { first } else { &field.schema };
        let finding = default_value(contract, first, field.default.as_ref()?).err()?;
        Some(Finding::new(format!("the default does not fit: {}", finding.message)).under(&field.name))
    });
    misfits.collect()
}

struct Reading<'a> {
    contract: &'a Contract,
    findings: Vec<Finding>,
    pointer: Vec<String>,
    left: usize,
    /// Whether a schema's default is read, in which bytes stand as characters and not as base64.
    of_default: bool,
}

impl<'a> Reading<'a> {
    const fn new(contract: &'a Contract) -> Self {
        Self { contract, findings: Vec::new(), pointer: Vec::new(), left: MAX_VALUES, of_default: false }
    }

    fn value(&mut self, schema: &'a Schema, node: &Node) -> Option<Value> {
        let Some(left) = self.left.checked_sub(1) else {
            return self.report(Finding::new(format!("the body makes more than {MAX_VALUES} values")));
        };
        self.left = left;
        let view = self.contract.view(schema);
        match (&view, node) {
            (View::Union(variants), node) => self.branch(variants, node),
            (View::Record(record), Node::Object(members)) => self.record(record, members),
            (View::Array(items), Node::Array(nodes)) => self.items(items, nodes),
            (View::Map(values), Node::Object(members)) => self.entries(values, members),
            (View::Enum(symbols), Node::String(text)) => self.symbol(symbols, text),
            (View::Bytes, Node::String(text)) => self.bytes(text).map(Value::Bytes),
            (View::Fixed(fixed), Node::String(text)) => self.fixed(fixed, text),
            (View::Null, Node::Null) => Some(Value::Null),
            (View::Boolean, Node::Boolean(yes)) => Some(Value::Boolean(*yes)),
            (View::String, Node::String(text)) => Some(Value::String(text.clone())),
            (View::Int | View::Long | View::Float | View::Double, Node::Number(number)) => {
                self.number(&view, number)
            }
            _ => self.report(Finding::new(format!(
                "{} is asked for, and {} stands here",
                asked(&view),
                node.kind()
            ))),
        }
    }

    fn branch(&mut self, variants: &'a [Schema], node: &Node) -> Option<Value> {
        let mut tried = Vec::new();
        for (place, variant) in variants.iter().enumerate() {
            let null = matches!(self.contract.view(variant), View::Null);
            if null != matches!(node, Node::Null) {
                continue;
            }
            let mut attempt = Reading {
                pointer: self.pointer.clone(),
                left: self.left,
                of_default: self.of_default,
                ..Self::new(self.contract)
            };
            let value = attempt.value(variant, node);
            self.left = attempt.left;
            match value {
                Some(value) if attempt.findings.is_empty() => {
                    let place = u32::try_from(place).expect("a union has few branches");
                    return Some(Value::Union(place, Box::new(value)));
                }
                _ => tried.push(attempt.findings),
            }
        }
        if tried.len() == 1 {
            self.findings.extend(tried.remove(0));
        } else {
            let kinds: Vec<_> = variants.iter().map(|variant| kind(&self.contract.view(variant))).collect();
            self.note(Finding::new(format!("{} is none of {}", node.kind(), kinds.join(", "))));
        }
        None
    }

    fn record(&mut self, record: &'a RecordSchema, members: &[(String, Node)]) -> Option<Value> {
        for (place, (name, _)) in members.iter().enumerate() {
            if members[..place].iter().any(|(earlier, _)| earlier == name) {
                self.inside(name, |reading| reading.note(Finding::new("the field comes twice")));
            } else if record.fields.iter().all(|field| field.name != *name) {
                let names: Vec<_> = record.fields.iter().map(|field| field.name.as_str()).collect();
                let finding = Finding::new(format!("{} has no such field", record.name.name()))
                    .with_help(guess(name, &names));
                self.inside(name, |reading| reading.note(finding));
            }
        }
        let mut fields = Vec::with_capacity(record.fields.len());
        for field in &record.fields {
            let given = members.iter().find(|(name, _)| *name == field.name);
            let value = self.inside(&field.name, |reading| reading.field(field, given.map(|(_, node)| node)));
            fields.extend(value.map(|value| (field.name.clone(), value)));
        }
        (fields.len() == record.fields.len()).then_some(Value::Record(fields))
    }

    fn field(&mut self, field: &'a RecordField, given: Option<&Node>) -> Option<Value> {
        match (given, &field.default) {
            (Some(node), _) => self.value(&field.schema, node),
            (None, Some(default)) => {
                let around = std::mem::replace(&mut self.of_default, true);
                let value = self.value(&field.schema, &Node::from(default));
                self.of_default = around;
                value
            }
            (None, None) => self.report(Finding::new("the field is missing, and it has no default")),
        }
    }

    fn items(&mut self, items: &'a Schema, nodes: &[Node]) -> Option<Value> {
        let values: Vec<_> = (0..nodes.len())
            .filter_map(|place| {
                self.inside(&place.to_string(), |reading| reading.value(items, &nodes[place]))
            })
            .collect();
        (values.len() == nodes.len()).then_some(Value::Array(values))
    }

    fn entries(&mut self, schema: &'a Schema, members: &[(String, Node)]) -> Option<Value> {
        let mut entries = HashMap::new();
        for (key, node) in members {
            if entries.contains_key(key) {
                self.inside(key, |reading| reading.note(Finding::new("the key comes twice")));
            }
            let value = self.inside(key, |reading| reading.value(schema, node));
            entries.extend(value.map(|value| (key.clone(), value)));
        }
        (entries.len() == members.len()).then_some(Value::Map(entries))
    }

    fn symbol(&mut self, symbols: &EnumSchema, text: &str) -> Option<Value> {
        let Some(place) = symbols.symbols.iter().position(|symbol| symbol == text) else {
            let known: Vec<_> = symbols.symbols.iter().map(String::as_str).collect();
            let finding = Finding::new(format!("{text:?} is no symbol of {}", symbols.name.name()));
            return self.report(finding.with_help(guess(text, &known)));
        };
        Some(Value::Enum(u32::try_from(place).expect("an enum has few symbols"), text.to_owned()))
    }

    fn bytes(&mut self, text: &str) -> Option<Vec<u8>> {
        if self.of_default {
            let bytes: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(c).ok()).collect();
            let finding = || Finding::new("a default of bytes holds a character beyond U+00FF");
            return bytes.or_else(|| self.report(finding()));
        }
        match STANDARD.decode(text) {
            Ok(bytes) => Some(bytes),
            Err(error) => self.report(Finding::new(format!("the text is not base64: {error}"))),
        }
    }

    fn fixed(&mut self, fixed: &FixedSchema, text: &str) -> Option<Value> {
        let bytes = self.bytes(text)?;
        if bytes.len() == fixed.size {
            return Some(Value::Fixed(fixed.size, bytes));
        }
        self.report(Finding::new(format!(
            "{} bytes are asked for, and {} stand here",
            fixed.size,
            bytes.len()
        )))
    }

    fn number(&mut self, view: &View<'_>, number: &serde_json::Number) -> Option<Value> {
        let value = if matches!(view, View::Int) {
            number.as_i64().and_then(|long| i32::try_from(long).ok()).map(Value::Int)
        } else if matches!(view, View::Long) {
            number.as_i64().map(Value::Long)
        } else if matches!(view, View::Float) {
            #[expect(clippy::cast_possible_truncation, reason = "a float is asked for; the range is checked")]
            let float = number.as_f64().map(|double| double as f32);
            float.filter(|float| float.is_finite()).map(Value::Float)
        } else {
            number.as_f64().map(Value::Double)
        };
        value.or_else(|| self.report(Finding::new(format!("{number} is out of the range of {}", kind(view)))))
    }

    fn inside<T>(&mut self, step: &str, work: impl FnOnce(&mut Self) -> T) -> T {
        self.pointer.push(step.to_owned());
        let done = work(self);
        self.pointer.pop();
        done
    }

    fn note(&mut self, finding: Finding) {
        self.findings.push(self.pointer.iter().rev().fold(finding, Finding::under));
    }

    fn report<T>(&mut self, finding: Finding) -> Option<T> {
        self.note(finding);
        None
    }
}

fn asked(view: &View<'_>) -> &'static str {
    match view {
        View::Bytes | View::Fixed(_) => "base64 text",
        View::Enum(_) => "a symbol",
        View::Record(_) | View::Map(_) => "an object",
        View::Int | View::Long => "a whole number",
        View::Float | View::Double => "a number",
        View::Null | View::Boolean | View::String | View::Array(_) | View::Union(_) => kind(view),
    }
}

/// "did you mean …" where a known name is near, else the list of them.
fn guess(text: &str, known: &[&str]) -> String {
    let near = known.iter().map(|name| (distance(text, name), name)).min();
    match near {
        Some((distance, name)) if distance <= 2.max(name.len() / 3) => format!("did you mean {name}?"),
        _ if known.is_empty() => "it has no fields".to_owned(),
        _ => format!("known: {}", known.join(", ")),
    }
}

/// The number of letters to change, add or drop.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (line, from) in a.chars().take(64).enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], line + 1);
        for (column, to) in b.iter().enumerate() {
            let changed = diagonal + usize::from(from != *to);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[b.len()]
}
