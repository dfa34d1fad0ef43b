//! The way to the embedded broker of a data directory: over a service that runs on it, or into what
//! it has left.

use std::path::{Path, PathBuf};

use super::Trouble;
use super::place::{Place, services};
use super::turn::Turn;
use super::way::Way;
use crate::admin::ask;
use crate::broker::Broker;
use crate::broker::embedded::{EmbeddedBroker, EmbeddedError, EmbeddedOptions};
use crate::broker::status::BrokerStatus;
use crate::directory::DirectoryError;
use crate::tasks::blocking;

/// The embedded broker of a data directory.
pub(super) struct BrokerPlace {
    /// Where its data are.
    pub(super) dir: PathBuf,
    /// The services whose data are beside them.
    pub(super) services: Vec<Place>,
}

/// How a broker is asked.
pub(super) enum BrokerWay {
    /// By a service that runs on it.
    Running(Way),
    Offline(EmbeddedBroker),
}

impl BrokerPlace {
    /// The broker in a data directory, or the one beside a service's, or that directory itself.
    pub(super) fn of(dir: &Path) -> Result<BrokerPlace, Trouble> {
        let dir = dir.canonicalize().map_err(|error| unreadable(dir, &error))?;
        let beside = dir.parent().map(|parent| parent.join("broker"));
        for broker in [Some(dir.join("broker")), Some(dir.clone()), beside].into_iter().flatten() {
            if EmbeddedBroker::is_in(&broker).map_err(|error| unreadable(&broker, &error))? {
                let home = broker.parent().unwrap_or(&broker);
                // A broker may be alone: then nobody can be asked.
                let services = services(home).unwrap_or_default();
                return Ok(BrokerPlace { dir: broker, services });
            }
        }
        Err(Trouble::Failed(format!(
            "there is no embedded broker in {0} or beside it: name a data directory (it has \
             {0}/broker), or a service's in it; of another broker, its own tools know",
            dir.display()
        )))
    }

    /// To a service that runs on it, or, if none does, into its data.
    pub(super) async fn open(&self) -> Result<BrokerWay, Trouble> {
        let mut turn = Turn::default();
        loop {
            for place in &self.services {
                if let Some(way) = Way::to_running(place).await? {
                    return Ok(BrokerWay::Running(way));
                }
            }
            let dir = self.dir.clone();
            // What is set for it is not known here: nothing is let go of that it may be set to
            // keep.
            let options = EmbeddedOptions {
                disk_bytes_max: u64::MAX,
                unregistered_bytes_max: u64::MAX,
                ..EmbeddedOptions::default()
            };
            let open = move || EmbeddedBroker::open_at_once(dir, options);
            match blocking(open).await.map_err(Trouble::failed)? {
                Ok(broker) => return Ok(BrokerWay::Offline(broker)),
                Err(EmbeddedError::Directory(DirectoryError::Locked { by, .. })) => {
                    turn.next(&self.dir, &by, "has no service beside it that answers").await?;
                }
                Err(error) => return Err(self.closed(&error)),
            }
        }
    }

    fn closed(&self, error: &EmbeddedError) -> Trouble {
        let mut text = error.to_string();
        let mut source = std::error::Error::source(error);
        while let Some(error) = source {
            text = format!("{text}: {error}");
            source = error.source();
        }
        let dir = self.dir.display();
        Trouble::Failed(format!(
            "the broker in {dir} cannot be opened, and no service beside it can be asked: {text}"
        ))
    }
}

impl BrokerWay {
    /// How it is doing. Of one that is offline, nobody knows what is set for it.
    pub(super) async fn status(&mut self) -> Result<Option<BrokerStatus>, Trouble> {
        match self {
            BrokerWay::Running(way) => Ok(way.ask(ask::broker::Ask {}).await?.broker),
            BrokerWay::Offline(broker) => Ok(broker.status().map(|mut status| {
                status.disk.bytes_max = None;
                status.topics.iter_mut().for_each(|topic| topic.kept_unread_bytes = None);
                status
            })),
        }
    }

    /// Has it forget a consumer; how many records that one had not settled.
    pub(super) async fn forget(&mut self, consumer: String) -> Result<u64, Trouble> {
        match self {
            BrokerWay::Running(way) => {
                Ok(way.ask(ask::broker::ForgetConsumer { consumer }).await?.behind)
            }
            BrokerWay::Offline(broker) => {
                broker.forget_consumer(&consumer).await.map_err(Trouble::failed)
            }
        }
    }

    /// Whether a service runs on it.
    pub(super) fn is_running(&self) -> bool {
        matches!(self, BrokerWay::Running(_))
    }

    /// Ends: one that was opened is closed.
    pub(super) async fn close(self) -> Result<(), Trouble> {
        match self {
            BrokerWay::Running(way) => way.close().await,
            BrokerWay::Offline(broker) => broker.close().await.map_err(Trouble::failed),
        }
    }
}

fn unreadable(dir: &Path, error: &std::io::Error) -> Trouble {
    Trouble::Failed(format!("cannot read {}: {error}", dir.display()))
}
