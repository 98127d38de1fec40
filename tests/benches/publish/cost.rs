//! What a sidecar costs that stands there: memory, processor, the size of its program.

use std::time::Duration;

use anyhow::{Context, Result};

/// Over how long a time the idle processor time is taken.
const IDLE: Duration = Duration::from_secs(10);
/// How many ticks of the processor's clock a second has, on every Linux that there is.
const TICKS: f64 = 100.0;

/// Waits, and prints what a process takes that has nothing to do.
pub(crate) fn idle(pid: u32) -> Result<()> {
    let before = ticks(pid)?;
    std::thread::sleep(IDLE);
    let share = (ticks(pid)? - before) / TICKS / IDLE.as_secs_f64() * 100.0;
    println!("idle: {:.1} MiB resident, {share:.2} % of a processor", resident(pid, "VmRSS")?);
    Ok(())
}

/// Prints what it holds after the load, and how large its program is.
pub(crate) fn loaded(pid: u32) -> Result<()> {
    let (held, most) = (resident(pid, "VmRSS")?, resident(pid, "VmHWM")?);
    let program = std::fs::metadata(format!("/proc/{pid}/exe")).context("failed to look at the program")?;
    println!("loaded: {held:.1} MiB resident, at most {most:.1} MiB; threads {}", status(pid, "Threads")?);
    println!("the program has {:.1} MB", mega(program.len()));
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "no program is that large")]
fn mega(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// Processor time of all its threads so far, in ticks.
fn ticks(pid: u32) -> Result<f64> {
    let text =
        std::fs::read_to_string(format!("/proc/{pid}/stat")).context("failed to look at the process")?;
    let after_name = text.rsplit(") ").next().unwrap_or_default();
    let fields: Vec<f64> =
        after_name.split(' ').skip(11).take(2).filter_map(|field| field.parse().ok()).collect();
    Ok(fields.iter().sum())
}

fn resident(pid: u32, field: &str) -> Result<f64> {
    let kib: f64 = status(pid, field)?.trim_end_matches(" kB").parse().context("failed to read a size")?;
    Ok(kib / 1024.0)
}

fn status(pid: u32, field: &str) -> Result<String> {
    let text =
        std::fs::read_to_string(format!("/proc/{pid}/status")).context("failed to look at the process")?;
    let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    Ok(line.with_context(|| format!("failed to find {field}"))?.trim().to_owned())
}
