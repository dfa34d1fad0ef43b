//! Answering an operator's questions: those of the socket, and those of a tool that has opened the
//! store itself.

use std::sync::Arc;

use super::{Answer, Ask};
use crate::dead_letters::DeadLetters;
use crate::operator::{Desk, OperatorError};

/// How many items one answer has at most.
const ITEMS_MAX: usize = 1_000;

impl Desk {
    /// The answer to a question.
    pub(crate) async fn answer(self: &Arc<Self>, ask: Ask) -> Answer {
        self.try_answer(ask).await.unwrap_or_else(Answer::from)
    }

    async fn try_answer(self: &Arc<Self>, ask: Ask) -> Result<Answer, OperatorError> {
        let letters = DeadLetters { desk: Arc::clone(self) };
        let invalid = letters.invalid();
        Ok(match ask {
            Ask::Status => Answer::Status { status: Box::new(self.status().await?) },
            Ask::DeadLetters { filter } => {
                Answer::DeadLetters(letters.list(&filter.limited(ITEMS_MAX)).await?)
            }
            Ask::CountDeadLetters { filter } => {
                Answer::Count { count: letters.count(&filter).await? }
            }
            Ask::DeadLetter { number } => {
                Answer::DeadLetter { letter: letters.show(number).await?.map(Box::new) }
            }
            Ask::Replay { which } => Answer::Done(letters.replay(which).await?),
            Ask::Discard { which } => Answer::Done(letters.discard(which).await?),
            Ask::Holds { after, limit } => {
                let most = limit.unwrap_or(ITEMS_MAX).min(ITEMS_MAX);
                Answer::Holds(letters.holds(after, most).await?)
            }
            Ask::InvalidMessages { filter } => {
                Answer::InvalidMessages(invalid.list(&filter.limited(ITEMS_MAX)).await?)
            }
            Ask::CountInvalidMessages { filter } => {
                Answer::Count { count: invalid.count(&filter).await? }
            }
            Ask::InvalidMessage { number } => {
                Answer::InvalidMessage { message: invalid.show(number).await?.map(Box::new) }
            }
            Ask::DiscardInvalidMessages { which } => Answer::Done(invalid.discard(which).await?),
        })
    }
}
