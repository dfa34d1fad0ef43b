//! A power cut keeps any of the sectors that were written since the last sync.

use std::fs;

use super::cuts::copy;
use super::*;

/// Numbers from a fixed seed (xorshift): a failure is the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}

/// The file as synced, with some of the sectors that the next batch wrote.
fn cut(synced: &[u8], next: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    let mut disk = synced.to_vec();
    disk.resize(synced.len().max(next.len()), 0);
    let (sector, percent) = ([512, 4096][numbers.below(2)], numbers.below(101));
    for (disk, next) in disk.chunks_mut(sector).zip(next.chunks(sector)) {
        if disk[..next.len()] != *next && numbers.below(100) < percent {
            disk[..next.len()].copy_from_slice(next);
        }
    }
    disk
}

#[test]
fn a_power_cut_within_a_batch_loses_nothing_that_was_synced() {
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let (home, base) = new_base();
    let dir = home.path().join("base");
    // sled's other files change only when it opens.
    let opened = home.path().join("opened");
    copy(&dir, &opened);
    let mut checkpoints = vec![];
    let mut images = vec![(0, fs::read(dir.join("db")).unwrap())];
    for position in 1..=3 {
        let changes: Vec<_> = (0..150)
            .map(|_| match (numbers.below(300).to_be_bytes(), numbers.below(6)) {
                (key, 0) => delete(1, key),
                (key, _) => put(1, key, vec![position as u8; numbers.below(6000)]),
            })
            .collect();
        checkpoints.push(changes.clone());
        // What stands before a batch is what the one before it has synced.
        let mut image = || images.push((base.position(), fs::read(dir.join("db")).unwrap()));
        let written = base.write_checkpoint(changes.into_iter().map(Ok), position, |_| {
            image();
            Ok::<_, BaseError>(())
        });
        written.unwrap();
        image();
    }
    let last = contents(&base);
    for pair in images.windows(2) {
        let ((synced, before), (next, after)) = (&pair[0], &pair[1]);
        fs::write(opened.join("db"), cut(before, after, &mut numbers)).unwrap();
        let disk = home.path().join("disk");
        copy(&opened, &disk);
        let base = Base::open(&disk).unwrap();
        assert!(base.position() == *synced || base.position() == *next);
        // What the journal still has is replayed.
        for (position, changes) in (1..).zip(&checkpoints).skip(base.position() as usize) {
            base.checkpoint(changes.clone(), position).unwrap();
        }
        assert_eq!(contents(&base), last);
        drop(base);
        fs::remove_dir_all(disk).unwrap();
    }
}
