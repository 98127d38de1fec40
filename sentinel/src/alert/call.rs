//! One POST to an address that was looked at, and what its answer means.

use std::error::Error as _;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER, USER_AGENT};
use reqwest::{Client, Response, StatusCode, Url, redirect};

use crate::alert::egress::{self, Allowed, Refused};
use crate::alert::fault::Fault;
use crate::alert::schedule::Pace;

const CONNECT: Duration = Duration::from_secs(10);
/// How long one attempt takes at most, whatever the receiver does.
pub(crate) const TOTAL: Duration = Duration::from_secs(15);
/// How much of an answer is read before the connection is dropped, in bytes, and for how long: what it means is known by
/// then.
const ANSWER: usize = 4096;
const READ: Duration = Duration::from_secs(1);

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The receiver has it.
    Delivered,
    /// It has not, or not surely.
    Failed {
        /// The class of the failure; the label of its metric.
        reason: Fault,
        /// What happened, for a person.
        why: String,
        /// How soon it is worth another attempt.
        pace: Pace,
    },
}

/// Goes to addresses that were looked at and to no other: no redirect, no proxy, and every name is resolved by
/// [`Vetting`], for each attempt anew.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    client: Client,
    allowed: Allowed,
    plain: bool,
    /// How long one attempt takes at most.
    limit: Duration,
}

impl Line {
    /// Makes the client once, as reading the system's certificates takes longer than a delivery.
    /// `plain` says whether it is for plain http, which goes to no public address.
    pub(crate) fn new(allowed: Allowed, plain: bool) -> anyhow::Result<Self> {
        let client = Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .dns_resolver(Vetting { allowed, plain })
            .connect_timeout(CONNECT)
            .timeout(TOTAL)
            .pool_max_idle_per_host(0)
            .build()?;
        Ok(Self { client, allowed, plain, limit: TOTAL })
    }

    /// The same with less patience.
    #[cfg(test)]
    pub(crate) fn within(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// Makes one attempt; never longer than 15 s.
    pub(crate) async fn post(&self, url: &str, headers: HeaderMap, body: Vec<u8>) -> Answer {
        let limit = self.limit;
        let attempt = tokio::time::timeout(limit, self.attempt(url, headers, body));
        let late = || failed(Fault::Timeout, format!("no answer within {limit:?}"), Pace::Soon(None));
        attempt.await.unwrap_or_else(|_| late())
    }

    async fn attempt(&self, url: &str, headers: HeaderMap, body: Vec<u8>) -> Answer {
        // An address that is no name is asked of no resolver.
        let url = match egress::check_url(url, self.allowed) {
            Ok(url) => url,
            Err(refused) => return refusal(&refused),
        };
        if (url.scheme() == "http") != self.plain {
            let why = "use the URL: it changed between http and https; restart the sentinel";
            return failed(Fault::Egress, why.to_owned(), Pace::Slowly);
        }
        let agent = concat!("pavane-sentinel/", env!("CARGO_PKG_VERSION"));
        let request = self.client.post(url).headers(headers).header(USER_AGENT, agent).body(body);
        match request.send().await {
            Ok(response) => judge(response).await,
            Err(error) => transport(&error),
        }
    }
}

/// The headers of a POST whose body is JSON.
pub(crate) fn json() -> HeaderMap {
    HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))])
}

/// Resolves names, and gives only answers of which every address is allowed.
#[derive(Clone, Copy, Debug)]
struct Vetting {
    allowed: Allowed,
    plain: bool,
}

impl Resolve for Vetting {
    fn resolve(&self, name: Name) -> Resolving {
        let Self { allowed, plain } = *self;
        Box::pin(async move {
            let scheme = if plain { "http" } else { "https" };
            let url = Url::parse(&format!("{scheme}://{}/", name.as_str()))?;
            let addresses = egress::vetted(&url, allowed, egress::lookup).await?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

async fn judge(response: Response) -> Answer {
    let status = response.status();
    if status.is_success() {
        return Answer::Delivered;
    }
    let (reason, pace) = class(status, response.headers());
    let said = beginning(response).await;
    failed(reason, format!("the receiver answered {status}: {said:?}"), pace)
}

/// What an answer other than success means. A fault that only a person can mend is no permission to forget.
fn class(status: StatusCode, headers: &HeaderMap) -> (Fault, Pace) {
    match status.as_u16() {
        300..=399 => (Fault::Redirect, Pace::Slowly),
        410 => (Fault::Gone, Pace::Slowly),
        408 | 425 | 429 => (Fault::Throttled, Pace::Soon(retry_after(headers))),
        400..=499 => (Fault::Refused, Pace::Slowly),
        _ => (Fault::Server, Pace::Soon(retry_after(headers))),
    }
}

/// Reads `Retry-After` as seconds or as a date.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    Duration::try_from(at.duration_since(jiff::Timestamp::now())).ok()
}

/// The beginning of an answer, as it may stand in a log.
async fn beginning(mut response: Response) -> String {
    let (mut read, end) = (Vec::new(), tokio::time::Instant::now() + READ);
    while let Ok(Ok(Some(chunk))) = tokio::time::timeout_at(end, response.chunk()).await {
        read.extend_from_slice(&chunk[..chunk.len().min(ANSWER - read.len())]);
        if read.len() >= ANSWER {
            break;
        }
    }
    String::from_utf8_lossy(&read).chars().filter(|c| !c.is_control()).take(200).collect()
}

fn refusal(refused: &Refused) -> Answer {
    let pace = match refused {
        Refused::Url(_) | Refused::Address { .. } => Pace::Slowly,
        Refused::Unresolved { .. } => Pace::Soon(None),
    };
    let reason = if pace == Pace::Slowly { Fault::Egress } else { Fault::Unresolved };
    failed(reason, format!("failed to {refused}"), pace)
}

fn transport(error: &reqwest::Error) -> Answer {
    // The URL may carry a token: the chain of causes is told without it.
    let mut why = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(refused) = error.downcast_ref() {
            return refusal(refused);
        }
        why.push(error.to_string());
        cause = error.source();
    }
    let why = why.join(": ");
    let certificate =
        ["certificate", "tls", "ssl"].iter().any(|word| why.to_ascii_lowercase().contains(word));
    match (error.is_timeout(), certificate) {
        (true, _) => failed(Fault::Timeout, why, Pace::Soon(None)),
        (false, true) => failed(Fault::Tls, why, Pace::Slowly),
        (false, false) => failed(Fault::Transport, why, Pace::Soon(None)),
    }
}

pub(crate) fn failed(reason: Fault, why: String, pace: Pace) -> Answer {
    Answer::Failed { reason, why, pace }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_its_class() {
        let class = |status: u16| class(StatusCode::from_u16(status).expect("a status"), &HeaderMap::new());
        for status in [400, 401, 403, 404, 405, 413, 422] {
            assert_eq!(class(status), (Fault::Refused, Pace::Slowly), "{status}");
        }
        for status in [408, 425, 429] {
            assert_eq!(class(status), (Fault::Throttled, Pace::Soon(None)), "{status}");
        }
        for status in [500, 502, 503, 504] {
            assert_eq!(class(status), (Fault::Server, Pace::Soon(None)), "{status}");
        }
        assert_eq!((class(302).0, class(410).0), (Fault::Redirect, Fault::Gone));
    }

    #[test]
    fn a_wait_may_be_asked_for_as_a_date() {
        let at = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(90);
        let text =
            jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&at).expect("a date");
        let headers = HeaderMap::from_iter([(RETRY_AFTER, text.parse().expect("a value"))]);
        let wait = retry_after(&headers).expect("a date in the future").as_secs();
        assert!((80..=90).contains(&wait), "{wait}");
    }
}
