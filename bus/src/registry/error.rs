//! What can go wrong between us and the registry; each with the URL, the subject and the next step.

/// Why the registry could not be asked, or would not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// The settings make no client.
    #[error("use the registry settings for {url}: {why}")]
    Settings {
        /// The base URL, as it was given.
        url: String,
        /// What is wrong, and what to do.
        why: String,
    },
    /// The file with the certificates cannot be read.
    #[error("read the registry's certificates {path}")]
    Certificates {
        /// The file.
        path: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// No answer: the network, the name, TLS, or the time was up.
    #[error("{doing} at {url}: {why}; check that the registry runs and that the address is right")]
    Unreachable {
        /// What was asked.
        doing: String,
        /// The base URL.
        url: String,
        /// What the client said, with its causes.
        why: String,
    },
    /// The registry has trouble of its own, or too much to do.
    #[error("{doing} at {url}: the registry answered {status}: {message}; it is tried again")]
    Troubled {
        /// What was asked.
        doing: String,
        /// The base URL.
        url: String,
        /// The HTTP status.
        status: u16,
        /// What the registry said.
        message: String,
    },
    /// The registry does not know us, or does not let us do this.
    #[error(
        "{doing} at {url}: the registry answered {status}; set its user and password, or its token, with the right to do so"
    )]
    Denied {
        /// What was asked.
        doing: String,
        /// The base URL.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// Something answers there that is no schema registry.
    #[error(
        "{doing} at {url}: {why}; the address must be the base of a Confluent-compatible API, e.g. http://HOST:8081 or http://HOST:8080/apis/ccompat/v7"
    )]
    NotARegistry {
        /// What was asked.
        doing: String,
        /// The base URL.
        url: String,
        /// What came instead.
        why: String,
    },
    /// The registry serves something else under an id than what is known to be behind it.
    #[error(
        "trust the registry at {url} (RegistryTamper): under the id {id} it serves {served}, and the schema with the fingerprint {named} is known to be there; nothing is judged by it. Find out who changed the registry, and restore it"
    )]
    Tampered {
        /// The base URL.
        url: String,
        /// The id.
        id: u32,
        /// The fingerprint of the schema that is known to be there.
        named: String,
        /// What it serves, for a person.
        served: String,
    },
    /// The registry answers with a schema that was not asked for.
    #[error(
        "{doing} at {url}: it answers with another schema than the one that was asked for; nothing is written under such an id, \
         so look at who answers there"
    )]
    OtherSchema {
        /// What was asked.
        doing: String,
        /// The base URL.
        url: String,
    },
    /// The registry refuses a schema that does not fit the earlier ones.
    #[error(
        "register the schema of {subject} at {url}: {message}; add fields with defaults, and take away only fields with defaults"
    )]
    Incompatible {
        /// The subject.
        subject: String,
        /// The base URL.
        url: String,
        /// What the registry said.
        message: String,
    },
    /// The registry refuses what it was sent.
    #[error("{doing} at {url}: the registry refused it ({code}): {message}")]
    Refused {
        /// What was asked.
        doing: String,
        /// The base URL.
        url: String,
        /// The registry's own error code.
        code: i64,
        /// What the registry said.
        message: String,
    },
    /// A folder with services' schemas cannot be read.
    #[error("read the schemas in {path}")]
    Folder {
        /// The folder or file.
        path: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

impl RegistryError {
    /// Whether the same call may succeed later without anyone changing a setting.
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Troubled { .. } | Self::Tampered { .. } => true,
            Self::Settings { .. }
            | Self::Certificates { .. }
            | Self::Denied { .. }
            | Self::NotARegistry { .. }
            | Self::OtherSchema { .. }
            | Self::Incompatible { .. }
            | Self::Refused { .. }
            | Self::Folder { .. } => false,
        }
    }

    /// Whether what answered does not answer as a registry does: it may have something else in front of it.
    pub(crate) const fn makes_no_sense(&self) -> bool {
        matches!(self, Self::NotARegistry { .. } | Self::OtherSchema { .. })
    }
}

/// An error with its causes, on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text
}
