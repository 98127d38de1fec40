//! pavane-sentinel
