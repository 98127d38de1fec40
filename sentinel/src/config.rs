//! The sentinel's file: which domains it watches, where it answers, and whom it tells.
//!
//! ```yaml
//! domains: [shop]                       # what it watches
//! http: 127.0.0.1:3651                  # health, metrics, API; the default
//! replica: sentinel-a                   # default: the host's name and a random part
//! external_url: https://pavane.example  # where links in notifications lead; default: none
//! receivers:
//!   - name: platform
//!     webhook:
//!       url: https://alerts.example/in
//!       secret_file: /run/secrets/platform   # `whsec_…`, a line each
//!       allow_loopback: false                # addresses of this machine, and plain http to them
//!       allow_private: false                 # addresses of a private network, and plain http to them
//! dead_man:                             # who would miss the sentinel; default: nobody
//!   pings: [{ domain: shop, url_file: /run/secrets/shop-ping }]
//! snapshot_every: 5m                    # how much of the log is read again after a crash; 1s to 1h, the default
//! prometheus:                           # where phases are watched; default: no metric can be asked for
//!   url: http://127.0.0.1:9090
//! ```

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use pavane_alerts::{Inhibition, Tree};
use pavane_choreography::diagnostic::{Code, Diagnostic};
use pavane_choreography::yaml::{self, Fields, Item, Reported};
use pavane_events::{Domain, Instance};

mod dead_man;
mod prometheus;
mod receiver;
mod routing;

pub use dead_man::{Address, DeadMan, Ping};
pub use prometheus::Prometheus;
pub use receiver::{
    Alertmanager, Changes, Command, Encryption, Format, Kind, Mail, PagerDuty, Receiver, Slack, Webhook,
};

/// Where the sentinel answers unless the file says otherwise.
pub const DEFAULT_HTTP: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 3651);

const DEFAULT_SNAPSHOTS: Duration = Duration::from_mins(5);
/// The shortest and the longest time between two snapshots, in milliseconds.
const SNAPSHOTS: std::ops::RangeInclusive<i64> = 1_000..=3_600_000;

/// What the sentinel's file means.
#[derive(Clone, Debug)]
pub struct Config {
    /// The domains that it watches; at least one.
    pub domains: Vec<Domain>,
    /// Where it answers; port 0 takes a free one.
    pub http: SocketAddr,
    /// The name of this replica; no two that run at a time may share one.
    pub replica: Instance,
    /// Where links in notifications lead; empty for none.
    pub external_url: String,
    /// Whom it tells.
    pub receivers: Vec<Receiver>,
    /// Who is told of what; everybody of everything at once where the file says nothing.
    pub routes: Tree,
    /// What mutes what, beyond what always does.
    pub inhibitions: Vec<Inhibition>,
    /// Who would miss the sentinel.
    pub dead_man: DeadMan,
    /// How long after a snapshot the next one is written, if anything was read; 5 minutes by default.
    pub snapshot_every: Duration,
    /// Where the metrics are that phases are watched by.
    pub prometheus: Option<Prometheus>,
}

impl Config {
    /// Reads the file's text; `file` is what diagnostics call it. Says every defect at once.
    pub fn from_yaml(text: &str, file: &str) -> Result<Self, Vec<Diagnostic>> {
        yaml::read(text, file, |root| root.fields(config))
    }
}

fn config(f: &mut Fields<'_>) -> Result<Config, Reported> {
    let domains = f.required("domains", |item| distinct(item, "domain", domain, Domain::to_string));
    let http = f.optional("http", Item::socket);
    let replica = f.optional("replica", Item::name::<Instance>);
    let external_url = f.optional("external_url", Item::url);
    let meant = RefCell::default();
    let receivers = f.optional("receivers", |item| {
        let read = |item: &Item<'_>| item.fields(|f| receiver::receiver(f, &meant));
        distinct(item, "receiver", read, |receiver| receiver.name.clone())
    });
    let receivers = receivers.map(Option::unwrap_or_default);
    let names: Vec<String> = meant.into_inner();
    let routes = routing::tree(f, &names);
    let known = domains.as_deref().unwrap_or_default();
    let dead_man = f.optional("dead_man", |item| item.fields(|f| dead_man::dead_man(f, known, &names)));
    let inhibitions = routing::inhibitions(f);
    let prometheus = f.optional("prometheus", |item| item.fields(prometheus::prometheus));
    let snapshot_every = f.optional("snapshot_every", |item| item.duration_in(SNAPSHOTS));
    let domains = domains?;
    if domains.is_empty() {
        return Err(f.refuse(
            Code::MissingField,
            "`domains` names none",
            "name at least one domain to watch",
        ));
    }
    let dead_man = dead_man?.unwrap_or_default();
    let wants = |receiver: &&Receiver| receiver.wants_changes();
    let changes: Vec<String> =
        receivers.iter().flatten().filter(wants).map(|receiver| receiver.name.clone()).collect();
    let every = i64::try_from(dead_man.every.as_millis()).unwrap_or(i64::MAX);
    Ok(Config {
        domains,
        http: http?.unwrap_or(DEFAULT_HTTP),
        replica: replica?.unwrap_or_else(some_replica),
        external_url: external_url?.unwrap_or_default(),
        receivers: receivers?,
        routes: routes?.with_watchdog(&dead_man.watchdog, every).with_changes(&changes),
        inhibitions: inhibitions?,
        dead_man,
        snapshot_every: snapshot_every?
            .and_then(|ms| u64::try_from(ms).ok())
            .map_or(DEFAULT_SNAPSHOTS, Duration::from_millis),
        prometheus: prometheus?,
    })
}

fn domain(item: &Item<'_>) -> Result<Domain, Reported> {
    item.name()
}

/// Reads a list whose entries have names that occur once.
fn distinct<T>(
    item: &Item<'_>,
    what: &str,
    read: impl Fn(&Item<'_>) -> Result<T, Reported>,
    name: impl Fn(&T) -> String,
) -> Result<Vec<T>, Reported> {
    let mut names = BTreeSet::new();
    item.list(|item| {
        let entry = read(item)?;
        let name = name(&entry);
        if names.insert(name.clone()) {
            return Ok(entry);
        }
        let message = format!("the {what} `{name}` stands here twice");
        Err(item.refuse(Code::Duplicate, message, "leave one of them out"))
    })
}

/// A name that no other replica has: pulses are told apart by it.
fn some_replica() -> Instance {
    let id = uuid::Uuid::now_v7().simple().to_string();
    let random = &id[id.len() - 8..];
    let host = std::env::var("HOSTNAME").unwrap_or_default();
    let host: String =
        host.chars().filter(|c| c.is_ascii_alphanumeric() || "._-".contains(*c)).take(48).collect();
    let host = if host.is_empty() { "sentinel" } else { &host };
    Instance::new(format!("{host}-{random}")).expect("at most 57 characters of a name")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::egress::Allowed;

    const GOOD: &str = "domains: [shop]\nhttp: 127.0.0.1:0\nreplica: a\nexternal_url: https://pavane.example\n\
        receivers:\n  - name: platform\n    webhook:\n      url: http://127.0.0.1:9000/in\n      \
        secret_file: /run/secrets/platform\n      allow_loopback: true\n";

    fn defects(text: &str) -> Vec<(String, u32)> {
        let defects = Config::from_yaml(text, "sentinel.yaml").expect_err("defective");
        defects.into_iter().map(|defect| (defect.code, defect.line)).collect()
    }

    fn codes(codes: &[(Code, u32)]) -> Vec<(String, u32)> {
        codes.iter().map(|(code, line)| (code.as_str().to_owned(), *line)).collect()
    }

    #[test]
    fn a_good_file_is_read_as_it_is_meant() {
        let config = Config::from_yaml(GOOD, "sentinel.yaml").expect("good");
        assert_eq!(config.domains[0].as_str(), "shop");
        assert_eq!((config.replica.as_str(), config.external_url.as_str()), ("a", "https://pavane.example"));
        let receiver = &config.receivers[0];
        let Kind::Webhook(webhook) = &receiver.kind else { panic!("{receiver:?}") };
        assert_eq!((receiver.name.as_str(), webhook.url.as_str()), ("platform", "http://127.0.0.1:9000/in"));
        assert_eq!(webhook.allowed, Allowed { loopback: true, private: false });
    }

    #[test]
    fn what_is_left_out_has_a_default_and_no_two_replicas_share_a_name() {
        let read = || Config::from_yaml("domains: [shop]", "sentinel.yaml").expect("good");
        let (a, b) = (read(), read());
        assert_eq!((a.http, a.receivers.len(), a.external_url.as_str()), (DEFAULT_HTTP, 0, ""));
        assert_ne!(a.replica, b.replica);
    }

    #[test]
    fn all_defects_of_a_file_are_said_at_once_each_at_its_line() {
        let text = "domains: [shop, shop]\nhtpp: 127.0.0.1:1\nreplica: \"no good\"\nreceivers:\n  - name: a\n    \
            webhook: { url: \"http://127.0.0.1/in\", secret_file: s }\n  - webhook: { url: \"https://x.example\" }\n";
        let expected = [
            (Code::Duplicate, 1),
            (Code::UnknownField, 2),
            (Code::BadName, 3),
            (Code::BadAddress, 6),
            (Code::MissingField, 7),
            (Code::MissingField, 7),
        ];
        let mut found = defects(text);
        found.sort_by(|a, b| (a.1, &a.0).cmp(&(b.1, &b.0)));
        assert_eq!(found, codes(&expected));
    }

    #[test]
    fn whoever_names_a_receiver_that_is_defective_is_not_told_that_there_is_none() {
        let text = "domains: [shop]\nreceivers:\n  - name: a\n    webhook: { url: \"http://x.example/in\", \
            secret_file: s }\nroute: { receiver: a, routes: [{ receiver: b }] }\ndead_man: { watchdog: [a] }\n";
        let said = Config::from_yaml(text, "sentinel.yaml").expect_err("defective");
        let said: Vec<String> =
            said.iter().map(|defect| format!("{}: {}", defect.line, defect.message)).collect();
        assert_eq!(said.len(), 2, "{said:#?}");
        assert!(said[0].starts_with("4: `url` cannot be used"), "{said:#?}");
        assert!(said[1].contains("`b`") && !said[1].contains("`a`"), "{said:#?}");
    }

    #[test]
    fn a_sentinel_without_a_domain_is_refused() {
        assert_eq!(defects("http: 127.0.0.1:0"), codes(&[(Code::MissingField, 1)]));
        assert_eq!(defects("domains: []"), codes(&[(Code::MissingField, 1)]));
    }

    #[test]
    fn who_asks_for_changes_is_told_of_them_where_they_belong() {
        let changes = |more: &str| {
            let text = format!(
                "domains: [shop]\nreceivers:\n- name: a\n  pagerduty: {{ routing_key_file: /k1{more} }}\n"
            );
            let config = Config::from_yaml(&text, "sentinel.yaml")?;
            let Kind::PagerDuty(pager) = &config.receivers[0].kind else { panic!("{config:?}") };
            assert_eq!(config.routes.tells_changes(), pager.changes.is_some());
            let key = |changes: &Changes| changes.routing_key_file.display().to_string();
            Ok::<_, Vec<Diagnostic>>(
                pager.changes.as_ref().map(|changes| (key(changes), changes.url.clone())),
            )
        };
        let us = "https://events.pagerduty.com/v2/change/enqueue".to_owned();
        let to = |key: &str, url: &str| Ok(Some((key.to_owned(), url.to_owned())));
        assert_eq!(changes(""), Ok(None));
        assert_eq!(changes(", changes: true"), to("/k1", &us));
        assert_eq!(changes(", changes_key_file: /k2"), to("/k2", &us));
        assert_eq!(changes(", changes: false, changes_key_file: /k2"), Ok(None));
        let own = "https://events.eu.pagerduty.com/v2/";
        assert_eq!(
            changes(&format!(", changes: true, url: \"{own}enqueue\"")),
            to("/k1", &format!("{own}change/enqueue"))
        );
        assert!(changes(", changes: true, url: \"https://pager.example/in\"").is_err());
    }

    #[test]
    fn a_receiver_inside_the_network_must_be_allowed_by_the_file() {
        for host in ["127.0.0.1", "169.254.169.254", "10.0.0.1", "[::1]", "2130706433"] {
            let text = format!(
                "domains: [shop]\nreceivers:\n- name: a\n  webhook:\n    url: https://{host}/in\n    secret_file: s\n"
            );
            assert_eq!(defects(&text), codes(&[(Code::BadAddress, 5)]), "{host}");
        }
    }
}
