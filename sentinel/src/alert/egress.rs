//! Where a notification may go: the sentinel stands inside the network, and a receiver's address must not make
//! it a door to what was never meant to be reached.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::Url;

/// What a receiver was allowed beyond public addresses over HTTPS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    /// Addresses of this machine; plain HTTP to them.
    pub loopback: bool,
    /// Addresses of a private network; plain HTTP to them.
    pub private: bool,
}

/// Why an address is refused. Fits after "failed to".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// The URL is not one that a notification may go to.
    #[error("use the URL: {0}")]
    Url(&'static str),
    /// The name leads to an address that is not allowed for the receiver.
    #[error("reach {host}: {address} is {kind}, which is not allowed for this receiver")]
    Address {
        /// The host of the URL.
        host: String,
        /// What it leads to.
        address: IpAddr,
        /// What kind of address that is.
        kind: &'static str,
    },
    /// The name leads nowhere.
    #[error("find {host}: {why}")]
    Unresolved {
        /// The host of the URL.
        host: String,
        /// What the resolver said.
        why: String,
    },
}

/// What an address is to the sentinel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Public,
    Loopback,
    Private,
    /// Link-local, reserved, multicast, or another address in disguise: never.
    Never,
}

/// Checks a URL as far as it goes without asking anybody.
pub(crate) fn check_url(text: &str, allowed: Allowed) -> Result<Url, Refused> {
    let refuse = |why| Err(Refused::Url(why));
    if text.contains(['\\', '#', '@']) || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return refuse("it holds a backslash, `#`, `@` or white space; write it plainly");
    }
    // The parser mends what others would read another way, e.g. `https:///a` as host `a`.
    if text.split_once("://").is_none_or(|(_, rest)| rest.is_empty() || rest.starts_with(['/', '?'])) {
        return refuse("it names no host; write e.g. https://alerts.example/in");
    }
    let Ok(url) = Url::parse(text) else {
        return refuse("it is not a URL; write e.g. https://alerts.example/in");
    };
    if !url.username().is_empty() || url.password().is_some() {
        return refuse("it holds a user or a password; keep secrets in files");
    }
    match (url.scheme(), allowed.loopback || allowed.private) {
        ("https", _) | ("http", true) => {}
        ("http", false) => {
            return refuse("plain http goes only where `allow_loopback` or `allow_private` is set");
        }
        _ => return refuse("only https is spoken here"),
    }
    match url.port_or_known_default() {
        Some(80 | 443 | 1024..) => {}
        _ => return refuse("ports below 1024 other than 80 and 443 are not receivers of webhooks"),
    }
    if let Some(address) = literal(&url) {
        check_address(&url, address, allowed)?;
    }
    Ok(url)
}

/// Resolves the host once and checks every address that it leads to; the connection is made to these and to
/// no other.
pub(crate) async fn vetted<R>(
    url: &Url,
    allowed: Allowed,
    resolve: impl FnOnce(String, u16) -> R,
) -> Result<Vec<SocketAddr>, Refused>
where
    R: Future<Output = io::Result<Vec<SocketAddr>>>,
{
    let (host, port) = (host(url), url.port_or_known_default().unwrap_or(443));
    if let Some(address) = literal(url) {
        check_address(url, address, allowed)?;
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let unresolved = |why: String| Refused::Unresolved { host: host.clone(), why };
    let addresses = resolve(host.clone(), port).await.map_err(|error| unresolved(error.to_string()))?;
    if addresses.is_empty() {
        return Err(unresolved("the name has no address".to_owned()));
    }
    for address in &addresses {
        check_address(url, address.ip(), allowed)?;
    }
    Ok(addresses)
}

/// Asks the system's resolver.
pub(crate) async fn lookup(host: String, port: u16) -> io::Result<Vec<SocketAddr>> {
    Ok(tokio::net::lookup_host((host, port)).await?.collect())
}

fn check_address(url: &Url, address: IpAddr, allowed: Allowed) -> Result<(), Refused> {
    let plain = url.scheme() == "http";
    let kind = match kind(address) {
        Kind::Public if plain => "public, where plain http does not go",
        Kind::Loopback if !allowed.loopback => "of this machine",
        Kind::Private if !allowed.private => "private",
        Kind::Never => "link-local, reserved or an address in disguise",
        Kind::Public | Kind::Loopback | Kind::Private => return Ok(()),
    };
    Err(Refused::Address { host: host(url), address, kind })
}

fn host(url: &Url) -> String {
    url.host_str().unwrap_or_default().to_owned()
}

/// The address, when the host is one. The URL parser has turned `2130706433` and `0177.1` into it already.
fn literal(url: &Url) -> Option<IpAddr> {
    url.host_str()?.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

fn kind(address: IpAddr) -> Kind {
    match address {
        IpAddr::V4(address) => kind_v4(address),
        IpAddr::V6(address) => address.to_ipv4_mapped().map_or_else(|| kind_v6(address), kind_v4),
    }
}

fn kind_v4(address: Ipv4Addr) -> Kind {
    match address.octets() {
        [127, ..] => Kind::Loopback,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] => Kind::Private,
        [0 | 224..=255, ..] | [169, 254, ..] => Kind::Never,
        // IETF assignments, documentation, the 6to4 relay, benchmarks.
        [192, 0, 0 | 2, _] | [192, 88, 99, _] | [198, 18 | 19, ..] | [198, 51, 100, _] | [203, 0, 113, _] => {
            Kind::Never
        }
        _ => Kind::Public,
    }
}

fn kind_v6(address: Ipv6Addr) -> Kind {
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 1] => Kind::Loopback,
        [0xfc00..=0xfdff, ..] => Kind::Private,
        // Tunnels that carry an IPv4 address (6to4, Teredo and the other IETF assignments), documentation.
        [0x2002, ..] | [0x2001, 0..=0x01ff | 0x0db8, ..] | [0x3fff, 0..=0x0fff, ..] => Kind::Never,
        [0x2000..=0x3fff, ..] => Kind::Public,
        // Unspecified, IPv4-compatible, NAT64, discard, link-local, site-local, multicast, unassigned.
        _ => Kind::Never,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Allowed = Allowed { loopback: false, private: false };
    const LOOPBACK: Allowed = Allowed { loopback: true, private: false };
    const PRIVATE: Allowed = Allowed { loopback: false, private: true };

    #[test]
    fn what_is_no_plain_https_url_is_refused() {
        for bad in [
            "http://alerts.example/in",
            "file:///etc/passwd",
            "gopher://alerts.example/",
            "https://user:pass@alerts.example/",
            "https://user@alerts.example/",
            "https:///in",
            "https://",
            "https://alerts.example:22/",
            "https://a@b#@c/",
            "https://alerts.example/#x",
            "https://alerts.example\\@evil.example/",
            "https://alerts.example/a b",
            "alerts.example",
            "https:alerts.example",
            "https://?x",
            "",
        ] {
            assert!(check_url(bad, NOTHING).is_err(), "{bad}");
        }
        for good in ["https://alerts.example/in?team=a", "https://alerts.example:8443/"] {
            assert!(check_url(good, NOTHING).is_ok(), "{good}");
        }
    }

    #[test]
    fn an_address_that_was_not_allowed_is_refused_in_every_disguise() {
        for host in [
            "127.0.0.1",
            "0.0.0.0",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "2130706433",
            "0177.1",
            "0x7f.1",
            "127.1",
            "169.254.169.254",
            "[fe80::1]",
            "[fc00::1]",
            "[fd12::1]",
            "100.64.0.1",
            "[64:ff9b::7f00:1]",
            "[2002:7f00:1::]",
            "[::]",
            "[::7f00:1]",
            "10.0.0.1",
            "172.16.3.4",
            "192.168.1.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "[ff02::1]",
            "[2001::1]",
            "[2001:db8::1]",
            "[fec0::1]",
        ] {
            assert!(check_url(&format!("https://{host}/in"), NOTHING).is_err(), "{host}");
        }
        for host in ["93.184.216.34", "[2606:2800:220:1::1]"] {
            assert!(check_url(&format!("https://{host}/in"), NOTHING).is_ok(), "{host}");
        }
    }

    #[test]
    fn a_receiver_is_allowed_what_it_was_given_and_no_more() {
        for (allowed, host, ok) in [
            (LOOPBACK, "127.0.0.1", true),
            (LOOPBACK, "[::1]", true),
            (LOOPBACK, "10.0.0.1", false),
            (LOOPBACK, "169.254.169.254", false),
            (LOOPBACK, "93.184.216.34", false),
            (PRIVATE, "10.0.0.1", true),
            (PRIVATE, "127.0.0.1", false),
            (PRIVATE, "169.254.169.254", false),
            (PRIVATE, "[fe80::1]", false),
        ] {
            assert_eq!(check_url(&format!("http://{host}:8080/"), allowed).is_ok(), ok, "{allowed:?} {host}");
        }
    }

    #[tokio::test]
    async fn one_bad_address_among_those_of_a_name_is_enough_to_refuse() {
        let resolve = |answers: &'static [&'static str]| {
            move |_: String, port| async move {
                Ok(answers.iter().map(|a| SocketAddr::new(a.parse().expect("an address"), port)).collect())
            }
        };
        let url = check_url("https://alerts.example/in", NOTHING).expect("plain");
        let good = vetted(&url, NOTHING, resolve(&["93.184.216.34", "2606:2800:220:1::1"])).await;
        assert_eq!(good.expect("public").len(), 2);
        for answers in [&["93.184.216.34", "10.0.0.1"][..], &["169.254.169.254"], &["::ffff:127.0.0.1"], &[]]
        {
            assert!(vetted(&url, NOTHING, resolve(answers)).await.is_err(), "{answers:?}");
        }
        let failed = vetted(&url, NOTHING, |_, _| async { Err(io::Error::other("SERVFAIL")) }).await;
        assert!(matches!(failed, Err(Refused::Unresolved { .. })), "{failed:?}");
    }
}
