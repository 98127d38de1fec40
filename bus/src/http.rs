//! How our HTTP clients are set up, wherever they ask.
//!
//! A client that may speak TLS holds the system's certificate authorities, read and parsed, from its first moment on: a
//! megabyte and a half, and some milliseconds of the start. Most ask the service beside them alone.

use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder};

/// What names a proxy for what is not asked over TLS itself.
const PROXIES: [&str; 4] = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];

/// A builder of clients that follow no redirect; `tls` says whether anything is asked over TLS. Where nothing is, it trusts no
/// certificate.
pub fn client(tls: bool) -> ClientBuilder {
    let builder = Client::builder().redirect(Policy::none());
    let by_tls = |name| std::env::var(name).is_ok_and(|proxy| is_tls(&proxy));
    if tls || PROXIES.into_iter().any(by_tls) { builder } else { builder.tls_certs_only([]) }
}

/// A URL as others may read it: without a user, a password and a query, in which a token may stand.
pub fn spoken(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let host_on = rest.rsplit_once('@').map_or(rest, |(_, host_on)| host_on);
    if scheme.is_empty() { host_on.to_owned() } else { format!("{scheme}://{host_on}") }
}

/// Whether a text names something that is asked over TLS.
pub fn is_tls(text: &str) -> bool {
    text.to_ascii_lowercase().contains("https:")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_reads_what_lets_somebody_in() {
        for (url, told) in [
            ("http://a:80/upgrade", "http://a:80/upgrade"),
            ("http://ada:canary@a/upgrade?token=canary", "http://a/upgrade"),
            ("https://canary@a?token=canary", "https://a"),
            ("http://ada:can/ary@a/b#canary", "http://a/b"),
            ("ada:canary@a:6379", "a:6379"),
        ] {
            assert_eq!(spoken(url), told, "{url}");
        }
    }
}
