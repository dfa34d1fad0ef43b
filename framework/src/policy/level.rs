//! A level: a handler, its group, their app. Each says what it likes, the inner one before the
//! outer.

use std::time::Duration;

use super::{Gap, OnFailure, Retry};

/// What one level asks for on failure.
#[derive(Clone, Debug, Default)]
pub(crate) struct Level {
    pub(crate) retry: Retry,
    pub(crate) timeout: Option<Duration>,
    pub(crate) crashes: Option<u32>,
}

impl Level {
    /// What this level says, and where it says nothing, what `outer` says.
    pub(crate) fn or(self, outer: &Level) -> Level {
        Level {
            retry: self.retry.or(&outer.retry),
            timeout: self.timeout.or(outer.timeout),
            crashes: self.crashes.or(outer.crashes),
        }
    }

    /// This level with what is said of its retry now, which is stronger than what was.
    pub(crate) fn with_retry(self, retry: Retry) -> Level {
        Level { retry: retry.or(&self.retry), ..self }
    }

    /// It complete: where no level says anything, the default.
    pub(crate) fn complete(self, gap: Option<Gap>) -> OnFailure {
        let Level { retry, timeout, crashes } = self;
        let default = OnFailure::default();
        OnFailure {
            attempts: retry.attempts.unwrap_or(default.attempts),
            min: retry.min.unwrap_or(default.min),
            max: retry.max.unwrap_or(default.max),
            unless: retry.unless,
            timeout: timeout.unwrap_or(default.timeout),
            gap: gap.unwrap_or(default.gap),
            crashes: crashes.unwrap_or(default.crashes),
        }
    }
}
