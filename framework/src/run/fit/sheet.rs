//! The files that say which opening a directory was last part of: one of the broker, and one in the
//! directory of each service. Text, with a checksum; replaced whole.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::FitError;

/// The file's name in each directory.
pub(super) const NAME: &str = "fit";

/// First line. A new format gets a new number; old ones are never given away again.
const FIRST: &str = "endwise fit, format 1";

/// The broker's file: which opening it is at, and at which one each service was last with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sheet {
    /// The directory's own random number: one that is made anew has another.
    pub(super) broker: u64,
    pub(super) opening: u64,
    pub(super) services: BTreeMap<Arc<str>, Entry>,
}

/// What a service's own file says; two openings while the next one is being written there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) now: u64,
    pub(super) next: u64,
}

/// A service's file: with which broker it was last, and at which opening.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slip {
    pub(super) broker: u64,
    pub(super) opening: u64,
}

impl Sheet {
    pub(super) fn read(dir: &Path) -> Result<Option<Self>, FitError> {
        read(dir, |lines| {
            let mut sheet = Sheet { broker: lines.hex("broker")?, ..Sheet::default() };
            sheet.opening = lines.number("opening")?;
            for line in lines.0.by_ref() {
                let mut words = line.strip_prefix("service ")?.split(' ');
                let (name, now, next) = (words.next()?, words.next()?, words.next()?);
                let entry = Entry { now: now.parse().ok()?, next: next.parse().ok()? };
                sheet.services.insert(name.into(), entry);
            }
            Some(sheet)
        })
    }

    pub(super) fn write(&self, dir: &Path) -> io::Result<()> {
        let mut body = format!("{FIRST}\nbroker {:016x}\nopening {}\n", self.broker, self.opening);
        for (name, Entry { now, next }) in &self.services {
            // Writing to a string does not fail.
            let _ = writeln!(body, "service {name} {now} {next}");
        }
        replace(dir, body)
    }
}

impl Slip {
    pub(super) fn read(dir: &Path) -> Result<Option<Self>, FitError> {
        read(dir, |lines| {
            Some(Slip { broker: lines.hex("broker")?, opening: lines.number("opening")? })
        })
    }

    pub(super) fn write(self, dir: &Path) -> io::Result<()> {
        replace(dir, format!("{FIRST}\nbroker {:016x}\nopening {}\n", self.broker, self.opening))
    }
}

/// The lines of a file behind its first one.
struct Lines<'a>(std::str::Lines<'a>);

impl Lines<'_> {
    fn field(&mut self, name: &str) -> Option<&str> {
        self.0.next()?.strip_prefix(name)?.strip_prefix(' ')
    }

    fn hex(&mut self, name: &str) -> Option<u64> {
        u64::from_str_radix(self.field(name)?, 16).ok()
    }

    fn number(&mut self, name: &str) -> Option<u64> {
        self.field(name)?.parse().ok()
    }
}

fn read<T>(
    dir: &Path,
    parse: impl FnOnce(&mut Lines<'_>) -> Option<T>,
) -> Result<Option<T>, FitError> {
    let file = dir.join(NAME);
    let text = match fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) if source.kind() == io::ErrorKind::InvalidData => {
            return Err(FitError::Unreadable { file });
        }
        Err(source) => return Err(FitError::Io { file, source: source.into() }),
    };
    let parsed = || {
        let (body, crc) = text.strip_suffix('\n')?.rsplit_once("crc ")?;
        let fits = u32::from_str_radix(crc, 16).ok()? == crc32c::crc32c(body.as_bytes());
        let mut lines = Lines(body.lines());
        (fits && lines.0.next()? == FIRST).then(|| parse(&mut lines))?
    };
    match parsed() {
        Some(found) => Ok(Some(found)),
        None => Err(FitError::Unreadable { file }),
    }
}

/// Puts a new file into the place of the old one, durably.
fn replace(dir: &Path, mut body: String) -> io::Result<()> {
    let crc = crc32c::crc32c(body.as_bytes());
    // Writing to a string does not fail.
    let _ = writeln!(body, "crc {crc:08x}");
    let new: PathBuf = dir.join("fit.new");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // A file that is made anew follows no link.
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    file.write_all(body.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, dir.join(NAME))?;
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_come_back_and_damage_is_found() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(Sheet::read(home.path()).unwrap(), None);
        let mut sheet = Sheet { broker: 7, opening: 3, ..Sheet::default() };
        sheet.services.insert("bank".into(), Entry { now: 2, next: 3 });
        sheet.services.insert("mail".into(), Entry { now: 1, next: 1 });
        sheet.write(home.path()).unwrap();
        assert_eq!(Sheet::read(home.path()).unwrap(), Some(sheet));

        let file = home.path().join(NAME);
        let text = fs::read_to_string(&file).unwrap();
        for damaged in [text.replace("bank 2", "bank 1"), text.replace("crc", "crd"), "".into()] {
            fs::write(&file, damaged).unwrap();
            let error = Sheet::read(home.path()).unwrap_err();
            assert!(matches!(error, FitError::Unreadable { .. }), "{error}");
        }

        let slip = Slip { broker: u64::MAX, opening: 12 };
        slip.write(home.path()).unwrap();
        assert_eq!(Slip::read(home.path()).unwrap(), Some(slip));
    }
}
