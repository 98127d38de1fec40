//! Where the metrics are that phases are watched by.
//!
//! ```yaml
//! prometheus:
//!   url: http://127.0.0.1:9090          # the base; what stands before /api/v1
//!   timeout: 5s                         # for one query; the default
//!   token_file: /run/secrets/prometheus # a bearer token; default: none
//! ```

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use pavane_choreography::diagnostic::Code;
use pavane_choreography::yaml::{Fields, Item, Reported};
use reqwest::Url;

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);
/// The shortest and the longest time that a query may take, in milliseconds.
const TIMEOUTS: std::ops::RangeInclusive<i64> = 100..=60_000;
const EXAMPLE: &str = "write e.g. `http://127.0.0.1:9090`";

/// A server that speaks the HTTP API of Prometheus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prometheus {
    /// The base of its addresses: what stands before `/api/v1`.
    pub url: Url,
    /// How long a query may take at most; 5 s by default.
    pub timeout: Duration,
    /// The file that holds a bearer token.
    pub token_file: Option<PathBuf>,
}

pub(super) fn prometheus(f: &mut Fields<'_>) -> Result<Prometheus, Reported> {
    let url = f.required("url", |item| item.spanned(base));
    let timeout = f.optional("timeout", |item| item.duration_in(TIMEOUTS));
    let token_file = f.optional("token_file", Item::text);
    let (url, token_file) = (url?, token_file?.map(PathBuf::from));
    if token_file.is_some() && !keeps_secrets(&url.value) {
        let message = "`url` would carry the token of `token_file` over the network in the clear";
        return Err(url.item.refuse(Code::Contradiction, message, "use https"));
    }
    let timeout =
        timeout?.and_then(|ms| u64::try_from(ms).ok()).map_or(DEFAULT_TIMEOUT, Duration::from_millis);
    Ok(Prometheus { url: url.value, timeout, token_file })
}

fn base(item: &Item<'_>) -> Result<Url, Reported> {
    let text = item.url()?;
    let refuse =
        |why: &str, help: &str| Err(item.refuse(Code::BadAddress, format!("`{}` {why}", item.field()), help));
    let Ok(url) = Url::parse(&text) else { return refuse("cannot be read as a URL", EXAMPLE) };
    if !url.username().is_empty() || url.password().is_some() {
        return refuse("holds a user or a password", "keep secrets in files: set `token_file`");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return refuse("goes on after its path", EXAMPLE);
    }
    Ok(url)
}

/// Whether nobody between here and there can read along.
fn keeps_secrets(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let here = host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback());
    url.scheme() == "https" || here
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    use super::*;

    fn read(prometheus: &str) -> Result<Option<Prometheus>, Vec<String>> {
        let text = format!("domains: [shop]\nprometheus: {prometheus}\n");
        let config = Config::from_yaml(&text, "sentinel.yaml");
        config
            .map(|config| config.prometheus)
            .map_err(|defects| defects.into_iter().map(|it| it.code).collect())
    }

    #[test]
    fn an_address_is_enough() {
        let read = read("{ url: \"http://prometheus.monitoring:9090\" }").expect("good").expect("given");
        assert_eq!(read.url.as_str(), "http://prometheus.monitoring:9090/");
        assert_eq!((read.timeout, read.token_file), (Duration::from_secs(5), None));
    }

    #[test]
    fn a_token_goes_over_https_or_to_this_machine() {
        let with = |url: &str| read(&format!("{{ url: \"{url}\", timeout: 250ms, token_file: /run/t }}"));
        for good in ["https://metrics.example/prometheus", "http://127.0.0.1:9090", "http://[::1]:9090"] {
            let read = with(good).expect(good).expect("given");
            assert_eq!(read.token_file.as_deref(), Some(std::path::Path::new("/run/t")));
            assert_eq!(read.timeout, Duration::from_millis(250));
        }
        assert_eq!(with("http://metrics.example"), Err(vec![Code::Contradiction.as_str().to_owned()]));
    }

    #[test]
    fn what_is_no_base_address_is_refused() {
        for bad in ["ftp://x", "http://", "http://u:p@x", "http://x/?a=b", "http://x/#a", "http://x:99999"] {
            let refused = read(&format!("{{ url: \"{bad}\" }}"));
            assert_eq!(refused, Err(vec![Code::BadAddress.as_str().to_owned()]), "{bad}");
        }
        assert_eq!(read("{ timeout: 5s }"), Err(vec![Code::MissingField.as_str().to_owned()]));
        let slow = read("{ url: \"http://x\", timeout: 2h }");
        assert_eq!(slow, Err(vec![Code::BadDuration.as_str().to_owned()]));
    }
}
