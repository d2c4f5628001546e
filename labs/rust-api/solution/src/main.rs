//! `parcels` serves on port 8080; `parcels check` asks the running service whether it is well.

use std::io::{Error, Read, Result, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

const PORT: u16 = 8080;
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

fn main() -> Result<()> {
    match std::env::args().nth(1).as_deref() {
        None => serve(),
        Some("check") => check(),
        Some(other) => Err(Error::other(format!("unknown argument {other:?}"))),
    }
}

/// Answers requests until SIGTERM or SIGINT arrives, then lets those that are under way finish.
#[tokio::main(flavor = "current_thread")]
async fn serve() -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT)).await?;
    let mut terminated = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    println!("listening on {}", listener.local_addr()?);
    axum::serve(listener, parcels::routes())
        .with_graceful_shutdown(async move {
            tokio::select! {
                _ = terminated.recv() => {}
                _ = interrupted.recv() => {}
            }
        })
        .await
}

/// One request to the running service, as a client would.
fn check() -> Result<()> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
    let mut stream = TcpStream::connect_timeout(&address, CHECK_TIMEOUT)?;
    stream.set_read_timeout(Some(CHECK_TIMEOUT))?;
    stream.write_all(b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    match answer.split(' ').nth(1) {
        Some("200") => Ok(()),
        _ => Err(Error::other("the service answers, but not with 200")),
    }
}
