//! How far a long play is: for a person who looks on, and for nobody else.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// A line on a terminal that says how far it is, a few times a second.
#[derive(Default)]
pub(crate) struct Progress {
    said: Option<Instant>,
}

impl Progress {
    /// Says that so many are done.
    pub(crate) fn tell(&mut self, done: u64, total: u64) {
        const EVERY: Duration = Duration::from_millis(200);
        let mut err = std::io::stderr();
        let (last, now) = (done == total, Instant::now());
        let soon = self.said.is_some_and(|said| now - said < EVERY);
        if !err.is_terminal() || (soon && !last) {
            return;
        }
        self.said = Some(now);
        // Where it ends, the line makes way for the result.
        let line = if last { "\r\x1b[K".to_owned() } else { format!("\r{done} of {total}") };
        // A closed standard error leaves nobody to be told.
        drop(err.write_all(line.as_bytes()).and_then(|()| err.flush()));
    }
}
