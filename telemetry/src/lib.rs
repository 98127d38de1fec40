//! pavane-telemetry
