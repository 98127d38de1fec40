//! Where defects are written down while a file is read.

use std::cell::RefCell;

use super::sketch::Sketch;
use crate::diagnostic::{Code, Diagnostic, Place};

/// The most defects that are told of one file.
const MOST: usize = 100;

/// Proof that a defect has been reported; what a reader returns instead of a value that it could not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reported(());

/// The defects of one file.
#[derive(Debug)]
pub(crate) struct Book {
    file: String,
    defects: RefCell<Vec<Diagnostic>>,
    pub(super) sketches: RefCell<Vec<Sketch>>,
}

impl Book {
    pub(super) fn new(file: &str) -> Self {
        Self { file: file.to_owned(), defects: RefCell::default(), sketches: RefCell::default() }
    }

    /// Writes a defect down.
    pub(crate) fn report(
        &self,
        code: Code,
        place: Place,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Reported {
        self.defects.borrow_mut().push(Diagnostic::new(code, &self.file, place, message, help));
        Reported(())
    }

    /// Whether so many defects are written down that no further one needs a remedy: only the first are told.
    pub(super) fn is_full(&self) -> bool {
        self.defects.borrow().len() > 10 * MOST
    }

    /// Stands for a value that cannot be read because there is no text: the reader itself is being read.
    pub(super) fn no_text(&self) -> Reported {
        debug_assert!(!self.sketches.borrow().is_empty(), "only a sketch has no text");
        Reported(())
    }

    /// Gives the value only when no defect was reported.
    pub(super) fn close<T>(self, outcome: Result<T, Reported>) -> Result<T, Vec<Diagnostic>> {
        let mut defects = self.defects.into_inner();
        defects.sort_by(|a, b| (a.line, a.column, &a.code).cmp(&(b.line, b.column, &b.code)));
        // what stands in a file once and is read several times is told once
        defects.dedup();
        match outcome {
            Ok(value) if defects.is_empty() => Ok(value),
            Ok(_) | Err(Reported(())) => Err(first(defects, &self.file)),
        }
    }
}

/// The first defects; the last of them says how many are left out.
fn first(mut defects: Vec<Diagnostic>, file: &str) -> Vec<Diagnostic> {
    let left_out = defects.len().saturating_sub(MOST);
    if left_out > 0 {
        let Diagnostic { line, column, .. } = defects[MOST];
        defects.truncate(MOST);
        let message = format!("from here on {left_out} more defects are not told");
        let help = "mend those above first";
        defects.push(Diagnostic::new(Code::MoreDefects, file, Place { line, column }, message, help));
    }
    defects
}
