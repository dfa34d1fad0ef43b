//! The `endwise` tool: an operator's way in, to a service that runs or to what one has left.
//!
//! It asks a running service over the admin socket in its directory. Where none runs, it opens the
//! store itself, answers from it, and writes down there what the next start is to do.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::process::ExitCode;

use async_trait::async_trait;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

// The commands: a file each, and a line in the list below.
mod consumers;
mod letters;
mod states;
mod status;
mod streams;
mod timers;
mod topics;

// What they have in common.
mod act;
mod args;
mod brokers;
mod lists;
mod offline;
mod place;
mod print;
mod sources;
mod table;
mod turn;
mod way;
mod words;

use print::Printed;

/// A command: its arguments, which say what is to be done.
#[async_trait]
trait Command {
    /// Does it; what is said goes to the standard output once it is complete.
    async fn run(self, printed: &mut Printed) -> Result<Came, Trouble>;
}

/// The commands by name, with what their help says.
macro_rules! commands {
    ($($(#[$of:meta])* $name:ident($args:ty),)*) => {
        #[derive(Debug, Subcommand)]
        enum Verb { $($(#[$of])* $name($args),)* }

        async fn run(verb: Verb, printed: &mut Printed) -> Result<Came, Trouble> {
            match verb { $(Verb::$name(args) => args.run(printed).await,)* }
        }
    };
}

commands! {
    /// Says how a service is doing: ready or why not, and what waits for what
    #[command(after_help = "Example: endwise status endwise-data")]
    Status(status::Args),
    /// The topics of the embedded broker: what they hold, who reads them and how far behind
    #[command(after_help = "Example: endwise topics endwise-data")]
    Topics(topics::Args),
    /// The registered consumers of the embedded broker: who does not run, and can be forgotten
    #[command(after_help = "Example: endwise consumers list endwise-data")]
    Consumers(consumers::Args),
    /// What a service could not handle: look at it, replay it, discard it
    #[command(after_help = "Example: endwise dead-letters list endwise-data/bank")]
    DeadLetters(letters::Args),
    /// Streams of which nothing more is taken, since too much of them never came
    #[command(after_help = "Example: endwise streams list endwise-data")]
    Streams(streams::Args),
    /// States as they are stored: look at them, set them, remove them
    #[command(after_help = "Example: endwise states get endwise-data/bank account ada")]
    States(states::Args),
    /// Messages that wait for their time: look at them, cancel them
    #[command(after_help = "Example: endwise timers list endwise-data/bank")]
    Timers(timers::Args),
    /// Who sends numbered messages into a service: list them, retire one
    #[command(after_help = "Example: endwise sources list endwise-data/bank")]
    Sources(sources::Args),
}

/// Looks after services that are built with Endwise.
///
/// DIR is a service's data directory (`endwise-data/bank`), or the one above it, for all services
/// in it. A service that runs is asked; where none runs, the store in the directory is opened.
#[derive(Debug, Parser)]
#[command(
    name = "endwise",
    bin_name = "endwise",
    version,
    after_help = "Exit codes: 0 done, 1 failed (in part or whole), 2 wrong usage, 3 nothing \
                  matched."
)]
struct Args {
    #[command(subcommand)]
    verb: Verb,
}

/// Why the tool did not do what it was told.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    /// What was asked makes no sense so.
    #[error("{0}")]
    Usage(String),
    /// It could not be done.
    #[error("{0}")]
    Failed(String),
}

impl Trouble {
    fn failed(error: impl std::fmt::Display) -> Self {
        Trouble::Failed(error.to_string())
    }
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Came {
    Done,
    /// Some of what was named is not there.
    InPart,
    NothingMatched,
}

/// Columns of a help that goes to no terminal; on one, its own, up to 100.
const HELP_COLUMNS: usize = 80;

/// The tool's arguments, with a help that wraps at words.
fn command() -> clap::Command {
    let command = Args::command();
    if std::io::stdout().is_terminal() { command } else { command.term_width(HELP_COLUMNS) }
}

/// Runs the tool with these arguments, the program's name first: for its binary, and for a service
/// whose own binary is to have its verbs.
///
/// Prints to the standard output and to the standard error. The exit code is 0 if it was done, 1
/// if it failed, 2 if the arguments make no sense, 3 if nothing matched.
pub async fn main(args: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> ExitCode {
    let parsed = command().try_get_matches_from(args);
    let args = match parsed.and_then(|matches| Args::from_arg_matches(&matches)) {
        Ok(args) => args,
        Err(error) => {
            // Help and version are no errors, and are printed here as well.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    let mut printed = Printed::default();
    let came = run(args.verb, &mut printed).await;
    let is_out = printed.flush();
    match came.and_then(|came| is_out.map(|()| came)) {
        Ok(Came::Done) => ExitCode::SUCCESS,
        Ok(Came::InPart) => ExitCode::from(1),
        Ok(Came::NothingMatched) => ExitCode::from(3),
        Err(trouble) => {
            print::error(&trouble.to_string());
            ExitCode::from(if matches!(trouble, Trouble::Usage(_)) { 2 } else { 1 })
        }
    }
}
