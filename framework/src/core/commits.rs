//! Frames: one is gathered, one is on its way.

use super::requests::Reply;
use crate::ids::{FrameNo, Ticket};

/// The numbers of the frames, and the answers that wait for them.
#[derive(Debug)]
pub(crate) struct Commits {
    gathering: FrameNo,
    flying: Option<FrameNo>,
    /// The last commit found no room.
    is_out_of_room: bool,
    /// Somebody else owns the shard: nothing more is to be done.
    is_fenced: bool,
    /// Answers, each with the frame that it rests on.
    replies: Vec<(FrameNo, Ticket, Reply)>,
}

impl Commits {
    /// All frames through this one are durable.
    pub(crate) fn after(last: FrameNo) -> Self {
        let gathering = FrameNo(last.0 + 1);
        Commits {
            gathering,
            flying: None,
            is_out_of_room: false,
            is_fenced: false,
            replies: Vec::new(),
        }
    }

    /// The frame that is gathered.
    pub(crate) fn gathering(&self) -> FrameNo {
        self.gathering
    }

    pub(crate) fn flying(&self) -> Option<FrameNo> {
        self.flying
    }

    pub(crate) fn is_out_of_room(&self) -> bool {
        self.is_out_of_room
    }

    /// Returns whether anything may be done: without room nothing begins or goes on.
    pub(crate) fn may_work(&self) -> bool {
        !self.is_out_of_room && !self.is_fenced
    }

    pub(crate) fn fenced(&mut self) {
        self.is_fenced = true;
    }

    pub(crate) fn no_room(&mut self) {
        self.is_out_of_room = true;
    }

    /// An answer that rests on all that is decided so far.
    pub(crate) fn reply(&mut self, ticket: Ticket, reply: Reply) {
        self.replies.push((self.gathering, ticket, reply));
    }

    /// Returns whether an answer waits for the frame that is gathered.
    pub(crate) fn has_replies(&self) -> bool {
        self.replies.iter().any(|(no, ..)| *no == self.gathering)
    }

    /// The frame that is gathered is on its way from here on; `None` while one is.
    pub(crate) fn seal(&mut self) -> Option<FrameNo> {
        if self.flying.is_some() {
            return None;
        }
        let no = self.gathering;
        (self.flying, self.gathering) = (Some(no), FrameNo(no.0 + 1));
        Some(no)
    }

    /// The frame that was on its way is durable: the answers that rest on it.
    pub(crate) fn durable(&mut self, no: FrameNo) -> Vec<(Ticket, Reply)> {
        (self.flying, self.is_out_of_room) = (None, false);
        let replies = std::mem::take(&mut self.replies);
        let (due, left): (Vec<_>, Vec<_>) = replies.into_iter().partition(|(of, ..)| *of <= no);
        self.replies = left;
        due.into_iter().map(|(_, ticket, reply)| (ticket, reply)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_frame_flies_and_an_answer_waits_for_its_own() {
        let mut commits = Commits::after(FrameNo(4));
        commits.reply(Ticket(1), Reply::Done);
        assert_eq!(commits.seal(), Some(FrameNo(5)));
        commits.reply(Ticket(2), Reply::Missing);
        assert_eq!(commits.seal(), None, "one is on its way");
        assert_eq!(commits.durable(FrameNo(5)), [(Ticket(1), Reply::Done)]);
        assert!(commits.has_replies());
        assert_eq!(commits.seal(), Some(FrameNo(6)));
        commits.no_room();
        assert!(commits.is_out_of_room());
        assert_eq!(commits.durable(FrameNo(6)), [(Ticket(2), Reply::Missing)]);
        assert!(!commits.is_out_of_room());
    }
}
