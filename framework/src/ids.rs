//! Numbers that mean different things are different types.

use std::fmt;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident($number:ty);)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) struct $name(pub(crate) $number);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

ids! {
    /// A commit of a shard: 1, 2, 3 and so on.
    FrameNo(u64);
    /// A stream of a slot: 256 to a [`StreamName`](crate::table::stream::StreamName), its slots in
    /// order.
    StreamIx(u32);
    /// A partition that the service reads.
    PartitionIx(u32);
    /// A name of a topic, a type, a handler or a state, as the store numbers them.
    NameNo(u32);
    /// A delivery that is stored.
    DeliveryId(u64);
    /// A table of the store.
    TableId(u8);
    /// A handler of the app, in the order of the app.
    HandlerIx(u16);
    /// A set of handlers that share states.
    ComponentIx(u16);
    /// A type of a topic that has handlers.
    RouteIx(u16);
    /// A lane in memory.
    LaneNo(u32);
    /// A row that is read for the core.
    LoadId(u64);
    /// An operator's request.
    Ticket(u64);
}

impl StreamIx {
    /// The slots of one name.
    pub(crate) const SLOTS: u32 = 256;
}

/// The identity of a message, by number: sequences of a stream start at 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Position {
    pub(crate) stream: StreamIx,
    pub(crate) sequence: u64,
}

/// A record in its partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RecordRef {
    pub(crate) partition: PartitionIx,
    pub(crate) offset: u64,
}

/// A call of a handler that has not ended: a place, and its use of it, so that a wake of an earlier
/// use is told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RunId {
    pub(crate) place: u32,
    pub(crate) generation: u32,
}
