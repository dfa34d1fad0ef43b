//! Rows that are being read.

use std::collections::BTreeMap;

use super::event::Load;
use super::lane::Lane;
use crate::ids::{DeliveryId, LaneNo, LoadId, NameNo};

/// Reads that were asked for, each with its use.
#[derive(Debug, Default)]
pub(crate) struct Loading {
    wanted: BTreeMap<LoadId, Wanted>,
    made: u64,
}

/// The use of a row that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// A state of a lane, by its place there.
    State(LaneNo, usize),
    Message(DeliveryId),
}

impl Loading {
    fn want(&mut self, wanted: Wanted, load: Load) -> (LoadId, Load) {
        self.made += 1;
        let id = LoadId(self.made);
        self.wanted.insert(id, wanted);
        (id, load)
    }

    /// Asks for the message of a stored delivery.
    pub(crate) fn message(&mut self, id: DeliveryId) -> Vec<(LoadId, Load)> {
        vec![self.want(Wanted::Message(id), Load::Message(id))]
    }

    /// Asks for the states of a lane that are not known; none if all are.
    pub(crate) fn states(
        &mut self,
        no: LaneNo,
        lane: &mut Lane,
        names: &[NameNo],
    ) -> Vec<(LoadId, Load)> {
        let key = lane.key().unwrap_or_default();
        let load = |at: usize| {
            let load = Load::State(*names.get(at)?, key.into());
            Some(self.want(Wanted::State(no, at), load))
        };
        let loads: Vec<_> = lane.cold().into_iter().filter_map(load).collect();
        if !loads.is_empty() {
            lane.close().loading += loads.len();
        }
        loads
    }

    /// Takes the use of a row that was read.
    pub(crate) fn take(&mut self, id: LoadId) -> Option<Wanted> {
        self.wanted.remove(&id)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.wanted.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::super::lane::Lanes;
    use super::*;
    use crate::ids::ComponentIx;

    #[test]
    fn a_read_is_used_once_and_what_is_known_is_not_read() {
        let (mut loading, mut lanes) = (Loading::default(), Lanes::default());
        lanes.recover("ada");
        let no = lanes.find(ComponentIx(0), "ada", 1);
        let loads = loading.states(no, &mut lanes[no], &[NameNo(7)]);
        let [(id, Load::State(NameNo(7), _))] = loads[..] else { panic!("{loads:?}") };
        assert_eq!((loading.take(id), loading.take(id)), (Some(Wanted::State(no, 0)), None));
        lanes[no].loaded(0, None);
        assert!(loading.states(no, &mut lanes[no], &[NameNo(7)]).is_empty());
        let [(id, Load::Message(of))] = loading.message(DeliveryId(3))[..] else { panic!() };
        assert_eq!((loading.take(id), of), (Some(Wanted::Message(of)), DeliveryId(3)));
        assert!(loading.is_empty());
    }
}
