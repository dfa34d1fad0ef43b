//! A payment gateway: what the payments ask somebody else for.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;

/// Whoever charges cards. What is asked for with the same `idempotency` is done once, however often
/// it is asked for.
#[async_trait]
pub(crate) trait Gateway: Send + Sync {
    async fn charge(
        &self,
        card: &str,
        cents: u64,
        idempotency: &str,
    ) -> Result<Charge, GatewayError>;

    async fn refund(&self, card: &str, cents: u64, idempotency: &str) -> Result<(), GatewayError>;
}

/// What a gateway answers.
pub(crate) enum Charge {
    Taken,
    /// The card's owner has no money.
    Refused,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum GatewayError {
    #[error("the gateway is busy")]
    Busy,
    #[error("the gateway knows no card {card:?}")]
    NoSuchCard { card: String },
}

/// A gateway to try things out: what it answers is in the card's name.
#[derive(Default)]
pub(crate) struct Sandbox {
    asked: Mutex<BTreeMap<String, u32>>,
    knows_new: AtomicBool,
}

impl Sandbox {
    /// From now on it knows the card "new".
    pub(crate) fn register(&self) {
        self.knows_new.store(true, Ordering::Relaxed);
    }

    /// How often it was asked for that before.
    fn asked_before(&self, idempotency: &str) -> u32 {
        let mut asked = self.asked.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let count = asked.entry(idempotency.to_owned()).or_default();
        *count += 1;
        *count - 1
    }
}

#[async_trait]
impl Gateway for Sandbox {
    async fn charge(&self, card: &str, _: u64, idempotency: &str) -> Result<Charge, GatewayError> {
        match card {
            "empty" => Ok(Charge::Refused),
            "slow" if self.asked_before(idempotency) < 2 => Err(GatewayError::Busy),
            "new" if !self.knows_new.load(Ordering::Relaxed) => {
                Err(GatewayError::NoSuchCard { card: card.to_owned() })
            }
            _ => Ok(Charge::Taken),
        }
    }

    async fn refund(&self, _: &str, _: u64, _: &str) -> Result<(), GatewayError> {
        Ok(())
    }
}
