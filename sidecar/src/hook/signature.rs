//! Standard Webhooks signatures: the service can tell that a hook is its sidecar's, and that nobody changed it.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

const PREFIX: &str = "whsec_";

/// The value of the header `webhook-signature`, by the keys of a file: one `whsec_…` a line, more than one while keys are
/// changed. The file is read anew for each call; the error names it and no key.
pub(super) async fn sign(file: &Path, id: &str, timestamp: i64, body: &str) -> Result<String, String> {
    let read = tokio::fs::read_to_string(file).await;
    let text = read.map_err(|error| format!("failed to read the secret file {}: {error}", file.display()))?;
    signatures(&text, id, timestamp, body).ok_or_else(|| {
        format!(
            "the secret file {} must hold `whsec_` and 24 to 64 bytes in base64, a line each",
            file.display()
        )
    })
}

fn signatures(keys: &str, id: &str, timestamp: i64, body: &str) -> Option<String> {
    let sign = |line: &str| {
        let key = STANDARD.decode(line.strip_prefix(PREFIX)?).ok()?;
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).ok().filter(|_| (24..=64).contains(&key.len()))?;
        mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
        Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
    };
    let lines = keys.lines().map(str::trim).filter(|line| !line.is_empty());
    let signatures: Vec<_> = lines.map(sign).collect::<Option<_>>()?;
    (!signatures.is_empty()).then(|| signatures.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    #[test]
    fn the_signature_is_the_one_of_the_published_test_vector() {
        let (id, body) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", r#"{"test": 2432232314}"#);
        let signed = signatures(SECRET, id, 1_614_265_330, body);
        assert_eq!(signed.as_deref(), Some("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
        let two = signatures(&format!("{SECRET}\n\n{SECRET}\n"), id, 1, body).unwrap();
        assert_eq!(two.split(' ').count(), 2);
    }

    #[tokio::test]
    async fn a_file_that_is_no_secret_is_named_and_what_it_holds_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("secret");
        for text in ["", "hunter2-hunter2-hunter2", "whsec_aHVudGVyMg=="] {
            std::fs::write(&file, text).unwrap();
            let error = sign(&file, "a", 1, "{}").await.unwrap_err();
            assert!(
                error.contains("secret file") && !error.contains("hunter2") && !error.contains("aHV"),
                "{error}"
            );
        }
    }
}
