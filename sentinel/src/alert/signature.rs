//! Standard Webhooks signatures: the receiver can tell who sent a notification, and that nobody changed it.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::error::SecretError;

const PREFIX: &str = "whsec_";

/// The keys of one receiver: the first signs alone, or several beside each other while keys are changed.
/// Shown nowhere.
pub(crate) struct Secrets(Vec<Vec<u8>>);

impl Secrets {
    /// Reads a file with one `whsec_…` a line. Read anew at each attempt, so that a changed key needs no restart.
    pub(crate) fn read(path: &Path) -> Result<Self, SecretError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| SecretError::Unreadable { path: path.to_owned(), source })?;
        Self::parse(&text).ok_or_else(|| SecretError::Malformed { path: path.to_owned() })
    }

    fn parse(text: &str) -> Option<Self> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let keys: Option<Vec<_>> = lines.map(key).collect();
        keys.filter(|keys| !keys.is_empty()).map(Self)
    }

    /// The value of the header `webhook-signature`.
    pub(crate) fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let sign = |key: &Vec<u8>| {
            let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
            mac.update(format!("{id}.{timestamp}.").as_bytes());
            mac.update(body);
            format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
        };
        self.0.iter().map(sign).collect::<Vec<_>>().join(" ")
    }
}

fn key(line: &str) -> Option<Vec<u8>> {
    let key = STANDARD.decode(line.strip_prefix(PREFIX)?).ok()?;
    (24..=64).contains(&key.len()).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    #[test]
    fn the_signature_is_the_one_of_the_published_test_vector() {
        let secrets = Secrets::parse(SECRET).expect("well formed");
        let signature =
            secrets.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn two_keys_sign_side_by_side_while_they_are_changed() {
        let other = format!("{PREFIX}{}", STANDARD.encode([7_u8; 32]));
        let both = Secrets::parse(&format!("{SECRET}\n\n{other}\n")).expect("two lines").sign("a", 1, b"{}");
        let [first, second] = both.split(' ').collect::<Vec<_>>()[..] else { panic!("two signatures") };
        assert_eq!(first, Secrets::parse(SECRET).expect("one line").sign("a", 1, b"{}"));
        assert!(second.starts_with("v1,") && second != first);
    }

    #[test]
    fn a_file_that_is_no_secret_is_refused_by_its_name() {
        let short = format!("{PREFIX}{}", STANDARD.encode([7_u8; 23]));
        let long = format!("{PREFIX}{}", STANDARD.encode([7_u8; 65]));
        for bad in ["", "\n", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_***", &short, &long] {
            assert!(Secrets::parse(bad).is_none(), "{bad}");
        }
        let error = Secrets::read(Path::new("/nowhere/secret")).err().expect("no such file");
        assert!(error.to_string().contains("/nowhere/secret"), "{error}");
    }
}
