//! Configuration: on what a service runs, and within which limits.
//!
//! Defaults, then the file `endwise.toml`, then the environment variables `ENDWISE_*`: the later
//! is the stronger. The guide `docs/guide/configuration.md` shows all keys.

use std::path::PathBuf;
use std::time::Duration;

use crate::app::App;
use crate::broker::embedded::EmbeddedOptions;
use crate::clock::Clock;
use crate::limits::Limits;
use crate::message::json::Sampling;
use crate::policy::{Level, OnFailure, Retry};
use crate::random;
use crate::service::Setting;
use crate::store::sled::SledOptions;

mod environment;
mod error;
mod file;
mod keys;
mod secret;
mod template;
mod value;

#[cfg(test)]
mod tests;

pub use error::{ConfigError, Place};
pub use secret::Secret;

/// The configuration of the services of a process.
///
/// ```
/// use framework::Config;
/// let text = "data = '/var/lib/bank'\n[limits]\nin_flight_bytes_max = '64MiB'";
/// let config = Config::from_toml(text)?;
/// assert_eq!(config.limits.in_flight_bytes_max, 64 << 20);
///
/// let error = Config::from_toml("[limits]\nin_fligth_max = 100").unwrap_err();
/// assert!(error.to_string().contains("did you mean \"in_flight_max\"?"));
/// # Ok::<(), framework::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the data are: the broker's in `broker` below it, each service's in a directory of its
    /// name (default `endwise-data`, below the current directory).
    pub data: PathBuf,
    /// How long a stop waits for what is in progress (default 30 s). What has not ended by then is
    /// left as a crash would leave it: it is handled after the next start.
    pub drain: Duration,
    /// The limits of each service.
    pub limits: Limits,
    /// What becomes of a failed attempt, unless the app, the group or the handler says otherwise.
    pub failure: FailureConfig,
    /// The store of each service.
    pub store: StoreConfig,
    /// The broker.
    pub broker: BrokerConfig,
}

/// What becomes of a failed attempt: the level below the app's, the groups' and the handlers' own
/// policies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailureConfig {
    /// Attempts in all, the first among them (default 10). Then the message is a dead letter.
    pub retry_attempts: u32,
    /// The shortest wait between two attempts (default 100 ms).
    pub retry_min: Duration,
    /// The longest (default 1 minute).
    pub retry_max: Duration,
    /// How long an attempt may take (default 5 minutes). Then it has failed.
    pub timeout: Duration,
    /// After how many deaths of the process, while it ran alone, a message is a dead letter
    /// (default 3).
    pub crashes: u32,
}

/// On which store services run.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// Which store (default `embedded`). It may hold a password.
    pub url: Secret,
    /// What can be set for the embedded one.
    pub embedded: SledOptions,
}

/// On which broker services run.
#[derive(Clone, Debug)]
pub struct BrokerConfig {
    /// Which broker (default `embedded`). It may hold a password.
    pub url: Secret,
    /// What can be set for the embedded one.
    pub embedded: EmbeddedOptions,
}

impl Default for Config {
    fn default() -> Self {
        let OnFailure { attempts, min, max, timeout, crashes, .. } = OnFailure::default();
        Config {
            data: "endwise-data".into(),
            drain: Duration::from_secs(30),
            limits: Limits::default(),
            failure: FailureConfig {
                retry_attempts: attempts,
                retry_min: min,
                retry_max: max,
                timeout,
                crashes,
            },
            store: StoreConfig { url: Secret::new("embedded"), embedded: SledOptions::default() },
            broker: BrokerConfig {
                url: Secret::new("embedded"),
                embedded: EmbeddedOptions::default(),
            },
        }
    }
}

/// The defaults, with the data in that directory.
impl<P: Into<PathBuf>> From<P> for Config {
    fn from(data: P) -> Self {
        Config { data: data.into(), ..Config::default() }
    }
}

impl Config {
    /// The configuration of this process: the defaults, over them what the file says, over that
    /// what the environment says.
    ///
    /// The file is the one that `ENDWISE_CONFIG` names, which must exist; else `endwise.toml` in
    /// the current directory, if it exists. `ENDWISE_LIMITS_IN_FLIGHT_MAX` sets `in_flight_max` of
    /// `[limits]`, `ENDWISE_DATA` sets `data`, and so on. Relative paths start at the current
    /// directory.
    ///
    /// Errors: a key or a variable that is not known, a value that cannot be, a file that cannot be
    /// read. Each says where, what was found and what is allowed.
    pub fn load() -> Result<Config, ConfigError> {
        let variables = environment::variables(std::env::vars_os());
        let (mut config, mut places) = (Config::default(), keys::Places::new());
        if let Some(file) = file::find(&variables)? {
            places.extend(config.apply_text(&file.text, Some(&file.path))?);
        }
        places.extend(environment::apply(&mut config, &variables)?);
        keys::check_pairs(&config, &places)?;
        Ok(config)
    }

    /// The defaults, and over them what a text in the form of `endwise.toml` says.
    pub fn from_toml(text: &str) -> Result<Config, ConfigError> {
        let mut config = Config::default();
        let places = config.apply_text(text, None)?;
        keys::check_pairs(&config, &places)?;
        Ok(config)
    }

    /// A complete `endwise.toml`: every key with its default, commented out, and what it is for.
    pub fn template() -> String {
        template::template()
    }

    /// Refuses values that no file could set.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        keys::check(self)
    }

    /// How a service runs that this configures.
    pub(crate) fn setting(&self) -> Setting {
        Setting {
            limits: self.limits.clone(),
            clock: Clock::system(),
            seed: random::seed(),
            drain: self.drain,
            sampling: Sampling::default(),
        }
    }

    /// The app with what this says of failures where no level of the app says it.
    pub(crate) fn complete(&self, app: App) -> App {
        let retry = Retry {
            attempts: Some(self.failure.retry_attempts),
            min: Some(self.failure.retry_min),
            max: Some(self.failure.retry_max),
            unless: None,
        };
        let (timeout, crashes) = (Some(self.failure.timeout), Some(self.failure.crashes));
        let on_failure = app.on_failure.or(&Level { retry, timeout, crashes });
        App { on_failure, ..app }
    }
}
