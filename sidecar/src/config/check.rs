//! One check of the service's readiness as it stands in the file: what is asked, and what of the answer is good.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use pavane_choreography::diagnostic::Code;
use pavane_choreography::yaml::{Fields, Item, Reader, Reported};
use pavane_events::{Instance, Millis};
use pavane_sidecar_engine::health::{Amount, Bound, Check as Terms, Side};

use super::Command;
use super::run::argv;

/// What holds where the file says nothing.
const EVERY: Millis = 2_000;
const TIMEOUT: Millis = 1_000;
const FAILURES: u32 = 3;
/// How often it is looked whether a process runs; nobody is asked for it.
const LOOK: Millis = 500;
/// The most answers in a row that a check may ask for.
const MOST: u32 = 1_000;

/// One check: its terms, and how it is carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What decides on its answers.
    pub terms: Terms,
    /// How long an answer may take.
    pub timeout: Duration,
    /// What is asked.
    pub probe: Probe,
}

/// What a check asks. What it measures is the time of the answer, in milliseconds, or the number that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// A GET of this URL; a 2xx is good.
    Http(String),
    /// A connection to this address.
    Tcp(String),
    /// A program; exit code 0 is good.
    Exec(Command),
    /// The standard health check of gRPC, in plain text.
    Grpc {
        /// Host and port.
        address: String,
        /// The service that is asked after; empty for the server as a whole.
        service: String,
    },
    /// A connection to a `PostgreSQL` server and `SELECT 1`.
    Sql {
        /// The server, the user and the database; without a password.
        url: String,
        /// The file that holds the password.
        password_file: Option<PathBuf>,
    },
    /// A PING to a Redis server.
    Redis {
        /// Host and port.
        address: String,
        /// The file that holds the password.
        password_file: Option<PathBuf>,
    },
    /// How much waits.
    Queue(Queue),
    /// How many records a consumer group has yet to read of a topic.
    KafkaLag {
        /// The group.
        group: String,
        /// The topic.
        topic: String,
    },
    /// The value of a query to a Prometheus server.
    Prometheus {
        /// The server.
        url: String,
        /// A query with exactly one value.
        query: String,
    },
    /// Nobody: whether the process runs that the sidecar wraps.
    Process,
}

/// Who tells how much waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Queue {
    /// A GET of a URL: the number in the body, or in one field of a JSON body.
    Http {
        /// The URL.
        url: String,
        /// The field as a JSON pointer; the whole body when there is none.
        field: Option<String>,
    },
    /// A program: the number that it writes.
    Exec(Command),
}

impl Probe {
    /// Whether it measures the time of its answer, and not a number that it is told.
    const fn is_timed(&self) -> bool {
        match self {
            Self::Http(_)
            | Self::Tcp(_)
            | Self::Exec(_)
            | Self::Grpc { .. }
            | Self::Sql { .. }
            | Self::Redis { .. } => true,
            Self::Queue(_) | Self::KafkaLag { .. } | Self::Prometheus { .. } | Self::Process => false,
        }
    }
}

impl Check {
    /// The check of a process that the sidecar wraps: it runs, or it does not.
    pub(super) fn of_process() -> Self {
        let terms = Terms {
            name: "process".to_owned(),
            every: LOOK,
            passes: 1,
            failures: 1,
            grace: 0,
            bound: None,
            unit: "",
        };
        Self { terms, timeout: Duration::from_secs(1), probe: Probe::Process }
    }
}

/// Reads one check.
pub(super) fn check(item: &Item<'_>) -> Result<Check, Reported> {
    item.fields(|f| {
        let name = f.required("name", Item::name::<Instance>);
        let probe = f.exactly_one(&[
            ("http", (|i| i.url().map(Probe::Http)) as Reader<'_, Probe>),
            ("tcp", |i| address(i).map(Probe::Tcp)),
            ("exec", |i| program(i).map(Probe::Exec)),
            ("grpc", grpc),
            ("sql", sql),
            ("redis", redis),
            ("queue", queue),
            ("kafka_lag", kafka_lag),
            ("prometheus", prometheus),
        ]);
        let bound = bound(f, probe.as_ref().ok());
        let every = f.optional("every", Item::duration);
        let timeout = f.optional("timeout", Item::duration);
        let grace = f.optional("grace", Item::duration);
        let passes = f.optional("passes", |i| i.count(1..=MOST));
        let failures = f.optional("failures", |i| i.count(1..=MOST));
        let (name, probe, bound) = (name?, probe?, bound?);
        let terms = Terms {
            name: name.to_string(),
            every: every?.unwrap_or(EVERY),
            passes: passes?.unwrap_or(1),
            failures: failures?.unwrap_or(FAILURES),
            grace: grace?.unwrap_or(0),
            bound,
            unit: if probe.is_timed() { "ms" } else { "" },
        };
        let timeout = Duration::from_millis(timeout?.unwrap_or(TIMEOUT).unsigned_abs());
        Ok(Check { terms, timeout, probe })
    })
}

/// Reads what the values are held against: a duration where an answer is timed, a number where one is told.
fn bound(f: &mut Fields<'_>, probe: Option<&Probe>) -> Result<Option<Bound>, Reported> {
    let timed = probe.is_some_and(Probe::is_timed);
    let read = |item: &Item<'_>| match probe {
        Some(_) if timed => item.duration().map(amount),
        Some(_) => number(item),
        // What is asked cannot be read, so neither can what its answer is held against.
        None => Ok(amount(0)),
    };
    let most = f.optional("at_most", read);
    let least = f.optional("at_least", read);
    let back = f.optional("back_at", |i| Ok((read(i)?, i.place())));
    let (most, least, back) = (most?, least?, back?);
    let (side, limit) = match (most, least) {
        (Some(limit), None) => (Side::AtMost, limit),
        (None, Some(limit)) if !timed => (Side::AtLeast, limit),
        (None, Some(_)) => {
            let message = "`at_least` asks for a slow answer";
            return Err(f.refuse(Code::Contradiction, message, "use `at_most`"));
        }
        (Some(_), Some(_)) => {
            let message = "`at_most` and `at_least` exclude each other";
            return Err(f.refuse(Code::Contradiction, message, "make two checks of it"));
        }
        (None, None) if back.is_some() => {
            let message = "`back_at` is there without `at_most` or `at_least`";
            return Err(f.refuse(Code::MissingField, message, "add the bound that it comes back from"));
        }
        (None, None) if timed || probe.is_none() => return Ok(None),
        (None, None) => {
            let message = "a number proves nothing without a bound";
            return Err(f.refuse(Code::MissingField, message, "add `at_most` or `at_least`"));
        }
    };
    let back = back.map_or(limit, |(back, _)| back);
    let laxer = match side {
        Side::AtMost => back > limit,
        Side::AtLeast => back < limit,
    };
    if laxer && probe.is_some() {
        let message =
            format!("`back_at` is on the wrong side of the bound: {back}, and {side} {limit} is good");
        return Err(f.refuse(Code::Contradiction, message, "what comes back must do at least as well"));
    }
    Ok(Some(Bound { side, limit, back }))
}

fn number(item: &Item<'_>) -> Result<Amount, Reported> {
    let number = item.decimal()?;
    let amount = number.as_f64().and_then(Amount::new);
    amount.ok_or_else(|| {
        item.refuse(Code::WrongType, format!("`{}` is too large", item.field()), "write a smaller number")
    })
}

#[expect(clippy::cast_precision_loss, reason = "no duration of 90 days is that long")]
fn amount(millis: Millis) -> Amount {
    Amount::new(millis as f64).expect("a whole number is finite")
}

fn grpc(item: &Item<'_>) -> Result<Probe, Reported> {
    item.fields(|f| {
        let address = f.required("address", address);
        let service = f.optional("service", Item::text);
        Ok(Probe::Grpc { address: address?, service: service?.unwrap_or_default() })
    })
}

fn sql(item: &Item<'_>) -> Result<Probe, Reported> {
    item.fields(|f| {
        let url = f.required("url", database);
        let password_file = f.optional("password_file", Item::text);
        Ok(Probe::Sql { url: url?, password_file: password_file?.map(PathBuf::from) })
    })
}

/// Reads where a database is; a password has no place in a file that lies beside the code.
fn database(item: &Item<'_>) -> Result<String, Reported> {
    let text = item.text()?;
    let refuse = |message: &str, help: &str| Err(item.refuse(Code::BadAddress, message, help));
    match text.parse::<tokio_postgres::Config>() {
        Ok(config) if config.get_password().is_some() => {
            refuse("`url` holds a password", "put it into a file and name that as `password_file`")
        }
        Ok(config) if config.get_hosts().is_empty() => {
            refuse("`url` names no server", "write e.g. `postgres://shop@127.0.0.1:5432/shop`")
        }
        Ok(_) => Ok(text),
        // What the parser says of it may repeat a password.
        Err(_) => {
            refuse("`url` is not that of a database", "write e.g. `postgres://shop@127.0.0.1:5432/shop`")
        }
    }
}

fn redis(item: &Item<'_>) -> Result<Probe, Reported> {
    item.fields(|f| {
        let address = f.required("address", address);
        let password_file = f.optional("password_file", Item::text);
        Ok(Probe::Redis { address: address?, password_file: password_file?.map(PathBuf::from) })
    })
}

fn queue(item: &Item<'_>) -> Result<Probe, Reported> {
    item.fields(|f| {
        let told = f.exactly_one(&[
            ("http", (|i| i.url().map(|url| Queue::Http { url, field: None })) as Reader<'_, Queue>),
            ("exec", |i| program(i).map(Queue::Exec)),
        ]);
        let field = f.optional("field", pointer);
        match (told?, field?) {
            (Queue::Http { url, .. }, field) => Ok(Probe::Queue(Queue::Http { url, field })),
            (told @ Queue::Exec(_), None) => Ok(Probe::Queue(told)),
            (Queue::Exec(_), Some(_)) => {
                let message = "`field` is one of a JSON body, and this is a program";
                Err(f.refuse(Code::Contradiction, message, "let the program write the number alone"))
            }
        }
    })
}

fn kafka_lag(item: &Item<'_>) -> Result<Probe, Reported> {
    item.fields(|f| {
        let group = f.required("group", Item::text);
        let topic = f.required("topic", Item::text);
        Ok(Probe::KafkaLag { group: group?, topic: topic? })
    })
}

fn prometheus(item: &Item<'_>) -> Result<Probe, Reported> {
    item.fields(|f| {
        let url = f.required("url", Item::url);
        let query = f.required("query", Item::text);
        Ok(Probe::Prometheus { url: url?, query: query? })
    })
}

fn program(item: &Item<'_>) -> Result<Command, Reported> {
    Ok(Command { argv: argv(item)?, env: BTreeMap::new() })
}

/// Reads a host and a port.
fn address(item: &Item<'_>) -> Result<String, Reported> {
    let text = item.text()?;
    let parts = text.rsplit_once(':');
    let good = parts.is_some_and(|(host, port)| {
        !host.is_empty() && !host.contains(['/', '@']) && port.parse::<u16>().is_ok_and(|port| port > 0)
    });
    if good && !text.contains(char::is_whitespace) {
        return Ok(text);
    }
    let message = format!("`{}` is not a host and a port: {text:?}", item.field());
    Err(item.refuse(Code::BadAddress, message, "write e.g. `127.0.0.1:6379`"))
}

fn pointer(item: &Item<'_>) -> Result<String, Reported> {
    let text = item.text()?;
    if text.starts_with('/') {
        return Ok(text);
    }
    let message = format!("`field` is not a JSON pointer: {text:?}");
    Err(item.refuse(Code::WrongType, message, "write e.g. `/queue/depth`"))
}
