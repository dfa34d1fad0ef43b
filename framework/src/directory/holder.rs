//! Who has a directory open: for the one who wants it too.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Who has a directory open.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Holder {
    /// This process.
    ThisProcess,
    /// Another one, as the operating system names it: of the `endwise` tool, `endwise`.
    Process {
        /// Its number.
        id: u32,
        /// Its program's name, cut off behind 15 bytes.
        name: Arc<str>,
    },
    /// Another one, of which no more is known.
    AnotherProcess,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Holder::ThisProcess => f.write_str("this process itself"),
            Holder::Process { id, name } => write!(f, "process {id} ({name})"),
            Holder::AnotherProcess => f.write_str("another process"),
        }
    }
}

impl Holder {
    /// What to do, as the end of an error.
    pub(crate) fn remedy(&self) -> &'static str {
        match self {
            Holder::ThisProcess => {
                "it has started the service twice, or has not waited for its end; stop the first \
                 one, and await that"
            }
            Holder::Process { .. } | Holder::AnotherProcess => {
                "a service that runs there, or the endwise tool; stop that first, or choose \
                 another directory"
            }
        }
    }

    /// Who has the lock on the file of that device and number.
    pub(super) fn of(id: (u64, u64)) -> Holder {
        if held().contains(&id) {
            return Holder::ThisProcess;
        }
        match process(id) {
            Some(process) if process == std::process::id() => Holder::ThisProcess,
            Some(process) => match read(&format!("/proc/{process}/comm")) {
                Some(name) => Holder::Process { id: process, name: name.trim().into() },
                None => Holder::AnotherProcess,
            },
            None => Holder::AnotherProcess,
        }
    }
}

/// The files that this process has locked, by device and number.
static HELD: Mutex<BTreeSet<(u64, u64)>> = Mutex::new(BTreeSet::new());

/// The files that this process has locked.
pub(super) fn held() -> MutexGuard<'static, BTreeSet<(u64, u64)>> {
    // Nothing that can panic runs under the lock.
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Bytes of a file of `/proc` that are looked at.
const PROC_BYTES_MAX: u64 = 1 << 20;

/// What such a file says; nothing where the operating system has none.
fn read(path: &str) -> Option<String> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(PROC_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The process that has locked a file, as Linux tells.
fn process(id: (u64, u64)) -> Option<u32> {
    process_in(&read("/proc/locks")?, id)
}

/// The same, of lines such as `1: FLOCK  ADVISORY  WRITE 4711 fe:00:246947 0 EOF`.
fn process_in(locks: &str, (device, number): (u64, u64)) -> Option<u32> {
    let (major, minor) = (libc::major(device), libc::minor(device));
    let file = format!("{major:02x}:{minor:02x}:{number}");
    let mut fields = locks.lines().map(|line| line.split_whitespace().skip(1));
    fields.find_map(|mut fields| {
        // One that waits has an arrow here.
        (fields.next()? == "FLOCK").then_some(())?;
        let process = fields.nth(2)?;
        (fields.next()? == file).then(|| process.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_found_by_device_and_number() {
        let locks = "1: FLOCK  ADVISORY  WRITE 8006 fe:00:10944593 0 EOF\n\
                     2: FLOCK  ADVISORY  WRITE 8007 fe:01:246947 0 EOF\n\
                     3: POSIX  ADVISORY  WRITE 8008 fe:00:246947 0 EOF\n\
                     4: FLOCK  ADVISORY  WRITE 8292 fe:00:246947 0 EOF\n\
                     4: -> FLOCK  ADVISORY  WRITE 8300 fe:00:246947 0 EOF\n\
                     5: odd\n";
        let device = libc::makedev(0xfe, 0);
        assert_eq!(process_in(locks, (device, 246_947)), Some(8292));
        assert_eq!(process_in(locks, (device, 24_694)), None);
        assert_eq!(process_in("", (device, 1)), None);
    }
}
