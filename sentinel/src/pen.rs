//! Appends what the engine has decided, in order, beside the loop: an append that hangs never stops reading, and many that
//! are due together are on their way together.

use std::time::Duration;

use pavane_bus::{Appended, Error};
use pavane_events::{Domain, Envelope, Event, EventId, identity};
use pavane_sentinel_engine::{BlindCause, Draft};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span};

use crate::connection::{Connection, Patience};
use crate::eye::blind_cause;
use crate::happening::Happening;
use crate::telemetry::{LogLies, Stale};

/// How many events may wait for the broker: as many rollouts as may come due in one moment.
pub(crate) const QUEUE: usize = 4_096;

/// How long an event may have waited and still be worth appending: the engine says again what is owed.
const STALE: Duration = Duration::from_secs(4);

/// How many may be on their way at once.
const UNDER_WAY: usize = 128;

/// Failures within so long are one.
const TOGETHER: Duration = Duration::from_secs(1);

/// An event to append.
pub(crate) struct Order {
    pub(crate) event: Event,
    /// The span of the decision.
    pub(crate) span: Span,
    pub(crate) since: Instant,
    /// The offset of what was read last when it was ordered: nothing that is appended since stands below it.
    pub(crate) read: i64,
}

/// Appends in the order of the orders until nobody orders any more; ends with an error when only a new process can
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
    let patience = Patience::brief("append to the log");
    let mut pen = Pen { connection, domain, back, patience, rested: None, under_way: JoinSet::new() };
    loop {
        tokio::select! {
            biased;
            Some(answer) = pen.under_way.join_next() => pen.answered(answer?).await?,
            order = orders.recv(), if pen.under_way.len() < UNDER_WAY => match order {
                Some(order) => pen.hand_over(order).await?,
                None => break,
            },
        }
    }
    while let Some(answer) = pen.under_way.join_next().await {
        pen.answered(answer?).await?;
    }
    Ok(())
}

/// What the broker answered, and the offset that had been read when the event was ordered.
type Answer = (Result<Appended, Error>, i64);

/// Hands events over one behind the other: none waits for the answer to the one before, which takes as long as the slowest of
/// the brokers that must have it.
struct Pen {
    connection: Connection,
    domain: Domain,
    back: mpsc::WeakSender<Happening>,
    patience: Patience,
    /// When it waited last, after a failure.
    rested: Option<Instant>,
    under_way: JoinSet<Answer>,
}

impl Pen {
    async fn hand_over(&mut self, Order { event, span, since, read }: Order) -> anyhow::Result<()> {
        if since.elapsed() > STALE {
            Stale { domain: &self.domain, event: event.body.event_type().as_str() }.emit();
            return Ok(());
        }
        let answer = match self.connection.writer().await {
            Ok(writer) => span.in_scope(|| writer.hand_over(&event)),
            Err(error) => Err(error),
        };
        match answer {
            Ok(answer) => {
                self.under_way.spawn(async move { (answer.await, read) }.instrument(span));
                Ok(())
            }
            Err(error) => self.failed(error).await,
        }
    }

    async fn answered(&mut self, (answer, read): Answer) -> anyhow::Result<()> {
        let appended = match answer {
            Ok(appended) => appended,
            Err(error) => return self.failed(error).await,
        };
        self.patience.reset();
        if appended.offset <= read {
            let what =
                format!("a record was appended at offset {}, and {read} was read before", appended.offset);
            let cause = BlindCause::LogRewound;
            LogLies { domain: &self.domain, cause, what: &what }.emit();
            tell(&self.back, cause).await;
        }
        Ok(())
    }

    /// Says that the log takes nothing, and waits: once for all that was on its way together.
    async fn failed(&mut self, error: Error) -> anyhow::Result<()> {
        if let Error::ProducerDead { .. } = error {
            return Err(error.into());
        }
        tell(&self.back, blind_cause(&error)).await;
        if self.rested.is_none_or(|rested| rested.elapsed() > TOGETHER) {
            self.patience.wait(&error).await;
            self.rested = Some(Instant::now());
        }
        Ok(())
    }
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
    use pavane_bus::{Bus, Item, Policy, embedded};
    use pavane_events::Entry;
    use pavane_events::control::Pulse;

    use super::*;

    /// More than may be on their way together, and less than may wait.
    const MANY: usize = 3 * UNDER_WAY;

    fn order(n: usize, domain: &Domain) -> Order {
        let id = EventId::new(format!("number-{n}")).expect("a name");
        let body = Pulse::default().into();
        let draft = Draft { id: Some(id), rollout: None, causation: None, service: None, body };
        Order { event: event(draft, domain, "a"), span: Span::none(), since: Instant::now(), read: -1 }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_is_ordered_together_stands_on_the_log_once_and_in_its_order() {
        let domain = Domain::new("shop").expect("a name");
        let embedded = embedded::start().await.expect("a broker");
        let bus = Bus::connect(embedded.settings(), "pen").await.expect("it is there");
        let (orders, ordered) = mpsc::channel(QUEUE);
        let (back, _lost) = mpsc::channel(1);
        let (connection, stop) = (Connection::ready(bus.clone()), CancellationToken::new());
        let writing = tokio::spawn(write(connection, domain.clone(), ordered, back.downgrade(), stop));
        for n in 0..MANY {
            orders.send(order(n, &domain)).await.expect("it takes orders");
        }
        drop(orders);
        writing.await.expect("no panic").expect("a good end");
        let mut reader = bus.reader(&domain, Policy::Structural).await.expect("a reader");
        for n in 0..MANY {
            let item = reader.next().await.expect("a record");
            let Item::Entry { entry: Entry::Event(record), .. } = item else { panic!("{item:?}") };
            assert_eq!(record.event.envelope.id.as_str(), format!("number-{n}"));
        }
        let end = reader.next().await.expect("the end");
        assert!(matches!(end, Item::CaughtUp { .. }), "{end:?}");
    }

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
