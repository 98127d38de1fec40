//! Avro binary, read with suspicion: every count and length is held against the bytes that are there.
//!
//! The library's reader allocates what a datum claims; this one allocates what it has seen. The schema has been
//! checked before (no recursion, flat, no items without width), so the stack is bounded too.

use std::collections::HashMap;

use apache_avro::Schema;
use apache_avro::types::Value;

use super::contract::{Contract, View};
use super::error::Finding;

/// The most values that one datum may hold, nested ones counted: 64 Ki.
pub(super) const MAX_VALUES: usize = 64 * 1024;

/// Reads one datum that fills `bytes` exactly.
pub(crate) fn read(contract: &Contract, bytes: &[u8]) -> Result<Value, Finding> {
    let mut cursor = Cursor { contract, rest: bytes, left: MAX_VALUES };
    let value = cursor.value(contract.root())?;
    match cursor.rest.len() {
        0 => Ok(value),
        more => Err(Finding::new(format!("{more} bytes follow the datum"))),
    }
}

struct Cursor<'a> {
    contract: &'a Contract,
    rest: &'a [u8],
    left: usize,
}

/// One block of an array or map: its items, and the bytes that are left after it where it names its size.
struct Block {
    count: usize,
    left: Option<usize>,
}

impl<'a> Cursor<'a> {
    fn value(&mut self, schema: &Schema) -> Result<Value, Finding> {
        let Some(left) = self.left.checked_sub(1) else {
            return Err(Finding::new(format!("the datum holds more than {MAX_VALUES} values")));
        };
        self.left = left;
        let contract = self.contract;
        match contract.view(schema) {
            View::Null => Ok(Value::Null),
            View::Boolean => match self.take(1)? {
                [0] => Ok(Value::Boolean(false)),
                [1] => Ok(Value::Boolean(true)),
                other => Err(Finding::new(format!("{other:?} is no boolean"))),
            },
            View::Int => {
                let long = self.long()?;
                let int = i32::try_from(long);
                int.map(Value::Int).map_err(|_| Finding::new(format!("{long} is no int")))
            }
            View::Long => self.long().map(Value::Long),
            View::Float => self.array().map(|bytes| Value::Float(f32::from_le_bytes(bytes))),
            View::Double => self.array().map(|bytes| Value::Double(f64::from_le_bytes(bytes))),
            View::Bytes => Ok(Value::Bytes(self.sized()?.to_vec())),
            View::String => self.string().map(Value::String),
            View::Fixed(fixed) => Ok(Value::Fixed(fixed.size, self.take(fixed.size)?.to_vec())),
            View::Enum(symbols) => {
                let (index, symbol) = self.choose(&symbols.symbols, "symbol")?;
                Ok(Value::Enum(index, symbol.clone()))
            }
            View::Union(variants) => {
                let (index, variant) = self.choose(variants, "branch")?;
                Ok(Value::Union(index, Box::new(self.value(variant)?)))
            }
            View::Array(items) => self.items(items),
            View::Map(values) => self.entries(values),
            View::Record(record) => {
                let mut fields = Vec::new();
                for field in &record.fields {
                    let value = self.value(&field.schema).map_err(|finding| finding.under(&field.name))?;
                    fields.push((field.name.clone(), value));
                }
                Ok(Value::Record(fields))
            }
        }
    }

    fn items(&mut self, items: &Schema) -> Result<Value, Finding> {
        let mut values = Vec::new();
        while let Some(block) = self.block()? {
            for _ in 0..block.count {
                let value = self.value(items);
                values.push(value.map_err(|finding| finding.under(values.len()))?);
            }
            self.end(&block)?;
        }
        Ok(Value::Array(values))
    }

    fn entries(&mut self, schema: &Schema) -> Result<Value, Finding> {
        let mut entries = HashMap::new();
        while let Some(block) = self.block()? {
            for _ in 0..block.count {
                let key = self.string()?;
                let value = self.value(schema).map_err(|finding| finding.under(&key))?;
                if entries.contains_key(&key) {
                    return Err(Finding::new("the key comes twice").under(&key));
                }
                entries.insert(key, value);
            }
            self.end(&block)?;
        }
        Ok(Value::Map(entries))
    }

    /// The head of a block; none at the end. Each item takes a byte at least, since the contract has no items
    /// without width.
    fn block(&mut self) -> Result<Option<Block>, Finding> {
        let count = self.long()?;
        if count == 0 {
            return Ok(None);
        }
        let mut left = None;
        if count < 0 {
            let size = self.long()?;
            let rest = usize::try_from(size).ok().and_then(|size| self.rest.len().checked_sub(size));
            left = Some(rest.ok_or_else(|| self.overdrawn(size))?);
        }
        match usize::try_from(count.unsigned_abs()) {
            Ok(fits) if fits <= self.rest.len() => Ok(Some(Block { count: fits, left })),
            _ => Err(self.overdrawn(count)),
        }
    }

    fn end(&self, block: &Block) -> Result<(), Finding> {
        if block.left.is_none_or(|left| left == self.rest.len()) {
            return Ok(());
        }
        Err(Finding::new("a block is not as long as it says"))
    }

    fn choose<'s, T>(&mut self, from: &'s [T], what: &str) -> Result<(u32, &'s T), Finding> {
        let index = self.long()?;
        let chosen = usize::try_from(index).ok().and_then(|index| from.get(index));
        match (u32::try_from(index), chosen) {
            (Ok(index), Some(chosen)) => Ok((index, chosen)),
            _ => Err(Finding::new(format!("there is no {what} {index}"))),
        }
    }

    fn string(&mut self) -> Result<String, Finding> {
        let bytes = self.sized()?;
        let text = std::str::from_utf8(bytes);
        text.map(str::to_owned).map_err(|_| Finding::new("the text is not UTF-8"))
    }

    fn sized(&mut self) -> Result<&'a [u8], Finding> {
        let length = self.long()?;
        match usize::try_from(length) {
            Ok(length) => self.take(length),
            Err(_) => Err(self.overdrawn(length)),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Finding> {
        let taken = self.take(N)?;
        Ok(std::array::from_fn(|place| taken[place]))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Finding> {
        let Some((taken, rest)) = self.rest.split_at_checked(length) else {
            return Err(self.overdrawn(i64::try_from(length).unwrap_or(i64::MAX)));
        };
        self.rest = rest;
        Ok(taken)
    }

    /// A zigzag varint of at most ten bytes that fits 64 bits.
    fn long(&mut self) -> Result<i64, Finding> {
        let mut bits = 0_u64;
        for shift in (0..70).step_by(7) {
            let [byte] = self.array()?;
            let part = u64::from(byte & 0x7f);
            if shift == 63 && part > 1 {
                break;
            }
            bits |= part << shift;
            if byte < 0x80 {
                return Ok((bits >> 1).cast_signed() ^ -(bits & 1).cast_signed());
            }
        }
        Err(Finding::new("a number takes more than 64 bits"))
    }

    fn overdrawn(&self, claimed: i64) -> Finding {
        Finding::new(format!("the datum claims {claimed} more and {} bytes are left", self.rest.len()))
    }
}

/// Writes a value that was made for the contract: by the strict JSON reader or by resolution.
pub(crate) fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => {}
        Value::Boolean(yes) => out.push(u8::from(*yes)),
        Value::Int(int) | Value::Date(int) | Value::TimeMillis(int) => put_long(i64::from(*int), out),
        Value::Float(float) => out.extend(float.to_le_bytes()),
        Value::Double(double) => out.extend(double.to_le_bytes()),
        Value::Bytes(bytes) => put_sized(bytes, out),
        Value::String(text) => put_sized(text.as_bytes(), out),
        Value::Fixed(_, bytes) => out.extend(bytes),
        Value::Enum(index, _) => put_long(i64::from(*index), out),
        Value::Union(index, inner) => {
            put_long(i64::from(*index), out);
            write(inner, out);
        }
        Value::Array(items) => {
            put_count(items.len(), out);
            for item in items {
                write(item, out);
            }
            put_long(0, out);
        }
        Value::Map(entries) => {
            put_count(entries.len(), out);
            for (key, entry) in entries {
                put_sized(key.as_bytes(), out);
                write(entry, out);
            }
            put_long(0, out);
        }
        Value::Record(fields) => {
            for (_, field) in fields {
                write(field, out);
            }
        }
        Value::Long(long)
        | Value::TimeMicros(long)
        | Value::TimestampMillis(long)
        | Value::TimestampMicros(long)
        | Value::TimestampNanos(long)
        | Value::LocalTimestampMillis(long)
        | Value::LocalTimestampMicros(long)
        | Value::LocalTimestampNanos(long) => put_long(*long, out),
        Value::Decimal(_) | Value::BigDecimal(_) | Value::Duration(_) | Value::Uuid(_) => {
            unreachable!("our readers make plain values, without logical dress")
        }
    }
}

fn put_count(count: usize, out: &mut Vec<u8>) {
    if count > 0 {
        put_long(i64::try_from(count).expect("a length fits 63 bits"), out);
    }
}

fn put_sized(bytes: &[u8], out: &mut Vec<u8>) {
    put_long(i64::try_from(bytes.len()).expect("a length fits 63 bits"), out);
    out.extend(bytes);
}

fn put_long(long: i64, out: &mut Vec<u8>) {
    let mut bits = (long << 1 ^ long >> 63).cast_unsigned();
    while bits >= 0x80 {
        out.push(u8::try_from(bits & 0x7f).expect("seven bits") | 0x80);
        bits >>= 7;
    }
    out.push(u8::try_from(bits).expect("seven bits"));
}
