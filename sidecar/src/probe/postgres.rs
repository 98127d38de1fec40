//! A ping of a `PostgreSQL` server: a connection of its own, and `SELECT 1`.
//!
//! The connection is made anew each time. One that is kept says nothing of a server that takes no more of them, which is
//! how a database most often fails its service.

use std::path::Path;

use postgres_native_tls::MakeTlsConnector;
use tokio_postgres::Config;

use super::password;

/// The name under which the server sees the connection.
const NAME: &str = "pavane-sidecar";

/// Connects and asks for one row; the error says what went wrong and no password.
pub(super) async fn ping(
    tls: &MakeTlsConnector,
    url: &str,
    password_file: Option<&Path>,
) -> Result<(), String> {
    let mut config: Config = url.parse().map_err(|_| "its address cannot be read".to_owned())?;
    config.application_name(NAME);
    if let Some(password) = password(password_file).await? {
        config.password(password);
    }
    let (client, connection) = config.connect(tls.clone()).await.map_err(|error| told("connect", &error))?;
    let asking = client.simple_query("SELECT 1");
    // The connection does the work, and ends with this future: also when it is given up half-way.
    tokio::select! {
        answer = asking => answer.map(drop).map_err(|error| told("SELECT 1", &error)),
        ended = connection => match ended {
            Ok(()) => Err("SELECT 1: the server has closed the connection".to_owned()),
            Err(error) => Err(told("SELECT 1", &error)),
        },
    }
}

/// What the server said, else what the client says with what lies behind it.
fn told(doing: &str, error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(said) => format!("{doing}: {} ({})", said.message(), said.code().code()),
        None => format!("{doing}: {}", crate::hook::causes(error)),
    }
}
