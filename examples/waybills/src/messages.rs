//! What the services tell each other.

use framework::prelude::*;

/// A waybill has changed its status.
#[derive(Clone, Debug, Message, Serialize, Deserialize)]
#[message(topic = "waybills", key = waybill)]
pub(crate) struct Moved {
    pub(crate) waybill: String,
    pub(crate) status: String,
    pub(crate) at: String,
    pub(crate) by: String,
    /// When it was read, microseconds since 1970: only to measure how long it takes.
    #[serde(default)]
    pub(crate) read_us: u64,
}

/// A change is to be paid for: the waybill's `number`th, from 1.
#[derive(Clone, Debug, Message, Serialize, Deserialize)]
#[message(topic = "charges", key = waybill)]
pub(crate) struct Charge {
    pub(crate) waybill: String,
    pub(crate) status: String,
    pub(crate) number: u64,
    pub(crate) cents: u64,
    pub(crate) read_us: u64,
}

/// A charge is in the books.
#[derive(Clone, Debug, Message, Serialize, Deserialize)]
#[message(topic = "entries", key = waybill)]
pub(crate) struct Entry {
    pub(crate) waybill: String,
    pub(crate) status: String,
    pub(crate) number: u64,
    pub(crate) cents: u64,
    pub(crate) read_us: u64,
}
