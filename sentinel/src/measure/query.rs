//! One instant query: what is asked, over which way, and for how long at most.

use std::error::Error as _;
use std::path::Path;

use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Client, Response, Url, redirect};

use crate::config::Prometheus;
use crate::measure::answer::{self, Missing, Reading};

/// The largest answer that is read, in bytes; one number takes a hundred.
const LARGEST: usize = 1 << 20;

/// Asks the Prometheus that the sentinel's file names. Follows no redirect and takes no proxy: a token goes to
/// nobody else.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    prometheus: Prometheus,
    url: Url,
    client: Client,
}

impl Metrics {
    /// Makes the client, and reads the token once, so that a missing one is found before the first watch.
    pub(crate) fn new(prometheus: Prometheus) -> anyhow::Result<Self> {
        if let Some(file) = &prometheus.token_file {
            token(file).map_err(anyhow::Error::msg)?;
        }
        let client = Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .timeout(prometheus.timeout)
            .user_agent(concat!("pavane-sentinel/", env!("CARGO_PKG_VERSION")))
            .build()?;
        let mut url = prometheus.url.clone();
        let path = format!("{}/api/v1/query", url.path().trim_end_matches('/'));
        url.set_path(&path);
        Ok(Self { prometheus, url, client })
    }

    /// Asks for the number that a query stands for at this moment.
    pub(crate) async fn ask(&self, query: &str) -> Result<Reading, Missing> {
        let mut url = self.url.clone();
        let patience = format!("{}ms", self.prometheus.timeout.as_millis());
        url.query_pairs_mut().append_pair("query", query).append_pair("timeout", &patience);
        let mut request = self.client.get(url);
        if let Some(file) = &self.prometheus.token_file {
            let token = token(file).map_err(|why| Missing::new("token", &why))?;
            request = request.header(AUTHORIZATION, token);
        }
        let response = request.send().await.map_err(|error| self.transport(&error))?;
        let status = response.status();
        if status.is_redirection() {
            let why = format!(
                "Prometheus answered {status}, which is not followed; set `url` in the sentinel's file to where it leads"
            );
            return Err(Missing::new("redirect", &why));
        }
        answer::read(status, &self.body(response).await?)
    }

    async fn body(&self, mut response: Response) -> Result<Vec<u8>, Missing> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.transport(&error))? {
            if body.len() + chunk.len() > LARGEST {
                let why =
                    format!("the answer is larger than {LARGEST} bytes; the query must give one number");
                return Err(Missing::new("too_large", &why));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn transport(&self, error: &reqwest::Error) -> Missing {
        if error.is_timeout() {
            let limit = self.prometheus.timeout;
            return Missing::new("timeout", &format!("Prometheus did not answer within {limit:?}"));
        }
        // The URL holds the query: the chain of causes is told without it.
        let mut why = "Prometheus cannot be reached".to_owned();
        let mut cause = error.source();
        while let Some(error) = cause {
            why = format!("{why}: {error}");
            cause = error.source();
        }
        Missing::new("transport", &why)
    }
}

/// Reads the token for each query anew: it may have been replaced.
fn token(file: &Path) -> Result<HeaderValue, String> {
    let refused = |what: &str| format!("failed to read the token file {}: {what}", file.display());
    let text = std::fs::read_to_string(file).map_err(|error| refused(&error.to_string()))?;
    let token = text.trim();
    let mut header = HeaderValue::from_str(&format!("Bearer {token}"))
        .ok()
        .filter(|_| !token.is_empty())
        .ok_or_else(|| refused("it must hold a token and nothing else"))?;
    header.set_sensitive(true);
    Ok(header)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::time::Duration;

    use axum::Router;
    use axum::http::{HeaderMap, Uri, header};
    use axum::response::Redirect;
    use axum::routing::get;
    use tokio::net::TcpListener;

    use super::*;

    const GOOD: &str = r#"{"status":"success","data":{"resultType":"scalar","result":[1,"0.5"]}}"#;

    async fn class(metrics: &Metrics) -> &'static str {
        metrics.ask("up").await.expect_err("no number").class
    }

    #[tokio::test]
    async fn the_query_arrives_as_it_stands_in_the_plan_with_the_token_that_the_file_holds_then() {
        let seen = get(|uri: Uri, headers: HeaderMap| async move {
            let token = headers[header::AUTHORIZATION].to_str().expect("text").to_owned();
            let error = format!("{token} {}", uri.query().unwrap_or_default());
            serde_json::json!({ "status": "error", "error": error }).to_string()
        });
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        writeln!(file, "one").expect("written");
        let prometheus = Prometheus { token_file: Some(file.path().into()), ..at(seen).await };
        let metrics = Metrics::new(prometheus).expect("a client");
        let query = r#"sum(rate(errors{job="a&b"}[1m])) / 2 > 0"#;
        let told = metrics.ask(query).await.expect_err("an error").why;
        let expected = "Prometheus says: Bearer one query=sum%28rate%28errors%7Bjob%3D%22a%26b%22%7D%5B1m%5D%29%29\
                        +%2F+2+%3E+0&timeout=2000ms";
        assert_eq!(told, expected);
        std::fs::write(file.path(), "two").expect("written");
        let told = metrics.ask("up").await.expect_err("an error").why;
        assert!(told.starts_with("Prometheus says: Bearer two"), "{told}");
    }

    #[tokio::test]
    async fn a_number_comes_back() {
        let metrics = Metrics::new(at(get(async || GOOD)).await).expect("a client");
        assert_eq!(metrics.ask("up").await.expect("a number").value.to_bits(), 0.5_f64.to_bits());
    }

    #[tokio::test]
    async fn a_redirect_is_not_followed() {
        let redirect = get(async || Redirect::temporary("/elsewhere"));
        let metrics = Metrics::new(at(redirect).await).expect("a client");
        assert_eq!(class(&metrics).await, "redirect");
    }

    #[tokio::test]
    async fn an_answer_without_end_is_dropped() {
        let much = get(async || GOOD.to_owned() + &" ".repeat(LARGEST));
        let metrics = Metrics::new(at(much).await).expect("a client");
        assert_eq!(class(&metrics).await, "too_large");
    }

    #[tokio::test]
    async fn a_server_that_does_not_answer_costs_the_time_that_the_file_grants_it() {
        let silent = get(std::future::pending::<&str>);
        let prometheus = Prometheus { timeout: Duration::from_millis(100), ..at(silent).await };
        assert_eq!(class(&Metrics::new(prometheus).expect("a client")).await, "timeout");
    }

    #[tokio::test]
    async fn nobody_at_home_is_told_without_the_query() {
        let mut prometheus = at(get(async || GOOD)).await;
        let free = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
        prometheus.url.set_port(Some(free.port())).expect("a port");
        let missing = Metrics::new(prometheus).expect("a client").ask("hidden").await.expect_err("nobody");
        assert_eq!(missing.class, "transport");
        assert!(!missing.why.contains("hidden"), "{}", missing.why);
    }

    #[tokio::test]
    async fn a_token_file_that_is_not_there_or_holds_something_else_is_named() {
        let gone = Prometheus { token_file: Some("/nowhere/token".into()), ..at(get(async || GOOD)).await };
        let refused = Metrics::new(gone.clone()).expect_err("no token").to_string();
        assert!(refused.contains("/nowhere/token"), "{refused}");
        let file = tempfile::NamedTempFile::new().expect("a file");
        let empty = Prometheus { token_file: Some(file.path().into()), ..gone };
        let refused = Metrics::new(empty).expect_err("no token").to_string();
        assert!(refused.contains("must hold a token"), "{refused}");
    }

    /// A server that answers queries below `/prom/`.
    async fn at(query: axum::routing::MethodRouter) -> Prometheus {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/prom/", listener.local_addr().expect("an address"));
        let router = Router::new().route("/prom/api/v1/query", query);
        tokio::spawn(async move { axum::serve(listener, router).await });
        let url = Url::parse(&url).expect("a URL");
        Prometheus { url, timeout: Duration::from_secs(2), token_file: None }
    }
}
