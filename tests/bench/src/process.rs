//! Processes of their own: what memory a case takes can only be told of a fresh one.

use std::path::Path;
use std::process::Command;

/// Runs this program again with these words; what it prints goes where this one's goes.
pub(crate) fn again(words: &[&str]) -> anyhow::Result<()> {
    let status = Command::new(std::env::current_exe()?).args(words).status()?;
    anyhow::ensure!(status.success(), "{words:?} ended with {status}");
    Ok(())
}

/// The same, with a directory as the last word.
pub(crate) fn again_in(words: &[&str], home: &Path) -> anyhow::Result<()> {
    let home = home.to_str().ok_or_else(|| anyhow::anyhow!("{} is no text", home.display()))?;
    again(&[words, &[home]].concat())
}

/// The most memory that this process has had, in MiB.
pub(crate) fn peak_mib() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let line = line.ok_or_else(|| anyhow::anyhow!("the system tells no peak of memory"))?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? / 1024)
}
