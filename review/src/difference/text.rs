//! A difference as people read it, in 80 columns.

use crate::difference::{About, Change, Difference, Side, listed};
use pavane_choreography::yaml::lasting;

const WIDTH: usize = 80;
/// Where what a change means begins.
const MEANING: &str = "      ";

impl Difference {
    /// The difference as a text: what was changed, and beneath each change what it means.
    pub fn to_text(&self) -> String {
        let Self { old, new, .. } = self;
        if self.same {
            let digests = if old.digest == new.digest {
                format!("digest {}", short(new))
            } else {
                format!("digest {} → {}: the same, written in another order", short(old), short(new))
            };
            return format!("{}: no change in meaning ({digests})\n", new.name);
        }
        let count = self.changes.len();
        let noun = if count == 1 { "change" } else { "changes" };
        let mut text =
            format!("{}: {count} {noun} in meaning, digest {} → {}\n", new.name, short(old), short(new));
        let mut heading = None;
        for change in &self.changes {
            if heading != Some((change.about, &change.names)) {
                heading = Some((change.about, &change.names));
                text.push_str(&wrapped(&head(change), "", "  "));
            }
            text.push_str(&wrapped(&what(change), "  ", "      "));
            text.push_str(&wrapped(&change.meaning, MEANING, MEANING));
        }
        text.push_str(&lasts(old, new));
        text
    }
}

fn head(change: &Change) -> String {
    let many = change.names.len() > 1;
    match change.about {
        About::Plan => "\nthe whole".to_owned(),
        About::Phase => format!("\nphase {}", listed(&change.names)),
        About::Step if many => format!("\nsteps {}", listed(&change.names)),
        About::Step => format!("\nstep {}", listed(&change.names)),
    }
}

fn what(change: &Change) -> String {
    let what = change.what;
    match (&change.old, &change.new) {
        (Some(old), Some(new)) => format!("~ {what}: {old} → {new}"),
        (None, Some(new)) => format!("+ {what}: {new}"),
        (Some(old), None) => format!("- {what}: {old}"),
        (None, None) => format!("~ {what}"),
    }
}

/// How long the rollout takes at the longest, and through which steps.
fn lasts(old: &Side, new: &Side) -> String {
    let path = listed(&new.critical_path);
    let length = if old.longest_ms == new.longest_ms {
        format!("still {}", lasting(new.longest_ms))
    } else {
        format!("{} → {}", lasting(old.longest_ms), lasting(new.longest_ms))
    };
    wrapped(&format!("\ncritical path {length}: {path}"), "", "  ")
}

fn short(side: &Side) -> &str {
    side.digest.get(..12).unwrap_or(&side.digest)
}

/// A text in lines that fit, the first behind one margin and the others behind another.
fn wrapped(text: &str, first: &str, others: &str) -> String {
    let mut lines = String::new();
    let mut line = first.to_owned();
    let mut empty = true;
    for word in text.split(' ') {
        if !empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push_str(&line);
            lines.push('\n');
            others.clone_into(&mut line);
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    lines + &line + "\n"
}
