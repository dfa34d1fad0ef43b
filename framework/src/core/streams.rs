//! The streams that the shard takes from, by the numbers under which it stores them.

use std::collections::BTreeMap;

use super::event::{Names, StreamNameBuf};
use super::mutants::{self, Mutant};
use crate::ids::StreamIx;
use crate::table::frame::Frame;
use crate::table::stream::{StreamName, StreamTable};

/// Numbers of streams, and those of the last dictionary that records came with.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    by_name: BTreeMap<StreamNameBuf, StreamIx>,
    /// The dictionary whose numbers are translated.
    no: u64,
    of: Vec<StreamIx>,
}

impl StreamNameBuf {
    pub(crate) fn of(name: &StreamName<'_>) -> Self {
        match *name {
            StreamName::Endwise { service, store, epoch, writer, topic } => {
                StreamNameBuf::Endwise {
                    service: service.into(),
                    store,
                    epoch,
                    writer,
                    topic: topic.into(),
                }
            }
            StreamName::Foreign { cluster, topic, incarnation, partition } => {
                StreamNameBuf::Foreign {
                    cluster: cluster.into(),
                    topic: topic.into(),
                    incarnation,
                    partition,
                }
            }
        }
    }

    pub(crate) fn name(&self) -> StreamName<'_> {
        match self {
            StreamNameBuf::Endwise { service, store, epoch, writer, topic } => {
                let (store, epoch, writer) = (*store, *epoch, *writer);
                StreamName::Endwise { service, store, epoch, writer, topic }
            }
            StreamNameBuf::Foreign { cluster, topic, incarnation, partition } => {
                let (incarnation, partition) = (*incarnation, *partition);
                StreamName::Foreign { cluster, topic, incarnation, partition }
            }
        }
    }
}

impl Streams {
    /// Knows the number of a name.
    pub(crate) fn recover(&mut self, number: StreamIx, name: &StreamName<'_>) {
        self.by_name.insert(StreamNameBuf::of(name), number);
    }

    /// Translates a dictionary. A name that is new gets its number in the frame that is gathered,
    /// with what is first settled of it.
    pub(crate) fn translate(&mut self, names: &Names, frame: &mut Frame) {
        if names.no == self.no && names.streams.len() == self.of.len() {
            return;
        }
        let mut next = self.by_name.values().max().map_or(0, |last| last.0 + StreamIx::SLOTS);
        self.of.clear();
        for name in &names.streams {
            let number = self.by_name.get(name).copied().unwrap_or_else(|| {
                let number = StreamIx(next);
                next += StreamIx::SLOTS;
                if mutants::holds(Mutant::StreamIsNotStored) {
                    frame.put::<StreamTable>(&number, &name.name());
                }
                self.by_name.insert(name.clone(), number);
                number
            });
            self.of.push(number);
        }
        self.no = names.no;
    }

    /// The number of a stream of the dictionary, with a slot.
    pub(crate) fn at(&self, stream: u32, slot: u8) -> Option<StreamIx> {
        let first = self.of.get(stream as usize)?;
        Some(StreamIx(first.0 + u32::from(slot)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(service: &str) -> StreamNameBuf {
        let (store, epoch, writer, topic) = (7, 1, 0, "pay".into());
        StreamNameBuf::Endwise { service: service.into(), store, epoch, writer, topic }
    }

    #[test]
    fn a_name_has_one_number_for_good_whatever_a_dictionary_calls_it() {
        let (mut streams, mut frame) = (Streams::default(), Frame::default());
        let names = |no, of: &[&str]| Names { no, streams: of.iter().map(|n| name(n)).collect() };
        streams.translate(&names(1, &["web", "app"]), &mut frame);
        assert_eq!((streams.at(0, 3), streams.at(1, 0)), (Some(StreamIx(3)), Some(StreamIx(256))));
        assert_eq!(frame.view().rows().count(), 2);
        frame.clear();
        streams.translate(&names(2, &["app", "web"]), &mut frame);
        assert_eq!((streams.at(0, 0), streams.at(1, 3)), (Some(StreamIx(256)), Some(StreamIx(3))));
        assert!(frame.is_empty(), "nothing is new");
        let mut again = Streams::default();
        again.recover(StreamIx(256), &name("app").name());
        again.translate(&names(2, &["app", "web"]), &mut frame);
        assert_eq!((again.at(0, 0), again.at(1, 0)), (Some(StreamIx(256)), Some(StreamIx(512))));
        assert_eq!(again.at(2, 0), None);
    }
}
