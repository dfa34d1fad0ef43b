//! Messages as their positions: admitted once, and settled, with the records that carried them, once
//! every handler is done with them or the store has them.

use super::action::{Action, Note};
use super::event::Incoming;
use super::inbox::{Admission, Done, Inbox, Opened};
use super::ledger::{Committed, Ledger};
use super::mutants::{self, Mutant};
use super::plan::Plan;
use crate::ids::{FrameNo, HandlerIx, Position, RecordRef};
use crate::table::frame::Frame;

/// Positions and records that the shard knows.
#[derive(Debug, Default)]
pub(crate) struct Positions {
    pub(crate) inbox: Inbox,
    pub(crate) ledger: Ledger,
}

/// The handlers that are to be called for a message.
#[derive(Debug)]
pub(crate) enum Handlers {
    /// All handlers of its type.
    All,
    /// Handlers that were left before the last start. The position is in progress already.
    Left(Vec<HandlerIx>),
}

impl Positions {
    /// Admits a message; `None` if nothing is to be done for it.
    pub(crate) fn admit(
        &mut self,
        position: Position,
        record: RecordRef,
        message: &Incoming,
        actions: &mut Vec<Action>,
    ) -> Option<Handlers> {
        match self.inbox.admit(position, message.digest, record) {
            Admission::New => Some(Handlers::All),
            Admission::Left(left) => {
                self.open(position, record, message, &left, Done::Stored);
                Some(Handlers::Left(left))
            }
            Admission::Joined => {
                self.ledger.hold(record);
                None
            }
            Admission::Duplicate => {
                match mutants::holds(Mutant::DuplicateStays) {
                    true => self.ledger.pass(record),
                    false => self.ledger.hold(record),
                }
                None
            }
            Admission::Mismatch => {
                // Nobody may forget it before it is on the list of undecodable records.
                actions.push(Action::Note(Note::Mismatch { position, record }));
                self.ledger.hold(record);
                None
            }
        }
    }

    /// Leaves a record open that no handler takes: nobody may forget it before it is stored.
    pub(crate) fn leave_open(
        &mut self,
        position: Position,
        record: RecordRef,
        actions: &mut Vec<Action>,
    ) {
        actions.push(Action::Note(Note::NoHandler { position, record }));
        self.ledger.hold(record);
    }

    /// A position comes into progress, with these handlers to do.
    pub(crate) fn open(
        &mut self,
        position: Position,
        record: RecordRef,
        message: &Incoming,
        left: &[HandlerIx],
        done: Done,
    ) {
        match mutants::holds(Mutant::OpenIsNotHeld) {
            true => self.ledger.hold(record),
            false => self.ledger.pass(record),
        }
        let Incoming { digest, time_ms, context, .. } = *message;
        let (floor, left) = (context.floor, left.to_vec());
        self.inbox.open(Opened { position, digest, time_ms, floor, left, record, done });
    }

    /// A position is settled whose handlers are all done at once.
    pub(crate) fn settle(
        &mut self,
        position: Position,
        record: RecordRef,
        message: &Incoming,
        frame: &mut Frame,
    ) {
        frame.settle(position, message.time_ms, message.context.floor);
        self.inbox.settle(position);
        self.ledger.pass(record);
    }

    /// A handler is done with a position in progress, or its share is stored.
    pub(crate) fn share_ended(
        &mut self,
        position: Position,
        handler: HandlerIx,
        frame: &mut Frame,
    ) {
        if let Some(ended) = self.inbox.share_ended(position, handler, frame) {
            frame.settle(position, ended.time_ms, ended.floor);
            ended.records.into_iter().for_each(|record| self.ledger.pass(record));
        }
    }

    /// Returns whether a frame that is sealed has something to say of them.
    pub(crate) fn has_news(&self) -> bool {
        self.ledger.is_touched() || self.inbox.is_touched()
    }

    /// Puts what is said once a frame into one that is sealed.
    pub(crate) fn seal(&mut self, no: FrameNo, plan: &Plan, frame: &mut Frame) {
        self.inbox.seal(plan, frame);
        self.ledger.seal(no, frame);
    }

    /// All frames through this one are durable: what may be settled at brokers.
    pub(crate) fn durable(&mut self, no: FrameNo) -> Vec<Committed> {
        self.ledger.durable(no)
    }
}
