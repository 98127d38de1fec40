//! What a journal's rows say, each held against its checksum; the first that is damaged is named.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use pavane_sidecar_engine::{Job, Memory};
use serde::de::DeserializeOwned;

use super::row::{FORM, opened};
use super::tables::{COMMITS, POSITION, Raw, Rows, number_text};
use super::{Batch, Recalled};
use crate::letter::Letter;

/// A row that cannot be believed.
pub(super) struct Damage {
    pub(super) table: &'static str,
    pub(super) key: String,
    pub(super) why: String,
}

/// What the rows say.
pub(super) fn recalled(rows: &Rows) -> Result<Recalled, Damage> {
    let first = match rows.form.as_deref() {
        None => rows.owner.is_some(),
        Some(form) if form == FORM.to_string() => false,
        Some(form) => {
            let why = format!("it is {form:?}, and this program knows up to {FORM}; start a newer one");
            return Err(Damage { table: "meta", key: "form".to_owned(), why });
        }
    };
    let mut jobs = BTreeMap::new();
    for raw in &rows.jobs {
        let job: Job = read("jobs", raw, first)?;
        jobs.insert(job.key.clone(), job);
    }
    let mut outbox = Vec::new();
    for raw in &rows.outbox {
        let number = number(raw);
        let content = content("outbox", raw, first)?;
        outbox.push(Letter::from_bytes(number, content).map_err(|why| damage("outbox", raw, &why))?);
    }
    let mut receipts = Vec::new();
    for raw in &rows.receipts {
        receipts.push((number(raw), read("receipts", raw, first)?));
    }
    let mut rejected: BTreeSet<i64> = rows.rejected_first.iter().copied().collect();
    for raw in &rows.rejected {
        content("rejections", raw, first)?;
        rejected.insert(number(raw).cast_signed());
    }
    Ok(Recalled {
        memory: Memory { jobs, rejected, ..Memory::default() },
        outbox,
        receipts,
        position: rows.position.as_deref().map(|text| position(text, first)).transpose()?,
        callbacks: notes("callbacks", &rows.callbacks, first)?,
        steps: notes("steps", &rows.steps, first)?,
    })
}

/// All that was recalled, to be written anew.
pub(super) fn whole(recalled: &Recalled) -> Batch {
    Batch {
        jobs: recalled.memory.jobs.values().cloned().collect(),
        rejected: recalled.memory.rejected.iter().copied().collect(),
        said: recalled.outbox.clone(),
        receipts: recalled.receipts.clone(),
        position: recalled.position,
        ..Batch::default()
    }
}

fn notes<T: DeserializeOwned>(
    table: &'static str,
    rows: &[Raw],
    first: bool,
) -> Result<BTreeMap<String, T>, Damage> {
    rows.iter().map(|raw| Ok((raw.name.clone(), read(table, raw, first)?))).collect()
}

fn read<T: DeserializeOwned>(table: &'static str, raw: &Raw, first: bool) -> Result<T, Damage> {
    let content = content(table, raw, first)?;
    serde_json::from_slice(content).map_err(|error| damage(table, raw, &error))
}

fn content<'a>(table: &'static str, raw: &'a Raw, first: bool) -> Result<&'a [u8], Damage> {
    opened(table, &raw.key, &raw.bytes, first).map_err(|why| damage(table, raw, &why))
}

/// A number of commits.
pub(super) fn counted(text: &str) -> Result<u64, Damage> {
    checked(COMMITS, text)
}

fn position(text: &str, first: bool) -> Result<i64, Damage> {
    match text.parse() {
        Ok(position) if first => Ok(position),
        Ok(_) | Err(_) => checked(POSITION, text),
    }
}

fn checked<T: FromStr + Copy + ToString>(key: &str, text: &str) -> Result<T, Damage> {
    let number = text.split(' ').next().and_then(|number| number.parse().ok());
    let why = || format!("{text:?} does not fit its checksum");
    number.filter(|number: &T| text == number_text(key, number)).ok_or_else(|| Damage {
        table: "meta",
        key: key.to_owned(),
        why: why(),
    })
}

fn number(raw: &Raw) -> u64 {
    let bytes = raw.key.as_slice().try_into().expect("a number has eight bytes");
    u64::from_be_bytes(bytes)
}

fn damage(table: &'static str, raw: &Raw, why: &impl ToString) -> Damage {
    Damage { table, key: raw.name.clone(), why: why.to_string() }
}
