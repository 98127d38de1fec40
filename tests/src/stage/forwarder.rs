//! A door in front of the broker or the registry that is shut at first: whoever knocks before it opens is
//! refused, as by a service that is not up yet.

use std::net::Ipv4Addr;

use anyhow::{Context, Result};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::place;

/// A loopback port that refuses until it is opened. It closes when dropped.
#[derive(Debug)]
pub struct Door {
    port: u16,
    forwarding: Option<JoinHandle<()>>,
}

impl Door {
    /// A port that nobody listens on.
    pub fn shut() -> Self {
        let [port] = place::free_ports();
        Self { port, forwarding: None }
    }

    /// Where it is, as `host:port`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// From here on every connection is led to `to`, written `host:port`.
    pub async fn open(&mut self, to: &str) -> Result<()> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).await;
        let listener = listener.with_context(|| format!("failed to listen on port {}", self.port))?;
        let to = to.to_owned();
        self.forwarding = Some(tokio::spawn(forward(listener, to)));
        Ok(())
    }

    /// Refuses again, and cuts off whoever was led through.
    pub fn close(&mut self) {
        if let Some(forwarding) = self.forwarding.take() {
            forwarding.abort();
        }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.close();
    }
}

async fn forward(listener: TcpListener, to: String) {
    let mut led = JoinSet::new();
    while let Ok((mut near, _)) = listener.accept().await {
        let to = to.clone();
        led.spawn(async move {
            // either end may hang up whenever it likes: the client sees it and says so itself
            let Ok(mut far) = TcpStream::connect(&to).await else { return };
            drop(tokio::io::copy_bidirectional(&mut near, &mut far).await);
        });
        while led.try_join_next().is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn a_shut_door_refuses_an_open_one_leads_through_and_a_closed_one_cuts_off() {
        let echo = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let behind = echo.local_addr().unwrap().to_string();
        let echoing = tokio::spawn(async move {
            let (mut stream, _) = echo.accept().await.unwrap();
            let mut bytes = [0; 4];
            stream.read_exact(&mut bytes).await.unwrap();
            stream.write_all(&bytes).await.unwrap();
            stream
        });
        let mut door = Door::shut();
        assert!(TcpStream::connect(door.address()).await.is_err());
        door.open(&behind).await.unwrap();
        let mut stream = TcpStream::connect(door.address()).await.unwrap();
        stream.write_all(b"ping").await.unwrap();
        let mut answer = [0; 4];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"ping");
        let _far_end = echoing.await.unwrap();
        door.close();
        assert!(matches!(stream.read(&mut answer).await, Ok(0) | Err(_)), "the connection is cut off");
        let refused = crate::wait::until("the door to refuse", crate::stage::SOON, async || {
            TcpStream::connect(door.address()).await.is_err().then_some(())
        });
        refused.await.unwrap();
    }
}
