//! The wiring of an app as data: who handles which type, with which states, and what is done on
//! failure.

use std::ops::Index;

use crate::ids::{ComponentIx, HandlerIx, NameNo, RouteIx};
use crate::policy::{OnFailure, Order};

/// An app as the core sees it.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The states of each component, in the order in which its lanes have them.
    pub(crate) components: Vec<Vec<NameNo>>,
    pub(crate) handlers: Vec<HandlerPlan>,
    pub(crate) routes: Vec<RoutePlan>,
    pub(crate) limits: CoreLimits,
}

/// A type of a topic.
#[derive(Debug)]
pub(crate) struct RoutePlan {
    pub(crate) topic: NameNo,
    pub(crate) type_name: NameNo,
    /// Its handlers, in the order in which they are listed.
    pub(crate) handlers: Vec<HandlerIx>,
}

/// One handler.
#[derive(Debug)]
pub(crate) struct HandlerPlan {
    pub(crate) name: NameNo,
    pub(crate) component: ComponentIx,
    pub(crate) order: Order,
    /// The handler's states, by their places among those of its component.
    pub(crate) states: Vec<usize>,
    pub(crate) on_failure: OnFailure,
}

/// Limits of the core.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CoreLimits {
    /// Calls of one turn. What is left is done in the next one, after a look at the mailbox.
    pub(crate) turn_calls: usize,
    /// Deliveries that wait in memory behind a closed lane; beyond that they are stored.
    pub(crate) followers: usize,
    /// Positions in progress; at so many, no record is taken.
    pub(crate) in_flight: usize,
    /// Keys of which the previous sequence is remembered.
    pub(crate) prev_keys: usize,
}

impl Index<HandlerIx> for Plan {
    type Output = HandlerPlan;

    #[allow(clippy::indexing_slicing, reason = "a HandlerIx is made of this plan alone")]
    fn index(&self, handler: HandlerIx) -> &HandlerPlan {
        &self.handlers[usize::from(handler.0)]
    }
}

impl Index<ComponentIx> for Plan {
    type Output = Vec<NameNo>;

    #[allow(clippy::indexing_slicing, reason = "a ComponentIx is made of this plan alone")]
    fn index(&self, component: ComponentIx) -> &Vec<NameNo> {
        &self.components[usize::from(component.0)]
    }
}

impl Plan {
    /// The handlers of a route; none for a type that no handler takes.
    pub(crate) fn handlers_of(&self, route: Option<RouteIx>) -> &[HandlerIx] {
        let route = route.and_then(|route| self.routes.get(usize::from(route.0)));
        route.map_or(&[], |route| &route.handlers)
    }

    /// The handler of that name.
    pub(crate) fn handler_named(&self, name: NameNo) -> Option<HandlerIx> {
        let at = self.handlers.iter().position(|handler| handler.name == name)?;
        u16::try_from(at).ok().map(HandlerIx)
    }
}
