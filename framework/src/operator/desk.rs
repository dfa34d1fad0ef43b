//! Where an operator's questions and requests go: one desk for the library, the admin socket, and
//! the tool on a store that no service has open.

use std::sync::{Arc, Weak};

use tokio::sync::watch;

use super::{Act, Fate, Operate, OperatorError};
use crate::broker::Broker;
use crate::broker::status::BrokerStatus;
use crate::clock::Clock;
use crate::dead_letters::Components;
use crate::intake::Arrivals;
use crate::limits::Limits;
use crate::service::Counts;
use crate::state::StateSpec;
use crate::store::Reader;
use crate::vitals::Vitals;

/// All that is needed to answer for a service.
pub(crate) struct Desk {
    pub(crate) service: Arc<str>,
    pub(crate) clock: Clock,
    pub(crate) reader: Arc<dyn Reader>,
    /// Which handlers have one lane for a key.
    pub(crate) components: Components,
    /// The broker, where there is one to ask. Whoever only looks on keeps none open.
    pub(crate) broker: Option<Weak<dyn Broker>>,
    /// The states of the app, where it is known.
    pub(crate) states: Vec<StateSpec>,
    /// Who carries out what is asked.
    pub(crate) operate: Arc<dyn Operate>,
    /// What is known of a service only while it runs.
    pub(crate) live: Option<Live>,
}

impl Desk {
    /// How the broker is doing, if there is one and it tells.
    pub(crate) fn broker_status(&self) -> Option<BrokerStatus> {
        self.broker.as_ref()?.upgrade()?.status()
    }

    /// Has the broker forget a consumer; how many records it had not settled.
    pub(crate) async fn forget_consumer(&self, consumer: &str) -> Result<u64, OperatorError> {
        let broker = self.broker.as_ref().and_then(Weak::upgrade).ok_or(OperatorError::Ended)?;
        Ok(broker.forget_consumer(consumer).await?)
    }
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desk").field("service", &self.service).finish_non_exhaustive()
    }
}

impl Desk {
    /// Takes the holes of a stream for lost; whether there is one of that name.
    pub(crate) async fn accept_lost(&self, stream: &str) -> Result<bool, OperatorError> {
        let done = self.operate.act(Act::AcceptLost(stream.to_owned())).await?;
        Ok(done.first() == Some(&Fate::Done))
    }
}

/// What a running service says of itself.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    pub(crate) vitals: Arc<Vitals>,
    pub(crate) counts: Arc<Counts>,
    /// How many messages are committed and not confirmed by the broker; the store hears of a
    /// confirmation with the next commit.
    pub(crate) open: watch::Receiver<usize>,
    /// How many messages wait to be taken in.
    pub(crate) arrivals: Arrivals,
    pub(crate) limits: Limits,
}
