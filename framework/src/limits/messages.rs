//! What a message may have: checked where one that is sent meets the service. What comes from a
//! broker is checked where it is decoded.

use crate::limits::Limits;
use crate::outcome::{Outcome, Send};
use crate::outgoing::{BODY_BYTES_MAX, HEADERS_BYTES_MAX, SendError};

/// The most bytes that one outcome may have: half of what a store takes in one commit, whatever
/// else that commit takes.
const OUTCOME_BYTES_MAX: usize = 64 << 20;

/// What a message may have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MessageLimits {
    pub(crate) payload_bytes_max: usize,
    pub(crate) headers_max: usize,
    pub(crate) headers_bytes_max: usize,
}

impl Limits {
    /// What a message may have.
    pub(crate) fn of_messages(&self) -> MessageLimits {
        MessageLimits {
            payload_bytes_max: self.payload_bytes_max,
            headers_max: self.headers_max,
            headers_bytes_max: self.headers_bytes_max,
        }
    }
}

impl Default for MessageLimits {
    fn default() -> Self {
        Limits::default().of_messages()
    }
}

impl MessageLimits {
    /// What a store can take of any message.
    pub(crate) const CEILING: MessageLimits = MessageLimits {
        payload_bytes_max: BODY_BYTES_MAX,
        headers_max: usize::MAX,
        headers_bytes_max: HEADERS_BYTES_MAX,
    };

    /// Refuses an outcome of which a message has more, or all of it together more than a commit
    /// takes.
    pub(crate) fn check_outcome(&self, outcome: &Outcome) -> Result<(), SendError> {
        outcome.sends.iter().try_for_each(|message| self.check(message))?;
        let (bytes, most) = (outcome.bytes(), OUTCOME_BYTES_MAX);
        if bytes > most {
            let messages = outcome.sends.len();
            return Err(SendError::Together { messages, bytes, most });
        }
        Ok(())
    }

    /// Refuses a message that has more.
    pub(crate) fn check(&self, message: &Send) -> Result<(), SendError> {
        let type_name = || message.type_name.clone();
        let (bytes, most) = (message.body.len(), self.payload_bytes_max);
        if bytes > most {
            return Err(SendError::TooLarge { type_name: type_name(), bytes, most });
        }
        let (bytes, most) = (message.headers.as_bytes().len(), self.headers_bytes_max);
        if bytes > most {
            return Err(SendError::Headers { type_name: type_name(), bytes, most });
        }
        let (count, most) = (message.headers.iter_bytes().count(), self.headers_max);
        if count > most {
            return Err(SendError::HeaderCount { type_name: type_name(), count, most });
        }
        Ok(())
    }
}
