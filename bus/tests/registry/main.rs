//! What the registry's client and the embedded registry promise.

mod client;
mod push;
mod real;
mod server;

use pavane_bus::{Registry, Settings, embedded};

fn client(url: &str) -> Registry {
    Registry::new(&Settings::new("127.0.0.1:1", url)).expect("a usable address")
}

async fn started() -> (embedded::Registry, Registry) {
    let registry = embedded::Registry::start_empty().await.expect("a free port");
    let client = client(&registry.url());
    (registry, client)
}

/// A record `R` of namespace `test` with these fields.
fn record(fields: &str) -> String {
    format!(r#"{{"type":"record","name":"R","namespace":"test","fields":[{fields}]}}"#)
}

const INT: &str = r#"{"name":"a","type":"int","default":0}"#;
const STRING: &str = r#"{"name":"a","type":"string","default":""}"#;
