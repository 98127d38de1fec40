//! The values of a plan as they are written in files.

use pavane_choreography::{Concurrency, Method, OnStall, Trigger};
use pavane_events::Millis;

/// A length of time: `30s`, `5m`, `1h30m`.
pub fn lasting(ms: Millis) -> String {
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

/// The method of a plan.
pub const fn method(method: Method) -> &'static str {
    match method {
        Method::Choreography => "choreography",
        Method::Hybrid => "hybrid",
        Method::Orchestrated => "orchestrated",
    }
}

/// What happens to a start that finds one of its services taken.
pub const fn concurrency(concurrency: Concurrency) -> &'static str {
    match concurrency {
        Concurrency::Refuse => "refuse",
        Concurrency::Queue => "queue",
    }
}

/// What a sentinel does about a stall or a breach.
pub const fn on_stall(on_stall: OnStall) -> &'static str {
    match on_stall {
        OnStall::Alert => "alert",
        OnStall::Pause => "pause",
        OnStall::Rollback => "rollback",
    }
}

/// The event that starts a rollout, with the versions that count.
pub fn trigger(trigger: &Trigger) -> String {
    match &trigger.version {
        Some(version) => format!("{} of {version}", trigger.on),
        None => trigger.on.to_string(),
    }
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
