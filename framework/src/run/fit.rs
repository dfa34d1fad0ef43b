//! Fit: whether the directories of one data directory belong together.
//!
//! A store and its broker rely on each other's knowledge: one that is missing, or was put back from
//! an older copy, would lose messages in silence. So each start, and each stop, gives all that take
//! part the number of a new opening, and the next start refuses what is not of the last one. What
//! was copied while it ran is found by what they hold: cursors, and the sequences of streams.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::broker::embedded::EmbeddedBroker;
use crate::random;
use crate::store::Recovered;
use crate::stream::Ranges;

mod error;
mod sheet;

pub use error::FitError;
use sheet::{Entry, Sheet, Slip};

/// The broker's directory below the data directory.
pub(super) const BROKER: &str = "broker";

/// The file that names what is to be taken as it is, once.
const ACCEPT: &str = "ACCEPT";

/// The directories that take part, and what their files say.
#[derive(Debug)]
pub(super) struct Fit {
    data: PathBuf,
    services: Vec<Arc<str>>,
    accepted: BTreeSet<String>,
    sheet: Sheet,
    /// What each service's own file said when it was looked at, or what was written into it since.
    slips: BTreeMap<Arc<str>, Option<Slip>>,
}

/// A service whose store is open, and what was found in it.
pub(super) struct Held<'a> {
    pub(super) service: &'a Arc<str>,
    pub(super) recovered: &'a Recovered,
}

impl Fit {
    /// Looks at the files before the broker is opened: that would make one that is missing.
    pub(super) fn before(data: &Path, services: &[Arc<str>]) -> Result<Self, FitError> {
        let accepted = accepted(data, services)?;
        let broker = data.join(BROKER);
        if !broker.join("FORMAT").exists() && !accepted.contains(BROKER) {
            for service in services {
                let dir = data.join(&**service);
                if Slip::read(&dir)?.is_some() {
                    return Err(FitError::BrokerMissing { broker, service: service.clone(), dir });
                }
            }
        }
        let (data, services) = (data.to_owned(), services.to_vec());
        let (sheet, slips) = Default::default();
        Ok(Fit { data, services, accepted, sheet, slips })
    }

    /// Compares the files, now that nobody else has the broker open.
    pub(super) fn compare(&mut self, broker: &EmbeddedBroker) -> Result<(), FitError> {
        let fresh = || Sheet { broker: random::seed(), ..Sheet::default() };
        let found = Sheet::read(&self.data.join(BROKER))?;
        let is_fresh = found.is_none();
        self.sheet = found.unwrap_or_else(fresh);
        for service in self.services.clone() {
            let dir = self.data.join(&*service);
            let entry = self.sheet.services.get(&service).copied().unwrap_or_default();
            let is_accepted = self.accepted.contains(&*service);
            let slip = match Slip::read(&dir) {
                Err(FitError::Unreadable { .. }) if is_accepted => None,
                slip => slip?,
            };
            let is_known = broker.settled(&service).is_some();
            if is_accepted {
                broker.unsettle(&service);
            } else if !(is_fresh && self.accepted.contains(BROKER)) {
                self.check(&service, entry, slip, is_known)?;
            }
            let now = slip.map_or(0, |slip| slip.opening);
            self.slips.insert(Arc::clone(&service), slip);
            self.sheet.services.insert(service, Entry { now, next: now });
        }
        Ok(())
    }

    /// Compares what the broker knows of a service with what its own file says.
    fn check(
        &self,
        service: &Arc<str>,
        entry: Entry,
        slip: Option<Slip>,
        is_known: bool,
    ) -> Result<(), FitError> {
        let (broker, dir) = (self.data.join(BROKER), self.data.join(&**service));
        let (service, known) = (Arc::clone(service), entry.now.max(entry.next));
        let Some(slip) = slip else {
            // The broker may have been told to forget it; or its first start was cut short.
            return match is_known && entry.now > 0 {
                true => Err(FitError::StoreMissing { service, dir, broker, known }),
                false => Ok(()),
            };
        };
        if !dir.join("FORMAT").exists() && !dir.join("journal").exists() {
            // The rest of it is gone: only its file was left.
            return Err(FitError::StoreMissing { service, dir, broker, known });
        }
        let opening = slip.opening;
        if slip.broker != self.sheet.broker {
            return Err(FitError::BrokerMissing { broker, service, dir });
        }
        if opening == entry.now || opening == entry.next {
            return Ok(());
        }
        Err(if opening > known {
            FitError::BrokerOlder { broker, service, dir, known, opening }
        } else {
            FitError::StoreOlder { service, dir, broker, known, opening }
        })
    }

    /// Whether a service's store is to be taken as it is.
    pub(super) fn is_accepted(&self, service: &str) -> bool {
        self.accepted.contains(service)
    }

    /// Compares what the stores and the broker hold, before anything runs.
    pub(super) fn check_held(
        &self,
        held: &[Held<'_>],
        broker: &EmbeddedBroker,
    ) -> Result<(), FitError> {
        let ends = broker.ends();
        for one in held {
            let dir = || self.data.join(&**one.service);
            let service = || Arc::clone(one.service);
            for (partition, done) in &one.recovered.cursors {
                let cursor = done.next_missing(0);
                if let Some((_, end)) = ends.iter().find(|(id, _)| *id == **partition)
                    && *end < cursor
                {
                    let (partition, end) = (Box::new((**partition).clone()), *end);
                    let (service, dir) = (service(), dir());
                    return Err(FitError::CursorBeyondEnd { service, dir, partition, cursor, end });
                }
            }
            // Of one that is accepted, nothing counts as settled.
            for (partition, settled) in broker.settled(one.service).unwrap_or_default() {
                let cursors = one.recovered.cursors.iter();
                let mut known = cursors.filter(|(id, _)| **id == partition);
                let cursor = known.next().map_or(0, |(_, done)| done.next_missing(0));
                if settled > cursor {
                    let (service, dir, partition) = (service(), dir(), Box::new(partition));
                    return Err(FitError::SettledBeyond {
                        service,
                        dir,
                        partition,
                        cursor,
                        settled,
                    });
                }
            }
        }
        held.iter().try_for_each(|sender| self.check_sent(sender, held))
    }

    /// Compares what a store has sent with what the others have received of it.
    fn check_sent(&self, sender: &Held<'_>, held: &[Held<'_>]) -> Result<(), FitError> {
        let of_sender = |receiver: &Held<'_>| {
            let inbox = receiver.recovered.inbox.iter();
            let mine = inbox.filter(|(stream, _)| {
                stream.service == *sender.service
                    && stream.store == sender.recovered.store
                    && stream.epoch == sender.recovered.epoch
            });
            mine.map(|(stream, settled)| (Arc::clone(stream), last(settled))).collect::<Vec<_>>()
        };
        for receiver in held {
            for (stream, received) in of_sender(receiver) {
                let mut known = sender.recovered.sent.iter().filter(|(id, _)| *id == stream);
                let sent = known.next().map_or(0, |(_, sent)| *sent);
                if received > sent {
                    return Err(FitError::ReceivedBeyond {
                        sender: Arc::clone(sender.service),
                        dir: self.data.join(&**sender.service),
                        receiver: Arc::clone(receiver.service),
                        stream: Box::new((*stream).clone()),
                        sent,
                        received,
                    });
                }
            }
        }
        Ok(())
    }

    /// Gives all that take part the number of a new opening. A disk that refuses it is no reason
    /// not to run: the old numbers fit together as well.
    pub(super) fn advance(&mut self) {
        if let Err(error) = self.try_advance() {
            tracing::warn!(
                target: "endwise::service", data = %self.data.display(), %error,
                "the number of this opening could not be written: a directory that is put back \
                 from an older copy may not be found out",
            );
        }
        if !self.accepted.is_empty() {
            let accepted: Vec<&str> = self.accepted.iter().map(String::as_str).collect();
            tracing::warn!(
                target: "endwise::service", data = %self.data.display(),
                accepted = accepted.join(", "), "directories that did not fit were accepted",
            );
            // One that stays is met by the next start, and says so there.
            let _ = std::fs::remove_file(self.data.join(ACCEPT));
            self.accepted.clear();
        }
    }

    fn try_advance(&mut self) -> std::io::Result<()> {
        let broker = self.data.join(BROKER);
        let mut sheet = self.sheet.clone();
        sheet.opening += 1;
        let opening = sheet.opening;
        // A directory that was moved away or replaced is left as it is, and so is what is known of
        // it: the next start tells, or finds it back in its place.
        let services = self.services.iter().filter(|service| self.is_the_same(service));
        let here: Vec<_> = services.cloned().collect();
        // Both numbers are right until all have the new one: a crash in between changes nothing.
        for service in &here {
            sheet.services.entry(Arc::clone(service)).or_default().next = opening;
        }
        sheet.write(&broker)?;
        self.sheet.opening = opening;
        for service in here {
            let slip = Slip { broker: sheet.broker, opening };
            slip.write(&self.data.join(&*service))?;
            sheet.services.insert(Arc::clone(&service), Entry { now: opening, next: opening });
            self.slips.insert(service, Some(slip));
        }
        sheet.write(&broker)?;
        self.sheet = sheet;
        Ok(())
    }

    /// Whether a service's own file says what it said before. One that could not be read was
    /// accepted.
    fn is_the_same(&self, service: &Arc<str>) -> bool {
        let known = self.slips.get(service).copied().flatten();
        match Slip::read(&self.data.join(&**service)) {
            Ok(found) => found == known,
            Err(_) => known.is_none(),
        }
    }
}

fn last(settled: &Ranges) -> u64 {
    settled.runs().last().map_or(0, |&(_, last)| last)
}

/// What is to be taken as it is.
fn accepted(data: &Path, services: &[Arc<str>]) -> Result<BTreeSet<String>, FitError> {
    let file = data.join(ACCEPT);
    // A service of that name has a directory there, which accepts nothing.
    if !file.is_file() {
        return Ok(BTreeSet::new());
    }
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(source) => return Err(FitError::Io { file, source: source.into() }),
    };
    let names: BTreeSet<String> = text.split_whitespace().map(str::to_owned).collect();
    let is_known = |name: &String| name == BROKER || services.iter().any(|one| **one == **name);
    match names.iter().find(|name| !is_known(name)) {
        Some(name) => Err(FitError::Accepted { file, name: name.clone() }),
        None => Ok(names),
    }
}
