//! Appends events, heartbeats, dead letters and rows, and says so only when the broker has.
//!
//! An append whose outcome is unknown may be on the log: append it again with the same id, and readers drop
//! the second. Dropping the future of an append does not take the record back.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pavane_events::{Envelope, Event, EventId, EventType, Heartbeat, Service, Source, Unreadable};
use rdkafka::message::{Header, OwnedHeaders};
use uuid::Uuid;

use crate::producer::{self, Appended, Outgoing, Producer};
use crate::trust::Published;
use crate::wire::{self, Contract, Encoded, catalog, headers};
use crate::{Bus, Error, Raw, Settlement, Topic, partition_of, trace};

/// How long a service's own form of an event is known before it is looked up again.
const KNOWN_FOR: Duration = Duration::from_secs(5);

/// How many forms of a service's own are kept parsed.
const FORMS: usize = 64;

/// How many headers an event has, about.
const HEADERS: usize = 20;

/// What begins the name of a header that says why a record was dead-lettered.
const DEAD_LETTER: &str = "pavane_dlq_";

/// Appends to the log and the other topics; cheap to clone, all clones share one producer.
#[derive(Clone)]
pub struct Writer {
    bus: Bus,
    producer: Producer,
    /// The log's topic.
    lifecycle: Arc<str>,
    ids: Arc<BTreeMap<&'static str, u32>>,
    forms: Arc<Mutex<BTreeMap<String, Arc<Contract>>>>,
}

impl Writer {
    pub(crate) async fn open(bus: &Bus) -> Result<Self, Error> {
        let producer = Producer::new(bus)?;
        let mut ids = BTreeMap::new();
        for embedded in pavane_schemas::ALL {
            let id = bus.registry().id_of(embedded.subject, embedded.schema).await?;
            let subject = embedded.subject.to_owned();
            ids.insert(embedded.event, id.ok_or(Error::SchemaMissing { subject })?);
        }
        let lifecycle = bus.topic(Topic::Lifecycle).into();
        Ok(Self { bus: bus.clone(), producer, lifecycle, ids: Arc::new(ids), forms: Arc::default() })
    }

    /// Appends an event to the log, in its domain's partition.
    pub async fn append(&self, event: &Event) -> Result<Appended, Error> {
        let event_type = event.body.event_type();
        let Encoded { value, dataschema } = wire::encode(&event.body, self.id_of(event_type.as_str()))?;
        self.append_encoded(&event.envelope, event_type, value, &dataschema).await
    }

    /// Appends an event whose body was encoded by [`Writer::encode_json`].
    pub async fn append_encoded(
        &self,
        envelope: &Envelope,
        event_type: EventType,
        value: Vec<u8>,
        dataschema: &str,
    ) -> Result<Appended, Error> {
        let (outgoing, traced) = self.addressed(envelope, event_type, &value, dataschema);
        traced.around(self.producer.append(outgoing)).await
    }

    /// Hands an event over behind all that were handed over before it, and does not wait: the broker keeps this order
    /// within one writer, except for what it does not answer for. What it returns ends with the broker's answer. Fails
    /// at once when too much is on its way.
    pub fn hand_over(
        &self,
        event: &Event,
    ) -> Result<impl Future<Output = Result<Appended, Error>> + Send + use<>, Error> {
        let event_type = event.body.event_type();
        let Encoded { value, dataschema } = wire::encode(&event.body, self.id_of(event_type.as_str()))?;
        self.hand_over_encoded(&event.envelope, event_type, &value, &dataschema)
    }

    /// Hands over an event whose body was encoded by [`Writer::encode_json`], as [`Writer::hand_over`] does.
    pub fn hand_over_encoded(
        &self,
        envelope: &Envelope,
        event_type: EventType,
        value: &[u8],
        dataschema: &str,
    ) -> Result<impl Future<Output = Result<Appended, Error>> + Send + use<>, Error> {
        let (outgoing, traced) = self.addressed(envelope, event_type, value, dataschema);
        let sending = self.producer.hand_over(outgoing)?;
        Ok(traced.around(sending))
    }

    /// An event as it goes out, with its address on it, and what it is traced by.
    fn addressed<'a>(
        &'a self,
        envelope: &'a Envelope,
        event_type: EventType,
        value: &'a [u8],
        dataschema: &str,
    ) -> (Outgoing<'a>, trace::SendTrace) {
        let (topic, key) = (&*self.lifecycle, envelope.domain.as_str().as_bytes());
        let partition = partition_of(key, self.bus.partitions());
        let traced = trace::send(topic, partition, envelope, event_type);
        let add = |headers: OwnedHeaders, key: &str, value: &str| {
            headers.insert(Header { key, value: Some(value) })
        };
        let (ce_type, traceparent) = (event_type.full_name(), traced.traceparent.as_deref());
        let none = OwnedHeaders::new_with_capacity(HEADERS);
        let mut headers = headers::fold(envelope, &ce_type, dataschema, traceparent, none, add);
        if let Some(state) = &traced.tracestate {
            headers = add(headers, "tracestate", state);
        }
        (Outgoing { topic, partition, key, value: Some(value), headers }, traced)
    }

    /// Encodes a JSON body strictly: by the service's own published form of the event, else by ours. What does
    /// not fit is [`Error::Contract`], with every finding; it is refused by the form that is published at that moment.
    pub async fn encode_json(
        &self,
        service: &Service,
        event_type: EventType,
        json: &[u8],
    ) -> Result<Encoded, Error> {
        match self.encode_by(service, event_type, json, KNOWN_FOR).await {
            Err(Error::Contract(_)) => self.encode_by(service, event_type, json, Duration::ZERO).await,
            encoded => encoded,
        }
    }

    /// As [`Writer::encode_json`], by the forms that are known already where there are any: for a time in which the
    /// broker cannot be asked for newer ones.
    pub async fn encode_json_as_known(
        &self,
        service: &Service,
        event_type: EventType,
        json: &[u8],
    ) -> Result<Encoded, Error> {
        self.encode_by(service, event_type, json, Duration::MAX).await
    }

    /// Encodes by the form that is known, if it was read no longer ago than `age`.
    async fn encode_by(
        &self,
        service: &Service,
        event_type: EventType,
        json: &[u8],
        age: Duration,
    ) -> Result<Encoded, Error> {
        let Some(own) = self.bus.trust().own_form(&self.bus, service, event_type, age).await? else {
            let id = self.id_of(event_type.as_str());
            return Ok(wire::encode_json(catalog::of(event_type), id, json)?);
        };
        let contract = self.form(&own)?;
        let id = match own.id {
            Some(id) => Some(id),
            None => self.bus.registry().id_of(&contract.full_name(), &own.schema).await?,
        };
        let id = id.ok_or_else(|| Error::SchemaMissing { subject: contract.full_name() })?;
        Ok(wire::encode_json(&contract, id, json)?)
    }

    /// A service's own form, parsed once.
    fn form(&self, own: &Published) -> Result<Arc<Contract>, Error> {
        let mut forms = self.forms.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = forms.get(&own.schema) {
            return Ok(Arc::clone(known));
        }
        let parsed = Arc::new(Contract::parse(&own.schema)?);
        if forms.len() >= FORMS {
            forms.clear();
        }
        forms.insert(own.schema.clone(), Arc::clone(&parsed));
        Ok(parsed)
    }

    /// Appends a sidecar's heartbeat.
    pub async fn heartbeat(&self, heartbeat: &Heartbeat) -> Result<Appended, Error> {
        let encoded = wire::encode_heartbeat(heartbeat, self.id_of(catalog::HEARTBEAT))?;
        let ce_type = catalog::heartbeat().full_name();
        let pairs = headers::write(&envelope_of(heartbeat), &ce_type, &encoded.dataschema);
        let key = format!("{}/{}", heartbeat.domain, heartbeat.instance);
        self.send(Topic::Heartbeats, &key, Some(&encoded.value), &pairs).await
    }

    /// Appends a record that cannot be used, untouched, with what is wrong with it. The row's key is the record's
    /// place, so a second row of the same record replaces the first.
    pub async fn dead_letter(&self, raw: &Raw, unreadable: &Unreadable) -> Result<Appended, Error> {
        let key = format!("{}-{}-{}", raw.topic, raw.partition, raw.offset);
        let mut pairs = raw.headers.clone();
        let error = match unreadable.field.as_str() {
            "" => unreadable.detail.clone(),
            field => format!("{field}: {}", unreadable.detail),
        };
        for (name, value) in [
            ("topic", raw.topic.clone()),
            ("partition", raw.partition.to_string()),
            ("offset", raw.offset.to_string()),
            ("reason", unreadable.reason.as_str().to_owned()),
            ("error", error),
            ("time", raw.at.0.to_string()),
        ] {
            pairs.push((format!("{DEAD_LETTER}{name}"), Some(value.into_bytes())));
        }
        self.send(Topic::DeadLetters, &key, raw.value.as_deref(), &pairs).await
    }

    /// Says what became of a dead letter, by a row of its id without a value.
    pub async fn settle(&self, id: &str, settlement: &Settlement) -> Result<Appended, Error> {
        self.send(Topic::DeadLetters, id, None, &settlement.headers()).await
    }

    /// Puts a row into a table, or takes it out.
    pub async fn put(&self, topic: Topic, key: &str, value: Option<Vec<u8>>) -> Result<Appended, Error> {
        self.send(topic, key, value.as_deref(), &[]).await
    }

    /// Waits until the broker has answered for every record that was handed over.
    pub async fn flush(&self, limit: Duration) -> Result<(), Error> {
        self.producer.flush(limit).await
    }

    async fn send(
        &self,
        topic: Topic,
        key: &str,
        value: Option<&[u8]>,
        pairs: &[(String, Option<Vec<u8>>)],
    ) -> Result<Appended, Error> {
        let key = key.as_bytes();
        let outgoing = Outgoing {
            topic: &self.bus.topic(topic),
            partition: partition_of(key, self.bus.partitions_of(topic)),
            key,
            value,
            headers: producer::headers(pairs.iter().map(|(name, value)| (name.as_str(), value.as_deref()))),
        };
        self.producer.append(outgoing).await
    }

    fn id_of(&self, event: &str) -> u32 {
        *self.ids.get(event).expect("every embedded schema was looked up when the writer was opened")
    }
}

/// A heartbeat is said by an instance, about nothing but itself.
fn envelope_of(heartbeat: &Heartbeat) -> Envelope {
    let Heartbeat { domain, service, instance, zone, boot, version, rollout, .. } = heartbeat;
    let source =
        Source::new(format!("/pavane/{domain}/{service}/{instance}")).expect("names fit into a source");
    let id = EventId::new(Uuid::now_v7().to_string()).expect("a UUID is a name");
    let mut envelope = Envelope::new(domain.clone(), source, id);
    envelope.service = Some(service.clone());
    envelope.instance = Some(instance.clone());
    envelope.zone.clone_from(zone);
    envelope.version.clone_from(version);
    envelope.boot = Some(boot.clone());
    envelope.rollout.clone_from(rollout);
    envelope
}
