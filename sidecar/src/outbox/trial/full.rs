//! The outbox on a real disk that is full: a small file system of its own in memory.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use pavane_bus::{Appended, Encoded};
use pavane_events::{Domain, Envelope, EventId, EventType, Source, Timestamp};
use tokio::sync::oneshot;

use crate::journal::Journal;
use crate::letter::Content;
use crate::line::Limits;
use crate::outbox::{Answer, Outbox, Post, Refusal};

/// A file system of so many KiB; gone with this.
struct Small(tempfile::TempDir);

impl Small {
    /// None where this process may not make one.
    fn new(kib: u32) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={kib}k"), "tmpfs"])
            .arg(folder.path())
            .status();
        mounted.is_ok_and(|status| status.success()).then_some(Self(folder))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(self.0.path()).status());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_what_must_be_kept_and_loses_nothing() {
    let Some(small) = Small::new(3 * 1024) else {
        eprintln!("no file system may be mounted here: the full disk is tried on the model alone");
        return;
    };
    let (ballast, file) = (small.0.path().join("ballast"), small.0.path().join("journal"));
    std::fs::write(&ballast, vec![1; 512 * 1024]).unwrap();
    let (outbox, closer) = begin(&file, false);
    let (mut kept, mut refused) = (Vec::new(), 0);
    for number in 0..3_000 {
        match say(&outbox, number, true).await {
            Ok(Answer::Kept { id, .. }) => kept.push(id),
            Ok(Answer::Full) | Err(Refusal::Full) => refused += 1,
            other => panic!("{number}: {other:?}"),
        }
        if refused >= 3 {
            break;
        }
    }
    assert!(refused >= 3 && kept.len() > 10, "{} kept, {refused} refused", kept.len());
    std::fs::remove_file(&ballast).unwrap();
    tokio::time::timeout(Duration::from_mins(1), async {
        let mut number = 10_000;
        loop {
            number += 1;
            match say(&outbox, number, true).await {
                Ok(Answer::Kept { id, .. }) => break kept.push(id),
                Ok(Answer::Full) | Err(Refusal::Full) => tokio::time::sleep(Duration::from_millis(50)).await,
                other => panic!("{number}: {other:?}"),
            }
        }
    })
    .await
    .expect("with room on the disk events are kept again");
    drop(closer);
    drop(outbox);
    let (journal, recalled) = Journal::open(&file, "shop/a/a-0").unwrap();
    let left: Vec<_> = recalled.outbox.iter().map(|letter| letter.envelope.id.clone()).collect();
    assert_eq!(left, kept, "all that was kept and nothing that was refused");
    drop(journal);
    let (outbox, _closer) = begin(&file, true);
    assert_eq!(outbox.drain(Duration::from_mins(1)).await, 0);
    eprintln!("{} events kept, {refused} refused on a full disk, 0 lost", kept.len());
}

async fn say(outbox: &std::sync::Arc<Outbox>, number: u32, local: bool) -> Result<Answer, Refusal> {
    let source = Source::new("/pavane/shop/a/a-0").unwrap();
    let id = EventId::new(format!("e-{number}")).unwrap();
    let mut envelope = Envelope::new(Domain::new("shop").unwrap(), source, id);
    envelope.boot = Some("b".to_owned());
    let encoded = Encoded { value: vec![7; 20_000], dataschema: "urn:x".to_owned() };
    let content = Content::Given { event: EventType::Ready, encoded };
    let answer: oneshot::Receiver<_> =
        outbox.post(Post { envelope, content, digest: 1, keyed: false, local })?;
    Ok(answer.await.unwrap())
}

/// Begins on a file; `open`: a broker takes all.
fn begin(file: &Path, open: bool) -> (std::sync::Arc<Outbox>, crate::outbox::Closer) {
    let (journal, mut recalled) = Journal::open(file, "shop/a/a-0").unwrap();
    let limits = Limits { events: 10_000, bytes: 1 << 26 };
    let outbox = Outbox::new(journal, "b", limits, &mut recalled);
    if open {
        outbox.open(Box::new(|_| {
            Ok(Box::pin(async { Ok(Appended { partition: 0, offset: 0, at: Timestamp(0) }) }))
        }));
    }
    let closer = outbox.employ().unwrap();
    (outbox, closer)
}
