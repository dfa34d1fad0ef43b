//! The key that a message's type reads from its body.

use std::panic::catch_unwind;
use std::sync::Arc;

use super::{Route, Wiring};
use crate::envelope::Envelope;
use crate::stream::{Key, check_key};

impl Route {
    /// The key in a body; `None` if its type has none, or does not read the body. That is its
    /// author's code, and may panic.
    pub(crate) fn own_key(&self, body: &[u8]) -> Option<Key> {
        let key_of = self.key_of;
        catch_unwind(|| key_of(body)).ok()?.ok()?
    }
}

impl Wiring {
    /// A stored message as it is now: one that had no key, for its type did not read its body when
    /// it came, has that which the type reads today. It has a lane of its own, so the versions of
    /// its states are what keeps it from others of its key.
    pub(crate) fn with_own_key(&self, envelope: Arc<Envelope>) -> Arc<Envelope> {
        if envelope.key.is_some() {
            return envelope;
        }
        let route = self.route(&envelope.topic, &envelope.type_name);
        let key = route.and_then(|route| route.own_key(&envelope.body));
        match key.filter(|key| check_key(key).is_ok()) {
            Some(key) => Arc::new(Envelope { key: Some(key), ..(*envelope).clone() }),
            None => envelope,
        }
    }
}
