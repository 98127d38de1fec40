//! How many events a second: everybody sends one, waits for its answer, and sends the next.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use crate::ways::{Door, Raw};

/// For how long each is measured, and how often in turn.
const FOR: Duration = Duration::from_secs(3);
const ROUNDS: usize = 3;
/// How many send at a time.
const CONNECTIONS: [usize; 2] = [1, 16];

/// Measures and prints.
pub(crate) fn measure(address: &str, raw: &Arc<Raw>) -> Result<()> {
    println!("\nevents a second, each sender waiting for its own answer");
    for connections in CONNECTIONS {
        let (mut door_best, mut raw_best) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            raw_best.push(all(connections, || {
                let (raw, line) = (Arc::clone(raw), Raw::line());
                Ok(move || raw.send_on(&line))
            })?);
            door_best.push(all(connections, || {
                let mut door = Door::connect(address)?;
                Ok(move || door.say())
            })?);
        }
        let (door, raw) = (middle(door_best), middle(raw_best));
        println!(
            "{connections:>3} at a time: the raw client {raw:>7.0}   the sidecar {door:>7.0}   {:.2} of it",
            door / raw
        );
    }
    Ok(())
}

/// How many a second all senders together get answered.
fn all<S>(senders: usize, make: impl Fn() -> Result<S>) -> Result<f64>
where
    S: FnMut() -> Result<()> + Send + 'static,
{
    let ready = (0..senders).map(|_| make()).collect::<Result<Vec<S>>>()?;
    let begun = Instant::now();
    let threads: Vec<_> = ready
        .into_iter()
        .map(|mut send| {
            std::thread::spawn(move || {
                let mut sent = 0_u32;
                while begun.elapsed() < FOR {
                    send()?;
                    sent += 1;
                }
                Ok::<u32, anyhow::Error>(sent)
            })
        })
        .collect();
    let mut sent = 0;
    for thread in threads {
        sent += thread.join().map_err(|_| anyhow!("a sender has panicked"))??;
    }
    Ok(f64::from(sent) / begun.elapsed().as_secs_f64())
}

fn middle(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}
