//! A broker and a registry inside this process, for trying and developing; nothing survives it.
//!
//! Both speak the protocols of the real ones, so other processes can connect to their addresses and nothing
//! else in the program knows the difference. One thing is not real: the broker does not stamp records. So the
//! settings that [`Embedded::settings`] hands out, and only those, let the producer's time count.

mod broker;
mod registry;

use crate::{Error, Settings};

pub use broker::Broker;
pub use registry::Registry;

/// The prefix of the embedded broker's topics.
const PREFIX: &str = "pavane";

/// A broker and a registry inside this process. Dropping it ends both.
#[derive(Debug)]
pub struct Embedded {
    broker: Broker,
    registry: Registry,
    url: String,
}

/// Starts a broker with our topics and a registry that holds the embedded schemas, on free ports of 127.0.0.1.
pub async fn start() -> Result<Embedded, Error> {
    let broker = Broker::start(PREFIX).await?;
    let registry = Registry::start().await.map_err(|error| Error::Stopped {
        what: "the embedded registry".to_owned(),
        why: error.to_string(),
    })?;
    let url = registry.url();
    Ok(Embedded { broker, registry, url })
}

impl Embedded {
    /// Settings to connect with in this process.
    pub fn settings(&self) -> Settings {
        Settings::embedded(self.kafka().to_owned(), self.url.clone(), PREFIX.to_owned())
    }

    /// The broker's address, for other programs too.
    pub fn kafka(&self) -> &str {
        self.broker.kafka()
    }

    /// The registry's base URL, for other programs too.
    pub fn registry_url(&self) -> &str {
        &self.url
    }

    /// The broker, to be cut off.
    pub const fn broker(&self) -> &Broker {
        &self.broker
    }

    /// The registry, to be made unavailable.
    pub const fn registry(&self) -> &Registry {
        &self.registry
    }
}
