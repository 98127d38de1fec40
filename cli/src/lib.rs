//! pavane-cli
