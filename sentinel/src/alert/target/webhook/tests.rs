use std::io::Write;
use std::path::PathBuf;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;
use crate::alert::egress::Allowed;
use crate::config::Format;
use std::time::Duration;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

struct Fixture {
    caller: Webhook,
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
    let config = Config { url, secret_file: secret.path().into(), format: Format::Alertmanager, allowed };
    let caller = Webhook::new(config, String::new()).expect("a client");
    let message = Message { id: "d1.firing".to_owned(), body: b"{\"a\":1}".to_vec(), ..Message::default() };
    Fixture { caller, message, asked, _secret: secret }
}

fn reason(answer: &Answer) -> (Fault, Pace) {
    match answer {
        Answer::Delivered => panic!("delivered"),
        Answer::Failed { reason, pace, .. } => (*reason, *pace),
    }
}

#[tokio::test]
async fn a_notification_arrives_signed_with_its_id() {
    let f = receiver(b"HTTP/1.1 204 No Content\r\n\r\n", false).await;
    assert_eq!(f.caller.post(&f.message).await, Answer::Delivered);
    let request = f.asked.await.expect("no panic");
    let header = |name: &str| {
        let line = request.lines().find(|line| line.to_ascii_lowercase().starts_with(&format!("{name}: ")));
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
    let secrets = Secrets::read(&f.caller.config.secret_file).expect("a secret");
    assert_eq!(header("webhook-signature"), secrets.sign("d1.firing", timestamp, &f.message.body));
}

#[tokio::test]
async fn a_redirect_is_a_failure_and_is_never_followed() {
    let answer =
        b"HTTP/1.1 307 Temporary Redirect\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n";
    let f = receiver(answer, false).await;
    assert_eq!(reason(&f.caller.post(&f.message).await), (Fault::Redirect, Pace::Slowly));
}

#[tokio::test]
async fn a_receiver_that_is_busy_may_say_for_how_long() {
    let answer = b"HTTP/1.1 503 Busy\r\nretry-after: 42\r\ncontent-length: 0\r\n\r\n";
    let f = receiver(answer, false).await;
    let soon = Pace::Soon(Some(Duration::from_secs(42)));
    assert_eq!(reason(&f.caller.post(&f.message).await), (Fault::Server, soon));
}

#[tokio::test]
async fn an_endless_answer_is_dropped_after_its_beginning() {
    let f = receiver(b"HTTP/1.1 500 No\r\ntransfer-encoding: identity\r\n\r\n", true).await;
    let answer = tokio::time::timeout(Duration::from_secs(10), f.caller.post(&f.message)).await;
    assert_eq!(reason(&answer.expect("dropped")).0, Fault::Server);
    f.asked.await.expect("the connection was closed");
}

#[tokio::test]
async fn nobody_at_home_is_tried_again_soon_and_the_url_is_not_told() {
    let mut f = receiver(b"", false).await;
    f.asked.abort();
    let _ended = (&mut f.asked).await;
    let answer = f.caller.post(&f.message).await;
    assert_eq!(reason(&answer), (Fault::Transport, Pace::Soon(None)));
    assert!(!format!("{answer:?}").contains("hidden"), "{answer:?}");
}

#[tokio::test]
async fn no_connection_is_made_to_where_the_receiver_may_not_point() {
    let mut f = receiver(b"HTTP/1.1 200 OK\r\n\r\n", false).await;
    f.caller.line = Line::new(Allowed::default(), true).expect("a client");
    assert_eq!(reason(&f.caller.post(&f.message).await), (Fault::Egress, Pace::Slowly));
    assert!(!f.asked.is_finished());
}

#[tokio::test]
async fn a_name_that_leads_where_it_may_not_is_refused_before_any_connection() {
    let mut f = receiver(b"HTTP/1.1 200 OK\r\n\r\n", false).await;
    let url = f.caller.config.url.replace("127.0.0.1", "localhost");
    // Allowed when it was configured, and leading elsewhere when it is used.
    let allowed = Allowed { loopback: false, private: true };
    f.caller = Webhook::new(Config { url, allowed, ..f.caller.config }, String::new()).expect("a client");
    assert_eq!(reason(&f.caller.post(&f.message).await), (Fault::Egress, Pace::Slowly));
    assert!(!f.asked.is_finished());
}

#[tokio::test]
async fn a_secret_that_went_missing_is_a_failure_with_its_file() {
    let mut f = receiver(b"HTTP/1.1 200 OK\r\n\r\n", false).await;
    f.caller.config.secret_file = PathBuf::from("/nowhere/secret");
    let Answer::Failed { reason, why, .. } = f.caller.post(&f.message).await else { panic!("delivered") };
    assert_eq!(reason, Fault::Secret);
    assert!(why.contains("/nowhere/secret"), "{why}");
}
