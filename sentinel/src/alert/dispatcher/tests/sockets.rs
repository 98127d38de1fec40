//! Receivers that hang, drip, cut off or are busy, over real connections: nothing is lost, and what comes twice comes under
//! one id with the same bytes.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::street::apart;
use super::*;
use crate::alert::egress::Allowed;
use crate::alert::target::webhook::Webhook;
use crate::config::{Format, Webhook as Config};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// How many alerts there are; as many connections of each receiver go wrong.
const ALERTS: usize = 3;
/// How long an attempt may take here.
const PATIENCE: Duration = Duration::from_secs(2);
const LIMIT: Duration = Duration::from_mins(1);

/// What a receiver does with its first connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// It takes what comes.
    Takes,
    /// It never reads.
    Hangs,
    /// It reads, and never answers.
    NeverAnswers,
    /// Its head comes byte by byte and does not end.
    DripsItsHead,
    /// Its refusal comes byte by byte and does not end.
    DripsARefusal,
    /// It takes it, and its answer comes byte by byte and does not end.
    DripsItsThanks,
    /// It takes it, and cuts the connection off.
    CutsOff,
    /// It closes the connection at once.
    Closes,
    /// It answers with this, and nothing else.
    Answers(&'static str),
}

/// A receiver: what it took, as ids and bodies.
struct House {
    manner: Manner,
    connections: AtomicUsize,
    taken: Mutex<Vec<(String, String)>>,
}

impl House {
    async fn serve(self: Arc<Self>, listener: TcpListener) {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(self.clone().greet(stream));
        }
    }

    async fn greet(self: Arc<Self>, mut stream: TcpStream) {
        let goes_wrong = self.connections.fetch_add(1, Ordering::SeqCst) < ALERTS;
        let manner = if goes_wrong { self.manner } else { Manner::Takes };
        match manner {
            Manner::Closes => return,
            Manner::Hangs => return std::future::pending().await,
            Manner::Takes
            | Manner::NeverAnswers
            | Manner::DripsItsHead
            | Manner::DripsARefusal
            | Manner::DripsItsThanks
            | Manner::CutsOff
            | Manner::Answers(_) => {}
        }
        let request = read(&mut stream).await;
        if matches!(manner, Manner::Takes | Manner::DripsItsThanks | Manner::CutsOff) {
            self.taken.lock().expect("no panic").push(request);
        }
        let long = "content-length: 100000\r\n\r\n";
        let (answer, goes_on) = match manner {
            Manner::NeverAnswers | Manner::Hangs => return std::future::pending().await,
            Manner::CutsOff | Manner::Closes => return,
            Manner::Takes => ("HTTP/1.1 204 No Content\r\n\r\n".to_owned(), false),
            Manner::Answers(status) => (format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n"), false),
            Manner::DripsItsHead => ("HTTP/1.1 200 OK\r\nx: ".to_owned(), true),
            Manner::DripsARefusal => (format!("HTTP/1.1 503 Busy\r\nretry-after: 1\r\n{long}"), true),
            Manner::DripsItsThanks => (format!("HTTP/1.1 200 OK\r\n{long}"), true),
        };
        let mut going = stream.write_all(answer.as_bytes()).await.is_ok();
        let mut pulse = interval(Duration::from_millis(20));
        while going && goes_on {
            pulse.tick().await;
            going = stream.write_all(b"x").await.is_ok();
        }
    }
}

/// The id and the body of a request.
async fn read(stream: &mut TcpStream) -> (String, String) {
    let mut bytes = Vec::new();
    loop {
        stream.read_buf(&mut bytes).await.expect("a request");
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let header = |name: &str| {
            let mut lines = head.lines().filter_map(|line| line.split_once(": "));
            lines.find_map(|(key, value)| key.eq_ignore_ascii_case(name).then(|| value.to_owned()))
        };
        let length: usize = header("content-length").and_then(|text| text.parse().ok()).expect("a length");
        if body.len() >= length {
            return (header("webhook-id").expect("an id"), body.to_owned());
        }
    }
}

impl Remind for Webhook {
    async fn remind(&self, _: &[Alert]) -> Option<Answer> {
        None
    }
}

async fn house(manner: Manner, secret: &std::path::Path) -> (Arc<House>, Webhook) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/in", listener.local_addr().expect("an address"));
    let house = Arc::new(House { manner, connections: AtomicUsize::default(), taken: Mutex::default() });
    tokio::spawn(house.clone().serve(listener));
    let allowed = Allowed { loopback: true, private: false };
    let config = Config { url, secret_file: secret.into(), format: Format::Alertmanager, allowed };
    (house, Webhook::new(config, String::new()).expect("a client").within(PATIENCE))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receivers_that_hang_drip_or_cut_off_get_everything_in_the_end() {
    let mut secret = tempfile::NamedTempFile::new().expect("a file");
    writeln!(secret, "{SECRET}").expect("written");
    let manners = [
        Manner::Takes,
        Manner::Hangs,
        Manner::NeverAnswers,
        Manner::DripsItsHead,
        Manner::DripsARefusal,
        Manner::DripsItsThanks,
        Manner::CutsOff,
        Manner::Closes,
        Manner::Answers("429 Too Many Requests\r\nretry-after: 1"),
        Manner::Answers("500 Internal Server Error"),
    ];
    let (mut houses, mut routes) = (Vec::new(), Vec::new());
    for (n, manner) in manners.into_iter().enumerate() {
        let (house, webhook) = house(manner, secret.path()).await;
        houses.push(house);
        routes.push(Route::new(format!("r{n}"), webhook));
    }
    let names: Vec<String> = routes.iter().map(|route| route.name.clone()).collect();
    let (marks, _rows, news) = Marks::new();
    marks.load(&[], wall());
    let notifier = Notifier::new(Tree::of_all(&names), Vec::new());
    let dispatcher = Dispatcher::new(routes, notifier, Arc::new(marks), Arc::default(), "a".to_owned());
    let (raise, raised) = mpsc::unbounded_channel();
    let (_questions, asked) = mpsc::channel(1);
    tokio::spawn(dispatcher.run(Inbox { raised, news, questions: asked }));
    let speaks = watch::Sender::new(true);
    for n in 0..ALERTS {
        let way = Way::Log { speaks: speaks.subscribe() };
        raise.send(Raised { alert: apart(n), way }).expect("the dispatcher runs");
    }
    let ids = |house: &House| -> BTreeSet<String> {
        house.taken.lock().expect("no panic").iter().map(|(id, _)| id.clone()).collect()
    };
    let all = async {
        let mut look = interval(Duration::from_millis(20));
        while !houses.iter().all(|house| ids(house).len() == ALERTS) {
            look.tick().await;
        }
    };
    let lost = || houses.iter().map(|house| (house.manner, ids(house).len())).collect::<Vec<_>>();
    tokio::time::timeout(LIMIT, all).await.unwrap_or_else(|_| panic!("lost: {:?}", lost()));
    for house in &houses {
        let taken = house.taken.lock().expect("no panic").clone();
        let distinct: BTreeSet<_> = taken.iter().collect();
        assert_eq!(distinct.len(), ALERTS, "{:?}: one id, one body", house.manner);
        let doubled = taken.len() - ALERTS;
        assert!(doubled == 0 || house.manner == Manner::CutsOff, "{:?}: {doubled} came twice", house.manner);
    }
}
