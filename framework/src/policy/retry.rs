//! Retry: how a failed attempt is tried again.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::error::HandlerError;

/// How a failed attempt is tried again. What is not said is taken from the next level: a
/// handler's from its group's, that from the app's, that from the defaults, which are 10 attempts,
/// waits of 100 ms to 1 minute, and every error but those marked as
/// [permanent](HandlerError::permanent).
///
/// ```
/// use framework::policy::Retry;
/// use framework::prelude::*;
/// use std::time::Duration;
///
/// #[derive(Message, Serialize, Deserialize)]
/// #[message(key = order)]
/// struct Charge {
///     order: u64,
/// }
///
/// #[handler(retry(attempts = 8, min = "200ms", max = "1m"))]
/// async fn charge(_: Charge) {}
///
/// #[handler]
/// async fn notify(_: Charge) {}
///
/// fn app() -> App {
///     let twice = Retry::new().attempts(2).min(Duration::from_secs(1));
///     App::new("billing")
///         .retry(Retry::new().attempts(20))
///         .handlers(handlers![charge, notify.retry(twice)])
/// }
/// ```
///
/// Behind the n-th failed attempt comes a wait that is chosen at random, evenly, between `min`
/// and `min` · 2ⁿ, or `max` where that is less: exponential back-off with full jitter. Meanwhile
/// the messages of its key that are behind it wait too, where the handler keeps an
/// [order](super::Order); those of other keys go on. What was tried, and when it is tried again,
/// is durable. After the last attempt the message is a dead letter.
#[derive(Clone, Default)]
pub struct Retry {
    pub(crate) attempts: Option<u32>,
    pub(crate) min: Option<Duration>,
    pub(crate) max: Option<Duration>,
    pub(crate) unless: Option<Unless>,
}

/// Decides of an error whether trying again cannot help.
pub(crate) type Unless = Arc<dyn Fn(&HandlerError) -> bool + Send + Sync>;

impl Retry {
    /// Says nothing yet.
    pub fn new() -> Self {
        Retry::default()
    }

    /// How many attempts there are in all, the first among them: at least 1, which is no retry.
    #[must_use]
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = Some(attempts);
        self
    }

    /// The shortest wait, which the back-off doubles: more than zero.
    #[must_use]
    pub fn min(mut self, min: Duration) -> Self {
        self.min = Some(min);
        self
    }

    /// The longest wait. Where it is shorter than the shortest, each wait is that one.
    #[must_use]
    pub fn max(mut self, max: Duration) -> Self {
        self.max = Some(max);
        self
    }

    /// Errors that are not tried again, beside those that are marked as permanent: the message is
    /// a dead letter at once.
    ///
    /// ```
    /// use framework::policy::Retry;
    ///
    /// let retry = Retry::new().unless(|error| error.to_string().contains("closed"));
    /// ```
    #[must_use]
    pub fn unless(
        mut self,
        is_final: impl Fn(&HandlerError) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.unless = Some(Arc::new(is_final));
        self
    }

    /// The same for an error of type `E` that is the handler's or caused it: it is looked for in
    /// the handler's error and all its sources. `#[handler(retry(unless = ..))]` is this.
    ///
    /// `anyhow::Error` hides the type of an error that it was made of, until it is given a context
    /// (`.context(..)`).
    ///
    /// ```
    /// use framework::policy::Retry;
    ///
    /// #[derive(Debug, thiserror::Error)]
    /// enum BankError {
    ///     #[error("the account is closed")]
    ///     Closed,
    ///     #[error("the bank does not answer")]
    ///     Silent,
    /// }
    ///
    /// impl BankError {
    ///     fn is_final(&self) -> bool {
    ///         matches!(self, BankError::Closed)
    ///     }
    /// }
    ///
    /// let retry = Retry::new().unless_caused_by(BankError::is_final);
    /// ```
    #[must_use]
    pub fn unless_caused_by<E: Error + 'static>(
        self,
        is_final: impl Fn(&E) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.unless(move |error| {
            let mut link: Option<&(dyn Error + 'static)> = Some(error.as_error());
            while let Some(error) = link {
                if let Some(error) = error.downcast_ref::<E>() {
                    return is_final(error);
                }
                link = error.source();
            }
            false
        })
    }

    /// What this says, and where it says nothing, what `outer` says.
    pub(crate) fn or(self, outer: &Retry) -> Retry {
        Retry {
            attempts: self.attempts.or(outer.attempts),
            min: self.min.or(outer.min),
            max: self.max.or(outer.max),
            unless: self.unless.or_else(|| outer.unless.clone()),
        }
    }
}

/// Two are equal if they say the same, and classify errors by the very same function.
impl PartialEq for Retry {
    fn eq(&self, other: &Retry) -> bool {
        let same = match (&self.unless, &other.unless) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (one, other) => one.is_none() && other.is_none(),
        };
        let said = |retry: &Retry| (retry.attempts, retry.min, retry.max);
        same && said(self) == said(other)
    }
}

impl Eq for Retry {}

impl fmt::Debug for Retry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Retry { attempts, min, max, unless } = self;
        f.debug_struct("Retry")
            .field("attempts", attempts)
            .field("min", min)
            .field("max", max)
            .field("unless", &unless.is_some())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("refused")]
    struct Refused {
        is_final: bool,
    }

    #[derive(Debug, thiserror::Error)]
    #[error("while charging")]
    struct Charging(#[source] Refused);

    #[test]
    fn an_error_is_found_wherever_it_stands_in_the_chain() {
        let retry = Retry::new().unless_caused_by(|error: &Refused| error.is_final);
        let decide = retry.unless.unwrap();
        for is_final in [true, false] {
            let refused = || Refused { is_final };
            let errors: [HandlerError; 4] = [
                refused().into(),
                Charging(refused()).into(),
                Err::<(), _>(refused()).context("more").unwrap_err().into(),
                anyhow::Error::from(Charging(refused())).context("more").into(),
            ];
            for (case, error) in errors.iter().enumerate() {
                assert_eq!(decide(error), is_final, "case {case}");
            }
        }
        assert!(!decide(&HandlerError::from("any other")));
    }

    #[test]
    fn what_is_not_said_is_said_further_out() {
        let second = Duration::from_secs(1);
        let outer = Retry::new().attempts(3).min(second).unless(|_| true);
        let inner = Retry::new().attempts(5).max(second);
        let both = inner.or(&outer);
        assert_eq!((both.attempts, both.min, both.max), (Some(5), Some(second), Some(second)));
        assert!(both.unless.is_some_and(|unless| unless(&"any".into())));
    }
}
