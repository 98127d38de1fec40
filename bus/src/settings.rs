//! Where the broker and the registry are, and how to be let in.
//!
//! TLS and SASL are librdkafka's: whatever stands in [`Settings::client`] is handed to it as it is, e.g.
//! `security.protocol=sasl_ssl`, `sasl.mechanism=SCRAM-SHA-512`, `sasl.username=…`,
//! `ssl.ca.location=/etc/pavane/ca.pem`, `ssl.certificate.location=…` and `ssl.key.location=…` for mutual
//! TLS. A secret need not stand there in the clear: `sasl.password.file=/run/secrets/kafka` names a file
//! that holds the value. The few settings that correctness stands on are refused by name.
//!
//! On a broker with access lists a program needs `Describe` and `DescribeConfigs` on the topics, `Read` on those
//! that it reads, `Write` on those that it writes, `IdempotentWrite` on a cluster older than Kafka 3, and `Read` on
//! the group that is named like its client id (never joined by readers; sentinels join their own).

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::{Error, http};

/// The prefix of the topics when none is chosen.
const PREFIX: &str = "pavane";
/// Ends the name of a setting whose value stands in a file.
const FROM_FILE: &str = ".file";
/// Begins the name of a setting that is the registry's, in a client settings file.
const OF_REGISTRY: &str = "registry.";

/// Where the broker and the registry are, and how to be let in. `Debug` shows no secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Settings {
    /// The bootstrap addresses, `HOST:PORT[,HOST:PORT…]`.
    pub kafka: String,
    /// The registry's base URL, e.g. `http://127.0.0.1:8081` or `…/apis/ccompat/v7`.
    pub registry: String,
    /// What the names of all topics begin with; `pavane` unless set.
    pub prefix: String,
    /// Further librdkafka settings, by their names: TLS, SASL, tuning.
    pub client: BTreeMap<String, String>,
    /// How to be let in to the registry.
    pub registry_access: RegistryAccess,
    /// A folder for schemas that were fetched, to read by while the registry is away; none unless set. Not for who
    /// judges.
    pub schema_folder: Option<PathBuf>,
    embedded: Option<String>,
}

/// How to be let in to the registry. `Debug` shows no secret.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct RegistryAccess {
    /// The user of HTTP basic authentication.
    pub user: Option<String>,
    /// The password of HTTP basic authentication.
    pub password: Option<String>,
    /// A bearer token.
    pub token: Option<String>,
    /// Headers that go with every request.
    pub headers: BTreeMap<String, String>,
    /// A PEM file with the certificates of the authority that signed the registry's.
    pub ca_file: Option<PathBuf>,
}

impl Settings {
    /// Settings for a broker and a registry that let everybody in.
    pub fn new(kafka: impl Into<String>, registry: impl Into<String>) -> Self {
        Self {
            kafka: kafka.into(),
            registry: registry.into(),
            prefix: PREFIX.to_owned(),
            client: BTreeMap::new(),
            registry_access: RegistryAccess::default(),
            schema_folder: None,
            embedded: None,
        }
    }

    /// The same settings with another prefix for the topics.
    #[must_use]
    pub fn with_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Takes up the lines of a client settings file: `key=value`, `#` begins a comment line.
    ///
    /// `registry.user`, `registry.password`, `registry.token`, `registry.ca.location` and
    /// `registry.header.<Name>` are the registry's; all else is librdkafka's. A key that ends in `.file`
    /// (`sasl.password.file`, `registry.token.file`) names a file that holds the value.
    pub fn read_client_settings(&mut self, text: &str, file: &str) -> Result<(), Error> {
        for (at, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong =
                |why: &str| Error::SettingsFile { file: file.to_owned(), line: at + 1, why: why.into() };
            let (key, value) =
                line.split_once('=').ok_or_else(|| wrong("expected `key=value`, found no `=`"))?;
            let (key, value) = (key.trim(), value.trim());
            if key.is_empty() {
                return Err(wrong("expected the name of a setting before `=`"));
            }
            match key.strip_prefix(OF_REGISTRY) {
                Some(key) => self.registry_access.take(key, value).map_err(|why| match why {
                    Refused::Unknown => wrong(
                        "no such setting of the registry; there are registry.user, registry.password, \
                         registry.token, registry.ca.location and registry.header.<Name>",
                    ),
                    Refused::File(error) => *error,
                })?,
                None => {
                    self.client.insert(key.to_owned(), value.to_owned());
                }
            }
        }
        Ok(())
    }

    /// Settings for a broker that this process has started; nothing but the broker itself makes them.
    pub(crate) fn embedded(kafka: String, registry: String, prefix: String) -> Self {
        Self { embedded: Some(kafka.clone()), ..Self::new(kafka, registry).with_prefix(prefix) }
    }

    /// Whether the broker is one that this process has started.
    pub(crate) fn is_embedded(&self) -> bool {
        self.embedded.as_ref() == Some(&self.kafka)
    }

    /// The user's librdkafka settings, with the values that stand in files.
    pub(crate) fn resolved_client(&self) -> Result<BTreeMap<String, String>, Error> {
        self.client
            .iter()
            .map(|(key, value)| match key.strip_suffix(FROM_FILE) {
                Some(name) => Ok((name.to_owned(), read_secret(key, Path::new(value))?)),
                None => Ok((key.clone(), value.clone())),
            })
            .collect()
    }
}

enum Refused {
    Unknown,
    File(Box<Error>),
}

impl RegistryAccess {
    fn take(&mut self, key: &str, value: &str) -> Result<(), Refused> {
        let (name, value) = match key.strip_suffix(FROM_FILE) {
            Some(name) => {
                let key = format!("{OF_REGISTRY}{key}");
                (name, read_secret(&key, Path::new(value)).map_err(|error| Refused::File(Box::new(error)))?)
            }
            None => (key, value.to_owned()),
        };
        match name {
            "user" => self.user = Some(value),
            "password" => self.password = Some(value),
            "token" => self.token = Some(value),
            "ca.location" => self.ca_file = Some(PathBuf::from(value)),
            other => match other.strip_prefix("header.") {
                Some(header) if !header.is_empty() => {
                    self.headers.insert(header.to_owned(), value);
                }
                Some(_) | None => return Err(Refused::Unknown),
            },
        }
        Ok(())
    }
}

fn read_secret(key: &str, path: &Path) -> Result<String, Error> {
    let text = std::fs::read_to_string(path).map_err(|source| Error::SecretFile {
        key: key.to_owned(),
        path: path.to_owned(),
        source,
    })?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("kafka", &self.kafka)
            .field("registry", &http::spoken(&self.registry))
            .field("prefix", &self.prefix)
            .field("client", &self.client.keys())
            .field("registry_access", &self.registry_access)
            .field("schema_folder", &self.schema_folder)
            .field("embedded", &self.is_embedded())
            .finish()
    }
}

impl fmt::Debug for RegistryAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistryAccess")
            .field("user", &self.user.is_some())
            .field("password", &self.password.is_some())
            .field("token", &self.token.is_some())
            .field("headers", &self.headers.keys())
            .field("ca_file", &self.ca_file)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_settings_file_reaches_the_client_and_the_registry() {
        let mut settings = Settings::new("kafka:9092", "http://registry");
        settings
            .read_client_settings(
                "# who we are\nsecurity.protocol = SASL_SSL\n\nsasl.username=pavane\nregistry.user=reader\n\
                 registry.header.X-Team=identity\nregistry.ca.location=/etc/ca.pem\nsasl.jaas=a=b\n",
                "client.properties",
            )
            .expect("well formed");
        assert_eq!(settings.client["security.protocol"], "SASL_SSL");
        assert_eq!(settings.client["sasl.jaas"], "a=b");
        assert_eq!(settings.registry_access.user.as_deref(), Some("reader"));
        assert_eq!(settings.registry_access.headers["X-Team"], "identity");
        assert_eq!(settings.registry_access.ca_file.as_deref(), Some(Path::new("/etc/ca.pem")));
    }

    #[test]
    fn a_line_that_is_no_setting_is_named_with_its_place() {
        let mut settings = Settings::new("kafka:9092", "http://registry");
        for (text, said) in [
            ("a=1\nnonsense", "read c.properties, line 2: expected `key=value`, found no `=`"),
            ("=1", "read c.properties, line 1: expected the name of a setting before `=`"),
        ] {
            let error = settings.read_client_settings(text, "c.properties").expect_err(text);
            assert_eq!(error.to_string(), said);
        }
        let error = settings.read_client_settings("registry.pasword=x", "c.properties").expect_err("a typo");
        assert!(error.to_string().contains("no such setting of the registry"), "{error}");
    }

    #[test]
    fn a_secret_stands_in_a_file_and_is_never_shown() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("password");
        std::fs::write(&path, "hunter2\n").expect("written");
        let mut settings = Settings::new("kafka:9092", "http://me:hunter2@registry/apis");
        let text = format!("sasl.password.file={0}\nregistry.password.file={0}", path.display());
        settings.read_client_settings(&text, "c.properties").expect("read");
        settings.client.insert("ssl.key.password".to_owned(), "hunter2".to_owned());
        assert_eq!(settings.resolved_client().expect("read")["sasl.password"], "hunter2");
        assert_eq!(settings.registry_access.password.as_deref(), Some("hunter2"));
        assert!(!format!("{settings:?}").contains("hunter2"), "{settings:?}");
        settings.client.insert("sasl.password.file".to_owned(), "/nowhere".to_owned());
        let error = settings.resolved_client().expect_err("no such file");
        assert!(error.to_string().starts_with("read /nowhere (named by `sasl.password.file`)"), "{error}");
    }
}
