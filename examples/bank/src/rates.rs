//! Exchange rates: what the bank asks somebody else for.

use async_trait::async_trait;

/// Whoever knows the rates of the day.
#[async_trait]
pub(crate) trait Rates: Send + Sync {
    /// What one unit of a currency is worth, in euro cents.
    async fn cents_of(&self, currency: &str) -> Result<i64, UnknownCurrency>;
}

/// No rate is known.
#[derive(Debug, thiserror::Error)]
#[error("no rate is known for {0:?}")]
pub(crate) struct UnknownCurrency(String);

/// Rates that never change.
pub(crate) struct FixedRates;

#[async_trait]
impl Rates for FixedRates {
    async fn cents_of(&self, currency: &str) -> Result<i64, UnknownCurrency> {
        match currency {
            "EUR" => Ok(100),
            "USD" => Ok(90),
            other => Err(UnknownCurrency(other.to_owned())),
        }
    }
}
