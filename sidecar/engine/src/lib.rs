//! pavane-sidecar-engine
