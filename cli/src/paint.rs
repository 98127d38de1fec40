//! The few colours, each beside a word or a symbol that says the same.

use anstyle::{AnsiColor, Style};

/// What went well.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// What stands still or failed.
pub const BAD: Style = AnsiColor::Red.on_default().bold();
/// What is under way.
pub const BUSY: Style = AnsiColor::Cyan.on_default();
/// What goes back.
pub const BACK: Style = AnsiColor::Yellow.on_default();
/// What one may overlook.
pub const QUIET: Style = Style::new().dimmed();
/// What one must not overlook.
pub const STRONG: Style = Style::new().bold();

/// The text in a style.
pub fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}
