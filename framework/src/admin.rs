//! The admin socket: how an operator's tool speaks with a running service.
//!
//! A Unix socket named `admin` in the service's directory, for its owner alone. Questions and
//! answers are lines of JSON (`protocol.rs`); what can be asked is in `ask.rs`. It is served from the start until all other parts of
//! the service have ended, so that one can see what a stop still waits for. A socket that cannot
//! be made is said in the log, and nothing more: a service handles messages without it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::operator::Desk;
use crate::tasks::Tasks;

pub(crate) mod ask;
#[cfg(feature = "cli")]
mod client;
mod protocol;
mod socket;

#[cfg(feature = "cli")]
pub(crate) use ask::Question;
#[cfg(feature = "cli")]
pub(crate) use client::{answered, asking};
use protocol::{Refusal, Trouble};
use socket::Socket;

/// The socket's name in the service's directory.
pub(crate) const NAME: &str = "admin";

/// Bytes of a question, its line's end among them: a state of a mebibyte is JSON within JSON.
pub(crate) const ASK_BYTES_MAX: usize = 4 << 20;

/// Connections at a time; one more is told so, and closed.
const CONNECTIONS_MAX: usize = 16;

/// A connection that asks nothing, or takes no answer, for so long is closed.
const IDLE: Duration = Duration::from_secs(60);

/// How long nothing is accepted after accepting has failed: the process may have no more files.
const PAUSE: Duration = Duration::from_secs(1);

/// The task that serves the socket. Whoever drops it stops it.
#[derive(Debug, Default)]
pub(crate) struct Admin {
    end: watch::Sender<bool>,
    task: Option<Tasks<()>>,
}

impl Admin {
    /// Serves a socket in that directory, if there is one and it can be made.
    pub(crate) fn start(desk: &Arc<Desk>, directory: Option<&Path>) -> Admin {
        let Some(directory) = directory else { return Admin::default() };
        let path = directory.join(NAME);
        let socket = match Socket::bind(&path) {
            Ok(socket) => socket,
            Err(error) => {
                tracing::warn!(
                    target: "endwise::service", service = &*desk.service,
                    path = %path.display(), %error,
                    "there is no admin socket; the service runs without it",
                );
                return Admin::default();
            }
        };
        let end = watch::Sender::new(false);
        let mut task = Tasks::new();
        task.spawn(serve(socket, Arc::clone(desk), end.subscribe()));
        Admin { end, task: Some(task) }
    }

    /// Ends the task, and takes the socket away.
    pub(crate) async fn end(self) {
        self.end.send_replace(true);
        if let Some(mut task) = self.task
            && let Some(Err(error)) = task.ended().await
        {
            tracing::error!(target: "endwise::service", %error, "the admin socket's task died");
        }
    }
}

/// Accepts connections until the end.
async fn serve(socket: Socket, desk: Arc<Desk>, mut end: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = Tasks::new();
    let ends = end.clone();
    loop {
        tokio::select! {
            biased;
            () = raised(&mut end) => break,
            Some(ended) = connections.ended() => {
                if let Err(error) = ended {
                    tracing::error!(target: "endwise::service", %error, "an admin connection died");
                }
            }
            accepted = socket.accept() => match accepted {
                Ok(stream) => match Arc::clone(&places).try_acquire_owned() {
                    Ok(place) => {
                        let desk = Arc::clone(&desk);
                        connections.spawn(connection(stream, desk, ends.clone(), place));
                    }
                    Err(_) => refuse(&stream),
                },
                Err(error) => {
                    tracing::warn!(target: "endwise::service", %error, "accepting failed");
                    desk.clock.sleep(PAUSE).await;
                }
            },
        }
    }
    // Questions under way are answered; the parts that they may wait for have ended.
    while connections.ended().await.is_some() {}
}

/// Waits until a flag is raised, or nobody is left to raise it.
async fn raised(flag: &mut watch::Receiver<bool>) {
    let _ = flag.wait_for(|raised| *raised).await;
}

/// Tells one connection too many. Its buffer is empty, so this never waits.
fn refuse(stream: &UnixStream) {
    let message = format!("{CONNECTIONS_MAX} connections are open already");
    let line = Refusal::of(Trouble::Connections, message).written();
    // If it does not go out, the connection is closed all the same.
    let _ = stream.try_write(&line);
}

/// Answers one question after the other.
async fn connection(
    stream: UnixStream,
    desk: Arc<Desk>,
    mut end: watch::Receiver<bool>,
    _place: OwnedSemaphorePermit,
) {
    let (reading, mut writing) = stream.into_split();
    let mut reading = BufReader::new(reading);
    loop {
        let asked = tokio::select! {
            biased;
            asked = read(&mut reading) => asked,
            () = raised(&mut end) => return,
            () = desk.clock.sleep(IDLE) => return,
        };
        let Some(asked) = asked else { return };
        let is_last = asked.len() > ASK_BYTES_MAX;
        let line = protocol::answer(&desk, &asked).await;
        let written = tokio::select! {
            biased;
            written = writing.write_all(&line) => written.is_ok(),
            () = raised(&mut end) => false,
            () = desk.clock.sleep(IDLE) => false,
        };
        // Behind a question that is too long, nobody knows where the next one begins.
        if !written || is_last {
            return;
        }
    }
}

/// The next line; `None` at the end. One that is too long is cut off behind the limit.
async fn read(reading: &mut (impl AsyncBufReadExt + Unpin)) -> Option<Vec<u8>> {
    let mut line = Vec::new();
    let most = ASK_BYTES_MAX as u64 + 1;
    let count = reading.take(most).read_until(b'\n', &mut line).await.ok()?;
    (count > 0).then_some(line)
}

#[cfg(test)]
mod tests;
