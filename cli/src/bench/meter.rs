//! What a piece of work costs: time on the wall, time on a processor, memory.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// Time that was spent on some work, pauses left out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Meter {
    /// On the wall.
    pub wall: Duration,
    /// On a processor, of this thread; none where the system does not say.
    pub cpu: Option<Duration>,
}

impl Meter {
    /// A meter that stands at nothing.
    pub fn new() -> Self {
        Self { wall: Duration::ZERO, cpu: on_processor().map(|_| Duration::ZERO) }
    }

    /// Adds what some work costs.
    pub fn over<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let (cpu, wall) = (on_processor(), Instant::now());
        let done = work();
        self.wall += wall.elapsed();
        let spent = on_processor().zip(cpu).map(|(end, begun)| end.saturating_sub(begun));
        self.cpu = self.cpu.zip(spent).map(|(before, spent)| before + spent);
        done
    }
}

/// How long this thread has been on a processor.
fn on_processor() -> Option<Duration> {
    let spent = clock_gettime(ClockId::ThreadCPUTime);
    Some(Duration::new(spent.tv_sec.try_into().ok()?, spent.tv_nsec.try_into().ok()?))
}

/// The most memory that this process has had so far, in bytes.
pub fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kib| kib * 1_024)
}
