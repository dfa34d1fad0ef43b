//! A store that no service has open: what the next start is to do is written down in it.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use super::place::Place;
use crate::clock::Clock;
use crate::dead_letters::Components;
use crate::operator::{Act, Desk, Fate, Operate, OperatorError};
use crate::store::sled::SledStore;
use crate::store::{
    Batch, Catalog, CommitError, Entry, Keep, KeptMessage, OpenStore, Opened, Reader, Renames,
    Store, StoreError, Subject, Verdict, Wait,
};

/// Acts on a store.
#[derive(Debug)]
pub(super) struct Offline {
    reader: Arc<dyn Reader>,
    clock: Clock,
    /// Away while it is written to.
    open: Mutex<Option<Open>>,
}

struct Open {
    store: Box<dyn Store>,
    /// The app's names as they were found, until they are taken in unchanged.
    adopt: Option<Catalog>,
    /// The next commit's number.
    id: u64,
}

impl std::fmt::Debug for Open {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Open").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Opens the store of a service that does not run, without waiting for who has it open.
pub(super) async fn open(place: &Place) -> Result<(Arc<Desk>, Arc<Offline>), StoreError> {
    let store = Box::new(SledStore::new(&place.dir).at_once());
    let Opened { store, reader, found, .. } = store.open(Arc::clone(&place.service)).await?;
    Ok(desk(Arc::clone(&place.service), store, reader, found.catalog))
}

fn desk(
    service: Arc<str>,
    store: Box<dyn Store>,
    reader: Arc<dyn Reader>,
    catalog: Catalog,
) -> (Arc<Desk>, Arc<Offline>) {
    let clock = Clock::system();
    let open = Mutex::new(Some(Open { store, adopt: Some(catalog), id: 1 }));
    let offline = Arc::new(Offline { reader: Arc::clone(&reader), clock: clock.clone(), open });
    let operate = Arc::clone(&offline) as Arc<dyn Operate>;
    // Which handlers share a state, only the app says.
    let components = Components::default();
    (
        Arc::new(Desk {
            service,
            clock,
            reader,
            components,
            broker: None,
            states: Vec::new(),
            operate,
            live: None,
        }),
        offline,
    )
}

impl Offline {
    fn take(&self) -> Option<Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(super) async fn close(&self) -> Result<(), StoreError> {
        match self.take() {
            Some(open) => open.store.close().await,
            None => Ok(()),
        }
    }

    /// What a commit has to say for each number; `None` where there is nothing.
    async fn subjects(&self, act: &Act) -> Result<Vec<Option<Subject>>, StoreError> {
        let (numbers, is_replay) = match act {
            Act::Replay(numbers) => (numbers, true),
            Act::Discard(numbers) => (numbers, false),
            // Refused before.
            Act::AcceptLost(_) | Act::ReplayInvalid(_) => return Ok(Vec::new()),
            Act::RetireSource(source) => {
                return Ok(vec![Some(Subject::SourceRetired { source: Arc::clone(source) })]);
            }
            Act::DiscardInvalid(numbers) => {
                let discard = |&number: &u64| Some(Subject::InvalidDiscarded { number });
                return Ok(numbers.iter().map(discard).collect());
            }
            Act::DiscardUnhandled(numbers) => {
                let discard = |&number: &u64| Some(Subject::UnhandledDiscarded { number });
                return Ok(numbers.iter().map(discard).collect());
            }
            Act::CancelTimers(numbers) => {
                let cancel = |&number: &u64| Some(Subject::TimerCancelled { number });
                return Ok(numbers.iter().map(cancel).collect());
            }
            Act::SetState(set) => return Ok(vec![Some(Subject::StateSet(set.clone()))]),
        };
        let mut subjects = Vec::with_capacity(numbers.len());
        for page in numbers.chunks(PAGE) {
            let found = self.reader.kept_messages(page.to_vec()).await?;
            subjects.extend(found.into_iter().map(|found| subject(found?, is_replay)));
        }
        Ok(subjects)
    }
}

/// How many whole messages are read at a time.
const PAGE: usize = 16;

/// What is done with a dead letter; `None` if it is none.
fn subject(found: KeptMessage, is_replay: bool) -> Option<Subject> {
    let KeptMessage { kept, envelope, handlers, .. } = found;
    let Wait::Dead { skip_ms, .. } = kept.wait else { return None };
    if !is_replay {
        return Some(Subject::Discarded { number: kept.number });
    }
    Some(Subject::Kept(Box::new(Keep {
        number: kept.number,
        position: kept.position,
        floor: envelope.context.floor,
        handler: kept.handler,
        handlers,
        message: None,
        wait: Wait::Held,
        attempts: 0,
        // Those behind it have gone on without it.
        late: kept.late || skip_ms == Some(0),
        failure: None,
    })))
}

#[async_trait]
impl Operate for Offline {
    async fn act(&self, act: Act) -> Result<Vec<Fate>, OperatorError> {
        if matches!(act, Act::AcceptLost(_) | Act::ReplayInvalid(_)) {
            return Err(OperatorError::NotRunning);
        }
        let subjects = self.subjects(&act).await?;
        let Some(mut open) = self.take() else { return Err(OperatorError::Busy { max: 1 }) };
        let verdicts = open.commit(&subjects, self.clock.now_ms()).await;
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = Some(open);
        let mut verdicts = verdicts?.into_iter();
        let is_done = |subject: &Option<Subject>| {
            Fate::of(subject.is_some() && verdicts.next() == Some(Verdict::Applied))
        };
        Ok(subjects.iter().map(is_done).collect())
    }
}

impl Open {
    async fn commit(
        &mut self,
        subjects: &[Option<Subject>],
        time_ms: u64,
    ) -> Result<Vec<Verdict>, StoreError> {
        if let Some(catalog) = self.adopt.take() {
            self.store.adopt(catalog, Renames::default()).await?;
        }
        let entry = |subject: &Subject| Entry {
            run: None,
            subject: subject.clone(),
            states: Vec::new(),
            cancels: Vec::new(),
            sends: Vec::new(),
            done: Vec::new(),
        };
        let entries = subjects.iter().flatten().map(entry).collect();
        let batch = Batch { id: self.id, time_ms, entries, ..Batch::default() };
        self.id += 1;
        match self.store.commit(&batch).await {
            Ok(durable) => Ok(durable.verdicts),
            Err(CommitError::Failed(error)) => Err(error),
            Err(error) => Err(StoreError::failed(error)),
        }
    }
}
