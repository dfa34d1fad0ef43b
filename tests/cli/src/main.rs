//! The `endwise` tool, as the tests run it: a package's tests know the path of its own programs
//! alone, and `cargo test -p endwise` is to need no command-line parser.

use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    framework::cli::main(std::env::args_os()).await
}
