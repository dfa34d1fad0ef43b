//! Schedules: messages that a service sends at certain times, as cron says them.

use std::sync::Arc;

use crate::message::Message;
use crate::outcome::Send;
use crate::outgoing::{Outgoing, SendError};

mod cron;

pub(crate) use cron::Times;

/// How the names of intake sources begin that are kept for schedules.
pub(crate) const EVERY: &str = "every/";

/// A message that is sent again and again, at the times of a cron expression.
///
/// ```
/// use framework::prelude::*;
/// use framework::schedule::{CatchUp, Schedule};
///
/// #[derive(Message, Serialize, Deserialize)]
/// struct CloseBooks {
///     branch: u32,
/// }
///
/// fn app() -> App {
///     let north = Schedule::new("close-north", "0 3 * * *", CloseBooks { branch: 1 });
///     App::new("bank").schedule(north.catch_up(CatchUp::All))
/// }
/// ```
///
/// An expression has five fields, *minute hour day-of-month month day-of-week*, or six, with the
/// second in front. Times are in UTC. A field is `*`, a number or, of months and days of the
/// week, a name (`JAN`, `MON`); a range `1-5`, a step `*/15`, a list `1,15`. `L` is the last day
/// of a month, `FRI#2` the second Friday, `15W` the weekday nearest to the 15th. If both
/// day-of-month and day-of-week are given, a day that fits one of them is taken.
///
/// Each time is sent once, also if the service is restarted or killed meanwhile: it is remembered
/// under the schedule's name, with its expression. Its first time is the first after the service
/// has first been started with that name and that expression. A schedule of another name begins
/// anew, and so does one that the app lacked for a time.
#[derive(Debug)]
pub struct Schedule {
    pub(crate) name: Arc<str>,
    pub(crate) cron: Arc<str>,
    pub(crate) catch_up: CatchUp,
    pub(crate) message: Result<Send, SendError>,
}

/// What becomes of the times of a schedule at which its service did not run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CatchUp {
    /// The message is sent for each of them, oldest first, up to 10,000; of more the oldest are
    /// left out, and the log says so.
    All,
    /// It is sent once if there were any.
    #[default]
    Last,
    /// It is not sent for them.
    None,
}

impl Schedule {
    /// The message at those times. The name is stored, and unique in the app.
    pub fn new<M: Message>(
        name: impl Into<Arc<str>>,
        cron: impl Into<Arc<str>>,
        message: impl Into<Outgoing<M>>,
    ) -> Self {
        Schedule {
            name: name.into(),
            cron: cron.into(),
            catch_up: CatchUp::default(),
            message: message.into().encode(None, None),
        }
    }

    /// What becomes of the times at which the service did not run; unless given, `Last`.
    ///
    /// Times that pass while it runs and cannot send, since its broker has no room or its machine
    /// sleeps, are such times too; but the last of them is always sent.
    #[must_use]
    pub fn catch_up(mut self, catch_up: CatchUp) -> Self {
        self.catch_up = catch_up;
        self
    }
}
