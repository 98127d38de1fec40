//! Appends what the engine has decided, in order, beside the loop: an append that hangs never stops reading.

use std::time::Duration;

use pavane_bus::Error;
use pavane_events::{Domain, Envelope, Event, EventId, identity};
use pavane_sentinel_engine::{BlindCause, Draft};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span};

use crate::connection::{Connection, Patience};
use crate::eye::blind_cause;
use crate::happening::Happening;
use crate::telemetry::{LogLies, Stale};

/// How many events may wait for the broker.
pub(crate) const QUEUE: usize = 256;

/// How long an event may have waited and still be worth appending: the engine says again what is owed.
const STALE: Duration = Duration::from_secs(4);

/// An event to append.
pub(crate) struct Order {
    pub(crate) event: Event,
    /// The span of the decision.
    pub(crate) span: Span,
    pub(crate) since: Instant,
    /// The offset of what was read last when it was ordered: nothing that is appended since stands below it.
    pub(crate) read: i64,
}

/// Appends one after the other until nobody orders any more; ends with an error when only a new process can
/// go on.
pub(crate) async fn write(
    connection: Connection,
    domain: Domain,
    mut orders: mpsc::Receiver<Order>,
    back: mpsc::WeakSender<Happening>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    if stop.run_until_cancelled(connection.bus()).await.is_none() {
        return Ok(());
    }
    let mut patience = Patience::new("append to the log");
    while let Some(Order { event, span, since, read }) = orders.recv().await {
        if since.elapsed() > STALE {
            Stale { domain: &domain, event: event.body.event_type().as_str() }.emit();
            continue;
        }
        let append = async { connection.writer().await?.append(&event).await };
        match append.instrument(span).await {
            Ok(appended) => {
                patience.reset();
                if appended.offset <= read {
                    let what = format!(
                        "a record was appended at offset {}, and {read} was read before",
                        appended.offset
                    );
                    let cause = BlindCause::LogRewound;
                    LogLies { domain: &domain, cause, what: &what }.emit();
                    tell(&back, cause).await;
                }
            }
            Err(error @ Error::ProducerDead { .. }) => return Err(error.into()),
            Err(error) => {
                tell(&back, blind_cause(&error)).await;
                patience.wait(&error).await;
            }
        }
    }
    Ok(())
}

async fn tell(back: &mpsc::WeakSender<Happening>, cause: BlindCause) {
    if let Some(back) = back.upgrade() {
        // The loop ends only with the process, which takes this task along.
        let _ended = back.send(Happening::Lost(cause)).await;
    }
}

/// The event of a draft: its source is the domain's sentinel, whichever replica says it.
pub(crate) fn event(draft: Draft, domain: &Domain, replica: &str) -> Event {
    let random = || EventId::new(uuid::Uuid::now_v7().to_string()).expect("a UUID is a name");
    let id = draft.id.unwrap_or_else(random);
    let mut envelope = Envelope::new(domain.clone(), identity::sentinel_source(domain), id);
    envelope.time = Some(jiff::Timestamp::now().to_string());
    envelope.subject = Some(match (&draft.service, &draft.rollout) {
        (Some(service), _) => format!("service/{service}"),
        (None, Some(rollout)) => format!("rollout/{rollout}"),
        (None, None) => format!("domain/{domain}"),
    });
    envelope.rollout = draft.rollout;
    envelope.causation = draft.causation;
    envelope.service = draft.service;
    envelope.replica = Some(replica.to_owned());
    Event { envelope, body: draft.body }
}

#[cfg(test)]
mod tests {
    use pavane_events::control::Pulse;

    use super::*;

    #[test]
    fn replicas_share_a_source_and_keep_the_id_of_a_decision() {
        let domain = Domain::new("shop").expect("a name");
        let draft = |id: Option<&str>| Draft {
            id: id.map(|id| EventId::new(id).expect("a name")),
            rollout: None,
            causation: None,
            service: None,
            body: Pulse::default().into(),
        };
        let (a, b) = (event(draft(Some("d1")), &domain, "a"), event(draft(Some("d1")), &domain, "b"));
        assert_eq!((&a.envelope.source, &a.envelope.id), (&b.envelope.source, &b.envelope.id));
        assert_eq!(b.envelope.replica.as_deref(), Some("b"));
        assert_ne!(
            event(draft(None), &domain, "a").envelope.id,
            event(draft(None), &domain, "a").envelope.id
        );
    }
}
