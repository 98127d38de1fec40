//! A row of the journal: what it says, under a checksum of its own.
//!
//! `2`, then the first 8 bytes of the SHA-256 of table, key and content, then the content. The sum covers the place too, so
//! that a row that was moved is no row. Journals of the first form hold the content alone, which is JSON.

use sha2::{Digest as _, Sha256};

/// The form of rows that this program writes.
pub(super) const FORM: u8 = 2;
/// How many bytes of the checksum are kept.
const SUM: usize = 8;

/// The row for a content.
pub(super) fn sealed(table: &str, key: &[u8], content: &[u8]) -> Vec<u8> {
    let mut row = Vec::with_capacity(1 + SUM + content.len());
    row.push(FORM);
    row.extend_from_slice(&sum(table, key, content));
    row.extend_from_slice(content);
    row
}

/// The content of a row, or why it has none. `first`: whether the journal may hold rows of the first form.
pub(super) fn opened<'a>(table: &str, key: &[u8], row: &'a [u8], first: bool) -> Result<&'a [u8], String> {
    if first && row.first() == Some(&b'{') {
        return Ok(row);
    }
    match row.first() {
        Some(&FORM) if row.len() > SUM => {
            let (head, content) = row.split_at(1 + SUM);
            if head[1..] == sum(table, key, content) {
                Ok(content)
            } else {
                Err(format!("the checksum of its {} bytes does not fit", row.len()))
            }
        }
        Some(form) if *form > FORM && *form < b' ' => Err(format!(
            "it is of form {form}, which a newer program writes, and this one knows up to {FORM}"
        )),
        Some(_) | None => Err(format!("its {} bytes have no form", row.len())),
    }
}

/// The checksum of a content in its place.
pub(super) fn sum(table: &str, key: &[u8], content: &[u8]) -> [u8; SUM] {
    let mut hash = Sha256::new();
    for part in [table.as_bytes(), key] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.update(content);
    let mut sum = [0; SUM];
    sum.copy_from_slice(&hash.finalize()[..SUM]);
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_which_any_bit_is_another_or_that_is_torn_or_moved_is_no_row() {
        let row = sealed("jobs", b"k", b"{\"a\":1}");
        assert_eq!(opened("jobs", b"k", &row, true), Ok(&b"{\"a\":1}"[..]));
        for (table, key) in [("outbox", &b"k"[..]), ("jobs", b"l"), ("job", b"sk")] {
            assert!(opened(table, key, &row, true).is_err());
        }
        for bit in 0..row.len() * 8 {
            let mut flipped = row.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(opened("jobs", b"k", &flipped, true).is_err(), "bit {bit}");
        }
        for length in 0..row.len() {
            assert!(opened("jobs", b"k", &row[..length], true).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn a_row_of_the_first_form_counts_in_a_journal_of_that_form_alone() {
        assert!(opened("jobs", b"k", b"{}", true).is_ok());
        assert!(opened("jobs", b"k", b"{}", false).is_err());
        assert!(opened("jobs", b"k", &[3; 20], true).unwrap_err().contains("a newer program"));
    }
}
