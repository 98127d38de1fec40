//! Receivers that are down, hang, drip, cut off, are busy or send one elsewhere, over real connections: nothing is lost, and
//! what comes twice comes under one id with the same bytes.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::street::apart;
use super::*;
use crate::alert::egress::Allowed;
use crate::alert::target::webhook::Webhook;
use crate::config::{Format, Webhook as Config};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// How many alerts there are; as many connections of each receiver go wrong.
const ALERTS: usize = 3;
/// How long an attempt may take where it is to run into its limit.
const PATIENCE: Duration = Duration::from_secs(2);
const LIMIT: Duration = Duration::from_mins(3);

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
    /// It speaks something else.
    Babbles,
    /// Nothing listens until all others have everything.
    Down,
}

/// What the receivers do, each in its manner.
const MANNERS: [Manner; 15] = [
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
    // what only a person can mend is tried again, too, and no redirect is followed
    Manner::Answers("302 Found\r\nlocation: /elsewhere"),
    Manner::Answers("404 Not Found"),
    Manner::Answers("410 Gone"),
    Manner::Babbles,
    Manner::Down,
];

impl Manner {
    /// Whether it lets attempts run into their limit.
    fn makes_one_wait(self) -> bool {
        matches!(self, Self::Hangs | Self::NeverAnswers | Self::DripsItsHead)
    }
}

/// A receiver: what it took, as ids and bodies.
struct House {
    manner: Manner,
    connections: AtomicUsize,
    taken: Mutex<Vec<(String, String)>>,
    /// What was asked for, as first lines of requests.
    asked: Mutex<BTreeSet<String>>,
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
            | Manner::Answers(_)
            | Manner::Babbles
            | Manner::Down => {}
        }
        let (line, request) = read(&mut stream).await;
        self.asked.lock().expect("no panic").insert(line);
        if matches!(manner, Manner::Takes | Manner::DripsItsThanks | Manner::CutsOff | Manner::Down) {
            self.taken.lock().expect("no panic").push(request);
        }
        let long = "content-length: 100000\r\n\r\n";
        let (answer, goes_on) = match manner {
            Manner::NeverAnswers | Manner::Hangs => return std::future::pending().await,
            Manner::CutsOff | Manner::Closes => return,
            Manner::Takes | Manner::Down => ("HTTP/1.1 204 No Content\r\n\r\n".to_owned(), false),
            Manner::Answers(status) => (format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n"), false),
            Manner::Babbles => ("220 mail.example ready\r\n\r\n".to_owned(), false),
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

/// The first line of a request, and its id and body.
async fn read(stream: &mut TcpStream) -> (String, (String, String)) {
    let mut bytes = Vec::new();
    loop {
        stream.read_buf(&mut bytes).await.expect("a request");
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let header = |name: &str| {
            let mut lines = head.lines().filter_map(|line| line.split_once(": "));
            lines.find_map(|(key, value)| key.eq_ignore_ascii_case(name).then(|| value.to_owned()))
        };
        let length = header("content-length").and_then(|text| text.parse::<usize>().ok());
        if body.len() >= length.unwrap_or_default() {
            let line = head.lines().next().unwrap_or_default().to_owned();
            return (line, (header("webhook-id").unwrap_or_default(), body.to_owned()));
        }
    }
}

impl Remind for Webhook {
    async fn remind(&self, _: &[Alert]) -> Option<Answer> {
        None
    }
}

/// A receiver, and what calls it. What is down listens when `up` says so; its port is its own from the start.
fn house(manner: Manner, secret: &std::path::Path, mut up: watch::Receiver<bool>) -> (Arc<House>, Webhook) {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
    let url = format!("http://{}/in", socket.local_addr().expect("an address"));
    let house = House {
        manner,
        connections: AtomicUsize::default(),
        taken: Mutex::default(),
        asked: Mutex::default(),
    };
    let house = Arc::new(house);
    let serves = house.clone();
    let listen = move || socket.listen(128).expect("it listens");
    if manner == Manner::Down {
        tokio::spawn(async move {
            up.wait_for(|up| *up).await.expect("the test goes on");
            serves.serve(listen()).await;
        });
    } else {
        tokio::spawn(serves.serve(listen()));
    }
    let patience = if manner.makes_one_wait() { PATIENCE } else { LIMIT };
    let allowed = Allowed { loopback: true, private: false };
    let config = Config { url, secret_file: secret.into(), format: Format::Alertmanager, allowed };
    (house, Webhook::new(config, String::new()).expect("a client").within(patience))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receivers_that_are_down_hang_drip_cut_off_or_refuse_get_everything_in_the_end() {
    let mut secret = tempfile::NamedTempFile::new().expect("a file");
    writeln!(secret, "{SECRET}").expect("written");
    let (mut houses, mut routes) = (Vec::new(), Vec::new());
    let up = watch::Sender::new(false);
    for (n, manner) in MANNERS.into_iter().enumerate() {
        let (house, webhook) = house(manner, secret.path(), up.subscribe());
        houses.push(house);
        routes.push(Route::new(format!("r{n}"), webhook).in_haste());
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
        let have = |house: &Arc<House>| ids(house).len() == ALERTS;
        while !houses.iter().filter(|house| house.manner != Manner::Down).all(have) {
            look.tick().await;
        }
        up.send_replace(true);
        while !houses.iter().all(have) {
            look.tick().await;
        }
    };
    let lost = || houses.iter().map(|house| (house.manner, ids(house).len())).collect::<Vec<_>>();
    tokio::time::timeout(LIMIT, all).await.unwrap_or_else(|_| panic!("lost: {:?}", lost()));
    for house in &houses {
        let taken = house.taken.lock().expect("no panic").clone();
        let distinct: BTreeSet<_> = taken.iter().collect();
        assert_eq!(distinct.len(), ALERTS, "{:?}: one id, one body", house.manner);
        let asked = house.asked.lock().expect("no panic").clone();
        assert!(asked.iter().all(|line| line.starts_with("POST /in ")), "{:?}: {asked:?}", house.manner);
        let doubled = taken.len() - ALERTS;
        // who is called with little patience may be called twice where the machine is slow
        let may_double = house.manner == Manner::CutsOff || house.manner.makes_one_wait();
        assert!(doubled == 0 || may_double, "{:?}: {doubled} came twice", house.manner);
    }
}
