//! The `endwise` tool: an operator's way in, to a service that runs or to what one has left.
//!
//! It asks a running service over the admin socket in its directory. Where none runs, it opens the
//! store itself, answers from it, and writes down there what the next start is to do.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

mod args;
mod letters;
mod offline;
mod place;
mod print;
mod status;
mod table;
mod way;
mod words;

use args::{Args, Verb};
use print::Printed;

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
    /// The answer was to another question.
    fn unlike() -> Self {
        Trouble::Failed(
            "the answer does not fit the question: is the tool of the service's version?"
                .to_owned(),
        )
    }

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

/// Runs the tool with these arguments, the program's name first: for its binary, and for a service
/// whose own binary is to have its verbs.
///
/// Prints to the standard output and to the standard error. The exit code is 0 if it was done, 1
/// if it failed, 2 if the arguments make no sense, 3 if nothing matched.
pub async fn main(args: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> ExitCode {
    let args = match Args::try_parse_from(args) {
        Ok(args) => args,
        Err(error) => {
            // Help and version are no errors, and are printed here as well.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    let mut printed = Printed::default();
    let came = run(args, &mut printed).await;
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

async fn run(args: Args, printed: &mut Printed) -> Result<Came, Trouble> {
    match args.verb {
        Verb::Status(asked) => status::run(asked, printed).await,
        Verb::DeadLetters { verb } => letters::run(verb, printed).await,
    }
}
