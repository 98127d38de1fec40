//! A ping of a Redis server, or of one that speaks as it does.

use std::path::Path;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::{connect, password};

/// The longest line that is read of an answer, in bytes.
const LONGEST: u64 = 1024;

/// Connects, says who it is where there is a password, and waits for the PONG.
pub(super) async fn ping(address: &str, password_file: Option<&Path>) -> Result<(), String> {
    let password = password(password_file).await?;
    let mut stream = BufReader::new(connect(address).await?);
    if let Some(password) = &password {
        let answer = call(&mut stream, &["AUTH", password]).await;
        let answer = answer.map_err(|error| format!("AUTH at {address}: {error}"))?;
        if answer != "+OK" {
            return Err(format!("AUTH at {address}: {answer}"));
        }
    }
    let answer = call(&mut stream, &["PING"]).await.map_err(|error| format!("PING at {address}: {error}"))?;
    if answer == "+PONG" { Ok(()) } else { Err(format!("PING at {address}: {answer:?}")) }
}

/// Sends a command as a list of texts, each with its length before it; the answer is one line.
async fn call(stream: &mut BufReader<TcpStream>, words: &[&str]) -> std::io::Result<String> {
    let written = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len()));
    let command = format!("*{}\r\n{}", words.len(), written.collect::<String>());
    stream.get_mut().write_all(command.as_bytes()).await?;
    let mut line = Vec::new();
    (&mut *stream).take(LONGEST).read_until(b'\n', &mut line).await?;
    if line.is_empty() {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
}
