//! Dead letters as people read them.

use std::fmt::Write as _;

use pavane_bus::{DeadLetter, Settlement};
use pavane_events::Timestamp;
use serde::Serialize;
use serde_json::Value;

/// How much of a value is shown as bytes.
const SHOWN: usize = 1024;

/// A letter in a list.
#[derive(Serialize)]
pub(super) struct Line {
    pub(super) id: String,
    pub(super) reason: String,
    pub(super) event: String,
    pub(super) service: String,
    pub(super) domain: String,
    pub(super) rollout: String,
    pub(super) set_aside: String,
    pub(super) error: String,
    pub(super) settled: Option<String>,
}

/// A letter by itself.
#[derive(Serialize)]
pub(super) struct Shown {
    #[serde(flatten)]
    pub(super) line: Line,
    pub(super) by: Option<String>,
    pub(super) detail: Option<String>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) bytes: usize,
    pub(super) body: Option<Value>,
}

impl Line {
    /// A letter as it is listed.
    pub(super) fn of(letter: &DeadLetter, settled: Option<&Settlement>) -> Self {
        let text = |name: &str| letter.raw.header(name).unwrap_or_default().to_owned();
        let event = text("ce_type");
        Self {
            id: letter.id.clone(),
            reason: letter.reason.clone(),
            event: event.rsplit('.').next().unwrap_or_default().to_owned(),
            service: text("ce_pavaneservice"),
            domain: text("ce_partitionkey"),
            rollout: text("ce_correlationid"),
            set_aside: moment(letter.aside_at),
            error: letter.error.clone(),
            settled: settled.map(|settled| settled.how.clone()),
        }
    }
}

fn moment(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.0).map_or_else(|_| at.0.to_string(), |at| at.to_string())
}

pub(super) fn table(lines: &[Line], open: usize) -> String {
    let mut text = String::new();
    for line in lines {
        let what = format!("{}.{}", line.service, line.event);
        let settled = line.settled.as_deref().map(|how| format!(" ({how})")).unwrap_or_default();
        let (id, reason, at, error) = (&line.id, &line.reason, &line.set_aside, one_line(&line.error));
        // Writing to a text cannot fail.
        let _ = writeln!(text, "{id}  {at}  {reason}  {what}{settled}\n    {error}");
    }
    let _ = writeln!(text, "{open} open, {} listed", lines.len());
    text
}

pub(super) fn picture(shown: &Shown, value: &[u8]) -> String {
    let line = &shown.line;
    let mut text = format!("{}\n  set aside   {}\n  reason      {}\n", line.id, line.set_aside, line.reason);
    let _ = writeln!(text, "  error       {}", one_line(&line.error));
    if let (Some(how), Some(by), Some(detail)) = (&line.settled, &shown.by, &shown.detail) {
        let _ = writeln!(text, "  {how} by {by}: {}", one_line(detail));
    }
    text.push_str("  headers\n");
    for (name, value) in &shown.headers {
        let _ = writeln!(text, "    {}: {}", one_line(name), one_line(value));
    }
    match &shown.body {
        Some(body) => {
            let _ = writeln!(text, "  body\n{body:#}");
        }
        None => {
            let _ = write!(text, "  value, {} bytes\n{}", shown.bytes, dump(value));
        }
    }
    text
}

/// Bytes as people read them: sixteen a line, beside what of them can be printed.
fn dump(value: &[u8]) -> String {
    let mut text = String::new();
    for (row, bytes) in value[..value.len().min(SHOWN)].chunks(16).enumerate() {
        let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let print = |byte: &u8| if byte.is_ascii_graphic() { char::from(*byte) } else { '.' };
        let printed: String = bytes.iter().map(print).collect();
        let _ = writeln!(text, "    {:08x}  {:<47}  {printed}", row * 16, hex.join(" "));
    }
    if value.len() > SHOWN {
        let _ = writeln!(text, "    … {} bytes more", value.len() - SHOWN);
    }
    text
}

/// What anybody may have written, without what moves a terminal's cursor.
fn one_line(text: &str) -> String {
    text.chars().map(|sign| if sign.is_control() { ' ' } else { sign }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_beside_what_can_be_printed() {
        let shown = dump(b"garbage\x00\x1b[31mred");
        let line = "    00000000  67 61 72 62 61 67 65 00 1b 5b 33 31 6d 72 65 64  garbage..[31mred\n";
        assert_eq!(shown, line);
        assert!(dump(&[b'x'; 5_000]).ends_with("… 3976 bytes more\n"));
    }
}
