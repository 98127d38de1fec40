//! Why an attempt to tell somebody failed: one word for the metric, the log and the tests.

/// The class of a failed attempt; the value of the label `reason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The receiver's command ended with an error, or not in time.
    Command,
    /// The receiver's settings lack something.
    Config,
    /// The address is one that nobody may be sent to.
    Egress,
    /// The receiver says that it is gone for good.
    Gone,
    /// The notification's id is no value of a header.
    Id,
    /// The mail server refused.
    Mail,
    /// The receiver points elsewhere, and nobody goes there.
    Redirect,
    /// The receiver refused the notification.
    Refused,
    /// The secret cannot be read.
    Secret,
    /// The receiver failed.
    Server,
    /// The notification cannot be written by its template.
    Template,
    /// The receiver asks for patience.
    Throttled,
    /// No answer in time.
    Timeout,
    /// The receiver cannot prove who it is.
    Tls,
    /// The connection failed.
    Transport,
    /// The name of the receiver's host is not known.
    Unresolved,
}

impl Fault {
    /// What a GET or POST to an address that is kept in a file may end with.
    pub(crate) const OF_CALLS: [Self; 11] = [
        Self::Egress,
        Self::Gone,
        Self::Redirect,
        Self::Refused,
        Self::Secret,
        Self::Server,
        Self::Throttled,
        Self::Timeout,
        Self::Tls,
        Self::Transport,
        Self::Unresolved,
    ];

    /// The word for it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Config => "config",
            Self::Egress => "egress",
            Self::Gone => "gone",
            Self::Id => "id",
            Self::Mail => "mail",
            Self::Redirect => "redirect",
            Self::Refused => "refused",
            Self::Secret => "secret",
            Self::Server => "server",
            Self::Template => "template",
            Self::Throttled => "throttled",
            Self::Timeout => "timeout",
            Self::Tls => "tls",
            Self::Transport => "transport",
            Self::Unresolved => "unresolved",
        }
    }
}
