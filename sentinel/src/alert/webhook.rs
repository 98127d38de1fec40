//! One attempt: a signed POST to an address that was looked at, and what its answer means.

use std::error::Error as _;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER, USER_AGENT};
use reqwest::{Client, Response, StatusCode, Url, redirect};

use crate::alert::body::Message;
use crate::alert::egress::{self, Allowed, Refused};
use crate::alert::schedule::Pace;
use crate::alert::signature::Secrets;
use crate::config::Webhook;

const CONNECT: Duration = Duration::from_secs(10);
const TOTAL: Duration = Duration::from_secs(15);
/// How much of an answer is read before the connection is dropped, in bytes.
const ANSWER: usize = 4096;

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The receiver has it.
    Delivered,
    /// It has not, or not surely.
    Failed {
        /// The class of the failure; the label of its metric.
        reason: &'static str,
        /// What happened, for a person.
        why: String,
        /// How soon it is worth another attempt.
        pace: Pace,
    },
}

/// Makes one attempt to bring a notification to a receiver.
pub(crate) trait Post: Send + Sync + 'static {
    /// Makes the attempt; never longer than 15 s.
    fn post(&self, message: &Message) -> impl Future<Output = Answer> + Send;
}

/// Brings notifications to one webhook. Its client goes to addresses that were looked at and to no other: no
/// redirect, no proxy, and every name is resolved by [`Vetting`], for each attempt anew.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    webhook: Webhook,
    client: Client,
}

impl Caller {
    /// Makes the client once, as reading the system's certificates takes longer than a delivery, and reads the
    /// secret, so that a missing one is found before the first alert.
    pub(crate) fn new(webhook: Webhook) -> anyhow::Result<Self> {
        Secrets::read(&webhook.secret_file).map_err(|error| anyhow::anyhow!("failed to {error}"))?;
        let url = egress::check_url(&webhook.url, webhook.allowed)
            .map_err(|refused| anyhow::anyhow!("failed to {refused}"))?;
        let client = Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .dns_resolver(Vetting { url, allowed: webhook.allowed })
            .connect_timeout(CONNECT)
            .timeout(TOTAL)
            .pool_max_idle_per_host(0)
            .build()?;
        Ok(Self { webhook, client })
    }

    async fn attempt(&self, message: &Message) -> Answer {
        let Webhook { url, secret_file, allowed } = &self.webhook;
        let secrets = match Secrets::read(secret_file) {
            Ok(secrets) => secrets,
            Err(error) => return failed("secret", format!("failed to {error}"), Pace::Soon(None)),
        };
        // An address that is no name is asked of no resolver.
        let url = match egress::check_url(url, *allowed) {
            Ok(url) => url,
            Err(refused) => return refusal(&refused),
        };
        match self.send(url, message, &secrets).await {
            Ok(response) => judge(response).await,
            Err(error) => transport(&error),
        }
    }

    async fn send(&self, url: Url, message: &Message, secrets: &Secrets) -> reqwest::Result<Response> {
        let timestamp = jiff::Timestamp::now().as_second();
        self.client
            .post(url)
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, concat!("pavane-sentinel/", env!("CARGO_PKG_VERSION")))
            .header("webhook-id", &message.id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", secrets.sign(&message.id, timestamp, &message.body))
            .body(message.body.clone())
            .send()
            .await
    }
}

impl Post for Caller {
    async fn post(&self, message: &Message) -> Answer {
        let attempt = tokio::time::timeout(TOTAL, self.attempt(message));
        attempt
            .await
            .unwrap_or_else(|_| failed("timeout", format!("no answer within {TOTAL:?}"), Pace::Soon(None)))
    }
}

/// Resolves names, and gives only answers of which every address is allowed.
#[derive(Clone, Debug)]
struct Vetting {
    url: Url,
    allowed: Allowed,
}

impl Resolve for Vetting {
    fn resolve(&self, _: Name) -> Resolving {
        let Self { url, allowed } = self.clone();
        Box::pin(async move {
            let resolve =
                async |host: String, port| Ok(tokio::net::lookup_host((host, port)).await?.collect());
            let addresses = egress::vetted(&url, allowed, resolve).await?;
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
fn class(status: StatusCode, headers: &HeaderMap) -> (&'static str, Pace) {
    match status.as_u16() {
        300..=399 => ("redirect", Pace::Slowly),
        410 => ("gone", Pace::Slowly),
        408 | 425 | 429 => ("throttled", Pace::Soon(retry_after(headers))),
        400..=499 => ("refused", Pace::Slowly),
        _ => ("server", Pace::Soon(retry_after(headers))),
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
    let mut read = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
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
    let reason = if pace == Pace::Slowly { "egress" } else { "unresolved" };
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
        (true, _) => failed("timeout", why, Pace::Soon(None)),
        (false, true) => failed("tls", why, Pace::Slowly),
        (false, false) => failed("transport", why, Pace::Soon(None)),
    }
}

fn failed(reason: &'static str, why: String, pace: Pace) -> Answer {
    Answer::Failed { reason, why, pace }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::path::PathBuf;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::task::JoinHandle;

    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    struct Fixture {
        caller: Caller,
        message: Message,
        asked: JoinHandle<String>,
        _secret: tempfile::NamedTempFile,
    }

    /// A receiver that gives one raw answer and keeps the request.
    async fn receiver(answer: &'static [u8], endless: bool) -> Fixture {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/in?token=hidden", listener.local_addr().expect("an address"));
        let asked = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let mut request = Vec::new();
            while !request.ends_with(b"}") {
                stream.read_buf(&mut request).await.expect("a request");
            }
            let mut going = stream.write_all(answer).await.is_ok();
            let much = vec![b'x'; 65_536];
            while endless && going {
                going = stream.write_all(&much).await.is_ok();
            }
            String::from_utf8(request).expect("text")
        });
        let mut secret = tempfile::NamedTempFile::new().expect("a file");
        writeln!(secret, "{SECRET}").expect("written");
        let allowed = Allowed { loopback: true, private: false };
        let webhook = Webhook { url, secret_file: secret.path().into(), allowed };
        let caller = Caller::new(webhook).expect("a client");
        let message = Message { id: "d1.firing".to_owned(), body: b"{\"a\":1}".to_vec() };
        Fixture { caller, message, asked, _secret: secret }
    }

    fn reason(answer: &Answer) -> (&'static str, Pace) {
        match answer {
            Answer::Delivered => panic!("delivered"),
            Answer::Failed { reason, pace, .. } => (reason, *pace),
        }
    }

    #[tokio::test]
    async fn a_notification_arrives_signed_with_its_id() {
        let f = receiver(b"HTTP/1.1 204 No Content\r\n\r\n", false).await;
        assert_eq!(f.caller.post(&f.message).await, Answer::Delivered);
        let request = f.asked.await.expect("no panic");
        let header = |name: &str| {
            let line =
                request.lines().find(|line| line.to_ascii_lowercase().starts_with(&format!("{name}: ")));
            line.unwrap_or_else(|| panic!("no {name} in {request}"))
                .split_once(": ")
                .expect("a value")
                .1
                .to_owned()
        };
        assert!(request.starts_with("POST /in?token=hidden HTTP/1.1"), "{request}");
        assert_eq!(
            (header("webhook-id"), header("content-type")),
            ("d1.firing".into(), "application/json".into())
        );
        let timestamp: i64 = header("webhook-timestamp").parse().expect("seconds");
        assert!((jiff::Timestamp::now().as_second() - timestamp).abs() < 60);
        let secrets = Secrets::read(&f.caller.webhook.secret_file).expect("a secret");
        assert_eq!(header("webhook-signature"), secrets.sign("d1.firing", timestamp, &f.message.body));
    }

    #[tokio::test]
    async fn a_redirect_is_a_failure_and_is_never_followed() {
        let answer = b"HTTP/1.1 307 Temporary Redirect\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n";
        let f = receiver(answer, false).await;
        assert_eq!(reason(&f.caller.post(&f.message).await), ("redirect", Pace::Slowly));
    }

    #[tokio::test]
    async fn a_receiver_that_is_busy_may_say_for_how_long() {
        let answer = b"HTTP/1.1 503 Busy\r\nretry-after: 42\r\ncontent-length: 0\r\n\r\n";
        let f = receiver(answer, false).await;
        let soon = Pace::Soon(Some(Duration::from_secs(42)));
        assert_eq!(reason(&f.caller.post(&f.message).await), ("server", soon));
    }

    #[tokio::test]
    async fn an_endless_answer_is_dropped_after_its_beginning() {
        let f = receiver(b"HTTP/1.1 500 No\r\ntransfer-encoding: identity\r\n\r\n", true).await;
        let answer = tokio::time::timeout(Duration::from_secs(10), f.caller.post(&f.message)).await;
        assert_eq!(reason(&answer.expect("dropped")).0, "server");
        f.asked.await.expect("the connection was closed");
    }

    #[tokio::test]
    async fn nobody_at_home_is_tried_again_soon_and_the_url_is_not_told() {
        let mut f = receiver(b"", false).await;
        f.asked.abort();
        let _ended = (&mut f.asked).await;
        let answer = f.caller.post(&f.message).await;
        assert_eq!(reason(&answer), ("transport", Pace::Soon(None)));
        assert!(!format!("{answer:?}").contains("hidden"), "{answer:?}");
    }

    #[tokio::test]
    async fn no_connection_is_made_to_where_the_receiver_may_not_point() {
        let mut f = receiver(b"HTTP/1.1 200 OK\r\n\r\n", false).await;
        f.caller.webhook.allowed = Allowed::default();
        assert_eq!(reason(&f.caller.post(&f.message).await), ("egress", Pace::Slowly));
        assert!(!f.asked.is_finished());
    }

    #[tokio::test]
    async fn a_name_that_leads_where_it_may_not_is_refused_before_any_connection() {
        let mut f = receiver(b"HTTP/1.1 200 OK\r\n\r\n", false).await;
        let url = f.caller.webhook.url.replace("127.0.0.1", "localhost");
        // Allowed when it was configured, and leading elsewhere when it is used.
        let allowed = Allowed { loopback: false, private: true };
        f.caller = Caller::new(Webhook { url, allowed, ..f.caller.webhook }).expect("a client");
        assert_eq!(reason(&f.caller.post(&f.message).await), ("egress", Pace::Slowly));
        assert!(!f.asked.is_finished());
    }

    #[tokio::test]
    async fn a_secret_that_went_missing_is_a_failure_with_its_file() {
        let mut f = receiver(b"HTTP/1.1 200 OK\r\n\r\n", false).await;
        f.caller.webhook.secret_file = PathBuf::from("/nowhere/secret");
        let Answer::Failed { reason, why, .. } = f.caller.post(&f.message).await else { panic!("delivered") };
        assert_eq!(reason, "secret");
        assert!(why.contains("/nowhere/secret"), "{why}");
    }

    #[test]
    fn every_status_has_its_class() {
        let class = |status: u16| class(StatusCode::from_u16(status).expect("a status"), &HeaderMap::new());
        for status in [400, 401, 403, 404, 405, 413, 422] {
            assert_eq!(class(status), ("refused", Pace::Slowly), "{status}");
        }
        for status in [408, 425, 429] {
            assert_eq!(class(status), ("throttled", Pace::Soon(None)), "{status}");
        }
        for status in [500, 502, 503, 504] {
            assert_eq!(class(status), ("server", Pace::Soon(None)), "{status}");
        }
        assert_eq!((class(302).0, class(410).0), ("redirect", "gone"));
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
