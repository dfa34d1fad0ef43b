//! The arrows between modules that must never be.

use crate::rule::{Never, Of, Rule, rules};

const STORE_AND_BROKER: &[&str] = &["crate::store", "crate::broker"];

/// What comes after the consume loop, and what it stands in.
const AROUND_THE_LOOP: &[&str] = &[
    "crate::consume",
    "crate::relay",
    "crate::intake",
    "crate::timer",
    "crate::service",
    "crate::start",
    "crate::app",
    "crate::run",
    "crate::testing",
];

rules! {
    what_users_write_reaches_no_store_and_no_broker: Rule {
        of: Of::Modules(&[
            "crate::handler",
            "crate::layer",
            "crate::argument",
            "crate::message",
            "crate::state",
            "crate::outgoing",
            "crate::schedule",
            "crate::delivery",
            "crate::outcome",
        ]),
        never: Never::Reaches(STORE_AND_BROKER),
        instead: "a handler's effects are its Outcome; the stages carry them out",
        but: &[],
        caught: ("framework/src/layer/cache.rs", "use crate::store::Reader;"),
    },
    macros_write_nothing_of_the_flow: Rule {
        of: Of::Macros,
        never: Never::Names {
            of: &[
                "crate::store", "crate::broker", "crate::consume", "crate::relay",
                "crate::committed", "crate::journal", "crate::service", "crate::tasks",
            ],
            except: &[],
        },
        instead: "what a macro writes names only what users may name: handler, message, state",
        but: &[],
        caught: ("macros/src/handler.rs", "fn f() { quote!(::framework::store::Reader) }"),
    },
    the_store_knows_no_broker: Rule {
        of: Of::Modules(&["crate::store"]),
        never: Never::Names { of: &["crate::broker"], except: &[] },
        instead: "pass what it needs as data: a RecordRef, an OutboxRow",
        but: &[],
        caught: ("framework/src/store/sled.rs", "fn f(record: crate::broker::Record) {}"),
    },
    a_broker_knows_no_store: Rule {
        of: Of::Modules(&["crate::broker"]),
        never: Never::Names { of: &["crate::store"], except: &[] },
        instead: "a broker carries bytes; where to read on is told by the Subscription's cursors",
        but: &[],
        caught: ("framework/src/broker/memory.rs", "use super::super::store::Cursor as C;"),
    },
    the_journal_knows_nobody_who_writes_it: Rule {
        of: Of::Modules(&["crate::journal"]),
        never: Never::Names { of: STORE_AND_BROKER, except: &[] },
        instead: "the journal keeps frames of bytes; what is in them is their writer's knowledge",
        but: &[],
        caught: ("framework/src/journal/frame.rs", "use crate::store::Change;"),
    },
    store_broker_and_journal_know_nothing_of_the_flow: Rule {
        of: Of::Modules(&["crate::store", "crate::broker", "crate::journal"]),
        never: Never::Names { of: AROUND_THE_LOOP, except: &[] },
        instead: "they are stood on: they answer, and call nobody",
        but: &[],
        caught: ("framework/src/store.rs", "use crate::consume::commit::Work;"),
    },
    // A stage takes what an earlier stage made, and names that and nothing else of the flow: not
    // the next stage, not the loop, not an earlier stage's own working.
    decode_names_no_stage: Rule {
        of: Of::Modules(&["crate::consume::decode"]),
        never: Never::Names { of: AROUND_THE_LOOP, except: &[] },
        instead: STAGE,
        but: &[],
        caught: ("framework/src/consume/decode.rs", "use super::admit::Admission;"),
    },
    admit_names_no_stage: Rule {
        of: Of::Modules(&["crate::consume::admit"]),
        never: Never::Names { of: AROUND_THE_LOOP, except: &[] },
        instead: STAGE,
        but: &[],
        caught: ("framework/src/consume/admit.rs", "fn f() { super::lane::Lanes::default(); }"),
    },
    lane_names_no_stage: Rule {
        of: Of::Modules(&["crate::consume::lane"]),
        never: Never::Names { of: AROUND_THE_LOOP, except: &[] },
        instead: STAGE,
        but: &[],
        caught: ("framework/src/consume/lane.rs", "use crate::consume::{dispatch::Ran, Limits};"),
    },
    dispatch_takes_runs_of_lanes: Rule {
        of: Of::Modules(&["crate::consume::dispatch"]),
        never: Never::Names {
            of: AROUND_THE_LOOP,
            except: &[
                "crate::consume::lane::Job",
                "crate::consume::lane::LaneId",
                "crate::consume::lane::Run",
                // What a record is told to be that is no message.
                "crate::consume::decode::Invalid",
            ],
        },
        instead: STAGE,
        but: &[],
        caught: ("framework/src/consume/dispatch.rs", "use super::commit::Work;"),
    },
    commit_takes_outcomes_of_jobs: Rule {
        of: Of::Modules(&["crate::consume::commit"]),
        never: Never::Names {
            of: AROUND_THE_LOOP,
            except: &[
                "crate::consume::lane::Job",
                "crate::consume::lane::LaneId",
                "crate::consume::lane::requests::Asked",
                "crate::consume::replay_invalid::Leaving",
                // What a commit took, and took in.
                "crate::service::Counts",
            ],
        },
        instead: STAGE,
        but: &[],
        caught: ("framework/src/consume/commit.rs", "use super::lane::Lanes;"),
    },
    the_loop_names_only_its_stages: Rule {
        of: Of::Modules(&["crate::consume"]),
        never: Never::Names { of: AROUND_THE_LOOP, except: &["crate::service::Counts"] },
        instead: "what is committed leaves the loop through a queue; who reads it is the service's",
        but: &[],
        caught: ("framework/src/consume.rs", "use crate::relay::Relay;"),
    },
    relay_intake_and_timer_only_hand_work_to_the_committer: Rule {
        of: Of::Modules(&["crate::relay", "crate::intake", "crate::timer"]),
        never: Never::Names {
            of: AROUND_THE_LOOP,
            except: &["crate::consume::commit::Work"],
        },
        instead: "push Work to the committer's queue; the service ties the queues together",
        but: &[],
        caught: ("framework/src/relay.rs", "use crate::consume::lane::Lanes;"),
    },
}

const STAGE: &str = "take what the stage before made, and give what you make to the loop \
     (consume.rs), which hands it on";
