//! The seams of the core, and the end of a turn.

use super::action::Action;
use super::calls::Calls;
use super::event::Now;
use super::jobs::Gauges;
use super::plan::Plan;
use crate::ids::FrameNo;
use crate::table::frame::Frame;

/// User code, the frame that is gathered, and what drivers are to do.
pub(crate) struct Seams<'a> {
    pub(crate) calls: &'a mut dyn Calls,
    pub(crate) frame: &'a mut Frame,
    pub(crate) actions: &'a mut Vec<Action>,
}

/// The context of a turn.
pub(crate) struct Hand<'a, 's> {
    pub(crate) now: Now,
    /// The number of the frame that is gathered.
    pub(crate) gathering: FrameNo,
    pub(crate) plan: &'a Plan,
    pub(crate) seams: &'a mut Seams<'s>,
}

/// The end of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Nothing is left to do until something happens, or until that time.
    Idle { wake_mono_ms: Option<u64> },
    /// The turn was long enough; the rest is to be done after a look at the mailbox.
    More,
    /// The frame is full: it is to be sealed first.
    Full,
}

/// The state of the core, for status, watchdog and drivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Health {
    pub(crate) jobs: Gauges,
    /// Positions in progress.
    pub(crate) in_progress: usize,
    /// Nothing is left to do but what waits for its time, and nothing is on its way to the store.
    pub(crate) is_idle: bool,
    /// A commit found no room: nothing begins.
    pub(crate) is_out_of_room: bool,
}
