//! Shipping: a waybill moved → a charge.

use framework::prelude::*;

use crate::audit::chain;
use crate::messages::{Charge, Moved};

/// What a move costs.
const CENTS: u64 = 45;

/// How far a waybill is.
#[derive(Debug, Default, State, Serialize, Deserialize)]
#[state(name = "waybill")]
pub(crate) struct Waybill {
    /// How often it has moved.
    pub(crate) moves: u64,
    /// A hash over its statuses in order, for the audit.
    pub(crate) chain: u64,
}

#[handler]
async fn charge(moved: Moved, waybill: &mut Waybill) -> Charge {
    waybill.moves += 1;
    waybill.chain = chain(waybill.chain, &moved.status);
    Charge {
        waybill: moved.waybill,
        status: moved.status,
        number: waybill.moves,
        cents: CENTS,
        read_us: moved.read_us,
    }
}

pub(crate) fn app() -> App {
    App::new("shipping").handlers(handlers![charge])
}
