//! Asks a broker who is there, and remembers why it did not answer.
//!
//! A metadata request that fails says "transport failure" and no more; that the password is wrong, or that the
//! certificate is not trusted, comes as an event beside it. Whoever runs the program needs that one.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::Metadata;

use crate::client::{self, Purpose};
use crate::{Error, Settings};

/// How long the events of a failed request are waited for.
const EVENTS: Duration = Duration::from_millis(500);

/// Asks which topics there are, without making any.
pub(crate) async fn metadata(settings: &Settings) -> Result<Metadata, Error> {
    let config = client::config(settings, Purpose::Read, "pavane-topics")?;
    let asking: BaseConsumer<Witness> = config
        .create_with_context(Witness::default())
        .map_err(|source| Error::Client { purpose: "metadata".to_owned(), source })?;
    let (answer, why) = client::blocking(move || {
        let answer = asking.fetch_metadata(None, client::METADATA);
        let why = answer.is_err().then(|| reason(&asking)).flatten();
        (answer, why)
    })
    .await?;
    answer.map_err(|source| Error::Unreachable {
        kafka: settings.kafka.clone(),
        doing: "which topics there are",
        why: why.unwrap_or_else(|| source.to_string()),
        source: Box::new(source),
    })
}

/// What the client said beside the failure.
fn reason(asking: &BaseConsumer<Witness>) -> Option<String> {
    let begun = Instant::now();
    while begun.elapsed() < EVENTS && asking.context().heard().is_none() {
        drop(asking.poll(Duration::from_millis(50)));
    }
    asking.context().heard()
}

/// Keeps the newest cause that the client names.
#[derive(Default)]
struct Witness {
    said: Mutex<Option<String>>,
}

impl Witness {
    fn heard(&self) -> Option<String> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ClientContext for Witness {
    fn error(&self, error: KafkaError, reason: &str) {
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::AllBrokersDown) {
            *self.said.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason.to_owned());
        }
    }
}

impl ConsumerContext for Witness {}
