//! Slots: where each thread notes which handler it polls.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::Thread;

use crate::stream::Key;

/// Polls that can be watched at the same time; one more goes unwatched. Each takes a thread.
const SLOTS: usize = 256;

/// One slot for each future that is polled at the same time.
#[derive(Debug)]
pub(super) struct Slots {
    slots: Vec<Slot>,
    /// Who looks at them.
    looker: OnceLock<Thread>,
    is_asleep: AtomicBool,
}

/// On a cache line of its own: each is another thread's.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Slot {
    /// Rises by one when a poll begins, under the lock, and when it ends, without: odd while there
    /// is one.
    number: AtomicU64,
    noted: Mutex<Noted>,
}

/// What is polled, or was last.
#[derive(Debug, Default)]
struct Noted {
    handler: Option<Arc<str>>,
    key: Option<Key>,
}

/// A poll that is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Poll {
    pub(super) slot: usize,
    pub(super) number: u64,
    pub(super) handler: Arc<str>,
    pub(super) key: Option<Key>,
}

/// Ends its poll when it is dropped; so also when the handler panics.
#[derive(Debug)]
pub(super) struct Entered<'a>(Option<&'a Slot>);

thread_local! {
    /// The slot that this thread had last, or its first choice.
    static FAVOURITE: Cell<Option<usize>> = const { Cell::new(None) };
}

/// The first choice of the next new thread.
static NEXT: AtomicUsize = AtomicUsize::new(0);

impl Default for Slots {
    fn default() -> Self {
        let slots = (0..SLOTS).map(|_| Slot::default()).collect();
        Slots { slots, looker: OnceLock::new(), is_asleep: AtomicBool::new(false) }
    }
}

impl Slots {
    /// Notes that this thread begins to poll.
    pub(super) fn enter(&self, handler: &Arc<str>, key: Option<&Key>) -> Entered<'_> {
        let first = FAVOURITE.get().unwrap_or_else(|| NEXT.fetch_add(1, Ordering::Relaxed)) % SLOTS;
        // Threads have different first choices, so that the first slot is nearly always free: it
        // is not where one handler polls another service within its own poll.
        for index in (first..SLOTS).chain(0..first) {
            let Some(slot) = self.slots.get(index) else { continue };
            if slot.take(handler, key) {
                FAVOURITE.set(Some(first));
                self.wake();
                return Entered(Some(slot));
            }
        }
        Entered(None)
    }

    fn wake(&self) {
        // The slot's lock orders this read: who looks says that it is asleep before it looks at
        // the slots for the last time, so either it has seen this poll, or this sees the flag.
        if self.is_asleep.load(Ordering::Relaxed)
            && self.is_asleep.swap(false, Ordering::Relaxed)
            && let Some(looker) = self.looker.get()
        {
            looker.unpark();
        }
    }

    /// All polls that are under way.
    pub(super) fn polls(&self) -> Vec<Poll> {
        let poll = |(slot, at): (usize, &Slot)| at.poll(slot);
        self.slots.iter().enumerate().filter_map(poll).collect()
    }

    /// This thread is the one to be woken.
    pub(super) fn wake_this_thread(&self) {
        self.looker.get_or_init(std::thread::current);
    }

    /// Whether the looker may sleep until it is woken: nothing is polled.
    pub(super) fn falls_asleep(&self) -> bool {
        self.is_asleep.store(true, Ordering::Relaxed);
        let is_idle = self.polls().is_empty();
        if !is_idle {
            self.is_awake();
        }
        is_idle
    }

    pub(super) fn is_awake(&self) {
        self.is_asleep.store(false, Ordering::Relaxed);
    }
}

impl Slot {
    /// Takes it, unless it is taken.
    fn take(&self, handler: &Arc<str>, key: Option<&Key>) -> bool {
        let mut noted = self.lock();
        let number = self.number.load(Ordering::Relaxed);
        if is_polling(number) {
            return false;
        }
        // Whoever looks does so under the lock, or finds it even: no more is needed.
        self.number.store(number + 1, Ordering::Relaxed);
        // Counting references up and down costs more than all the rest.
        if !noted.handler.as_ref().is_some_and(|known| Arc::ptr_eq(known, handler)) {
            noted.handler = Some(Arc::clone(handler));
        }
        let is_same = match (&noted.key, key) {
            (Some(known), Some(key)) => Arc::ptr_eq(known, key),
            (known, key) => known.is_none() && key.is_none(),
        };
        if !is_same {
            noted.key = key.cloned();
        }
        true
    }

    fn poll(&self, slot: usize) -> Option<Poll> {
        let noted = self.lock();
        let number = self.number.load(Ordering::Relaxed);
        let handler = noted.handler.as_ref().filter(|_| is_polling(number))?;
        Some(Poll { slot, number, handler: Arc::clone(handler), key: noted.key.clone() })
    }

    fn lock(&self) -> MutexGuard<'_, Noted> {
        // Nothing that can panic runs under the lock.
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        if let Some(slot) = self.0 {
            // Only who has taken the slot writes to it, so no other number is lost.
            let number = slot.number.load(Ordering::Relaxed);
            slot.number.store(number + 1, Ordering::Relaxed);
        }
    }
}

fn is_polling(number: u64) -> bool {
    number % 2 == 1
}
