//! Messages of a type that no handler takes: stored whole until one does, or ignored, if the app
//! says so.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Consume;
use crate::envelope::Envelope;
use crate::failure::RunError;
use crate::store::{Keep, Subject, Wait};

/// How many types are warned of by name; what comes of further ones is stored and counted alike.
const WARNED_MAX: usize = 1_024;

/// The topics and types of which it was warned since the start.
#[derive(Debug, Default)]
pub(super) struct Warned(BTreeSet<(Arc<str>, Arc<str>)>);

impl Warned {
    /// Whether this type is to be warned of now.
    fn is_first(&mut self, topic: &Arc<str>, type_name: &Arc<str>) -> bool {
        self.0.len() < WARNED_MAX && self.0.insert((Arc::clone(topic), Arc::clone(type_name)))
    }
}

impl Consume {
    /// What is committed for a message that no handler takes. What came before it with its key and
    /// is only in memory is kept first: a handler may come with the next start, and then this one
    /// is there before the broker brings those again.
    pub(super) fn unhandled(&mut self, envelope: Envelope) -> Result<Subject, RunError> {
        let (position, floor) = (envelope.position.clone(), envelope.context.floor);
        let (topic, type_name) = (&envelope.topic, &envelope.type_name);
        if self.wiring.ignores(topic, type_name) {
            self.counts.count_ignored();
            return Ok(Subject::NotMine { position, floor });
        }
        self.counts.count_unhandled();
        if self.state.warned.is_first(topic, type_name) {
            tracing::warn!(
                target: "endwise::unhandled", service = &*self.wiring.service, topic = &**topic,
                r#type = &**type_name, %position,
                "no handler takes this type: its messages are stored until one does; add a \
                 handler, or say App::ignore_types",
            );
        }
        if let Some(key) = &envelope.key {
            for handler in 0..self.wiring.handlers.len() {
                let lane = self.wiring.lane_of(handler);
                if let Some(hold) = lane.and_then(|lane| self.lanes.hold_key(lane, key)) {
                    self.hold(hold)?;
                }
            }
        }
        let handler = Arc::clone(type_name);
        Ok(Subject::Kept(Box::new(Keep {
            number: self.lanes.reserve_unhandled(),
            position,
            floor,
            handlers: Arc::from([Arc::clone(&handler)]),
            handler,
            message: Some(Arc::new(envelope)),
            wait: Wait::Unhandled,
            attempts: 0,
            late: false,
            failure: None,
        })))
    }
}
