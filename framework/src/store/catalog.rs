//! The names of an app that its stored data refer to, and how they differ from those before.

use std::sync::Arc;

use crate::stream::{PartitionId, Ranges};

/// What an opened store says about the app that wrote it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// What that app consisted of.
    pub catalog: Catalog,
    /// Its handlers that have something left to do.
    pub unfinished: Vec<Arc<str>>,
    /// What types were called before, as the apps that wrote it have said.
    pub renamed_types: Vec<RenamedType>,
    /// The offsets that are done in each partition.
    pub cursors: Vec<(Arc<PartitionId>, Ranges)>,
}

/// A type of a topic that has another name now, or is taken no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenamedType {
    /// The topic.
    pub topic: Arc<str>,
    /// The name before.
    pub old: Arc<str>,
    /// The name now; `None`: it is retired.
    pub new: Option<Arc<str>>,
}

/// The names of an app that its stored data refers to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalog {
    /// Handlers.
    pub handlers: Vec<Arc<str>>,
    /// States.
    pub states: Vec<Arc<str>>,
    /// Topics with the types that were taken from them.
    pub types: Vec<(Arc<str>, Arc<str>)>,
}

/// How an app's names differ from those in its store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Renames {
    /// Handlers: old name, new name; without a new name it is retired, and what is pending for
    /// it is given up.
    pub handlers: Vec<(Arc<str>, Option<Arc<str>>)>,
    /// States: old name, new name; without a new name it is retired: its values stay unread.
    pub states: Vec<(Arc<str>, Option<Arc<str>>)>,
    /// Types that have another name, or are no longer taken. A name that the store remembers for
    /// one that is not among them is remembered on.
    pub types: Vec<RenamedType>,
}
