//! A registry between the program and the real one, that may be away or lie.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

/// How it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Manner {
    Honest,
    Away,
    /// A page of HTML.
    Page,
    /// Another schema than the one that was asked for.
    Other,
    /// More than anybody would read.
    Endless,
    /// An answer that begins and does not go on.
    Stuck,
}

const MANNERS: [Manner; 6] =
    [Manner::Honest, Manner::Away, Manner::Page, Manner::Other, Manner::Endless, Manner::Stuck];

/// A registry in between.
#[derive(Clone)]
pub(crate) struct Between {
    pub(crate) url: String,
    inside: Arc<Inside>,
}

struct Inside {
    real: String,
    client: reqwest::Client,
    manner: AtomicU8,
    asked: AtomicU32,
}

impl Between {
    pub(crate) async fn start(real: &str) -> Self {
        let inside = Arc::new(Inside {
            real: real.to_owned(),
            client: reqwest::Client::new(),
            manner: AtomicU8::new(0),
            asked: AtomicU32::new(0),
        });
        let app = Router::new().fallback(answer).with_state(inside.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, inside }
    }

    pub(crate) fn set(&self, manner: Manner) {
        self.inside.manner.store(manner as u8, Ordering::SeqCst);
        self.inside.asked.store(0, Ordering::SeqCst);
    }

    /// Whether it was asked since its manner changed.
    pub(crate) fn was_asked(&self) -> bool {
        self.inside.asked.load(Ordering::SeqCst) > 0
    }
}

async fn answer(State(inside): State<Arc<Inside>>, request: Request) -> Response {
    inside.asked.fetch_add(1, Ordering::SeqCst);
    let json = [(header::CONTENT_TYPE, "application/json")];
    match MANNERS[usize::from(inside.manner.load(Ordering::SeqCst))] {
        Manner::Honest => honest(&inside, request).await,
        Manner::Away => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Manner::Page => "<html><body>Please sign in</body></html>".into_response(),
        Manner::Other => {
            let body = r#"{"schema":"{\"type\":\"string\"}","id":1,"version":1,"subject":"another"}"#;
            (json, body).into_response()
        }
        Manner::Endless => {
            let chunk = || Ok::<_, std::io::Error>(Bytes::from(vec![b' '; 64 * 1024]));
            let body = Body::from_stream(futures::stream::repeat_with(chunk));
            (json, body).into_response()
        }
        Manner::Stuck => {
            let body = Body::from_stream(futures::stream::pending::<Result<Bytes, std::io::Error>>());
            (json, body).into_response()
        }
    }
}

async fn honest(inside: &Inside, request: Request) -> Response {
    let url = format!("{}{}", inside.real, request.uri());
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let asked = inside.client.request(parts.method, url).headers(parts.headers).body(body);
    match asked.send().await {
        Ok(answer) => {
            let status = answer.status();
            let kind = answer.headers().get(header::CONTENT_TYPE).cloned();
            let mut response = (status, answer.bytes().await.unwrap_or_default()).into_response();
            if let Some(kind) = kind {
                response.headers_mut().insert(header::CONTENT_TYPE, kind);
            }
            response
        }
        Err(_) => StatusCode::BAD_GATEWAY.into_response(),
    }
}
