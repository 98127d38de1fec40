//! The library's client that appends, and the one thread that takes the broker's answers from it.
//!
//! The library has such a thread of its own, which looks up ten times a second and turns on the spot for most of a millisecond each
//! time: a third of all that an idle sidecar took of the processor.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::Message as _;
use rdkafka::producer::future_producer::Delivery;
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, ProducerContext};
use tokio::sync::oneshot;

use crate::Error;

/// How long the thread waits for answers before it looks whether anybody appends any more. An answer wakes it at once. The
/// library waits for whole milliseconds and turns on the spot for the rest: so there is little of it, and the waiting itself takes that long.
const LOOK: Duration = Duration::from_micros(500_050);

/// The library's client that appends.
pub(crate) type Client = BaseProducer<Answers>;
/// What became of a record.
pub(crate) type Answer = Result<Delivery, KafkaError>;
/// A record as the client takes it.
pub(crate) type Record<'a> = BaseRecord<'a, [u8], [u8], Box<oneshot::Sender<Answer>>>;

/// Hands each answer to who waits for it.
pub(crate) struct Answers;

impl ClientContext for Answers {}

impl ProducerContext for Answers {
    type DeliveryOpaque = Box<oneshot::Sender<Answer>>;

    fn delivery(&self, result: &DeliveryResult<'_>, waiter: Self::DeliveryOpaque) {
        let answer = match result {
            Ok(message) => Ok(Delivery {
                partition: message.partition(),
                offset: message.offset(),
                timestamp: message.timestamp(),
            }),
            Err((error, _)) => Err(error.clone()),
        };
        // Whoever waited may have gone away; the record stands all the same.
        drop(waiter.send(answer));
    }
}

/// Makes a client and its thread, which ends soon after the client was let go of.
pub(crate) fn client(config: &ClientConfig) -> Result<Arc<Client>, Error> {
    let made: KafkaResult<Client> = config.create_with_context(Answers);
    let client = Arc::new(made.map_err(|source| Error::Client { purpose: "appending".to_owned(), source })?);
    let taken = Arc::downgrade(&client);
    let name = "pavane-append";
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            while let Some(client) = taken.upgrade() {
                client.poll(LOOK);
            }
        })
        .map_err(|source| Error::Thread { name: name.to_owned(), source })?;
    Ok(client)
}
