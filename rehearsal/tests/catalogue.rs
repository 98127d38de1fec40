//! The catalogue of faults: each is played with the engines of both sides, and the alert and `pavane why` must name the
//! cause, whose doing it is, who owns that, and what to do; and nobody else.
//!
//! `UPDATE_GOLDEN=1` writes the table of `docs/verdicts/README.md` anew.

#![expect(clippy::disallowed_methods, reason = "the plans and the pages are files")]

#[path = "catalogue/faults.rs"]
mod faults;
#[path = "catalogue/play.rs"]
mod play;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use faults::{ABSORBED, FAULTS};
use pavane_events::Cause;
use play::{Played, play};

/// The fewest faults that are to be in the catalogue.
const FEWEST: usize = 24;

#[test]
#[expect(clippy::disallowed_macros, clippy::print_stdout, reason = "the count is what is asked for")]
fn every_fault_is_told_with_its_cause_and_blamed_on_whose_doing_it_is() {
    let wrong: Vec<String> = FAULTS.iter().filter_map(|fault| play(fault).check(fault).err()).collect();
    println!("{} of {} causes named right", FAULTS.len() - wrong.len(), FAULTS.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert!(FAULTS.len() >= FEWEST, "only {} faults", FAULTS.len());
}

#[test]
fn what_harms_nobody_is_blamed_on_nobody() {
    for (name, plan, timeline) in ABSORBED {
        let Played { performance, .. } = play::perform(name, plan, timeline);
        let told: Vec<&str> =
            performance.told.iter().map(pavane_rehearsal::performance::Told::name).collect();
        assert!(told.is_empty(), "{name}: {told:?}");
        let status = performance.status(None).map(pavane_sentinel_engine::Status::as_str);
        assert_eq!(status, Some("completed"), "{name}");
    }
}

#[test]
fn every_cause_that_a_verdict_can_have_is_in_the_catalogue() {
    let named: BTreeSet<&str> = FAULTS.iter().map(|fault| fault.cause).collect();
    let missing: Vec<&str> =
        Cause::ALL.into_iter().map(Cause::as_str).filter(|cause| !named.contains(cause)).collect();
    // a cause that is not known yet is told only by a sentinel that hears no heartbeats at all
    assert_eq!(missing, ["unknown"]);
}

#[test]
fn the_page_lists_what_is_played() {
    let row = |fault: &faults::Fault| {
        let page = play::page_of(fault);
        let (cause, alert) = (fault.cause.replace('_', " "), fault.alert);
        format!(
            "| {} | `{alert}` | [{cause}]({page}) | {} ({}) | {} |\n",
            fault.name, fault.culprit, fault.owner, fault.next
        )
    };
    let rows: String = FAULTS.iter().map(row).collect();
    let absorbed: String = ABSORBED.iter().flat_map(|(name, ..)| ["- ", name, "\n"]).collect();
    let head =
        "| what happens | alert | cause | whose doing (team) | the next step says |\n|---|---|---|---|---|\n";
    let table = format!("{head}{rows}\nNobody is told, because nothing comes of it:\n\n{absorbed}");
    holds_section("rehearsed", &table);
}

/// Holds a section of the page against what it must say.
fn holds_section(name: &str, wanted: &str) {
    let path = pages().join("README.md");
    let text = std::fs::read_to_string(&path).expect("the page");
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->"));
    let (before, rest) = text.split_once(&begin).expect("the section begins");
    let (found, after) = rest.split_once(&end).expect("the section ends");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let text = format!("{before}{begin}{wanted}{end}{after}");
        return std::fs::write(&path, text).expect("the page is ours");
    }
    assert_eq!(found, wanted, "the page lists other faults than are played");
}

fn pages() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/verdicts")
}
