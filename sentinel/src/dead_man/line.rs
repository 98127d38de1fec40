//! A POST to an address that hears from the sentinel.

use super::Reach;
use crate::alert::call::{Answer, Line, failed, json};
use crate::alert::fault::Fault;
use crate::alert::schedule::Pace;
use crate::alert::target::secret;
use crate::config::{Address, Ping};
use crate::error::SecretError;

/// An address, looked at anew for each ping.
pub(crate) struct Wire {
    address: Address,
    line: Line,
}

impl Wire {
    /// Reads the address once, so that a missing one is found at the start.
    pub(crate) fn new(ping: &Ping) -> anyhow::Result<Self> {
        let url = url(&ping.address).map_err(|error| anyhow::anyhow!("failed to {error}"))?;
        Ok(Self { address: ping.address.clone(), line: Line::new(ping.allowed, url.starts_with("http:"))? })
    }
}

impl Reach for Wire {
    async fn ping(&self, body: Vec<u8>) -> Answer {
        match url(&self.address) {
            Ok(url) => self.line.post(&url, json(), body).await,
            Err(error) => failed(Fault::Secret, format!("failed to {error}"), Pace::Soon(None)),
        }
    }
}

fn url(address: &Address) -> Result<String, SecretError> {
    match address {
        Address::Plain(url) => Ok(url.clone()),
        Address::File(path) => secret(path),
    }
}
