//! Ctrl-C and SIGTERM, as something that can be waited for.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::exit::Exit;
use crate::failure::Failure;

/// A token that is cancelled by the first Ctrl-C or SIGTERM. A second one ends the process at once.
pub fn token() -> Result<CancellationToken, Failure> {
    let deaf = |error| Failure::new(Exit::Internal, "cannot listen for signals").because(error);
    let mut interrupt = signal(SignalKind::interrupt()).map_err(deaf)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(deaf)?;
    let token = CancellationToken::new();
    let cancelled = token.clone();
    tokio::spawn(async move {
        tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
        cancelled.cancel();
        tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
        std::process::exit(i32::from(Exit::Interrupted.code()));
    });
    Ok(token)
}

/// Runs until done or interrupted, whichever comes first.
pub async fn or_interrupted(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let token = token()?;
    tokio::select! {
        ended = work => ended,
        () = token.cancelled() => Err(Failure::new(Exit::Interrupted, "interrupted")),
    }
}

/// Does work for the processor alone on a thread of its own, so that Ctrl-C is heard meanwhile. `broken` is what is
/// said when the thread does not come to an end by itself.
pub(crate) async fn interruptible(
    broken: &'static str,
    work: impl FnOnce() -> Result<(), Failure> + Send + 'static,
) -> Result<(), Failure> {
    let done = tokio::task::spawn_blocking(work);
    done.await.map_err(|error| Failure::new(Exit::Internal, broken).because(error))?
}
