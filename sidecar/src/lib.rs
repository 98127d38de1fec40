//! pavane-sidecar
