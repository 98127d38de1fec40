//! A file as an editor sees it: YAML's own idea of what is a number and what a text.

use serde_json::{Map, Value};

use super::item::Item;
use super::tree::{Node, Value as Tree};

impl Item<'_> {
    /// The value as JSON, by the core schema of YAML 1.2: what stands without quotes and reads like a number, a truth or
    /// nothing is one. Readers do not use it; it is what a JSON Schema is held against.
    pub fn json(&self) -> Value {
        json(self.node)
    }
}

fn json(node: &Node) -> Value {
    match &node.value {
        Tree::Scalar { text, plain: true } => plain(text),
        Tree::Scalar { text, plain: false } => Value::String(text.clone()),
        Tree::List(nodes) => Value::Array(nodes.iter().map(json).collect()),
        Tree::Map(entries) => Value::Object(
            entries.iter().map(|entry| (entry.key.clone(), json(&entry.node))).collect::<Map<_, _>>(),
        ),
        Tree::Broken(_) => Value::Null,
    }
}

fn plain(text: &str) -> Value {
    let number = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ => {
            let whole = text.parse::<i64>().ok().map(Value::from);
            let part = || text.parse::<f64>().ok().filter(|_| number(text)).map(Value::from);
            whole.or_else(part).unwrap_or_else(|| Value::String(text.to_owned()))
        }
    }
}
