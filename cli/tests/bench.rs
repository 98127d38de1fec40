//! What the job promises: exact stalls, whatever the shape of the run.

#![cfg(test)]

use pavane_cli::bench::job::{Job, Shape, made};
use pavane_cli::bench::play::Play;
use pavane_cli::bench::run;

fn job() -> Job {
    Job::new(&["A", "B", "C", "D"], 250_000).unwrap()
}

#[test]
fn every_stall_is_told_exactly_once_and_in_its_first_millisecond() {
    for (shape, seed) in
        [(Shape::AllOpen, 1), (Shape::AllOpen, 2), (Shape::Rolling(50), 3), (Shape::Rolling(7), 4)]
    {
        let made = made(shape, 1_000, seed);
        let mut play = Play::new(&job());
        for (number, step) in made.moves.iter().enumerate() {
            play.hear(&mut job().entry(step, number));
        }
        play.end();
        let (told, latest) = play.told();
        assert_eq!((told, latest), (made.stalls, 1), "{shape:?} {seed}");
    }
}

#[test]
fn batches_change_nothing() {
    let made = made(Shape::Rolling(30), 1_500, 9);
    assert!(made.moves.len() > 2_048);
    assert_eq!(run(&job(), &made.moves).stalls, made.stalls);
}

#[test]
fn the_generator_reaches_every_place_to_stop() {
    let made = made(Shape::AllOpen, 2_000, 42);
    for step in ["B", "C", "D"] {
        assert!(made.stalls.iter().any(|stall| stall.missing == step), "{step}");
    }
}

#[test]
fn a_line_that_is_no_event_is_named() {
    let read = |text: &str| job().read(text).expect_err("a defect");
    assert!(read("1,r1,A\nrubbish\n").starts_with("line 2: "), "{}", read("1,r1,A\nrubbish\n"));
    assert!(read("1,r1,E\n").starts_with("line 1: "));
    assert!(read("2,r1,A\n1,r1,B\n").contains("earlier"));
}
