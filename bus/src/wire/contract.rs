//! A schema that is fit to read and write by: parsed, flat enough, without recursion, known by its fingerprint.
//!
//! The checks come before any datum is looked at: with such schemas a few bytes cannot ask for much memory or
//! for a deep stack, whoever registered them.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use apache_avro::Schema;
use apache_avro::schema::{EnumSchema, FixedSchema, InnerDecimalSchema, RecordSchema, UuidSchema};
use pavane_events::identity::sha256_hex;

use super::error::{Finding, SchemaRefused};
use super::{canonical, catalog, compat, json, lint};

/// The longest text of a schema, in bytes.
pub const MAX_SCHEMA: usize = 256 * 1024;
/// How deep a schema may nest.
pub const MAX_DEPTH: usize = 16;
/// What `ce_dataschema` begins with.
pub const URN: &str = "urn:pavane:schema:sha256:";

/// A schema that is fit to read and write by.
#[derive(Debug)]
pub struct Contract {
    schema: Schema,
    shape: pavane_contracts::Schema,
    pub(super) named: BTreeMap<String, Schema>,
    fingerprint: String,
    readable: OnceLock<Result<(), Finding>>,
}

/// A schema without its logical dress and with its references followed.
pub(crate) enum View<'a> {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    String,
    Fixed(&'a FixedSchema),
    Enum(&'a EnumSchema),
    Array(&'a Schema),
    Map(&'a Schema),
    Union(&'a [Schema]),
    Record(&'a RecordSchema),
}

impl Contract {
    /// Parses a schema and refuses what could hurt a reader: recursion, depth, items without width, size.
    pub fn parse(text: &str) -> Result<Self, SchemaRefused> {
        if text.len() > MAX_SCHEMA {
            return Err(SchemaRefused::TooLarge { bytes: text.len(), limit: MAX_SCHEMA });
        }
        if brackets(text) > 4 * MAX_DEPTH {
            return Err(SchemaRefused::TooDeep { limit: MAX_DEPTH });
        }
        let schema = Schema::parse_str(text).map_err(|error| SchemaRefused::Invalid(Box::new(error)))?;
        let mut named = BTreeMap::new();
        name_types(&schema, &mut named);
        let shape =
            pavane_contracts::Schema::parse(text).map_err(|defects| SchemaRefused::Defective { defects })?;
        let mut contract =
            Self { schema, shape, named, fingerprint: String::new(), readable: OnceLock::new() };
        let View::Record(_) = contract.root_view() else { return Err(SchemaRefused::NotARecord) };
        lint::check(&contract)?;
        contract.fingerprint = sha256_hex(&canonical::form(&contract));
        Ok(contract)
    }

    /// Parses a schema that somebody registered, to read by alone: without its defaults, which only a reader's own
    /// schema needs, and which the parser follows through every reference, however many there are.
    pub fn parse_to_read(text: &str) -> Result<Self, SchemaRefused> {
        if text.len() > MAX_SCHEMA || brackets(text) > 4 * MAX_DEPTH {
            return Self::parse(text);
        }
        match serde_json::from_str(text) {
            Ok(mut schema) => {
                strip_defaults(&mut schema);
                Self::parse(&schema.to_string())
            }
            Err(_) => Self::parse(text),
        }
    }

    /// The full name of the record; the subject in the registry.
    pub fn full_name(&self) -> String {
        self.record().name.to_string()
    }

    /// The name of the record without its namespace; the event that it is a form of.
    pub fn name(&self) -> &str {
        self.record().name.name()
    }

    /// SHA-256 of the parsing canonical form, in hexadecimal.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The value of `ce_dataschema`.
    pub fn dataschema(&self) -> String {
        format!("{URN}{}", self.fingerprint)
    }

    /// Whether our own reader schema of the record's event can read what this one writes; the first difference
    /// if not. A record of no event of ours cannot be read.
    pub fn readable(&self) -> Result<(), Finding> {
        self.readable
            .get_or_init(|| {
                let Some(reader) = catalog::named(self.name()) else {
                    return Err(Finding::new(format!("{} is no event of ours", self.full_name())));
                };
                compat::can_read(self, reader).into_iter().next().map_or(Ok(()), Err)
            })
            .clone()
    }

    /// Every field of the record whose default does not fit: for a union, its first branch. Records can be read by
    /// such a schema, yet registries and other languages refuse it.
    pub fn misfit_defaults(&self) -> Vec<Finding> {
        json::misfit_defaults(self)
    }

    /// The schema as it is compared with others.
    pub const fn shape(&self) -> &pavane_contracts::Schema {
        &self.shape
    }

    pub(crate) const fn root(&self) -> &Schema {
        &self.schema
    }

    pub(crate) fn record(&self) -> &RecordSchema {
        let View::Record(record) = self.root_view() else {
            unreachable!("parse refuses what is not a record")
        };
        record
    }

    fn root_view(&self) -> View<'_> {
        self.view(&self.schema)
    }

    /// What a schema of this contract is when logical types and references are taken away.
    pub(crate) fn view<'a>(&'a self, schema: &'a Schema) -> View<'a> {
        match schema {
            Schema::Null => View::Null,
            Schema::Boolean => View::Boolean,
            Schema::Int | Schema::Date | Schema::TimeMillis => View::Int,
            Schema::Long
            | Schema::TimeMicros
            | Schema::TimestampMillis
            | Schema::TimestampMicros
            | Schema::TimestampNanos
            | Schema::LocalTimestampMillis
            | Schema::LocalTimestampMicros
            | Schema::LocalTimestampNanos => View::Long,
            Schema::Float => View::Float,
            Schema::Double => View::Double,
            Schema::Bytes | Schema::BigDecimal | Schema::Uuid(UuidSchema::Bytes) => View::Bytes,
            Schema::String | Schema::Uuid(UuidSchema::String) => View::String,
            Schema::Fixed(fixed) | Schema::Duration(fixed) | Schema::Uuid(UuidSchema::Fixed(fixed)) => {
                View::Fixed(fixed)
            }
            Schema::Decimal(decimal) => match &decimal.inner {
                InnerDecimalSchema::Bytes => View::Bytes,
                InnerDecimalSchema::Fixed(fixed) => View::Fixed(fixed),
            },
            Schema::Enum(symbols) => View::Enum(symbols),
            Schema::Array(array) => View::Array(&array.items),
            Schema::Map(map) => View::Map(&map.types),
            Schema::Union(union) => View::Union(union.variants()),
            Schema::Record(record) => View::Record(record),
            Schema::Ref { name } => {
                let named = self.named.get(name.as_ref() as &str);
                self.view(named.expect("parse refuses a reference to nothing"))
            }
        }
    }
}

fn strip_defaults(schema: &mut serde_json::Value) {
    if let Some(members) = schema.as_object_mut() {
        members.shift_remove("default");
        members.values_mut().for_each(strip_defaults);
    } else if let Some(items) = schema.as_array_mut() {
        items.iter_mut().for_each(strip_defaults);
    }
}

/// How deep the brackets of a JSON text nest, those in strings left out; needs no stack itself.
fn brackets(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut quoted, mut escaped) = (false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => depth += 1,
            b'}' | b']' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// Gathers every named type under its full name.
fn name_types(schema: &Schema, named: &mut BTreeMap<String, Schema>) {
    if matches!(schema, Schema::Ref { .. }) {
        return;
    }
    if let Some(name) = schema.name() {
        named.insert(name.to_string(), schema.clone());
    }
    if let Schema::Record(record) = schema {
        record.fields.iter().for_each(|field| name_types(&field.schema, named));
    }
    if let Schema::Array(array) = schema {
        name_types(&array.items, named);
    }
    if let Schema::Map(map) = schema {
        name_types(&map.types, named);
    }
    if let Schema::Union(union) = schema {
        union.variants().iter().for_each(|variant| name_types(variant, named));
    }
}
