//! `pavane dev`: a broker, a registry and a sentinel that stay, for a developer's own services.

use std::net::SocketAddr;

use clap::Args;
use pavane_bus::Bus;
use pavane_bus::embedded;
use pavane_bus::registry::PushRequest;
use pavane_events::Domain;
use pavane_sentinel::Sentinel;
use serde::Serialize;
use serde_json::json;

use crate::commands::{Context, schemas};
use crate::failure::Failure;
use crate::{interrupt, outage, shell};

/// The domain when nobody names one.
const DOMAIN: &str = "dev";

/// Runs a broker, a registry and a sentinel for your own services to try, until Ctrl-C.
///
/// All is held in memory and gone at the end. The topics and the schemas are there from the start.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pavane dev                                   then copy the printed lines into another terminal
  pavane dev --domain shop --output json       addresses as one JSON object")]
pub struct Dev {
    /// Where the sentinel answers (/healthz, /readyz, /metrics, /api/v1/rollouts).
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:0")]
    http: SocketAddr,
    /// The Prometheus that phases are watched by.
    #[arg(long, value_name = "URL")]
    prometheus: Option<String>,
}

#[derive(Serialize)]
struct Addresses<'a> {
    kafka: &'a str,
    registry: &'a str,
    domain: &'a Domain,
    sentinel: String,
}

impl Dev {
    /// Runs it until Ctrl-C.
    pub async fn run(self, context: Context<'_>) -> Result<(), Failure> {
        let stop = interrupt::token()?;
        let embedded = embedded::start().await.map_err(outage::of)?;
        let domain = match &context.connection.domain {
            Some(domain) => domain.clone(),
            None => Domain::new(DOMAIN).expect("a name"),
        };
        let bus = Bus::connect(embedded.settings(), "pavane-dev").await.map_err(outage::of)?;
        schemas::publish(&bus, &PushRequest::default()).await?;
        let mut text = format!("domains: [{domain}]\nhttp: \"{}\"\nreplica: dev\n", self.http);
        // A JSON string is a YAML string too, whatever stands in it.
        text.extend(self.prometheus.map(|url| format!("prometheus: {{ url: {} }}\n", json!(url))));
        let config = pavane_sentinel::Config::from_yaml(&text, "pavane dev")
            .map_err(|diagnostics| Failure::invalid("pavane dev", diagnostics))?;
        let sentinel = Sentinel::bind(config).await.map_err(|error| shell::unusable("pavane dev", error))?;
        let address = sentinel.address().map_err(|error| shell::unusable("pavane dev", error))?;
        let addresses = Addresses {
            kafka: embedded.kafka(),
            registry: embedded.registry_url(),
            domain: &domain,
            sentinel: format!("http://{address}"),
        };
        context.console.data(&addresses.text(), &addresses)?;
        context.console.note("Ctrl-C ends it; nothing survives.");
        sentinel.run(bus, stop).await.map_err(|error| shell::ended("the sentinel", error))
    }
}

impl Addresses<'_> {
    fn text(&self) -> String {
        let Self { kafka, registry, domain, sentinel } = self;
        format!(
            "A broker, a registry and a sentinel are running. In another terminal:\n\n  \
             export PAVANE_KAFKA={kafka}\n  export PAVANE_REGISTRY={registry}\n  export PAVANE_DOMAIN={domain}\n  \
             export PAVANE_SENTINEL={sentinel}\n\n  \
             pavane start my-choreography.yaml\n  pavane sidecar --config my-service.yaml\n  pavane watch\n\n\
             The sentinel answers at {sentinel}: /api/v1/rollouts, /readyz, /metrics.\n"
        )
    }
}
