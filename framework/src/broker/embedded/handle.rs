//! What every handle of the broker holds: the shared state, and the way to the writer.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot};

use super::error::EmbeddedError;
use super::shared::Shared;
use super::writer::{COMMANDS_MAX, Command, Done, Writer};
use crate::broker::BrokerError;
use crate::journal::Disk;
use crate::tasks;

/// The shared state and the writer's thread, which ends with the last handle.
#[derive(Debug)]
pub(super) struct Handle {
    pub(super) shared: Arc<Shared>,
    commands: Option<mpsc::Sender<Command>>,
    thread: Mutex<Option<JoinHandle<Result<(), BrokerError>>>>,
}

impl Handle {
    /// Starts the writer.
    pub(super) fn start<D: Disk>(writer: Writer<D>) -> Result<Self, EmbeddedError> {
        let shared = Arc::clone(&writer.shared);
        let (commands, receiver) = mpsc::channel(COMMANDS_MAX);
        let thread = tasks::thread("endwise-broker", move || writer.run(receiver))
            .map_err(EmbeddedError::Thread)?;
        Ok(Handle { shared, commands: Some(commands), thread: Mutex::new(Some(thread)) })
    }

    /// Asks the writer and waits for its answer.
    pub(super) async fn ask(
        &self,
        command: impl FnOnce(Done) -> Command,
    ) -> Result<(), BrokerError> {
        let (done, answer) = oneshot::channel();
        let Some(commands) = &self.commands else { return Err(self.ended()) };
        commands.send(command(done)).await.map_err(|_| self.ended())?;
        answer.await.map_err(|_| self.ended())?
    }

    /// Tells the writer something if its queue has room; whether it had.
    pub(super) fn tell(&self, command: Command) -> bool {
        self.commands.as_ref().is_some_and(|commands| commands.try_send(command).is_ok())
    }

    /// Ends the writer and waits for it.
    pub(super) async fn close(self: &Arc<Self>) -> Result<(), BrokerError> {
        if let Some(commands) = &self.commands {
            // An error says that the writer has ended already.
            let _ = commands.send(Command::Close).await;
        }
        let handle = Arc::clone(self);
        let stopping = || BrokerError::Closed("the runtime is shutting down".into());
        tasks::blocking(move || handle.join()).await.map_err(|_| stopping())?
    }

    /// Waits for the end of the writer. A second caller waits for the first.
    fn join(&self) -> Result<(), BrokerError> {
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        match thread.take().map(JoinHandle::join) {
            Some(Ok(ended)) => ended,
            Some(Err(_)) => Err(BrokerError::Closed("its writer panicked".into())),
            None => Ok(()),
        }
    }

    fn ended(&self) -> BrokerError {
        let panicked = || BrokerError::Closed("its writer has ended".into());
        self.shared.stopped().unwrap_or_else(panicked)
    }
}

impl Drop for Handle {
    /// Ends the writer as closing does, only that nobody is told of an error. It blocks for as long
    /// as the last sync takes: so the directory is free when the last handle is gone.
    fn drop(&mut self) {
        self.commands = None;
        let _ = self.join();
    }
}
