//! Marks: which handlers run, for which messages, in a file that outlives the process.
//!
//! Each batch of deliveries is marked with one write that is not synced: the operating system
//! keeps it when the process dies. The next process finds what ran. Those are *suspects*; they run
//! one at a time in *probation*, before anything else. One whose process dies while it runs alone
//! is charged. A power cut charges nobody: the file names the boot in which it was written.
//!
//! A file that cannot be read or written never stops a service: it goes on without marks.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::boot::{BOOT_ID, boot_id};
use crate::directory::FILE_MODE;
use crate::store::{Recovered, Wait};
use crate::stream::{Position, Ranges};

mod book;
mod mark;
mod record;
#[cfg(test)]
mod tests;

use book::Book;
use mark::{Mark, mark};
use record::Kind;

/// A file larger than this was not written by marks.
const READ_BYTES_MAX: u64 = 64 << 20;

/// The limits of a marks file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// The size beyond which it is rewritten with what still counts.
    pub(crate) bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { bytes_max: 1 << 20 }
    }
}

/// How a batch runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Company {
    /// Beside others.
    Others,
    /// Alone in the whole process: in probation. Such a batch has one entry.
    Alone,
}

/// The marks of one service.
#[derive(Debug)]
pub(crate) struct Marks(Option<Open>);

#[derive(Debug)]
struct Open {
    path: PathBuf,
    file: File,
    store: u64,
    boot: u128,
    limits: Limits,
    book: Book,
    /// Records that are not written yet.
    pending: Vec<u8>,
    /// Bytes in the file.
    size: usize,
    /// Its size when it was last rewritten.
    rewritten: usize,
}

/// What ran when a process died, and has not run alone or been given up since.
#[derive(Debug, Default)]
pub(crate) struct Suspects(BTreeMap<Mark, u32>);

impl Suspects {
    /// Whether it is one of them.
    pub(crate) fn contains(&self, position: &Position, handler: &str) -> bool {
        // Almost always there are none, and nothing needs to be hashed.
        !self.is_empty() && self.0.contains_key(&mark(position, handler))
    }

    /// How often the process has died while it ran alone.
    pub(crate) fn charges(&self, position: &Position, handler: &str) -> u32 {
        if self.is_empty() {
            return 0;
        }
        self.0.get(&mark(position, handler)).copied().unwrap_or_default()
    }

    /// Takes those off the list that the store says are done, or wait for something: they did not
    /// run when the process died, or what became of them was written down before.
    pub(crate) fn drop_done(&mut self, recovered: &Recovered, now_ms: u64) {
        if self.is_empty() {
            return;
        }
        let may_run = |wait: &Wait| match wait {
            Wait::Held => true,
            Wait::Until(due) => *due <= now_ms,
            Wait::Dead { .. } | Wait::Unhandled => false,
        };
        let kept = recovered.kept.iter().filter(|kept| may_run(&kept.wait));
        let kept: BTreeSet<Mark> = kept.map(|kept| mark(&kept.position, &kept.handler)).collect();
        let streams = recovered.inbox.iter().map(|(id, done)| (mark::of_stream(id), done));
        let partitions = recovered.cursors.iter().map(|(id, done)| (mark::of_partition(id), done));
        let done: BTreeMap<u64, &Ranges> = streams.chain(partitions).collect();
        let is_done = |mark: &Mark| {
            let (from, number) = mark::place(mark);
            done.get(&from).is_some_and(|done| done.contains(number))
        };
        // Of a position that is done in part, only what is left may come again.
        let half = recovered.pending.iter();
        let half = half.filter_map(|(position, left)| Some((position, left, left.first()?)));
        let (mut places, mut left_to_do) = (BTreeSet::new(), BTreeSet::new());
        for (position, left, first) in half {
            places.insert(mark::place(&mark(position, first)));
            left_to_do.extend(left.iter().map(|handler| mark(position, handler)));
        }
        let is_over = |mark: &Mark| {
            is_done(mark) || (places.contains(&mark::place(mark)) && !left_to_do.contains(mark))
        };
        self.0.retain(|mark, _| kept.contains(mark) || !is_over(mark));
    }

    /// Takes it off the list: it has been seen to.
    pub(crate) fn remove(&mut self, position: &Position, handler: &str) {
        self.0.remove(&mark(position, handler));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Marks {
    /// No marks: for a store without a directory.
    pub(crate) fn off() -> Self {
        Marks(None)
    }

    /// Opens the marks in a service's directory. Blocks.
    pub(crate) fn open(dir: &Path, store: u64, limits: Limits) -> (Marks, Suspects) {
        let Some(boot) = boot_id() else {
            tracing::warn!(
                target: "endwise::marks",
                "this system names no boot ({BOOT_ID}): a message that kills the process will not \
                 be recognised",
            );
            return (Marks::off(), Suspects::default());
        };
        Marks::open_in(dir, store, boot, limits)
    }

    fn open_in(dir: &Path, store: u64, boot: u128, limits: Limits) -> (Marks, Suspects) {
        let path = dir.join("marks");
        let mut book = found(&path, store, boot);
        book.on_death();
        let suspects = Suspects(book.suspects());
        match Open::create(path.clone(), store, boot, limits, book) {
            Ok(open) => (Marks(Some(open)), suspects),
            Err(error) => {
                give_up(&path, &error);
                (Marks::off(), suspects)
            }
        }
    }

    /// Marks what is about to run, with one write. A batch's number is not used again while it
    /// runs.
    pub(crate) fn begin<'a>(
        &mut self,
        batch: u64,
        company: Company,
        entries: impl IntoIterator<Item = (&'a Position, &'a str)>,
    ) {
        let Some(open) = &mut self.0 else { return };
        let mut marks = open.book.list();
        marks.extend(entries.into_iter().map(|(position, handler)| mark(position, handler)));
        let kind = match company {
            Company::Others => Kind::Begun,
            Company::Alone => Kind::BegunAlone,
        };
        open.note(kind, batch, marks);
        self.flush();
    }

    /// The batch has ended. This is written with the next one that begins, or by
    /// [`flush`](Self::flush); at once if it ran alone, or its entry could be charged for a death
    /// that comes later.
    pub(crate) fn end(&mut self, batch: u64) {
        let Some(open) = &mut self.0 else { return };
        let is_alone = open.book.is_alone(batch);
        open.note(Kind::Ended, batch, Vec::new());
        if is_alone {
            self.flush();
        }
    }

    /// It was handled or given up: its charges are void. Cheap for one that has none.
    pub(crate) fn forget(&mut self, position: &Position, handler: &str) {
        let Some(open) = &mut self.0 else { return };
        if open.book.is_clean() {
            return;
        }
        let one = mark(position, handler);
        if open.book.names(&one) {
            open.note(Kind::Forgotten, 0, vec![one]);
            self.flush();
        }
    }

    /// Probation is over: the suspects that are left had been handled before the process died.
    pub(crate) fn acquit(&mut self) {
        let Some(open) = &mut self.0 else { return };
        if open.book.has_suspects() {
            open.note(Kind::Acquitted, 0, Vec::new());
            self.flush();
        }
    }

    /// Writes what is noted and not written: before the service waits.
    pub(crate) fn flush(&mut self) {
        let Some(open) = &mut self.0 else { return };
        if let Err(error) = open.flush() {
            give_up(&open.path, &error);
            self.0 = None;
        }
    }

    /// A clean stop: nothing runs, and there is nothing to find.
    pub(crate) fn close(self) {
        let Some(open) = self.0 else { return };
        if let Err(error) = fs::remove_file(&open.path) {
            tracing::warn!(
                target: "endwise::marks", file = %open.path.display(), %error,
                "could not be removed: what it names will run alone after the next start",
            );
        }
    }
}

impl Open {
    /// Makes a file that says what is in the book.
    fn create(
        path: PathBuf,
        store: u64,
        boot: u128,
        limits: Limits,
        book: Book,
    ) -> io::Result<Open> {
        let (file, size) = write_new(&path, store, boot, &book)?;
        let pending = Vec::new();
        Ok(Open { path, file, store, boot, limits, book, pending, size, rewritten: size })
    }

    fn note(&mut self, kind: Kind, number: u64, marks: Vec<Mark>) {
        record::put(&mut self.pending, kind, number, &marks);
        self.book.apply(kind, number, marks);
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        // While much runs, the file is rewritten only after it has doubled.
        let most = self.limits.bytes_max.max(2 * self.rewritten);
        if self.size + self.pending.len() > most {
            (self.file, self.size) = write_new(&self.path, self.store, self.boot, &self.book)?;
            self.rewritten = self.size;
        } else {
            self.file.write_all(&self.pending)?;
            self.size += self.pending.len();
        }
        self.pending.clear();
        Ok(())
    }
}

/// Writes a new file and puts it into the place of the old one; its size, too.
fn write_new(path: &Path, store: u64, boot: u128, book: &Book) -> io::Result<(File, usize)> {
    let mut bytes = Vec::new();
    record::put_header(&mut bytes, store, boot);
    book.put(&mut bytes);
    let new = path.with_extension("new");
    let mut options = OpenOptions::new();
    let mut file = options.create(true).write(true).truncate(true).mode(FILE_MODE).open(&new)?;
    file.write_all(&bytes)?;
    fs::rename(&new, path)?;
    Ok((file, bytes.len()))
}

/// What the last process left: nothing, if it is not of this boot and store, or damaged.
fn found(path: &Path, store: u64, boot: u128) -> Book {
    let bytes = match read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Book::default(),
        Err(error) => {
            unreadable(path, &error);
            return Book::default();
        }
    };
    let book = match record::header(&bytes) {
        // A power cut may leave a file whose content never came.
        None if bytes.is_empty() => return Book::default(),
        Some((of, at, records)) if (of, at) == (store, boot) => Book::read(records),
        Some(_) => return Book::default(),
        None => None,
    };
    book.unwrap_or_else(|| {
        unreadable(path, &"it is damaged");
        Book::default()
    })
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if File::open(path)?.take(READ_BYTES_MAX + 1).read_to_end(&mut bytes)? as u64 > READ_BYTES_MAX {
        return Err(io::Error::other("it is larger than marks ever are"));
    }
    Ok(bytes)
}

fn unreadable(path: &Path, error: &dyn std::fmt::Display) {
    tracing::warn!(
        target: "endwise::marks", file = %path.display(), %error,
        "cannot be read: a message that killed the process is not recognised this time",
    );
}

/// Marks that are not kept up would accuse what has long ended: they go.
fn give_up(path: &Path, error: &io::Error) {
    tracing::warn!(
        target: "endwise::marks", file = %path.display(), %error,
        "cannot be written: until the next start a message that kills the process is not \
         recognised",
    );
    // If this fails too, so did what comes after it: there is nothing left to try.
    drop(fs::remove_file(path));
}
