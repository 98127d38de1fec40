//! The story that `pavane demo` tells: three rollouts on the embedded bus, with real sidecars and a real sentinel.
//!
//! | room | what is in it |
//! |---|---|
//! | [`cast`] | who dances: the files under `cli/demo` |
//! | [`stage`] `scratch` | the broker, the registry, services, sidecars, sentinel and receiver, all in this process |
//! | [`acts`] `breach` `waiting` | what happens, what goes wrong, what is waited for |
//! | [`log`] [`narrator`] `telling` | reads along, and tells it |
//! | [`service`] [`receiver`] | what stands at both ends: a service to roll out, a phone that rings |
//! | [`report`] | what came of it |

pub mod acts;
mod breach;
pub mod cast;
pub mod log;
pub mod narrator;
pub mod receiver;
pub mod report;
mod scratch;
pub mod service;
pub mod stage;
mod telling;
mod waiting;

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use self::narrator::Narrator;
use self::report::Report;
use self::stage::Stage;
use crate::exit::Exit;
use crate::failure::Failure;

/// Plays the story from its first line to its last.
pub async fn play(narrator: Narrator) -> Result<Report, Failure> {
    let begun = Instant::now();
    let mut stage = Stage::set(Arc::new(narrator)).await?;
    let acts = vec![
        acts::completes(&mut stage).await?,
        acts::breaks_a_contract(&mut stage).await?,
        acts::hangs(&mut stage).await?,
    ];
    let report = Report { acts, seconds: (begun.elapsed().as_secs_f64() * 1e3).round() / 1e3 };
    acts::close(&stage, &report);
    stage.clear().await?;
    Ok(report)
}

/// Serves an app on a free port of loopback; returns its URL.
async fn serve(app: Router) -> Result<(String, JoinHandle<()>), Failure> {
    let cannot = |error| Failure::new(Exit::Internal, "cannot listen on loopback").because(error);
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(cannot)?;
    let address = listener.local_addr().map_err(cannot)?;
    let server = tokio::spawn(async move {
        axum::serve(listener, app).await.expect("a server on a bound socket serves until it is dropped");
    });
    Ok((format!("http://{address}"), server))
}
