//! The tables of the journal: what stands in which, and how rows go in and out.

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};
use serde::Serialize;

use super::Batch;
use super::row::{FORM, sealed, sum};

/// Rows by a text, by a number, or by an offset.
type Named = TableDefinition<'static, &'static str, &'static [u8]>;
type Numbered = TableDefinition<'static, u64, &'static [u8]>;
type Placed = TableDefinition<'static, i64, &'static [u8]>;

const META: TableDefinition<'_, &str, &str> = TableDefinition::new("meta");
const JOBS: Named = TableDefinition::new("jobs");
const CALLBACKS: Named = TableDefinition::new("callbacks");
const STEPS: Named = TableDefinition::new("steps");
const OUTBOX: Numbered = TableDefinition::new("outbox");
const RECEIPTS: Numbered = TableDefinition::new("receipts");
const UNSENDABLE: Named = TableDefinition::new("unsendable");
const REJECTED: Placed = TableDefinition::new("rejections");
/// Where the first form kept what [`REJECTED`] holds.
const REJECTED_FIRST: TableDefinition<'_, i64, ()> = TableDefinition::new("rejected");
const OWNER: &str = "owner";
pub(super) const POSITION: &str = "position";
const FORMED: &str = "form";
/// How many commits there were, each of which writes this row.
pub(super) const COMMITS: &str = "commits";

/// A row as it stands in the file: its key in bytes and as text, and its bytes.
pub(super) struct Raw {
    pub(super) key: Vec<u8>,
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
}

/// All that a journal holds, as it stands in the file.
#[derive(Default)]
pub(super) struct Rows {
    /// Whose it is.
    pub(super) owner: Option<String>,
    /// The form of its rows; none in a journal of the first form.
    pub(super) form: Option<String>,
    pub(super) position: Option<String>,
    pub(super) jobs: Vec<Raw>,
    pub(super) callbacks: Vec<Raw>,
    pub(super) steps: Vec<Raw>,
    pub(super) outbox: Vec<Raw>,
    pub(super) receipts: Vec<Raw>,
    pub(super) rejected: Vec<Raw>,
    /// Offsets that stand in the table of the first form.
    pub(super) rejected_first: Vec<i64>,
}

/// Reads a table from its first row to its last; one that was never written is empty.
macro_rules! read_table {
    ($read:expr, $table:expr, |$key:ident, $value:ident| $take:expr) => {
        match $read.open_table($table) {
            Ok(table) => {
                for row in table.iter()? {
                    let ($key, $value) = row?;
                    $take;
                }
            }
            Err(redb::TableError::TableDoesNotExist(_)) => {}
            Err(error) => return Err(error.into()),
        }
    };
}

/// Reads everything.
pub(super) fn read(store: &Database) -> Result<Rows, redb::Error> {
    let (read, mut rows) = (store.begin_read()?, Rows::default());
    read_table!(read, META, |key, value| {
        let value = Some(value.value().to_owned());
        match key.value() {
            OWNER => rows.owner = value,
            POSITION => rows.position = value,
            FORMED => rows.form = value,
            _ => {}
        }
    });
    let named = |key: &str, bytes: &[u8]| Raw::new(key.as_bytes(), key.to_owned(), bytes);
    let numbered = |key: u64, bytes: &[u8]| Raw::new(&key.to_be_bytes(), key.to_string(), bytes);
    let placed = |key: i64, bytes: &[u8]| Raw::new(&key.to_be_bytes(), key.to_string(), bytes);
    read_table!(read, JOBS, |key, row| rows.jobs.push(named(key.value(), row.value())));
    read_table!(read, CALLBACKS, |key, row| rows.callbacks.push(named(key.value(), row.value())));
    read_table!(read, STEPS, |key, row| rows.steps.push(named(key.value(), row.value())));
    read_table!(read, OUTBOX, |key, row| rows.outbox.push(numbered(key.value(), row.value())));
    read_table!(read, RECEIPTS, |key, row| rows.receipts.push(numbered(key.value(), row.value())));
    read_table!(read, REJECTED, |key, row| rows.rejected.push(placed(key.value(), row.value())));
    read_table!(read, REJECTED_FIRST, |key, _none| rows.rejected_first.push(key.value()));
    Ok(rows)
}

/// How many commits there were, with the checksum of that; none in a journal that an earlier program wrote.
pub(super) fn commits(store: &Database) -> Result<Option<String>, redb::Error> {
    match store.begin_read()?.open_table(META) {
        Ok(meta) => Ok(meta.get(COMMITS)?.map(|row| row.value().to_owned())),
        Err(redb::TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Notes how many commits there are with this one.
pub(super) fn count(write: &WriteTransaction, commits: u64) -> Result<(), redb::Error> {
    write.open_table(META)?.insert(COMMITS, number_text(COMMITS, &commits).as_str())?;
    Ok(())
}

/// Makes a journal an instance's, with rows of the present form.
pub(super) fn claim(write: &WriteTransaction, own: &str) -> Result<(), redb::Error> {
    let mut meta = write.open_table(META)?;
    meta.insert(OWNER, own)?;
    meta.insert(FORMED, FORM.to_string().as_str())?;
    Ok(())
}

/// Brings a journal of the first form to the present one: `batch` is all that it holds.
pub(super) fn renew(write: &WriteTransaction, batch: &Batch) -> Result<(), redb::Error> {
    put(write, batch)?;
    write.delete_table(REJECTED_FIRST)?;
    write.open_table(META)?.insert(FORMED, FORM.to_string().as_str())?;
    Ok(())
}

/// Writes a batch.
pub(super) fn put(write: &WriteTransaction, batch: &Batch) -> Result<(), redb::Error> {
    let mut jobs = write.open_table(JOBS)?;
    for job in &batch.jobs {
        let key = format!("{}/{}/{}", job.key.rollout, job.key.reaction, job.key.epoch);
        jobs.insert(key.as_str(), row("jobs", key.as_bytes(), job).as_slice())?;
    }
    let mut outbox = write.open_table(OUTBOX)?;
    for number in &batch.sent {
        outbox.remove(number)?;
    }
    for letter in &batch.said {
        let row = sealed("outbox", &letter.number.to_be_bytes(), &letter.to_bytes());
        outbox.insert(letter.number, row.as_slice())?;
    }
    if !batch.unsendable.is_empty() {
        let mut unsendable = write.open_table(UNSENDABLE)?;
        for letter in &batch.unsendable {
            let id = letter.envelope.id.as_str();
            unsendable.insert(id, sealed("unsendable", id.as_bytes(), &letter.to_bytes()).as_slice())?;
        }
    }
    let mut receipts = write.open_table(RECEIPTS)?;
    for (number, receipt) in &batch.receipts {
        receipts.insert(number, row("receipts", &number.to_be_bytes(), receipt).as_slice())?;
    }
    for number in &batch.forgotten {
        receipts.remove(number)?;
    }
    put_position(write, batch)?;
    put_notes(write, CALLBACKS, "callbacks", &batch.callbacks)?;
    put_notes(write, STEPS, "steps", &batch.steps)
}

/// What was rejected, and how far the log was read: what lies below that is never asked for again.
fn put_position(write: &WriteTransaction, batch: &Batch) -> Result<(), redb::Error> {
    if batch.rejected.is_empty() && batch.position.is_none() {
        return Ok(());
    }
    let mut rejected = write.open_table(REJECTED)?;
    for offset in &batch.rejected {
        rejected.insert(offset, sealed("rejections", &offset.to_be_bytes(), b"").as_slice())?;
    }
    if let Some(position) = batch.position {
        rejected.retain(|offset, _row| offset >= position)?;
        write.open_table(META)?.insert(POSITION, number_text(POSITION, &position).as_str())?;
    }
    Ok(())
}

/// Notes of runs; none takes a note out.
fn put_notes<T: Serialize>(
    write: &WriteTransaction,
    table: Named,
    name: &str,
    notes: &[(String, Option<T>)],
) -> Result<(), redb::Error> {
    if notes.is_empty() {
        return Ok(());
    }
    let mut table = write.open_table(table)?;
    for (run, note) in notes {
        match note {
            Some(note) => {
                table.insert(run.as_str(), row(name, run.as_bytes(), note).as_slice())?;
            }
            None => {
                table.remove(run.as_str())?;
            }
        }
    }
    Ok(())
}

/// A number of the journal as a whole with its checksum, as `5 0123456789abcdef`.
pub(super) fn number_text(key: &str, number: &impl ToString) -> String {
    let number = number.to_string();
    let sum = sum("meta", key.as_bytes(), number.as_bytes());
    format!("{number} {:016x}", u64::from_be_bytes(sum))
}

fn row(table: &str, key: &[u8], content: &impl Serialize) -> Vec<u8> {
    let content = serde_json::to_vec(content).expect("no row has a map with keys that are not text");
    sealed(table, key, &content)
}

impl Raw {
    fn new(key: &[u8], name: String, bytes: &[u8]) -> Self {
        Self { key: key.to_owned(), name, bytes: bytes.to_owned() }
    }
}
