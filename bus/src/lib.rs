//! pavane-bus
