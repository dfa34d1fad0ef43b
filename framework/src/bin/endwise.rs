//! The `endwise` tool.

use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    framework::cli::main(std::env::args_os()).await
}
