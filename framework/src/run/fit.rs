//! Fit: whether the directories of one data directory belong together.
//!
//! A store and its broker rely on each other's knowledge: one that is missing, or was put back from
//! an older copy, would lose messages in silence. So each start, and each stop without an error,
//! gives all that take part the number of a new opening, and the next start refuses what is not of
//! the last one. A directory that is not what it was then is left as it is, with the number that is
//! known of it. What was copied while it ran is found by what they hold: cursors, and the sequences
//! of streams.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::broker::embedded::EmbeddedBroker;
use crate::random;
use crate::store::Recovered;
use crate::stream::{PartitionId, Ranges, StreamId};

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
    /// Those of the accepted ones that did not fit.
    misfits: BTreeSet<String>,
    sheet: Sheet,
    /// What each service's own file said when it was looked at, or what was written into it since.
    slips: BTreeMap<Arc<str>, Option<Slip>>,
    /// Whether the broker's directory was there before it was opened.
    had_broker: bool,
    /// What the broker knew to be settled of what is accepted, before it was told to forget that.
    settled: BTreeMap<Arc<str>, Vec<(PartitionId, u64)>>,
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
        let had_broker = broker.join("FORMAT").exists();
        if !had_broker && !accepted.contains(BROKER) {
            for service in services {
                let dir = data.join(&**service);
                if Slip::read(&dir)?.is_some() {
                    if broker.join(sheet::NAME).exists() {
                        return Err(FitError::FormatMissing { broker });
                    }
                    return Err(FitError::BrokerMissing { broker, service: service.clone(), dir });
                }
            }
        }
        let (data, services) = (data.to_owned(), services.to_vec());
        let (misfits, sheet, slips, settled) = Default::default();
        Ok(Fit { data, services, accepted, misfits, sheet, slips, had_broker, settled })
    }

    /// Compares the files, now that nobody else has the broker open.
    pub(super) fn compare(&mut self, broker: &EmbeddedBroker) -> Result<(), FitError> {
        let fresh = || Sheet { broker: random::seed(), ..Sheet::default() };
        let is_broker_accepted = self.accepted.contains(BROKER);
        let found = match Sheet::read(&self.data.join(BROKER)) {
            Err(FitError::Unreadable { .. }) if is_broker_accepted => {
                self.misfits.insert(BROKER.to_owned());
                None
            }
            sheet => sheet?,
        };
        let is_fresh = found.is_none();
        self.sheet = found.unwrap_or_else(fresh);
        for service in self.services.clone() {
            let dir = self.data.join(&*service);
            let entry = self.sheet.services.get(&service).copied().unwrap_or_default();
            let is_accepted = self.accepted.contains(&*service);
            let slip = match Slip::read(&dir) {
                Err(FitError::Unreadable { .. }) if is_accepted => {
                    self.misfits.insert(service.to_string());
                    None
                }
                slip => slip?,
            };
            let settled = broker.settled(&service);
            match self.check(&service, entry, slip, is_fresh, settled.is_some()) {
                // What the broker is accepted without is told by what the service knows of it.
                Err(_) if is_fresh && is_broker_accepted => {
                    self.misfits.insert(BROKER.to_owned());
                }
                Err(_) if is_accepted => {
                    self.misfits.insert(service.to_string());
                }
                checked => checked?,
            }
            if is_accepted {
                broker.unsettle(&service);
                self.settled.insert(Arc::clone(&service), settled.unwrap_or_default());
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
        is_fresh: bool,
        is_known: bool,
    ) -> Result<(), FitError> {
        let (broker, dir) = (self.data.join(BROKER), self.data.join(&**service));
        let (service, known) = (Arc::clone(service), entry.now.max(entry.next));
        let Some(slip) = slip else {
            // The broker may have been told to forget it; or its first start was cut short.
            return match is_known && entry.now > 0 {
                true if dir.join("FORMAT").exists() => Err(FitError::missing(&dir)),
                true => Err(FitError::StoreMissing { service, dir, broker, known }),
                false => Ok(()),
            };
        };
        if !dir.join("FORMAT").exists() && !dir.join("journal").exists() {
            // The rest of it is gone: only its file was left.
            return Err(FitError::StoreMissing { service, dir, broker, known });
        }
        let opening = slip.opening;
        if is_fresh && self.had_broker {
            return Err(FitError::missing(&broker));
        }
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
        &mut self,
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
            let cursor_of = |partition: &PartitionId| {
                let mut cursors = one.recovered.cursors.iter();
                let known = cursors.find(|(id, _)| **id == *partition);
                known.map_or(0, |(_, done)| done.next_missing(0))
            };
            let before = self.settled.get(one.service).into_iter().flatten();
            if before.into_iter().any(|(partition, settled)| *settled > cursor_of(partition)) {
                self.misfits.insert(one.service.to_string());
            }
            // Of one that is accepted, nothing counts as settled.
            for (partition, settled) in broker.settled(one.service).unwrap_or_default() {
                let cursor = cursor_of(&partition);
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
        for sender in held {
            let epoch = sender.recovered.epoch;
            if self.is_accepted(sender.service) {
                // Its epoch was raised just now.
                if self.check_sent(sender, epoch.saturating_sub(1), held).is_err() {
                    self.misfits.insert(sender.service.to_string());
                }
            }
            self.check_sent(sender, epoch, held)?;
        }
        Ok(())
    }

    /// Compares what a store has sent in an epoch with what the others have received of it.
    fn check_sent(&self, sender: &Held<'_>, epoch: u32, held: &[Held<'_>]) -> Result<(), FitError> {
        let of_sender = |receiver: &Held<'_>| {
            let inbox = receiver.recovered.inbox.iter();
            let mine = inbox.filter(|(stream, _)| {
                stream.service == *sender.service
                    && stream.store == sender.recovered.store
                    && stream.epoch == epoch
            });
            mine.map(|(stream, settled)| (Arc::clone(stream), last(settled))).collect::<Vec<_>>()
        };
        for receiver in held {
            for (stream, received) in of_sender(receiver) {
                // What was sent in an epoch before this one counts on.
                let is_it = |id: &StreamId| (&id.topic, id.slot) == (&stream.topic, stream.slot);
                let mut known = sender.recovered.sent.iter().filter(|(id, _)| is_it(id));
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
            self.say_accepted();
            // One that stays is met by the next start, and says so there.
            let _ = std::fs::remove_file(self.data.join(ACCEPT));
            self.accepted.clear();
        }
    }

    fn say_accepted(&self) {
        let (misfits, fit): (Vec<&str>, Vec<&str>) =
            self.accepted.iter().map(String::as_str).partition(|name| self.misfits.contains(*name));
        if !misfits.is_empty() {
            tracing::warn!(
                target: "endwise::service", data = %self.data.display(),
                accepted = misfits.join(", "), "directories that did not fit were accepted",
            );
        }
        for name in fit {
            tracing::warn!(
                target: "endwise::service", data = %self.data.display(),
                "ACCEPT names {name:?}, which fits: nothing was to be accepted; the file is \
                 removed",
            );
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::embedded::EmbeddedOptions;
    use crate::prelude::*;
    use crate::{App, Running};

    #[derive(Message, Serialize, Deserialize)]
    struct Ping {}

    #[handler]
    fn ping(_: Ping) {}

    #[tokio::test(flavor = "multi_thread")]
    async fn what_fits_is_told_from_what_did_not_when_both_are_accepted() {
        let home = tempfile::tempdir().unwrap();
        let data = home.path();
        let app = App::new("bank").handlers(handlers![ping]);
        Running::start(data, [app]).await.unwrap().stop().await.unwrap();
        std::fs::write(data.join(ACCEPT), "bank broker").unwrap();
        let misfits = async || {
            let mut fit = Fit::before(data, &["bank".into()]).unwrap();
            let broker = EmbeddedBroker::open(data.join(BROKER), EmbeddedOptions::default());
            let broker = broker.unwrap();
            fit.compare(&broker).unwrap();
            broker.close().await.unwrap();
            fit.misfits.into_iter().collect::<Vec<_>>()
        };
        assert_eq!(misfits().await, [""; 0]);
        std::fs::write(data.join("bank/fit"), "?").unwrap();
        assert_eq!(misfits().await, ["bank"]);
    }
}
