//! What an operator asks: dead letters are replayed or discarded, states are set, timers are
//! cancelled, once that is durable.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::oneshot;

use super::Consume;
use super::commit::{Answer, Ticket};
use super::lane::{Asked, Edit, LaneId};
use super::replay_invalid::{Again, Leaving};
use crate::failure::RunError;
use crate::operator::{Act, Fate, Request, WAITING_MAX};
use crate::store::{Keep, Subject, Verdict, Wait};

/// The requests that are on their way, by number; bounded by those that may wait.
#[derive(Debug, Default)]
pub(super) struct Open {
    next: u64,
    requests: BTreeMap<u64, Waiting>,
    /// Records that are on their way off the list of those that are no message.
    leaving: BTreeSet<u64>,
}

impl Open {
    /// Whether a record is on its way off the list.
    pub(super) fn leaves(&self, number: u64) -> bool {
        self.leaving.contains(&number)
    }
}

/// Whoever waits for what became of a request.
#[derive(Debug)]
struct Waiting {
    reply: oneshot::Sender<Vec<Fate>>,
    fates: Vec<Fate>,
    left: usize,
}

impl Consume {
    pub(super) async fn on_requests(&mut self, requests: Vec<Request>) -> Result<(), RunError> {
        for request in requests {
            self.on_request(request).await?;
        }
        Ok(())
    }

    async fn on_request(&mut self, request: Request) -> Result<(), RunError> {
        let id = self.state.open.next;
        self.state.open.next += 1;
        let numbers = match &request.act {
            Act::Replay(numbers)
            | Act::Discard(numbers)
            | Act::ReplayInvalid(numbers)
            | Act::DiscardInvalid(numbers)
            | Act::DiscardUnhandled(numbers)
            | Act::CancelTimers(numbers) => numbers.clone(),
            Act::AcceptLost(stream) => {
                let left = usize::from(self.accept_lost(id, stream)?);
                let waiting = Waiting { reply: request.reply, fates: vec![Fate::Missing], left };
                self.state.open.requests.insert(id, waiting);
                self.reply(id);
                return Ok(());
            }
            Act::SetState(set) => {
                let waiting = Waiting { reply: request.reply, fates: vec![Fate::Missing], left: 1 };
                self.state.open.requests.insert(id, waiting);
                return self.on_set(Edit { request: id, set: set.clone() });
            }
            // Named, not numbered: it is the only one.
            Act::RetireSource(_) => vec![0],
        };
        let (mut left, mut fates) = (0, vec![Fate::Missing; numbers.len()]);
        for (index, number) in numbers.iter().copied().enumerate() {
            let (asked, is_replay, leaving) = (None, false, None);
            let answer = Answer { request: id, index, asked, is_replay, leaving };
            let (subject, answer) = match &request.act {
                Act::AcceptLost(_) => continue,
                Act::ReplayInvalid(_) => match self.decode_again(number).await? {
                    Again::Leaves(subject, leaving) => {
                        (*subject, Answer { leaving: Some(leaving), ..answer })
                    }
                    Again::Stays(fate) => {
                        fates.iter_mut().skip(index).take(1).for_each(|at| *at = fate.clone());
                        continue;
                    }
                },
                Act::DiscardInvalid(_) => {
                    let leaving = Some(Leaving::of(number));
                    (Subject::InvalidDiscarded { number }, Answer { leaving, ..answer })
                }
                Act::DiscardUnhandled(_) => (Subject::UnhandledDiscarded { number }, answer),
                Act::CancelTimers(_) => (Subject::TimerCancelled { number }, answer),
                Act::SetState(_) => continue,
                Act::RetireSource(source) => {
                    (Subject::SourceRetired { source: Arc::clone(source) }, answer)
                }
                Act::Discard(_) => {
                    let Some(asked) = self.lanes.ask(number) else { continue };
                    (Subject::Discarded { number }, Answer { asked: Some(asked), ..answer })
                }
                Act::Replay(_) => {
                    let Some(asked) = self.lanes.ask(number) else { continue };
                    let subject = self.replay(&asked);
                    (subject, Answer { asked: Some(asked), is_replay: true, ..answer })
                }
            };
            left += 1;
            self.state.open.leaving.extend(answer.leaving.as_ref().map(|leaving| leaving.number));
            self.queue(subject, Vec::new(), Ticket::Asked(answer))?;
        }
        let waiting = Waiting { reply: request.reply, fates, left };
        self.state.open.requests.insert(id, waiting);
        self.reply(id);
        Ok(())
    }

    /// Takes the holes of a stream for lost, and goes on with what waits of it; whether there is
    /// such a stream.
    fn accept_lost(&mut self, request: u64, name: &str) -> Result<bool, RunError> {
        let parked = &self.parked;
        let passed = self.admit.pass_holes(name, |stream| parked.sequences(stream));
        let Some((stream, runs)) = passed else { return Ok(false) };
        let sequences: u64 = runs.iter().map(|(first, last)| last - first + 1).sum();
        tracing::warn!(
            target: "endwise::limits", service = &*self.wiring.service, %stream,
            holes = runs.len(), sequences,
            "an operator has taken the holes of a stream for lost: what comes of them later counts \
             as a copy",
        );
        let answer = Answer { request, index: 0, asked: None, is_replay: false, leaving: None };
        let subject = Subject::HolesPassed { stream: Arc::clone(&stream), runs };
        self.queue(subject, Vec::new(), Ticket::Asked(answer))?;
        self.unpark(&stream)?;
        Ok(true)
    }

    /// Whether more may be asked: changes of states wait for their turns in memory.
    pub(super) fn may_ask(&self) -> bool {
        self.lanes.waiting_edits() < WAITING_MAX
    }

    /// A state is changed in its lane's turn; one that no handler takes has no lane.
    fn on_set(&mut self, edit: Edit) -> Result<(), RunError> {
        match self.wiring.component_of(&edit.set.name) {
            Some(component) => {
                self.lanes.edit(component, edit);
                self.queue_edits()
            }
            None => self.queue_edit(None, edit),
        }
    }

    /// Queues the changes of states whose turn has come.
    pub(super) fn queue_edits(&mut self) -> Result<(), RunError> {
        let edits = self.lanes.due_edits();
        edits.into_iter().try_for_each(|(lane, edit)| self.queue_edit(Some(lane), edit))
    }

    fn queue_edit(&mut self, lane: Option<LaneId>, edit: Edit) -> Result<(), RunError> {
        let answer = Answer {
            request: edit.request,
            index: 0,
            asked: None,
            is_replay: false,
            leaving: None,
        };
        self.queue(Subject::StateSet(edit.set), Vec::new(), Ticket::StateSet(lane, answer))
    }

    fn replay(&self, asked: &Asked) -> Subject {
        Subject::Kept(Box::new(Keep {
            number: asked.number,
            position: asked.position.clone(),
            floor: 0,
            handler: self.wiring.name(asked.handler).unwrap_or_default(),
            handlers: Arc::from([]),
            message: None,
            wait: Wait::Held,
            attempts: 0,
            late: asked.is_late,
            failure: None,
        }))
    }

    /// What an operator asked for is durable, or was refused.
    pub(super) fn on_answer(&mut self, answer: Answer, verdict: Verdict) {
        let is_done = verdict == Verdict::Applied;
        if let Some(asked) = &answer.asked {
            match (is_done, answer.is_replay) {
                (false, _) => self.lanes.unasked(asked),
                (true, true) => self.lanes.replayed(asked),
                (true, false) => self.lanes.discarded(asked),
            }
        }
        if let Some(leaving) = answer.leaving {
            self.state.open.leaving.remove(&leaving.number);
            if is_done {
                self.enter_stored(leaving);
            }
        }
        // Whoever is told that it is done sees that there is more to do now.
        self.tell_live();
        if let Some(waiting) = self.state.open.requests.get_mut(&answer.request) {
            waiting.left -= 1;
            if let Some(place) = waiting.fates.get_mut(answer.index) {
                *place = Fate::of(is_done);
            }
        }
        self.reply(answer.request);
    }

    fn reply(&mut self, id: u64) {
        if self.state.open.requests.get(&id).is_some_and(|waiting| waiting.left == 0)
            && let Some(waiting) = self.state.open.requests.remove(&id)
        {
            // Whoever asked may have gone; it is done all the same.
            let _ = waiting.reply.send(waiting.fates);
        }
    }
}
