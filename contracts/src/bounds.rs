//! What makes a schema dangerous to read by: a few bytes could ask for much memory, or for a deep stack.

use std::collections::BTreeMap;

use crate::parse::{MAX_BYTES, defect};
use crate::schema::{Defect, Schema, Shape, Slot};

/// How deep a schema may nest.
pub const MAX_DEPTH: usize = 16;
/// The largest fixed, in bytes: what a service may say at all.
pub const MAX_FIXED: u64 = 64 * 1024;
/// The longest text of a schema, in bytes.
pub const MAX_TEXT: usize = MAX_BYTES;

/// Everything for which a reader would refuse the schema.
pub fn check(schema: &Schema) -> Vec<Defect> {
    let mut walk = Walk { schema, done: BTreeMap::new(), open: Vec::new(), found: Vec::new() };
    if !schema.is_record() {
        let message = "an event is a record, and this is none";
        walk.refuse(&schema.root, message, "make a record with one field of it");
    }
    walk.extent(&schema.root, 1);
    walk.found
}

/// How deep a type is, and whether its values take no bytes.
#[derive(Clone, Copy)]
struct Extent {
    depth: usize,
    empty: bool,
}

struct Walk<'a> {
    schema: &'a Schema,
    done: BTreeMap<usize, Extent>,
    open: Vec<usize>,
    found: Vec<Defect>,
}

impl<'a> Walk<'a> {
    /// Each type is walked once, so that a schema of many references costs no more than its text.
    fn extent(&mut self, slot: &'a Slot, level: usize) -> Extent {
        let leaf = |empty| Extent { depth: 1, empty };
        if let Some(extent) = self.done.get(&slot.of) {
            let extent = *extent;
            self.depth(slot, level, extent.depth);
            return extent;
        }
        if self.open.contains(&slot.of) {
            let message = format!("{} contains itself", self.schema.told(slot.of));
            self.refuse(slot, message, "events are flat: take the recursion out, or name the parts by ids");
            return leaf(false);
        }
        self.open.push(slot.of);
        let schema = self.schema;
        let extent = match &schema.types[slot.of].shape {
            Shape::Primitive(primitive) => leaf(*primitive == crate::schema::Primitive::Null),
            Shape::Enum(_) | Shape::Open => leaf(false),
            Shape::Fixed(fixed) => {
                if fixed.size > MAX_FIXED {
                    let message =
                        format!("a value takes {} bytes, and an event holds {MAX_FIXED}", fixed.size);
                    self.refuse(slot, message, "keep large data elsewhere, and name where");
                }
                leaf(fixed.size == 0)
            }
            Shape::Array(items) => {
                let inner = self.extent(items, level + 1);
                if inner.empty {
                    let message =
                        "an array's items take no bytes: a few bytes could claim any number of them";
                    self.refuse(items, message, "give the items a type with content");
                }
                Extent { depth: inner.depth + 1, empty: false }
            }
            Shape::Map(values) => Extent { depth: self.extent(values, level + 1).depth + 1, empty: false },
            Shape::Union(branches) => {
                let depth = branches.iter().map(|branch| self.extent(branch, level + 1).depth).max();
                Extent { depth: depth.unwrap_or(0) + 1, empty: false }
            }
            Shape::Record(record) => {
                let (mut depth, mut empty) = (0, true);
                for field in &record.fields {
                    let inner = self.extent(&field.slot, level + 1);
                    depth = depth.max(inner.depth);
                    empty &= inner.empty;
                }
                Extent { depth: depth + 1, empty }
            }
        };
        self.open.pop();
        self.done.insert(slot.of, extent);
        self.depth(slot, level, 1);
        extent
    }

    fn depth(&mut self, slot: &Slot, level: usize, below: usize) {
        if level + below - 1 == MAX_DEPTH + 1 || (below > 1 && level + below - 1 > MAX_DEPTH) {
            self.refuse(slot, format!("it nests deeper than {MAX_DEPTH} levels"), "flatten it");
        }
    }

    fn refuse(&mut self, slot: &Slot, message: impl Into<String>, help: &str) {
        self.found.push(defect(&self.schema.text, slot.at, &slot.pointer, message, help));
    }
}
