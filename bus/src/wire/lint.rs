//! What makes a schema dangerous to read by: recursion, depth, items that take no bytes.

use std::collections::BTreeMap;

use apache_avro::Schema;
use apache_avro::schema::RecordSchema;

use super::contract::{Contract, MAX_DEPTH, View};
use super::error::SchemaRefused;

/// Refuses a schema that a few bytes could turn into much memory or a deep stack.
pub(super) fn check(contract: &Contract) -> Result<(), SchemaRefused> {
    Lint { contract, done: BTreeMap::new(), open: Vec::new() }.check(contract.root()).map(drop)
}

/// Depth and width of a type.
#[derive(Clone, Copy)]
struct Extent {
    depth: usize,
    zero_width: bool,
}

/// Walks each named type once, so that a schema of many references costs no more than its text.
struct Lint<'a> {
    contract: &'a Contract,
    done: BTreeMap<String, Extent>,
    open: Vec<String>,
}

impl Lint<'_> {
    fn check(&mut self, schema: &Schema) -> Result<Extent, SchemaRefused> {
        let leaf = |zero_width| Ok(Extent { depth: 1, zero_width });
        let contract = self.contract;
        match contract.view(schema) {
            View::Null => leaf(true),
            View::Fixed(fixed) => leaf(fixed.size == 0),
            View::Array(items) | View::Map(items) => {
                let inner = self.check(items)?;
                if inner.zero_width && matches!(schema, Schema::Array(_)) {
                    return Err(SchemaRefused::ZeroWidthItems);
                }
                deeper(inner.depth, false)
            }
            View::Union(variants) => {
                let mut depth = 0;
                for variant in variants {
                    depth = depth.max(self.check(variant)?.depth);
                }
                deeper(depth, false)
            }
            View::Record(record) => self.check_record(record),
            View::Boolean
            | View::Int
            | View::Long
            | View::Float
            | View::Double
            | View::Bytes
            | View::String
            | View::Enum(_) => leaf(false),
        }
    }

    fn check_record(&mut self, record: &RecordSchema) -> Result<Extent, SchemaRefused> {
        let name = record.name.to_string();
        if let Some(extent) = self.done.get(&name) {
            return Ok(*extent);
        }
        if self.open.contains(&name) {
            return Err(SchemaRefused::Recursive { name });
        }
        self.open.push(name.clone());
        let (mut depth, mut zero_width) = (0, true);
        for field in &record.fields {
            let inner = self.check(&field.schema)?;
            depth = depth.max(inner.depth);
            zero_width &= inner.zero_width;
        }
        self.open.pop();
        let extent = deeper(depth, zero_width)?;
        self.done.insert(name, extent);
        Ok(extent)
    }
}

fn deeper(depth: usize, zero_width: bool) -> Result<Extent, SchemaRefused> {
    if depth >= MAX_DEPTH {
        return Err(SchemaRefused::TooDeep { limit: MAX_DEPTH });
    }
    Ok(Extent { depth: depth + 1, zero_width })
}
