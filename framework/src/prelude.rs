//! What a service's source begins with: `use framework::prelude::*;`.

pub use serde::{Deserialize, Serialize};

pub use crate::app::App;
pub use crate::argument::{Attempt, Late, MessageId};
pub use crate::envelope::Headers;
pub use crate::error::{ErrorExt, HandlerError, Result, ResultExt};
pub use crate::failure::RunError;
pub use crate::handler::{Handlers, handler, handlers};
pub use crate::layer::Trace;
pub use crate::message::Message;
pub use crate::outgoing::{MessageExt, Outbox, Outgoing};
pub use crate::policy::{Gap, Retry};
pub use crate::schedule::{CatchUp, Schedule};
pub use crate::state::State;
