//! Alerts as the command line asks about them: a sentinel, its file, or the rows of `pavane.notifications`.

pub mod asked;
pub mod silences;
pub mod tried;
