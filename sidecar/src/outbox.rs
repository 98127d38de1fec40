//! Brings what was said to the broker: first in, first out, each until the broker has it.

use std::sync::Arc;
use std::time::Duration;

use pavane_bus::{Error as BusError, Writer};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

use crate::error::Error;
use crate::letter::{Content, Letter};
use crate::line::{Answer, Posted};
use crate::shared::Shared;
use crate::telemetry;

/// How long to wait before a letter is sent again; doubled up to the longest.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// What became of a letter.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) number: u64,
    pub(crate) boot: Option<String>,
    pub(crate) sequence: Option<i64>,
    /// Whether it is on the log; if not, it can never be written.
    pub(crate) appended: bool,
}

/// Sends letters until there are no more to come, and answers who waits for one. Fails when the producer has failed
/// for good.
pub(crate) async fn send(
    writer: Writer,
    mut letters: UnboundedReceiver<Posted>,
    sent: UnboundedSender<Sent>,
    shared: Arc<Shared>,
) -> Result<(), Error> {
    while let Some(Posted { letter, answer }) = letters.recv().await {
        let result = bring(&writer, &letter, &shared).await?;
        if let Some(answer) = answer {
            // Who asked may have gone away; the event stands all the same.
            drop(answer.send(result.clone()));
        }
        let (event, id) = (letter.event().as_str(), &letter.envelope.id);
        match &result {
            Ok(appended) => telemetry::said(event, id, appended.offset),
            Err(error) => telemetry::refused(event, id, error),
        }
        let (boot, sequence) = (letter.envelope.boot, letter.envelope.sequence);
        let report = Sent { number: letter.number, boot, sequence, appended: result.is_ok() };
        sent.send(report).map_err(|_| Error::Ended("its main loop"))?;
    }
    Ok(())
}

/// Tries until the broker has the letter, or until it is plain that it never will.
async fn bring(writer: &Writer, letter: &Letter, shared: &Shared) -> Result<Answer, Error> {
    let mut wait = FIRST_WAIT;
    loop {
        let outcome = match &letter.content {
            Content::Own(body) => {
                let event = pavane_events::Event { envelope: letter.envelope.clone(), body: body.clone() };
                writer.append(&event).await
            }
            Content::Given { event, encoded } => {
                let value = encoded.value.clone();
                writer.append_encoded(&letter.envelope, *event, value, &encoded.dataschema).await
            }
        };
        let error = match outcome {
            Ok(appended) => {
                shared.set_blocked(false);
                return Ok(Ok(appended));
            }
            Err(error @ (BusError::ProducerDead { .. } | BusError::Stopped { .. })) => {
                return Err(error.into());
            }
            Err(error) if error.is_transient() => error,
            Err(error) => return Ok(Err(error.to_string())),
        };
        shared.set_blocked(true);
        telemetry::trouble("say", &error, wait);
        tokio::time::sleep(wait).await;
        wait = (2 * wait).min(LONGEST_WAIT);
    }
}
