//! pavane-sentinel-engine
