//! A disk that fails or stands still where a test says so.

use std::io;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};

use tempfile::TempDir;

use super::{EmbeddedBroker, open, small};
use crate::broker::{Broker, BrokerError};
use crate::journal::{Disk, DiskFile, RealDisk};
use crate::testing::broker_conformance::{fetch, publications, publish, subscription};

#[derive(Clone, Debug, Default)]
pub(super) struct FaultyDisk(Arc<(Mutex<Faults>, Condvar)>);

#[derive(Debug, Default)]
struct Faults {
    syncs: u64,
    fail_sync: bool,
    full: bool,
    /// The next sync stands still.
    stop: bool,
    stands: bool,
}

impl FaultyDisk {
    fn set(&self, set: impl FnOnce(&mut Faults)) {
        set(&mut self.0.0.lock().unwrap());
        self.0.1.notify_all();
    }

    pub(super) fn syncs(&self) -> u64 {
        self.0.0.lock().unwrap().syncs
    }

    /// Makes the next sync stand still.
    pub(super) fn stop_at_sync(&self) -> Stopped {
        self.set(|faults| faults.stop = true);
        Stopped(self.clone())
    }
}

pub(super) struct Stopped(FaultyDisk);

impl Stopped {
    pub(super) fn wait_until_reached(&self) {
        let (faults, changed) = &*self.0.0;
        drop(changed.wait_while(faults.lock().unwrap(), |faults| !faults.stands).unwrap());
    }

    /// Lets the sync go on, as dropping this does.
    pub(super) fn go_on(self) {}
}

impl Drop for Stopped {
    fn drop(&mut self) {
        self.0.set(|faults| faults.stop = false);
    }
}

#[derive(Debug)]
pub(super) struct FaultyFile(std::fs::File, FaultyDisk);

impl Disk for FaultyDisk {
    type File = FaultyFile;
    fn create(&self, path: &Path) -> io::Result<FaultyFile> {
        Ok(FaultyFile(RealDisk.create(path)?, self.clone()))
    }
    fn open(&self, path: &Path) -> io::Result<FaultyFile> {
        Ok(FaultyFile(Disk::open(&RealDisk, path)?, self.clone()))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove(path)
    }
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        RealDisk.create_dir(dir)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        RealDisk.list(dir)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        RealDisk.sync_dir(dir)
    }
}

impl DiskFile for FaultyFile {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_at(bytes, offset)
    }
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        if self.1.0.0.lock().unwrap().full {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.0.write_at(bytes, offset)
    }
    fn sync(&self) -> io::Result<()> {
        let (faults, changed) = &*self.1.0;
        let mut now = faults.lock().unwrap();
        now.syncs += 1;
        if now.stop {
            now.stands = true;
            changed.notify_all();
            now = changed.wait_while(now, |faults| faults.stop).unwrap();
        }
        if now.fail_sync {
            return Err(io::Error::other("the cable fell out"));
        }
        drop(now);
        self.0.sync()
    }
    fn size(&self) -> io::Result<u64> {
        self.0.size()
    }
}

#[tokio::test]
async fn after_a_failed_sync_everything_names_the_first_cause() {
    let home = TempDir::new().unwrap();
    let disk = FaultyDisk::default();
    let broker = EmbeddedBroker::open_on(disk.clone(), home.path().into(), small()).unwrap();
    let mut consumer = broker.subscribe(subscription("a", &["t"])).await.unwrap();
    publish(&broker, publications("t", 3)).await;
    disk.set(|faults| faults.fail_sync = true);
    let mut publisher = broker.publisher().await.unwrap();
    let mut errors = vec![publisher.publish(publications("t", 1)).await.unwrap_err()];
    // The disk is well again; nobody believes it.
    disk.set(|faults| faults.fail_sync = false);
    errors.push(publisher.publish(publications("t", 1)).await.unwrap_err());
    errors.push(consumer.fetch(1, 1).await.unwrap_err());
    errors.push(consumer.settle(&[]).await.unwrap_err());
    errors.push(broker.room().await.unwrap_err());
    errors.push(broker.close().await.unwrap_err());
    for error in errors {
        assert!(matches!(error, BrokerError::Failed(_)));
        assert!(error.to_string().contains("the cable fell out"), "{error}");
    }
    drop((consumer, publisher, broker));
    let broker = open(home.path(), small());
    let mut consumer = broker.subscribe(subscription("a", &["t"])).await.unwrap();
    assert!(fetch(&mut *consumer, 3).await.len() >= 3, "what was acknowledged is there");
}

#[tokio::test]
async fn a_full_disk_refuses_and_goes_on_when_there_is_room() {
    let home = TempDir::new().unwrap();
    let disk = FaultyDisk::default();
    let broker = EmbeddedBroker::open_on(disk.clone(), home.path().into(), small()).unwrap();
    let mut consumer = broker.subscribe(subscription("a", &["t"])).await.unwrap();
    let mut publisher = broker.publisher().await.unwrap();
    publisher.publish(publications("t", 1)).await.unwrap();
    disk.set(|faults| faults.full = true);
    // More than was written with zeros ahead.
    let full = publisher.publish(super::release::large("t", 30)).await.unwrap_err();
    assert!(full.to_string().contains("no room"), "{full}");
    disk.set(|faults| faults.full = false);
    publisher.publish(publications("t", 2)).await.unwrap();
    let records = fetch(&mut *consumer, 3).await;
    assert!(records.iter().all(|record| record.body.len() < 10), "the refused batch left no hole");
}
