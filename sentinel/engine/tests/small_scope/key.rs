//! When two logs are one state: all that is folded from them is the same, but for where on the log it stands. An offset is
//! known by what stands there.

use std::hash::{DefaultHasher, Hash, Hasher};

/// The offset of the first record. No other number on these logs is as long, so that offsets are known when they are met.
pub(crate) const FIRST: i64 = 1_000_000_000_000_000;
/// How many digits an offset has.
const DIGITS: usize = 16;

/// A number for what was kept of a log. `names` are what stands on it, from the first record on.
pub(crate) fn of(kept: &[u8], names: &[&str], rest: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    for line in kept.split(|byte| *byte == b'\n').skip(1) {
        // what was read is known by the rest; how many lines there are, by the lines
        if line.starts_with(b"{\"seen\"") || line.starts_with(b"{\"end\"") {
            continue;
        }
        relabelled(line, names, &mut hasher);
    }
    rest.hash(&mut hasher);
    hasher.finish()
}

/// Takes a text, in which offsets are known by what stands there.
pub(crate) fn relabelled(line: &[u8], names: &[&str], hasher: &mut DefaultHasher) {
    let (mut from, mut at) = (0, 0);
    while at < line.len() {
        let digits = line[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == DIGITS && line[at..].starts_with(b"1000000000") {
            hasher.write(&line[from..at]);
            let number = line[at..at + DIGITS].iter().fold(0, |n, digit| 10 * n + i64::from(digit - b'0'));
            let place = usize::try_from(number - FIRST).expect("not before the first");
            names.get(place).unwrap_or(&"beyond").hash(hasher);
            from = at + DIGITS;
        }
        at += digits.max(1);
    }
    hasher.write(&line[from..]);
}
