//! What flows on the log against what is declared: dependencies that nobody wrote down, and promises that nobody keeps.
//!
//! A declaration is a step of a choreography, a reaction or a `consumes` of a sidecar's file, or a schema of a service's
//! own form. What flows is folded record by record, so a log of any length fits.
//!
//! | room | what is in it |
//! |---|---|
//! | [`declared`] | what the files promise |
//! | [`flow`] | what the log holds |
//! | `findings` | where the two differ |

pub mod declared;
mod findings;
pub mod flow;

pub use declared::Declared;
pub use flow::{Flow, Told, Way};

use pavane_choreography::diagnostic::Diagnostic;

use crate::check::Project;

/// Everything in which the log and the files differ, in the order of files and lines.
pub fn findings(project: &Project, declared: &Declared, flow: &Flow) -> Vec<Diagnostic> {
    let mut found = findings::all(project, declared, flow);
    crate::check::sort(&mut found);
    found
}
