//! Tells the story as it happens: who said what, when, and how the dance looks after it.

use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use pavane_events::Entry;
use pavane_sentinel_engine::RolloutView;

use super::receiver::Alert;
use super::telling::{Telling, telling};
use crate::console::Console;
use crate::paint::{BAD, GOOD, QUIET, STRONG, paint};
use crate::picture;

/// Tells the story, or keeps silent.
#[derive(Debug)]
pub struct Narrator {
    console: Console,
    silent: AtomicBool,
    begun: Mutex<Instant>,
}

impl Narrator {
    /// A narrator that speaks to a person, at a person's pace.
    pub fn aloud(console: Console) -> Self {
        Self { console, silent: AtomicBool::new(false), begun: Mutex::new(Instant::now()) }
    }

    /// A narrator that keeps silent and loses no time.
    pub fn silent(console: Console) -> Self {
        Self { console, silent: AtomicBool::new(true), begun: Mutex::new(Instant::now()) }
    }

    /// Begins an act; the clock of its lines begins at 0.
    pub async fn act(&self, title: &str, about: &[&str]) {
        *self.begun.lock().expect("no holder panics") = Instant::now();
        self.tell(&format!("\n{}", paint(STRONG, title)));
        self.say(about).await;
        *self.begun.lock().expect("no holder panics") = Instant::now();
    }

    /// Says some lines and leaves time to read them.
    pub async fn say(&self, lines: &[&str]) {
        for line in lines {
            self.tell(&format!("  {line}"));
        }
        let words = lines.iter().map(|line| line.split_whitespace().count()).sum::<usize>();
        self.beat(Duration::from_millis(90 * words as u64)).await;
    }

    /// Says the last lines.
    pub fn end(&self, lines: &[&str]) {
        self.tell(&format!("\n{}", paint(STRONG, "THE END")));
        for line in lines {
            self.tell(&format!("  {line}"));
        }
    }

    /// Says how something ended.
    pub async fn moral(&self, line: &str) {
        self.tell("");
        self.say(&[&paint(GOOD, &format!("✓ {line}"))]).await;
    }

    /// Leaves time to look.
    pub async fn beat(&self, time: Duration) {
        if !self.silent.load(Relaxed) {
            tokio::time::sleep(time).await;
        }
    }

    /// Tells a record, and how the dance looks after it.
    pub fn hear(&self, entry: &Entry, rollout: Option<&RolloutView>) {
        let Some(Telling { who, what, more, moves }) = telling(entry) else { return };
        self.aside(&who, what, &more);
        if let Some(rollout) = rollout.filter(|_| moves) {
            self.show(rollout);
        }
    }

    /// Tells something that did not come over the log.
    pub fn aside(&self, who: &str, what: &str, more: &str) {
        self.at(&format!("{who:<13} {}  {more}", paint(STRONG, &format!("{what:<18}"))));
    }

    /// Tells an alert that came in.
    pub fn alert(&self, alert: &Alert) {
        let labels = &alert.labels;
        let bell =
            if alert.status == "firing" { paint(BAD, "ALERT firing") } else { paint(GOOD, "alert resolved") };
        self.at(&format!("{:<13} {bell} → {} on call, signature verified", "webhook", labels.owner));
        if alert.status == "firing" {
            self.tell(&format!("         {}", alert.annotations.summary));
            let runbook = &alert.annotations.runbook_url;
            self.tell(&paint(
                QUIET,
                &format!("         step {} · service {} · {runbook}", labels.step, labels.service),
            ));
        }
    }

    fn show(&self, rollout: &RolloutView) {
        self.tell("");
        for line in picture::row(&rollout.steps).lines() {
            self.tell(&format!("    {line}"));
        }
        self.tell("");
    }

    fn at(&self, line: &str) {
        let elapsed = self.begun.lock().expect("no holder panics").elapsed().as_secs_f64();
        self.tell(&format!("{} {line}", paint(QUIET, &format!("{elapsed:>6.2}s"))));
    }

    fn tell(&self, line: &str) {
        if self.silent.load(Relaxed) {
            return;
        }
        if let Err(failure) = self.console.print(&format!("{line}\n")) {
            self.silent.store(true, Relaxed);
            self.console.fail(&failure);
        }
    }
}
