//! Numbers for what is named again and again, so that a row costs bytes and not strings.

use std::borrow::Borrow;
use std::hash::Hash;

use super::change::Id;
use crate::hash::FastMap;

/// Things and the numbers that stand for them, dense from 0.
///
/// The map is only looked up, never walked, so its random order shows nowhere.
#[derive(Debug)]
pub(super) struct Interner<T> {
    things: Vec<Option<T>>,
    ids: FastMap<T, Id>,
}

impl<T> Default for Interner<T> {
    fn default() -> Self {
        Interner { things: Vec::new(), ids: FastMap::default() }
    }
}

impl<T: Clone + Eq + Hash> Interner<T> {
    /// The number of a thing that has one.
    pub(super) fn id<Q: Eq + Hash + ?Sized>(&self, thing: &Q) -> Option<Id>
    where
        T: Borrow<Q>,
    {
        self.ids.get(thing).copied()
    }

    /// The thing behind a number.
    pub(super) fn get(&self, id: Id) -> Option<&T> {
        self.things.get(id as usize)?.as_ref()
    }

    /// The number that the next new thing gets.
    pub(super) fn next(&self) -> Id {
        // 2^32 names do not fit into memory.
        self.things.len() as Id
    }

    /// Says what a number stands for; a name given anew takes the old one's place.
    pub(super) fn set(&mut self, id: Id, thing: T) {
        let index = id as usize;
        if self.things.len() <= index {
            self.things.resize(index + 1, None);
        }
        if let Some(place) = self.things.get_mut(index) {
            // While a rename is replayed, the old name may stand for a younger thing already.
            if let Some(old) = place.replace(thing.clone())
                && self.ids.get(&old) == Some(&id)
            {
                self.ids.remove(&old);
            }
            self.ids.insert(thing, id);
        }
    }

    /// All numbers with what they stand for, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Id, &T)> {
        (0..).zip(&self.things).filter_map(|(id, thing)| Some((id, thing.as_ref()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_renamed_thing_keeps_its_number() {
        let mut names = Interner::default();
        names.set(0, "account");
        names.set(1, "bill");
        names.set(0, "ledger");
        assert_eq!(names.id(&"ledger"), Some(0));
        assert_eq!(names.id(&"account"), None);
        assert_eq!(names.iter().collect::<Vec<_>>(), [(0, &"ledger"), (1, &"bill")]);
        assert_eq!(names.next(), 2);
    }

    #[test]
    fn a_replayed_rename_leaves_a_younger_thing_of_the_old_name_alone() {
        let mut names = Interner::default();
        let history = [(0, "account"), (0, "ledger"), (1, "account")];
        history.iter().chain(&history).for_each(|(id, name)| names.set(*id, *name));
        assert_eq!((names.id(&"ledger"), names.id(&"account")), (Some(0), Some(1)));
        names.set(0, "account");
        names.set(0, "ledger");
        assert_eq!((names.id(&"ledger"), names.get(1)), (Some(0), Some(&"account")));
    }
}
