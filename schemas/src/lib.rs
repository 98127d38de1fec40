//! pavane-schemas
