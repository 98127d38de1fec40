//! Who would miss the sentinel: addresses that hear from it while it sees, and receivers of an alert that always burns.
//!
//! ```yaml
//! dead_man:
//!   every: 1m                       # how often each is told; 10s to 1h, the default
//!   pings:                          # a POST while the domain is seen; whoever hears none raises the alarm
//!     - domain: shop
//!       url_file: /run/secrets/shop-ping   # or `url`; `allow_loopback`, `allow_private` as for a webhook
//!   watchdog: [central]             # receivers that are told of `Watchdog` while a domain is seen
//! ```

use std::path::PathBuf;
use std::time::Duration;

use pavane_choreography::diagnostic::Code;
use pavane_choreography::yaml::{Fields, Item, Reported};
use pavane_events::Domain;

use super::receiver::{allowed, checked};
use crate::alert::egress::Allowed;

/// How often somebody may be told, in milliseconds.
const EVERY: std::ops::RangeInclusive<i64> = 10_000..=3_600_000;
const DEFAULT_EVERY: Duration = Duration::from_mins(1);

/// Who would miss the sentinel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadMan {
    /// How often each is told; a minute by default.
    pub every: Duration,
    /// Addresses that hear from it while it sees, at most one for a domain.
    pub pings: Vec<Ping>,
    /// The receivers of the alert that always burns.
    pub watchdog: Vec<String>,
}

/// An address that hears from the sentinel while a domain is seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ping {
    /// The domain.
    pub domain: Domain,
    /// Where it is.
    pub address: Address,
    /// What it may reach beyond public addresses over HTTPS.
    pub allowed: Allowed,
}

/// An address, which may be a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// It stands in the sentinel's file.
    Plain(String),
    /// It stands in a file of its own.
    File(PathBuf),
}

impl Default for DeadMan {
    fn default() -> Self {
        Self { every: DEFAULT_EVERY, pings: Vec::new(), watchdog: Vec::new() }
    }
}

/// Reads who would miss the sentinel, where its domains and receivers have these names.
pub(super) fn dead_man(
    f: &mut Fields<'_>,
    domains: &[Domain],
    receivers: &[String],
) -> Result<DeadMan, Reported> {
    let every = f.optional("every", |item| item.duration_in(EVERY));
    let pings = f.optional("pings", |item| {
        let read = |item: &Item<'_>| item.fields(|f| ping(f, domains));
        super::distinct(item, "ping", read, |ping| ping.domain.to_string())
    });
    let watchdog = f.optional("watchdog", |item| item.list(|item| known(item, receivers)));
    let every = every?.and_then(|ms| u64::try_from(ms).ok()).map_or(DEFAULT_EVERY, Duration::from_millis);
    Ok(DeadMan { every, pings: pings?.unwrap_or_default(), watchdog: watchdog?.unwrap_or_default() })
}

fn ping(f: &mut Fields<'_>, domains: &[Domain]) -> Result<Ping, Reported> {
    let domain = f.required("domain", |item| watched(item, domains));
    let url = f.optional("url", |item| item.spanned(Item::text));
    let url_file = f.optional("url_file", Item::text);
    let allowed = allowed(f)?;
    let address = match (url?, url_file?) {
        (Some(url), None) => Address::Plain(checked(&url, allowed)?),
        (None, Some(file)) => Address::File(file.into()),
        (Some(_), Some(_)) | (None, None) => {
            let message = "one of `url` and `url_file` says where the ping goes";
            return Err(f.refuse(
                Code::MissingField,
                message,
                "give one of them; an address that is a secret in a file",
            ));
        }
    };
    Ok(Ping { domain: domain?, address, allowed })
}

fn watched(item: &Item<'_>, domains: &[Domain]) -> Result<Domain, Reported> {
    let domain: Domain = item.name()?;
    if domains.contains(&domain) {
        return Ok(domain);
    }
    let message = format!("`{domain}` is no domain that this sentinel watches");
    Err(item.refuse(Code::UnknownChoice, message, "name one of `domains`"))
}

fn known(item: &Item<'_>, receivers: &[String]) -> Result<String, Reported> {
    let name = item.label()?;
    if receivers.contains(&name) {
        return Ok(name);
    }
    let message = format!("no receiver is called `{name}`");
    Err(item.refuse(Code::UnknownChoice, message, format!("receivers are {}", receivers.join(", "))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn read(dead_man: &str) -> Result<DeadMan, Vec<String>> {
        let text = format!(
            "domains: [shop, dark]\nreceivers:\n- name: central\n  command: {{ argv: [a] }}\ndead_man: {dead_man}\n"
        );
        let config = Config::from_yaml(&text, "sentinel.yaml");
        config.map(|config| config.dead_man).map_err(|found| found.into_iter().map(|it| it.code).collect())
    }

    #[test]
    fn who_would_miss_the_sentinel_is_read_as_it_is_meant() {
        let given = "{ every: 30s, watchdog: [central], pings: [{ domain: shop, url_file: /run/p }, \
                     { domain: dark, url: \"http://127.0.0.1:9000/a\", allow_loopback: true }] }";
        let read = read(given).expect("good");
        assert_eq!((read.every, read.watchdog), (Duration::from_secs(30), vec!["central".to_owned()]));
        assert_eq!(read.pings[0].address, Address::File("/run/p".into()));
        assert_eq!(read.pings[1].address, Address::Plain("http://127.0.0.1:9000/a".to_owned()));
    }

    #[test]
    fn a_ping_that_would_never_be_heard_is_refused() {
        let of = |code: Code| Err(vec![code.as_str().to_owned()]);
        for (given, code) in [
            ("{ pings: [{ domain: other, url_file: a }] }", Code::UnknownChoice),
            ("{ pings: [{ domain: shop }] }", Code::MissingField),
            ("{ pings: [{ domain: shop, url: \"https://a.example\", url_file: a }] }", Code::MissingField),
            ("{ pings: [{ domain: shop, url: \"http://127.0.0.1:9\" }] }", Code::BadAddress),
            ("{ pings: [{ domain: shop, url_file: a }, { domain: shop, url_file: b }] }", Code::Duplicate),
            ("{ watchdog: [nobody] }", Code::UnknownChoice),
            ("{ every: 1s }", Code::BadDuration),
        ] {
            assert_eq!(read(given), of(code), "{given}");
        }
    }
}
