//! Who writes down what is known of a run, before anything follows from it.

use std::fmt;
use std::sync::Arc;

use crate::journal::Batch;
use crate::outbox::Outbox;

/// Writes notes into the journal; clones are the same.
#[derive(Clone)]
pub(crate) struct Keeper(Arc<dyn Fn(Batch) -> Result<(), String> + Send + Sync>);

impl Keeper {
    /// Whoever writes by the outbox's pen.
    pub(crate) fn of(outbox: &Arc<Outbox>) -> Self {
        let outbox = Arc::downgrade(outbox);
        Self(Arc::new(move |batch| match outbox.upgrade() {
            Some(outbox) => outbox.note(batch),
            None => Err("the sidecar has ended".to_owned()),
        }))
    }

    /// Writes a note: durable when this returns. It blocks for as long as the disk takes.
    pub(super) async fn keep(&self, batch: Batch) -> Result<(), String> {
        let keep = self.0.clone();
        let kept = tokio::task::spawn_blocking(move || keep(batch)).await;
        kept.unwrap_or_else(|error| Err(error.to_string()))
    }

    /// One that keeps what it is told elsewhere.
    #[cfg(test)]
    pub(super) fn by(keep: impl Fn(Batch) -> Result<(), String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(keep))
    }
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keeper")
    }
}
