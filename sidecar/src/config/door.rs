//! Where the door is, and how much may wait behind it, as they stand in the file.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use pavane_choreography::diagnostic::Code;
use pavane_choreography::yaml::{Item, Reported};

use crate::line::Limits;

/// How much may wait for the broker unless the file says otherwise.
pub(super) const LIMITS: Limits = Limits { events: 10_000, bytes: 8 * 1024 * 1024 };

/// How much the sidecar takes on at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// How many connections may be open at its doors.
    pub connections: usize,
    /// How much memory the process may hold while anything waits, in bytes; above, it takes in nothing more. Unless set,
    /// it is 96 MiB of a process of its own, and nothing is said of one that does other work too.
    pub memory: Option<u64>,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { connections: 256, memory: None }
    }
}

/// Where the sidecar answers: at an address, at a socket of the file system, or at both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// The address; port 0 takes a free one.
    pub tcp: Option<SocketAddr>,
    /// The path of the socket. Only the user that the sidecar runs as may open it.
    pub unix: Option<PathBuf>,
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.tcp, &self.unix) {
            (Some(tcp), None) => write!(f, "{tcp}"),
            (None, Some(unix)) => write!(f, "unix:{}", unix.display()),
            (Some(tcp), Some(unix)) => write!(f, "{tcp} and unix:{}", unix.display()),
            (None, None) => f.write_str("nowhere"),
        }
    }
}

impl Listen {
    /// Where the door is asked by HTTP; none where it is a socket alone.
    pub(crate) fn url(&self) -> Option<String> {
        self.tcp.map(|address| format!("http://{address}"))
    }

    /// How a program finds the door: variables of its environment.
    pub(crate) fn variables(&self) -> Vec<(String, String)> {
        let url = self.url().map(|url| ("PAVANE_URL".to_owned(), url));
        let socket = self.unix.as_ref().map(|path| ("PAVANE_SOCKET".to_owned(), path.display().to_string()));
        url.into_iter().chain(socket).collect()
    }
}

/// Reads where the door is: one place, or a list of an address and a socket.
pub(super) fn listen(item: &Item<'_>) -> Result<Listen, Reported> {
    let places = if item.is_list() { item.list(place)? } else { vec![place(item)?] };
    let mut listen = Listen { tcp: None, unix: None };
    let count = places.len();
    for place in places {
        listen.tcp = listen.tcp.or(place.tcp);
        listen.unix = listen.unix.or(place.unix);
    }
    let kept = usize::from(listen.tcp.is_some()) + usize::from(listen.unix.is_some());
    if kept == 0 || kept < count {
        let message = "the door wants one address, one socket, or one of each";
        return Err(item.refuse(Code::BadAddress, message, "e.g. `[127.0.0.1:3650, unix:/run/pavane.sock]`"));
    }
    Ok(listen)
}

fn place(item: &Item<'_>) -> Result<Listen, Reported> {
    let text = item.text()?;
    let Some(path) = text.strip_prefix("unix:") else {
        return item.socket().map(|address| Listen { tcp: Some(address), unix: None });
    };
    // The system takes no longer path for a socket.
    if !path.starts_with('/') || path.len() > 107 {
        let message = format!("{path:?} is not the whole path of a socket, of 107 bytes at most");
        return Err(item.refuse(Code::BadAddress, message, "e.g. `unix:/run/pavane.sock`"));
    }
    Ok(Listen { tcp: None, unix: Some(PathBuf::from(path)) })
}

/// Reads how much may wait for the broker.
pub(super) fn limits(item: &Item<'_>) -> Result<Limits, Reported> {
    item.fields(|f| {
        let events = f.optional("events", |i| i.count(1..=100_000));
        let bytes = f.optional("bytes", |i| i.count(65_536..=1_073_741_824));
        let (events, bytes) = (events?, bytes?);
        Ok(Limits {
            events: events.map_or(LIMITS.events, |events| events as usize),
            bytes: bytes.map_or(LIMITS.bytes, |bytes| bytes as usize),
        })
    })
}

/// Reads how much it takes on at a time.
pub(super) fn bounds(item: &Item<'_>) -> Result<Bounds, Reported> {
    item.fields(|f| {
        let connections = f.optional("connections", |i| i.count(1..=10_000));
        let memory = f.optional("memory", |i| i.count(8_388_608..=u32::MAX));
        let (connections, memory, usual) = (connections?, memory?, Bounds::default());
        Ok(Bounds {
            connections: connections.map_or(usual.connections, |connections| connections as usize),
            memory: memory.map(u64::from),
        })
    })
}
