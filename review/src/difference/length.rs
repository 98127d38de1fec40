//! Lengths of time as they stand in files: `30s`, `5m`, `1h30m`.

use pavane_events::Millis;

/// A length of time as it is written in a choreography.
pub(super) fn lasting(ms: Millis) -> String {
    const UNITS: [(Millis, &str); 4] = [(3_600_000, "h"), (60_000, "m"), (1_000, "s"), (1, "ms")];
    let mut left = ms.max(0);
    let mut parts = Vec::new();
    for (unit, name) in UNITS {
        if left >= unit {
            parts.push(format!("{}{name}", left / unit));
            left %= unit;
        }
    }
    if parts.is_empty() { "0s".to_owned() } else { parts.concat() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_read_as_they_are_written() {
        let told = [0, 250, 30_000, 300_000, 5_400_000, 90_061_001].map(lasting);
        assert_eq!(told, ["0s", "250ms", "30s", "5m", "1h30m", "25h1m1s1ms"]);
    }
}
