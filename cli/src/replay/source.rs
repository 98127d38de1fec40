//! Where records come from: the log of a domain, or a file that was written from one.

use std::fs::File;
use std::io::{BufRead, BufReader, Read as _};
use std::path::Path;

use pavane_bus::{Bus, Item, Raw, Reader};
use pavane_events::{Domain, Entry};

use super::line::{self, FORMAT, Head};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::{fold, outage};

/// The longest line of a file, in bytes: a record of 1 MiB, its bytes in base64 and what was read of them.
const LONGEST: u64 = 8 * 1024 * 1024;

/// Records in the order of the log.
pub struct Records {
    head: Head,
    from: From,
    with_bytes: bool,
    read: u64,
    total: u64,
    last: i64,
}

enum From {
    Log(Box<Reader>),
    File { name: String, lines: BufReader<File>, number: usize },
}

impl Records {
    /// The records of a domain's log, to the end that it has at this moment.
    pub async fn of_log(bus: &Bus, domain: &Domain) -> Result<Self, Failure> {
        let reader = fold::reader(bus, domain).await.map_err(outage::of)?;
        let (low, high) = reader.bounds().await.map_err(outage::of)?;
        let (format, domain, partition) = (FORMAT.to_owned(), domain.clone(), reader.partition());
        let head = Head { format, domain, partition, begins: low };
        let total = u64::try_from(high - low).unwrap_or(0);
        Ok(Self { head, from: From::Log(Box::new(reader)), with_bytes: true, read: 0, total, last: -1 })
    }

    /// The records of a file.
    pub fn of_file(path: &Path) -> Result<Self, Failure> {
        let name = path.display().to_string();
        let unread = |error| Failure::new(Exit::Invalid, format!("cannot read {name}")).because(error);
        let file = File::open(path).map_err(unread)?;
        let total = file.metadata().map_or(0, |data| data.len());
        let mut lines = BufReader::new(file);
        let first = next_line(&mut lines).map_err(unread)?.unwrap_or_default();
        let head: Head = serde_json::from_str(&first).map_err(|error| {
            Failure::new(Exit::Invalid, format!("{name} is not a log: its first line is no head"))
                .because(error)
                .help("write one with `pavane replay --export FILE`")
        })?;
        if head.format != FORMAT {
            let what = format!("{name} is written as {}, and this program reads {FORMAT}", head.format);
            return Err(Failure::new(Exit::Invalid, what));
        }
        let read = first.len() as u64 + 1;
        let from = From::File { name, lines, number: 1 };
        Ok(Self { head, from, with_bytes: false, read, total, last: -1 })
    }

    /// Gives the bytes of a file's records too, where it holds them; a log always gives them.
    #[must_use]
    pub fn with_bytes(self) -> Self {
        Self { with_bytes: true, ..self }
    }

    /// How the records are named to a reader: the file, or the topic with its partition.
    pub fn name(&self, topic: &str) -> String {
        match &self.from {
            From::Log(_) => format!("{topic}/{}", self.head.partition),
            From::File { name, .. } => name.clone(),
        }
    }

    /// The line of the file that was read last, from 1; 1 for a log.
    pub fn line(&self) -> u32 {
        match &self.from {
            From::Log(_) => 1,
            From::File { number, .. } => u32::try_from(*number).unwrap_or(u32::MAX),
        }
    }

    /// Whose records they are, and where they begin.
    pub const fn head(&self) -> &Head {
        &self.head
    }

    /// How much of how much was read: records of a log, bytes of a file.
    pub const fn progress(&self) -> (u64, u64) {
        (self.read, self.total)
    }

    /// The next record, and its bytes where they are at hand; none at the end.
    pub async fn next(&mut self) -> Result<Option<(Entry, Option<Raw>)>, Failure> {
        match &mut self.from {
            From::Log(reader) => match reader.next().await.map_err(outage::of)? {
                Item::CaughtUp { .. } => Ok(None),
                Item::Entry { entry, raw } => {
                    self.read = u64::try_from(entry.offset() + 1 - self.head.begins).unwrap_or(0);
                    Ok(Some((entry, Some(raw))))
                }
            },
            From::File { name, lines, number } => {
                if number.is_multiple_of(256) {
                    // whoever waits for Ctrl-C gets its turn
                    tokio::task::yield_now().await;
                }
                *number += 1;
                let place = |why: String| Failure::new(Exit::Invalid, format!("{name}:{number}: {why}"));
                let text = next_line(lines).map_err(|error| place(error.to_string()))?;
                let Some(text) = text else { return Ok(None) };
                self.read += text.len() as u64 + 1;
                let entry = line::read(&text, &self.head.domain).map_err(place)?;
                if entry.offset() <= self.last {
                    let why = format!("offset {} stands behind {}", entry.offset(), self.last);
                    return Err(place(why));
                }
                self.last = entry.offset();
                let bytes = if self.with_bytes {
                    line::raw(&text, name, self.head.partition).map_err(place)?
                } else {
                    None
                };
                Ok(Some((entry, bytes)))
            }
        }
    }
}

/// The next line without its end; none where the file ends.
fn next_line(lines: &mut BufReader<File>) -> std::io::Result<Option<String>> {
    let invalid = |why: &str| std::io::Error::new(std::io::ErrorKind::InvalidData, why);
    let mut bytes = Vec::new();
    lines.by_ref().take(LONGEST + 1).read_until(b'\n', &mut bytes)?;
    if bytes.is_empty() {
        return Ok(None);
    }
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
    } else if bytes.len() as u64 > LONGEST {
        return Err(invalid("a line is longer than 8 MiB"));
    }
    String::from_utf8(bytes).map(Some).map_err(|_| invalid("a line is not UTF-8"))
}
