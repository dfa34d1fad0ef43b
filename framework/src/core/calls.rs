//! The only way to user code.

use std::any::Any;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use smallvec::SmallVec;

use super::message::Packed;
use crate::ids::{HandlerIx, NameNo, Position, RunId};
use crate::store::How;

/// Calls handlers. Object safe; no method unwinds, whatever user code does.
pub(crate) trait Calls {
    /// Says which deliveries are about to be polled for the first time.
    fn begin(&mut self, first_polls: &[Begun]);

    /// Calls a handler, and polls it once. A call that is pending goes by the id `run` from then
    /// on; any other leaves it unused.
    fn call(&mut self, run: RunId, handler: HandlerIx, delivery: Delivery) -> Called;

    /// Polls a pending call that can go on.
    fn poll(&mut self, run: RunId) -> Called;

    /// Drops a pending call.
    fn cancel(&mut self, run: RunId);
}

const _: fn(&mut dyn Calls) = |_| {};

/// A delivery that is about to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Begun {
    pub(crate) position: Position,
    pub(crate) handler: HandlerIx,
}

/// The result of a call or a poll.
#[derive(Debug)]
pub(crate) enum Called {
    Done(Outcome),
    Failed(Failed),
    /// The call waits for something; its id comes back as woken.
    Pending,
    /// The handler takes no call now; it says so when it does. Nothing of the delivery has run.
    NotReady(Delivery),
}

/// An attempt without an outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failed {
    pub(crate) how: How,
    /// The error with its chain of sources, the outermost first, within their limits.
    pub(crate) errors: Vec<String>,
}

/// The input of a call. A delivery is moved, and borrows nothing of the core.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) position: Position,
    pub(crate) message: Packed,
    /// The first is 1.
    pub(crate) attempt: u32,
    pub(crate) late: bool,
    /// The states of its key, in the order in which the handler names them.
    pub(crate) states: StatesIn,
    /// An empty buffer for the outcome.
    pub(crate) buffer: Vec<u8>,
}

/// Mostly one or two: no allocation for them.
pub(crate) type StatesIn = SmallVec<[StateIn; 2]>;
pub(crate) type StatesOut = SmallVec<[StateOut; 2]>;
pub(crate) type SendsOut = SmallVec<[SendOut; 1]>;

/// A state that a handler is lent.
#[derive(Debug)]
pub(crate) enum StateIn {
    Absent,
    Stored {
        schema: u32,
        json: Vec<u8>,
    },
    /// As the last call left it.
    Decoded(Decoded),
}

/// A user's value. Dropping it is user code: a panic in that ends here.
pub(crate) struct Decoded(Option<Box<dyn Any + Send>>);

impl std::fmt::Debug for Decoded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Decoded")
    }
}

impl Decoded {
    pub(crate) fn new(value: Box<dyn Any + Send>) -> Self {
        Decoded(Some(value))
    }

    pub(crate) fn into_inner(mut self) -> Option<Box<dyn Any + Send>> {
        self.0.take()
    }
}

impl Drop for Decoded {
    fn drop(&mut self) {
        if let Some(value) = self.0.take() {
            let _ = catch_unwind(AssertUnwindSafe(|| drop(value)));
        }
    }
}

/// The result of a handler, as data: bytes, and the ranges of its parts. Each part was checked
/// against its limits when it was written.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) buffer: Vec<u8>,
    /// One for each state that was lent, in that order.
    pub(crate) states: StatesOut,
    pub(crate) sends: SendsOut,
}

/// The new value of a state.
#[derive(Debug)]
pub(crate) struct StateOut {
    pub(crate) change: Change,
    /// The value, for the next call of its key.
    pub(crate) decoded: Option<Decoded>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Same,
    Put { schema: u32, json: Range<u32> },
    Delete,
}

/// A message that is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SendOut {
    pub(crate) topic: NameNo,
    pub(crate) type_name: NameNo,
    /// `None` for a message that is about nothing.
    pub(crate) key: Option<Range<u32>>,
    pub(crate) headers: Range<u32>,
    pub(crate) body: Range<u32>,
}

impl Outcome {
    /// The bytes of a part.
    pub(crate) fn part(&self, range: &Range<u32>) -> &[u8] {
        self.buffer.get(range.start as usize..range.end as usize).unwrap_or_default()
    }

    /// Puts bytes behind those that are there.
    pub(crate) fn put(&mut self, bytes: &[u8]) -> Range<u32> {
        let at = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
        let start = at(self.buffer.len());
        self.buffer.extend_from_slice(bytes);
        start..at(self.buffer.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_in_the_drop_of_a_value_ends_there() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("dropped");
            }
        }
        drop(Decoded::new(Box::new(Bomb)));
        let value = Decoded::new(Box::new(7_u8)).into_inner().unwrap();
        assert_eq!(value.downcast_ref::<u8>(), Some(&7));
    }
}
