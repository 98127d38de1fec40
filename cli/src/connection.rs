//! Where Kafka and the registry are, and which domain is meant: the options that every command takes.

use std::path::PathBuf;

use clap::Args;
use pavane_bus::{Bus, Settings};
use pavane_events::Domain;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::outage;

/// The options that say where.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Where")]
pub struct Connection {
    /// Kafka's bootstrap address, or several with commas between.
    #[arg(long, global = true, env = "PAVANE_KAFKA", value_name = "HOST:PORT")]
    pub kafka: Option<String>,
    /// The schema registry's Confluent-compatible address.
    #[arg(long, global = true, env = "PAVANE_REGISTRY", value_name = "URL")]
    pub registry: Option<String>,
    /// The domain: the group of services that roll out together.
    #[arg(long, global = true, env = "PAVANE_DOMAIN", value_name = "NAME")]
    pub domain: Option<Domain>,
    /// Further client settings (TLS, SASL …): a file of `key=value` lines.
    #[arg(long, global = true, env = "PAVANE_CLIENT_CONFIG", value_name = "FILE")]
    pub client_config: Option<PathBuf>,
    /// What the names of all topics begin with.
    #[arg(
        long,
        global = true,
        env = "PAVANE_PREFIX",
        value_name = "NAME",
        default_value = "pavane",
        hide_short_help = true
    )]
    pub prefix: String,
}

impl Connection {
    /// The settings of the bus, or what is missing.
    pub fn settings(&self) -> Result<Settings, Failure> {
        let kafka = given(self.kafka.as_ref(), "where Kafka is", "--kafka HOST:PORT", "PAVANE_KAFKA")?;
        let registry = given(
            self.registry.as_ref(),
            "where the schema registry is",
            "--registry URL",
            "PAVANE_REGISTRY",
        )?;
        let mut settings = Settings::new(kafka, registry).with_prefix(&self.prefix);
        if let Some(file) = &self.client_config {
            let name = file.display().to_string();
            let text = std::fs::read_to_string(file)
                .map_err(|error| Failure::new(Exit::Invalid, format!("cannot read {name}")).because(error))?;
            settings.read_client_settings(&text, &name).map_err(outage::of)?;
        }
        Ok(settings)
    }

    /// The settings of a registry alone, for who needs no Kafka.
    pub fn registry_settings(&self) -> Result<Settings, Failure> {
        let nowhere = Self { kafka: Some(String::new()), ..self.clone() };
        nowhere.settings()
    }

    /// The domain, or that it is missing.
    pub fn domain(&self) -> Result<Domain, Failure> {
        given(self.domain.as_ref(), "which domain is meant", "--domain NAME", "PAVANE_DOMAIN").cloned()
    }

    /// A bus whose topics have been verified.
    pub async fn bus(&self) -> Result<Bus, Failure> {
        let settings = self.settings()?;
        Bus::connect(settings, "pavane").await.map_err(outage::of)
    }
}

fn given<'a, T>(value: Option<&'a T>, asked: &str, option: &str, variable: &str) -> Result<&'a T, Failure> {
    value.ok_or_else(|| {
        Failure::usage(format!("nobody said {asked}")).help(format!(
            "give {option} or set {variable}; to try things out, `pavane dev` prints the lines to copy"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_settings_file_reaches_the_client() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("client.properties");
        std::fs::write(&file, "# who we are\nsecurity.protocol=SASL_SSL\nregistry.user=pavane\n").unwrap();
        let settings = connection(Some(file)).settings().unwrap();
        assert_eq!(settings.client["security.protocol"], "SASL_SSL");
        assert_eq!(settings.registry_access.user.as_deref(), Some("pavane"));
        assert_eq!((settings.kafka.as_str(), settings.prefix.as_str()), ("k:1", "pavane"));
    }

    #[test]
    fn a_broken_client_settings_file_is_named_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("client.properties");
        std::fs::write(&file, "security.protocol=SSL\nnonsense\n").unwrap();
        let failure = connection(Some(file)).settings().unwrap_err();
        assert_eq!(failure.exit, Exit::Invalid);
        assert!(failure.to_string().contains("client.properties, line 2"), "{failure}");
    }

    #[test]
    fn what_nobody_said_is_a_usage_error() {
        let nowhere = Connection { kafka: None, ..connection(None) };
        assert_eq!(nowhere.settings().unwrap_err().exit, Exit::Usage);
        assert_eq!(nowhere.domain().unwrap_err().exit, Exit::Usage);
    }

    fn connection(client_config: Option<PathBuf>) -> Connection {
        let (kafka, registry) = (Some("k:1".to_owned()), Some("http://r".to_owned()));
        Connection { kafka, registry, domain: None, client_config, prefix: "pavane".to_owned() }
    }
}
