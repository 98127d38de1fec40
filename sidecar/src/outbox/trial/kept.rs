//! The journal alone, on the model of a disk and on a real one: how it is made, what one sync keeps, what a disk that lies
//! or whose bits flip may do to it.

use std::path::Path;
use std::sync::Arc;

use pavane_events::service::Ready;
use pavane_events::{Domain, Envelope, EventId, Source};

use super::disk::{Disk, Fault};
use crate::error::Error;
use crate::journal::{Batch, Journal, Recalled};
use crate::letter::{Content, Letter};

const OWN: &str = "shop/a/a-0";

#[test]
fn a_journal_is_made_whole_or_not_at_all_wherever_the_process_is_killed_or_the_power_fails() {
    let (mut tried, mut unmade) = (0, 0);
    for at in 0.. {
        let mut reached = true;
        for throw in 0..4 {
            let disk = Disk::default();
            disk.set(Fault::Kill(at));
            let kept = open(&disk).is_ok_and(|(journal, _)| journal.commit(&batch(1)).is_ok());
            reached &= disk.fault() == Fault::Dead;
            end_life(&disk, throw);
            let (journal, recalled) = open(&disk).unwrap_or_else(|error| panic!("{at}, {throw}: {error}"));
            assert!(!kept || recalled.outbox == [letter(1)], "{at}, {throw}: an answer is lost");
            unmade += u32::from(recalled.outbox.is_empty());
            journal.commit(&batch(2)).unwrap();
            drop(journal);
            disk.crash(dice(throw));
            let (_, recalled) = open(&disk).unwrap();
            assert_eq!(recalled.outbox.last(), Some(&letter(2)), "{at}, {throw}: an answer is lost");
            tried += 1;
        }
        if !reached {
            break;
        }
    }
    assert!(tried > 150 && unmade > 100, "{tried} were made, {unmade} of them at the second start");
}

#[test]
fn what_a_disk_lost_that_lied_about_syncs_is_never_taken_for_what_it_was() {
    let (mut named, mut older) = (0, 0);
    for lies_from in 0..9 {
        for throw in 0..24 {
            let disk = Disk::default();
            let (journal, _) = open(&disk).unwrap();
            for number in 1..=10 {
                if number == lies_from + 1 {
                    disk.set(Fault::Lie);
                }
                journal.commit(&batch(number)).unwrap();
            }
            disk.crash(dice(throw));
            drop(journal);
            match open(&disk) {
                Ok((_, recalled)) => {
                    let count = recalled.outbox.len() as u64;
                    assert!(count >= lies_from, "what was synced in truth is there");
                    assert_eq!(recalled.outbox, (1..=count).map(letter).collect::<Vec<_>>());
                    older += u32::from(count < 10);
                }
                Err(error) => {
                    assert!(matches!(error, Error::JournalDamaged { .. }), "{error}");
                    named += 1;
                }
            }
        }
    }
    assert!(named > 20 && older > 0, "{named} were named, {older} went back whole");
}

#[test]
fn a_commit_is_one_sync_and_its_seal_stands_where_the_store_never_writes() {
    let disk = Disk::default();
    let (journal, _) = open(&disk).unwrap();
    journal.commit(&batch(1)).unwrap();
    let before = disk.syncs().0;
    for number in 2..202 {
        let size = usize::try_from(number).unwrap() * 40;
        let mut letter = letter(number);
        letter.envelope.subject = Some("s".repeat(size));
        journal.commit(&Batch { said: vec![letter], ..Batch::default() }).unwrap();
    }
    let syncs = disk.syncs().0 - before;
    journal.commit(&Batch { sent: (1..200).collect(), ..Batch::default() }).unwrap();
    assert!((200..205).contains(&syncs), "{syncs} syncs, beside the few with which the file grows");
    drop(journal);
    let (journal, recalled) = open(&disk).unwrap();
    assert_eq!(recalled.outbox.len(), 2);
    drop(journal);
    let written = disk.first_page();
    assert!(written.contains(&(4080, 16)), "{written:?}");
    assert!(written.iter().all(|(at, length)| *at == 4080 || at + length <= 4080), "{written:?}");
}

#[test]
fn whatever_bit_flips_the_journal_is_refused_by_its_name_or_says_what_it_said() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    let (journal, _) = Journal::open(&path, OWN).unwrap();
    for number in 1..30 {
        journal.commit(&Batch { position: Some(7), ..batch(number) }).unwrap();
    }
    let killed = std::fs::read(&path).unwrap();
    drop(journal);
    let ended = std::fs::read(&path).unwrap();
    for (file, how) in [(killed, "killed"), (ended, "ended")] {
        std::fs::write(&path, &file).unwrap();
        let (journal, whole) = Journal::open(&path, OWN).unwrap();
        assert_eq!(whole.outbox.len(), 29);
        drop(journal);
        let full: Vec<usize> = (0..file.len()).filter(|at| file[*at] != 0).collect();
        let mut named = 0;
        for turn in 0..250 {
            let at = full[turn * 7_919 % full.len()];
            let mut flipped = file.clone();
            flipped[at] ^= 1 << (turn % 8);
            std::fs::write(&path, &flipped).unwrap();
            match Journal::open(&path, OWN) {
                Ok((_, recalled)) => assert_eq!(recalled, whole, "{how}: byte {at}, bit {}", turn % 8),
                Err(error) => {
                    assert!(error.to_string().contains("journal"), "{error}");
                    named += 1;
                }
            }
        }
        assert!(named > 20, "{how}: {named} flips were named");
    }
}

#[test]
fn a_journal_of_the_first_form_is_read_and_brought_to_the_present_one() {
    let old = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/journal-of-the-first-form");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    std::fs::copy(old, &path).unwrap();
    let own = "shop/user-service/user-service-0";
    let (journal, first) = Journal::open(&path, own).unwrap();
    assert!(first.memory.jobs.len() > 20 && first.receipts.len() > 20 && first.position.is_some());
    drop(journal);
    let (_, again) = Journal::open(&path, own).unwrap();
    assert_eq!(again, first);
    assert!(
        Journal::open(&path, OWN).unwrap_err().to_string().contains("it is the journal of shop/user-service")
    );
}

fn open(disk: &Disk) -> Result<(Journal, Recalled), Error> {
    Journal::open_at(Arc::new(disk.clone()), Path::new("model"), OWN)
}

/// Ends a life as the throw says: by a kill, or with the power.
fn end_life(disk: &Disk, throw: u32) {
    if throw.is_multiple_of(2) {
        disk.kill();
    } else {
        disk.crash(dice(throw));
    }
}

fn dice(throw: u32) -> impl FnMut() -> u32 {
    let mut dice = throw.wrapping_mul(0x9e37_79b9);
    move || {
        dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        dice >> 8
    }
}

fn batch(number: u64) -> Batch {
    Batch { said: vec![letter(number)], ..Batch::default() }
}

fn letter(number: u64) -> Letter {
    let source = Source::new("/pavane/shop/a/a-0").unwrap();
    let id = EventId::new(format!("b-{number}")).unwrap();
    let envelope = Envelope::new(Domain::new("shop").unwrap(), source, id);
    Letter { number, envelope, content: Content::Own(Ready::default().into()), digest: None }
}
