//! How our Kafka clients are set up: what is required, what is a default, and what nobody may change.
//!
//! The defaults of the library commit before the work is done, skip what they cannot find and scatter
//! keys over partitions by another hash. So the settings are a table here, laid over the user's, and each
//! client's effective settings are compared with the table before the client is made.

use std::time::Duration;

use rdkafka::config::{ClientConfig, FromClientConfig};
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaConfRes;

use crate::{Error, Settings};

/// How long a partition's bounds may take: shorter, since a broker that does not answer is otherwise as silent as
/// one that has nothing to say.
pub(crate) const BOUNDS: Duration = Duration::from_secs(2);
/// How long the broker may take to say which topics there are; all of it is waited where nobody listens.
pub(crate) const METADATA: Duration = Duration::from_secs(5);
/// How long any other question to the broker may take.
pub(crate) const ASK: Duration = Duration::from_secs(10);

/// What a client is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Appending.
    Append,
    /// Reading assigned partitions.
    Read,
    /// Learning which partitions this member of a group owns.
    Own,
    /// Topics and metadata.
    Administer,
}

/// Settings that correctness stands on, for every client.
const REQUIRED: &[(&str, &str)] = &[("allow.auto.create.topics", "false")];
const REQUIRED_TO_APPEND: &[(&str, &str)] =
    &[("enable.idempotence", "true"), ("acks", "-1"), ("partitioner", "murmur2_random")];
const REQUIRED_TO_READ: &[(&str, &str)] = &[
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    ("auto.offset.reset", "error"),
    ("check.crcs", "true"),
    ("enable.partition.eof", "true"),
    ("isolation.level", "read_committed"),
    ("group.protocol", "classic"),
];
/// A member of a group reads nothing, so it needs no offset either.
const REQUIRED_TO_OWN: &[(&str, &str)] = &[
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    ("auto.offset.reset", "largest"),
    ("group.protocol", "classic"),
];

/// What a user may change.
const DEFAULTS: &[(&str, &str)] = &[
    ("socket.timeout.ms", "10000"),
    ("socket.nagle.disable", "true"),
    ("reconnect.backoff.ms", "50"),
    ("reconnect.backoff.max.ms", "1000"),
    ("receive.message.max.bytes", "8388608"),
    ("message.max.bytes", "2097152"),
    // what the library would gather for the operators of the broker takes 0.4 MB a client, asked for or not
    ("enable.metrics.push", "false"),
];
const DEFAULTS_TO_APPEND: &[(&str, &str)] = &[
    ("linger.ms", "0"),
    ("compression.codec", "zstd"),
    ("message.timeout.ms", "10000"),
    ("request.timeout.ms", "5000"),
    ("queue.buffering.max.kbytes", "8192"),
];
const DEFAULTS_TO_READ: &[(&str, &str)] = &[
    ("fetch.wait.max.ms", "500"),
    ("fetch.error.backoff.ms", "100"),
    // a queue that was full is looked at again soon, not after the second that the library would wait
    ("fetch.queue.backoff.ms", "10"),
    ("queued.max.messages.kbytes", "4096"),
    ("fetch.message.max.bytes", "1572864"),
    ("fetch.max.bytes", "4194304"),
];
const DEFAULTS_TO_OWN: &[(&str, &str)] = &[
    ("session.timeout.ms", "6000"),
    ("heartbeat.interval.ms", "1500"),
    ("partition.assignment.strategy", "cooperative-sticky"),
];

/// Second names of what is set here: two names of one setting would be applied in no order.
const SECOND_NAMES: &[(&str, &str)] = &[
    ("delivery.timeout.ms", "message.timeout.ms"),
    ("queue.buffering.max.ms", "linger.ms"),
    ("compression.type", "compression.codec"),
    ("max.partition.fetch.bytes", "fetch.message.max.bytes"),
];

/// Settings that are not the user's, with the reason.
const NOT_FOR_USERS: &[(&str, &str)] = &[
    ("bootstrap.servers", "the address is the setting `kafka`"),
    ("metadata.broker.list", "the address is the setting `kafka`"),
    ("client.id", "each program names its clients itself"),
    ("group.id", "each program names its group itself"),
    ("group.instance.id", "static membership keeps the partitions of a dead member"),
    ("transactional.id", "the log is written without transactions"),
    ("plugin.library.paths", "no code is loaded from outside"),
    ("test.mock.num.brokers", "the embedded broker is started by the program alone"),
    ("request.required.acks", "a record counts only when all in-sync replicas have it"),
    ("auto.commit.enable", "offsets are kept by the readers themselves"),
];

/// The settings of a client: required over the user's over the defaults; checked, with the user's refused by name
/// where they may not be changed.
pub(crate) fn config(settings: &Settings, purpose: Purpose, client_id: &str) -> Result<ClientConfig, Error> {
    let user = settings.resolved_client()?;
    let required = required(purpose);
    for key in user.keys() {
        refuse(key)?;
    }
    let mut config = ClientConfig::new();
    for (key, value) in defaults(purpose) {
        config.set(key, value);
    }
    for (key, value) in user {
        let key = canonical(&key);
        if concerns(purpose, key) {
            config.set(key, value);
        }
    }
    config.set("bootstrap.servers", &settings.kafka).set("client.id", client_id);
    for (key, value) in &required {
        config.set(*key, *value);
    }
    assert_effective(&config, &required)?;
    Ok(config)
}

/// How long a record may be on its way: what the library took for it, under whichever name it was set.
pub(crate) fn delivery_limit(config: &ClientConfig) -> Result<Duration, Error> {
    let key = "message.timeout.ms";
    let native = config.create_native_config().map_err(setting_error)?;
    let found = native.get(key).map_err(setting_error)?;
    match found.parse() {
        Ok(limit) if limit > 0 => Ok(Duration::from_millis(limit)),
        Ok(_) | Err(_) => {
            let why =
                format!("it is {found}; set a number of milliseconds above 0, no append waits for ever");
            Err(Error::Setting { key: key.to_owned(), why })
        }
    }
}

/// Makes a client; `purpose` says in the error what it was for.
pub(crate) fn create<T>(config: &ClientConfig, purpose: &str) -> Result<T, Error>
where
    T: FromClientConfig,
{
    config.create().map_err(|source| Error::Client { purpose: purpose.to_owned(), source })
}

/// Runs a question that blocks its thread on a thread that may block.
pub(crate) async fn blocking<T: Send + 'static>(
    question: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(question).await.map_err(|error| Error::Stopped {
        what: "a question to the broker".to_owned(),
        why: error.to_string(),
    })
}

/// The first name of a setting.
fn canonical(key: &str) -> &str {
    SECOND_NAMES.iter().find(|(second, _)| *second == key).map_or(key, |(_, first)| first)
}

/// Whether a setting may be about what the client is for; of one that is not the library would warn at each start.
fn concerns(purpose: Purpose, key: &str) -> bool {
    let among = |table: &[(&str, &str)]| table.iter().any(|(name, _)| *name == key);
    let (appends, reads) = match purpose {
        Purpose::Append => (true, false),
        Purpose::Read | Purpose::Own => (false, true),
        Purpose::Administer => (false, false),
    };
    (appends || !among(DEFAULTS_TO_APPEND)) && (reads || !among(DEFAULTS_TO_READ) && !among(DEFAULTS_TO_OWN))
}

fn required(purpose: Purpose) -> Vec<(&'static str, &'static str)> {
    let own = match purpose {
        Purpose::Append => REQUIRED_TO_APPEND,
        Purpose::Read => REQUIRED_TO_READ,
        Purpose::Own => REQUIRED_TO_OWN,
        Purpose::Administer => &[],
    };
    REQUIRED.iter().chain(own).copied().collect()
}

fn defaults(purpose: Purpose) -> impl Iterator<Item = (&'static str, &'static str)> {
    let (own, more): (&[_], &[_]) = match purpose {
        Purpose::Append => (DEFAULTS_TO_APPEND, &[]),
        Purpose::Read => (DEFAULTS_TO_READ, &[]),
        Purpose::Own => (DEFAULTS_TO_READ, DEFAULTS_TO_OWN),
        Purpose::Administer => (&[], &[]),
    };
    DEFAULTS.iter().chain(own).chain(more).copied()
}

/// Refuses what is not the user's to set, whichever client it is meant for.
fn refuse(key: &str) -> Result<(), Error> {
    let wrong = |why: String| Err(Error::Setting { key: key.to_owned(), why });
    if let Some((_, why)) = NOT_FOR_USERS.iter().find(|(name, _)| *name == key) {
        return wrong(format!("it cannot be set, {why}; remove it"));
    }
    let all = REQUIRED.iter().chain(REQUIRED_TO_APPEND).chain(REQUIRED_TO_READ);
    if let Some((_, value)) = all.clone().find(|(name, _)| *name == key) {
        return wrong(format!("it cannot be set, the log stands on {key}={value}; remove it"));
    }
    Ok(())
}

/// Reads back what the library took and compares it with what is required.
fn assert_effective(config: &ClientConfig, required: &[(&str, &str)]) -> Result<(), Error> {
    let native = config.create_native_config().map_err(setting_error)?;
    for (key, value) in required {
        let found = native.get(key).map_err(setting_error)?;
        if found != *value {
            let why = format!("it is {found} although {value} is required; look for an alias of it");
            return Err(Error::Setting { key: (*key).to_owned(), why });
        }
    }
    Ok(())
}

/// Names the setting and never its value, which may be a secret.
fn setting_error(error: KafkaError) -> Error {
    let KafkaError::ClientConfig(result, _, key, _) = error else {
        return Error::Client { purpose: "checking its settings".to_owned(), source: error };
    };
    let why = if result == RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN {
        "librdkafka has no such setting; check the spelling"
    } else {
        "librdkafka does not take the value that is given for it"
    };
    Error::Setting { key, why: why.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Purpose; 4] = [Purpose::Append, Purpose::Read, Purpose::Own, Purpose::Administer];

    #[test]
    fn what_the_log_stands_on_is_in_force_for_every_client() {
        let settings = Settings::new("127.0.0.1:1", "http://registry");
        for purpose in ALL {
            config(&settings, purpose, "test").expect("the library took every required value");
        }
        let reader = config(&settings, Purpose::Read, "test").expect("a config");
        let native = reader.create_native_config().expect("valid");
        for (key, value) in [
            ("enable.auto.commit", "false"),
            ("enable.auto.offset.store", "false"),
            ("auto.offset.reset", "error"),
            ("check.crcs", "true"),
            ("allow.auto.create.topics", "false"),
            ("fetch.wait.max.ms", "500"),
            ("socket.nagle.disable", "true"),
        ] {
            assert_eq!(native.get(key).expect("known"), value, "{key}");
        }
        let writer = config(&settings, Purpose::Append, "test").expect("a config");
        let native = writer.create_native_config().expect("valid");
        for (key, value) in
            [("enable.idempotence", "true"), ("acks", "-1"), ("partitioner", "murmur2_random")]
        {
            assert_eq!(native.get(key).expect("known"), value, "{key}");
        }
    }

    #[test]
    fn tls_and_sasl_pass_through_untouched() {
        let mut settings = Settings::new("127.0.0.1:1", "http://registry");
        let given = [
            ("security.protocol", "sasl_ssl"),
            ("sasl.mechanism", "SCRAM-SHA-512"),
            ("sasl.username", "pavane"),
            ("sasl.password", "hunter2"),
            ("ssl.endpoint.identification.algorithm", "https"),
        ];
        settings.client.extend(given.map(|(key, value)| (key.to_owned(), value.to_owned())));
        for purpose in ALL {
            let config = config(&settings, purpose, "test").expect("taken");
            let native = config.create_native_config().expect("valid");
            for (key, value) in given {
                assert_eq!(native.get(key).expect("known"), value, "{purpose:?} {key}");
            }
        }
    }

    #[test]
    fn what_is_about_appending_or_reading_goes_to_who_does_it_alone() {
        let mut settings = Settings::new("127.0.0.1:1", "http://registry");
        for (key, value) in [("compression.type", "none"), ("max.partition.fetch.bytes", "1000")] {
            settings.client.insert(key.to_owned(), value.to_owned());
        }
        let (none, some) = (Some("none"), Some("1000"));
        for (purpose, codec, fetch) in [
            (Purpose::Append, none, None),
            (Purpose::Read, None, some),
            (Purpose::Own, None, some),
            (Purpose::Administer, None, None),
        ] {
            let config = config(&settings, purpose, "test").expect("taken");
            let found = (config.get("compression.codec"), config.get("fetch.message.max.bytes"));
            assert_eq!(found, (codec, fetch), "{purpose:?}");
        }
    }

    #[test]
    fn an_append_never_waits_for_ever() {
        let mut settings = Settings::new("127.0.0.1:1", "http://registry");
        let limit = |settings: &Settings| {
            delivery_limit(&config(settings, Purpose::Append, "test").expect("a config"))
        };
        assert_eq!(limit(&settings).expect("the default"), Duration::from_secs(10));
        settings.client.insert("delivery.timeout.ms".to_owned(), "7000".to_owned());
        assert_eq!(limit(&settings).expect("by its second name"), Duration::from_secs(7));
        settings.client.insert("delivery.timeout.ms".to_owned(), "0".to_owned());
        let error = limit(&settings).expect_err("0 is for ever").to_string();
        assert!(error.starts_with("use the Kafka client setting `message.timeout.ms`: it is 0"), "{error}");
    }

    #[test]
    fn a_setting_that_the_log_stands_on_is_refused_by_name() {
        for key in [
            "enable.auto.commit",
            "acks",
            "partitioner",
            "auto.offset.reset",
            "bootstrap.servers",
            "group.id",
        ] {
            let mut settings = Settings::new("127.0.0.1:1", "http://registry");
            settings.client.insert(key.to_owned(), "1".to_owned());
            for purpose in ALL {
                let error = config(&settings, purpose, "test").expect_err(key).to_string();
                assert!(
                    error.starts_with(&format!("use the Kafka client setting `{key}`: it cannot be set")),
                    "{error}"
                );
            }
        }
    }

    #[test]
    fn an_unknown_setting_is_named_and_a_bad_value_is_not_shown() {
        let mut settings = Settings::new("127.0.0.1:1", "http://registry");
        settings.client.insert("sasl.pasword".to_owned(), "hunter2".to_owned());
        let error = config(&settings, Purpose::Read, "test").expect_err("a typo").to_string();
        assert_eq!(
            error,
            "use the Kafka client setting `sasl.pasword`: librdkafka has no such setting; check the spelling"
        );
        let mut settings = Settings::new("127.0.0.1:1", "http://registry");
        settings.client.insert("security.protocol".to_owned(), "hunter2".to_owned());
        let error = config(&settings, Purpose::Read, "test").expect_err("no such protocol");
        assert!(
            !error.to_string().contains("hunter2") && !format!("{error:?}").contains("hunter2"),
            "{error:?}"
        );
    }
}
