//! Billing: a charge → an entry in the books → a line on the bill.

use std::sync::Arc;

use framework::prelude::*;

use crate::latency::Latency;
use crate::messages::{Charge, Entry};

/// A waybill's account.
#[derive(Debug, Default, State, Serialize, Deserialize)]
#[state(name = "account")]
pub(crate) struct Account {
    pub(crate) entries: u64,
    pub(crate) cents: u64,
}

/// A waybill's bill.
#[derive(Debug, Default, State, Serialize, Deserialize)]
#[state(name = "bill")]
pub(crate) struct Bill {
    /// The statuses that were charged, in the order in which they were billed.
    pub(crate) statuses: Vec<String>,
    pub(crate) cents: u64,
}

#[handler]
async fn enter(charge: Charge, account: &mut Account) -> Result<Entry> {
    if charge.number != account.entries + 1 {
        let Charge { waybill, number, .. } = charge;
        let entries = account.entries;
        return Err(HandlerError::permanent(format!(
            "charge {number} of waybill {waybill} came after {entries} entries"
        )));
    }
    account.entries += 1;
    account.cents += charge.cents;
    let Charge { waybill, status, number, cents, read_us } = charge;
    Ok(Entry { waybill, status, number, cents, read_us })
}

#[handler]
async fn bill(entry: Entry, bill: &mut Bill, latency: &Latency) {
    bill.statuses.push(entry.status);
    bill.cents += entry.cents;
    latency.record(entry.read_us);
}

pub(crate) fn app(latency: Arc<Latency>) -> App {
    App::new("billing").provide_arc(latency).handlers(handlers![enter, bill])
}
