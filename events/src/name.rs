//! Names that are checked when they are made, so that none is checked again.
//!
//! Names are ASCII by rule: no look-alikes, no control characters, nothing that a terminal, a template or a
//! path could mistake for an order. Every record carries about ten of them and most are short, so a name of up to 23
//! bytes lies where it is used instead of on the heap, and a longer one is shared by its copies.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};
use smol_str::SmolStr;

/// Why a text is not a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} {text:?} is not a name: use 1 to {max} characters of A-Z a-z 0-9 and `{also}`")]
pub struct NameError {
    kind: &'static str,
    text: String,
    max: usize,
    also: &'static str,
}

/// Which bytes a name may have, besides letters and digits these. Looked up: every record brings hundreds of them.
const fn alphabet(also: &str) -> [bool; 256] {
    let mut fits = [false; 256];
    let (mut byte, also) = (0_u8, also.as_bytes());
    while byte < 128 {
        fits[byte as usize] = byte.is_ascii_alphanumeric();
        byte += 1;
    }
    let mut i = 0;
    while i < also.len() {
        fits[also[i] as usize] = true;
        i += 1;
    }
    fits
}

fn is_name(text: &str, max: usize, fits: &[bool; 256]) -> bool {
    !text.is_empty() && text.len() <= max && text.bytes().fold(true, |all, c| all & fits[usize::from(c)])
}

#[cold]
fn no_name(kind: &'static str, text: &str, max: usize, also: &'static str) -> NameError {
    let text = text.chars().take(max).collect();
    NameError { kind, text, max, also }
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident: $kind:literal, $max:literal, $also:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(SmolStr);

        impl $name {
            /// How many bytes it has at most.
            pub const MAX: usize = $max;

            /// Checks a text and takes it as the name.
            pub fn new(text: impl AsRef<str>) -> Result<Self, NameError> {
                static FITS: [bool; 256] = alphabet($also);
                let text = text.as_ref();
                if is_name(text, $max, &FITS) {
                    return Ok(Self(SmolStr::new(text)));
                }
                Err(no_name($kind, text, $max, $also))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl std::str::FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.into()
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }
    )*};
}

names! {
    /// The group of services that roll out together; the key of every record on the lifecycle topic.
    Domain: "domain", 64, "._-";
    /// A service, e.g. `user-service`.
    Service: "service", 64, "._-";
    /// One running copy of a service, with its sidecar.
    Instance: "instance", 64, "._-";
    /// A step of a choreography.
    StepId: "step", 64, "._-";
    /// A phase of a hybrid or orchestrated choreography.
    PhaseId: "phase", 64, "._-";
    /// A zone or region that an instance runs in.
    Zone: "zone", 64, "._-";
    /// One rollout: the correlation id of all its events.
    RolloutId: "rollout", 64, "._-";
    /// A version as the service reports it.
    Version: "version", 64, "._+-";
    /// The id of an event, unique within its source.
    EventId: "event id", 128, "._:+-/";
    /// Who says an event: a URI reference such as `/pavane/shop/user-service/user-service-0`.
    Source: "source", 256, "._:+-/@%~?=&";
}

impl EventId {
    /// Takes a text that whoever made it knows to be an id: one that is computed is not checked letter by letter.
    pub(crate) fn sound(text: &str) -> Self {
        debug_assert!(Self::new(text).is_ok(), "{text:?}");
        Self(SmolStr::new(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_short_plain_ascii() {
        for good in ["a", "user-db", "a.b_c-9", &"x".repeat(64)] {
            assert!(Service::new(good).is_ok(), "{good}");
        }
        for bad in ["", "a b", "a/b", "ünï", "a\u{202e}", "\u{1b}[31m", "{{7*7}}", "$(id)", &"x".repeat(65)]
        {
            assert!(Service::new(bad).is_err(), "{bad:?}");
        }
        assert!(Version::new("2.0.0-rc.1+build7").is_ok());
        assert!(Version::new("; rm -rf /").is_err());
    }

    #[test]
    fn a_name_is_checked_when_it_is_read() {
        let error = Service::try_from("no good".to_owned()).expect_err("a space");
        assert_eq!(
            error.to_string(),
            "service \"no good\" is not a name: use 1 to 64 characters of A-Z a-z 0-9 and `._-`"
        );
    }
}
