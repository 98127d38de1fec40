//! What a service stands on, as far as a check can tell: small servers that speak each protocol, well or ill.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};
use axum::routing::get;
use bytes::Bytes;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// The servers, and what they answer.
pub(crate) struct Peers {
    /// Where the pages are.
    pub(crate) page: String,
    /// Whether they are ill.
    pub(crate) ill: Arc<AtomicBool>,
    /// How much waits while they are not, after what is in the queue.
    pub(crate) depth: Arc<AtomicI64>,
    /// What is told first of how much waits.
    pub(crate) queue: Arc<Mutex<VecDeque<i64>>>,
    /// A file with a number.
    pub(crate) file: PathBuf,
    /// A file with the password of the cache.
    pub(crate) secret: PathBuf,
    addresses: BTreeMap<&'static str, String>,
    _dir: tempfile::TempDir,
}

#[derive(Clone)]
struct Inside {
    ill: Arc<AtomicBool>,
    depth: Arc<AtomicI64>,
    queue: Arc<Mutex<VecDeque<i64>>>,
}

impl Peers {
    pub(crate) async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (file, secret) = (dir.path().join("number"), dir.path().join("secret"));
        std::fs::write(&file, "3\n").unwrap();
        std::fs::write(&secret, "canary\n").unwrap();
        let (ill, depth) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicI64::new(7)));
        let queue = Arc::new(Mutex::new(VecDeque::new()));
        let inside = Inside { ill: ill.clone(), depth: depth.clone(), queue: queue.clone() };
        let pages = Router::new()
            .route("/well", get(well))
            .route("/queue", get(waits))
            .route("/api/v1/query", get(errors))
            .with_state(inside);
        let (listener, page) = listen().await;
        tokio::spawn(async move { axum::serve(listener, pages).await.unwrap() });
        let mut addresses = BTreeMap::new();
        addresses.insert("port", serve(&ill, |_, _| async {}).await);
        addresses.insert("grpc", serve(&ill, grpc).await);
        addresses.insert("sql", serve(&ill, postgres).await);
        addresses.insert("redis", serve(&ill, redis).await);
        Self { page: format!("http://{page}"), ill, depth, queue, file, secret, addresses, _dir: dir }
    }

    /// Where one of the servers is.
    pub(crate) fn address(&self, name: &str) -> &str {
        &self.addresses[name]
    }
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

/// Serves each connection with what speaks the protocol; it is told whether it is ill.
async fn serve<F>(ill: &Arc<AtomicBool>, speak: impl Fn(TcpStream, bool) -> F + Send + 'static) -> String
where
    F: Future<Output = ()> + Send + 'static,
{
    let ((listener, address), ill) = (listen().await, ill.clone());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(speak(stream, ill.load(Ordering::SeqCst)));
        }
    });
    address
}

async fn well(State(inside): State<Inside>) -> (StatusCode, &'static str) {
    if inside.ill.load(Ordering::SeqCst) {
        return (StatusCode::SERVICE_UNAVAILABLE, "warming up");
    }
    (StatusCode::OK, "")
}

async fn waits(State(inside): State<Inside>) -> String {
    let ill = inside.ill.load(Ordering::SeqCst);
    let told = inside.queue.lock().unwrap().pop_front();
    let depth = told.unwrap_or_else(|| if ill { 140 } else { inside.depth.load(Ordering::SeqCst) });
    format!(r#"{{"depth":{depth}}}"#)
}

async fn errors(
    State(inside): State<Inside>,
    axum::extract::RawQuery(query): axum::extract::RawQuery,
) -> String {
    assert_eq!(query.as_deref(), Some("query=rate%28errors%5B1m%5D%29"), "the query comes as it is written");
    let value = if inside.ill.load(Ordering::SeqCst) { "0.5" } else { "0.001" };
    format!(
        r#"{{"status":"success","data":{{"resultType":"vector","result":[{{"metric":{{}},"value":[1,"{value}"]}}]}}}}"#
    )
}

/// A gRPC server with a health check, of which one connection may be asked several times.
async fn grpc(stream: TcpStream, ill_at_first: bool) {
    let ill = ill_at_first;
    let Ok(mut connection) = h2::server::handshake(stream).await else { return };
    // What turned ill answers so on a new connection.
    if let Some(Ok((request, mut respond))) = connection.accept().await {
        assert_eq!(request.uri().path(), "/grpc.health.v1.Health/Check");
        tokio::spawn(async move {
            let mut body = request.into_body();
            let mut asked = Vec::new();
            while let Some(Ok(chunk)) = body.data().await {
                asked.extend_from_slice(&chunk);
            }
            assert_eq!(asked, b"\0\0\0\0\x07\x0a\x05users");
            let head = Response::builder().header("content-type", "application/grpc").body(()).unwrap();
            let mut answer = respond.send_response(head, false).unwrap();
            let status = if ill { 2 } else { 1 };
            answer.send_data(Bytes::from(vec![0, 0, 0, 0, 2, 8, status]), false).unwrap();
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", HeaderValue::from_static("0"));
            answer.send_trailers(trailers).unwrap();
        });
        connection.graceful_shutdown();
        while connection.accept().await.is_some() {}
    }
}

/// A `PostgreSQL` server, as far as a start-up without TLS and one query go.
async fn postgres(mut stream: TcpStream, ill: bool) {
    let said = async {
        // It is asked for TLS first, and has none.
        let mut tls = [0; 8];
        stream.read_exact(&mut tls).await?;
        assert_eq!(tls, [0, 0, 0, 8, 4, 210, 22, 47]);
        stream.write_all(b"N").await?;
        let length = stream.read_u32().await?;
        let mut start = vec![0; usize::try_from(length).unwrap() - 4];
        stream.read_exact(&mut start).await?;
        assert!(String::from_utf8_lossy(&start).contains("user\0shop\0"));
        if ill {
            let fields = b"SFATAL\0VFATAL\0C53300\0Msorry, too many clients already\0\0";
            return stream.write_all(&message(b'E', fields)).await;
        }
        stream.write_all(&message(b'R', &[0; 4])).await?;
        stream.write_all(&message(b'Z', b"I")).await?;
        let (kind, length) = (stream.read_u8().await?, stream.read_u32().await?);
        let mut query = vec![0; usize::try_from(length).unwrap() - 4];
        stream.read_exact(&mut query).await?;
        assert_eq!((kind, &query[..]), (b'Q', &b"SELECT 1\0"[..]));
        stream.write_all(&message(b'C', b"SELECT 1\0")).await?;
        stream.write_all(&message(b'Z', b"I")).await
    };
    // Who asks may hang up when it has heard enough.
    drop::<std::io::Result<()>>(said.await);
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap();
    [&[kind][..], &length.to_be_bytes(), body].concat()
}

/// A Redis server that wants a password.
async fn redis(stream: TcpStream, ill: bool) {
    let mut stream = BufReader::new(stream);
    let mut known = false;
    loop {
        let mut words = Vec::new();
        let mut line = String::new();
        if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
            return;
        }
        for _ in 0..line.trim_start_matches('*').trim().parse::<u32>().unwrap() {
            let (mut length, mut word) = (String::new(), String::new());
            stream.read_line(&mut length).await.unwrap();
            stream.read_line(&mut word).await.unwrap();
            assert_eq!(length.trim(), format!("${}", word.trim().len()));
            words.push(word.trim().to_owned());
        }
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let answer = match (&words[..], known, ill) {
            (["AUTH", "canary"], _, _) => {
                known = true;
                "+OK\r\n"
            }
            (["PING"], true, false) => "+PONG\r\n",
            (["PING"], true, true) => "-LOADING Redis is loading the dataset in memory\r\n",
            _ => "-NOAUTH Authentication required.\r\n",
        };
        if stream.get_mut().write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}
