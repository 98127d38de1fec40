//! Ids that are computed: whoever reaches the same decision from the same log writes the same id.

use sha2::{Digest, Sha256};

use crate::{Domain, EventId, RolloutId, Service, Source, StepId};

/// Hashes parts with their lengths, so that no two lists of parts look alike. They are put side by side first: handing them
/// over piece by piece takes longer than hashing them.
fn digest(space: &str, parts: &[&str]) -> [u8; 32] {
    const ROOM: usize = 256;
    let (mut text, mut end) = ([0; ROOM], 0);
    for part in std::iter::once(&space).chain(parts) {
        let (begin, bytes) = (end + LENGTH, part.as_bytes());
        end = begin + bytes.len();
        let Some(place) = text.get_mut(begin - LENGTH..end) else { return digest_of_many(space, parts) };
        let (length, place) = place.split_at_mut(LENGTH);
        length.copy_from_slice(&(bytes.len() as u64).to_be_bytes());
        place.copy_from_slice(bytes);
    }
    Sha256::digest(&text[..end]).into()
}

/// How many bytes the length of a part takes.
const LENGTH: usize = 8;

/// The same of parts that are too long to be put side by side.
#[cold]
fn digest_of_many(space: &str, parts: &[&str]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in std::iter::once(&space).chain(parts) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().into()
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

/// SHA-256 of a text in lower-case hexadecimal; the digest of a plan.
pub fn sha256_hex(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

/// The W3C trace id of a rollout: one rollout, one trace.
pub fn trace_id(rollout: &RolloutId) -> [u8; 16] {
    let hash = digest("pavane/trace/1", &[rollout.as_str()]);
    std::array::from_fn(|i| hash[i])
}

/// The span id of a rollout's root span.
pub fn root_span_id(rollout: &RolloutId) -> [u8; 8] {
    let hash = digest("pavane/root-span/1", &[rollout.as_str()]);
    std::array::from_fn(|i| hash[i])
}

/// The id of a decision: a function of what is decided, never of who decides or when.
pub fn decision_id(
    rollout: &RolloutId,
    epoch: i64,
    step: Option<&StepId>,
    kind: &str,
    attempt: i64,
) -> EventId {
    let (epoch, attempt) = (Decimal::of(epoch), Decimal::of(attempt));
    let step = step.map_or("", StepId::as_str);
    computed(&digest("pavane/decision/1", &[rollout.as_str(), epoch.text(), step, kind, attempt.text()]))
}

/// The id of the event with which one instance of a service claims what must run once per service.
pub fn claim_id(rollout: &RolloutId, service: &Service, reaction: &str, attempt: i64) -> EventId {
    let attempt = Decimal::of(attempt);
    computed(&digest("pavane/claim/1", &[rollout.as_str(), service.as_str(), reaction, attempt.text()]))
}

fn computed(hash: &[u8; 32]) -> EventId {
    let mut text = [0; 32];
    for (digits, byte) in text.as_chunks_mut::<2>().0.iter_mut().zip(hash) {
        *digits = [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
    }
    EventId::sound(std::str::from_utf8(&text).expect("hexadecimal is ASCII"))
}

/// A number in decimal, without an allocation: every decision has two.
struct Decimal {
    digits: [u8; 20],
    start: usize,
}

impl Decimal {
    fn of(number: i64) -> Self {
        let (mut digits, mut start, mut left) = ([0; 20], 20, number.unsigned_abs());
        // epochs and attempts, nearly always
        if let 0..=9 = number {
            digits[19] = DIGITS[(left % 10) as usize];
            return Self { digits, start: 19 };
        }
        while start == 20 || left > 0 {
            start -= 1;
            digits[start] = DIGITS[(left % 10) as usize];
            left /= 10;
        }
        if number < 0 {
            start -= 1;
            digits[start] = b'-';
        }
        Self { digits, start }
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.digits[self.start..]).expect("digits are ASCII")
    }
}

/// The source that all sentinels of a domain share.
pub fn sentinel_source(domain: &Domain) -> Source {
    Source::new(format!("/pavane/{domain}/sentinel")).expect("a domain fits into a source")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_fixed_for_ever() {
        let rollout = RolloutId::new("r-1").expect("a name");
        assert_eq!(hex(&trace_id(&rollout)), "f1ab13d993ede91a73966f0de7dada63");
        assert_eq!(hex(&root_span_id(&rollout)), "3101365b38d1b596");
        assert_eq!(
            decision_id(&rollout, 1, None, "RolloutCompleted", 1).as_str(),
            "79363ff1502a22fa9c15b9b3a77534f7"
        );
    }

    #[test]
    fn a_number_is_written_as_everywhere() {
        for number in [0, 7, 10, -1, 1_234_567_890, i64::MAX, i64::MIN] {
            assert_eq!(Decimal::of(number).text(), number.to_string());
        }
    }

    #[test]
    fn however_long_the_parts_are_it_is_one_hash() {
        for length in [0, 1, 63, 64, 200, 224, 229, 230, 231, 232, 256, 5_000] {
            let long = "x".repeat(length);
            assert_eq!(digest("s", &[&long, "y"]), digest_of_many("s", &[&long, "y"]), "{length}");
        }
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_ne!(digest("s", &["ab", "c"]), digest("s", &["a", "bc"]));
    }
}
