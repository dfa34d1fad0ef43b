//! What may be done in one place alone: acknowledge, publish, read a clock, spawn, queue.

use crate::rule::{But, Never, Of, Rule, but, rules};

const BOUNDED: &str = "use queue::Queue, or a channel with a capacity; a VecDeque needs a line \
     here that says what bounds it";

rules! {
    only_the_commit_stage_makes_a_committed: Rule {
        of: Of::AllBut(&["crate::consume::commit", "crate::committed"]),
        never: Never::Words(&["by_durable_commit"]),
        instead: "hand the record to the commit stage: only a durable commit proves its effect",
        but: &[],
        caught: ("framework/src/relay.rs", "fn f(r: R) { Committed::by_durable_commit(r); }"),
    },
    only_the_loop_has_a_consumer: Rule {
        of: Of::AllBut(&["crate::broker", "crate::consume"]),
        never: Never::Names { of: &["crate::broker::Consumer"], except: &[] },
        instead: "only the consume loop fetches and settles",
        but: &[
            but(
                "framework/src/service/start.rs",
                "crate::broker::Consumer",
                "asks it where it begins",
            ),
            but("framework/src/service/begin.rs", "crate::broker::Consumer", "hands it to the loop"),
        ],
        caught: ("framework/src/service.rs", "use crate::broker::{Broker, Consumer};"),
    },
    no_stage_has_a_consumer: Rule {
        of: Of::Modules(&[
            "crate::consume::decode",
            "crate::consume::admit",
            "crate::consume::lane",
            "crate::consume::dispatch",
            "crate::consume::commit",
        ]),
        never: Never::Names { of: &["crate::broker::Consumer"], except: &[] },
        instead: "return what may be settled; consume.rs settles it",
        but: &[],
        caught: ("framework/src/consume/lane.rs", "use crate::broker::Consumer;"),
    },
    only_the_loop_settles: Rule {
        of: Of::Library,
        never: Never::Calls(&["settle"]),
        instead: "only consume.rs settles with the broker, what the commit stage has proved",
        but: &[
            but("framework/src/consume.rs", "consumer.settle", "the one place"),
            but("framework/src/testing/test_app.rs", "self.settle", "a test's wait for the service"),
            but(
                "framework/src/broker/embedded/consumer.rs",
                "registrations.settle",
                "the broker's own knowledge of what it may forget",
            ),
            but("framework/src/store/tables.rs", "inbox.settle", "the store's own knowledge"),
            but("framework/src/store/tables/adopt.rs", "self.settle", "the store's own knowledge"),
            but("framework/src/store/tables/take.rs", "self.settle", "the store's own knowledge"),
        ],
        caught: ("framework/src/intake.rs", "fn f() { consumer.settle(&[]); }"),
    },
    only_the_relay_has_a_publisher: Rule {
        of: Of::AllBut(&["crate::broker", "crate::relay"]),
        never: Never::Names { of: &["crate::broker::Publisher"], except: &[] },
        instead: "send through the outcome or the intake; the relay publishes what is committed",
        but: &[but(
            "framework/src/service/start.rs",
            "crate::broker::Publisher",
            "hands it to the relay",
        )],
        caught: ("framework/src/intake.rs", "fn f(p: Box<dyn crate::broker::Publisher>) {}"),
    },
    only_the_relay_publishes: Rule {
        of: Of::Library,
        never: Never::Calls(&["publish"]),
        instead: "send through the outcome or the intake; the relay publishes what is committed",
        but: &[
            but("framework/src/relay.rs", "publisher.publish", "the one place"),
            but(
                "framework/src/broker/embedded/writer.rs",
                "self.publish",
                "the broker's writer, which writes what its publisher hands it",
            ),
        ],
        caught: ("framework/src/consume.rs", "fn f() { self.publisher.publish(batch); }"),
    },
    time_only_through_clock: Rule {
        of: Of::AllBut(&["crate::clock"]),
        never: Never::Names {
            of: &[
                "tokio::time",
                "std::time::Instant",
                "std::time::SystemTime",
                "std::thread::sleep",
                "std::thread::sleep_ms",
                "std::thread::park_timeout",
                "jiff::Timestamp::now",
                "jiff::Zoned::now",
            ],
            except: &[],
        },
        instead: "take a Clock, and use or extend clock.rs, so that a test can move the time",
        but: &[but(
            "framework/src/outgoing.rs",
            "std::time::SystemTime",
            "the type of a time that a user gives; no clock is read",
        )],
        caught: ("framework/src/relay.rs", "use std::{thread, time}; fn f() { thread::sleep(D); }"),
    },
    randomness_only_through_random: Rule {
        of: Of::AllBut(&["crate::random"]),
        never: Never::Words(&["RandomState", "getrandom", "rand", "fastrand", "thread_rng"]),
        instead: "derive it from the service's seed with random::of, so that a test can replay it",
        but: &[],
        caught: ("framework/src/store.rs", "fn f() -> u64 { rand::random() }"),
    },
    select_is_biased: Rule {
        of: Of::Library,
        never: Never::UnbiasedSelect,
        instead: "begin it with `biased;`, so that the same seed gives the same trace",
        but: &[],
        caught: ("framework/src/run.rs", "fn f() { tokio::select! { a = b => {} } }"),
    },
    spawning_only_through_tasks: Rule {
        of: Of::AllBut(&["crate::tasks"]),
        never: Never::Names {
            of: &[
                "tokio::spawn",
                "tokio::task::spawn",
                "tokio::task::spawn_blocking",
                "tokio::task::spawn_local",
                "tokio::task::block_in_place",
                "tokio::task::JoinSet",
                "tokio::task::LocalSet",
                "tokio::runtime",
                "std::thread::spawn",
                "std::thread::scope",
                "std::thread::Builder",
                "futures::executor",
            ],
            except: &[],
        },
        instead: "use tasks.rs: Tasks, blocking, thread; whoever drops them stops them",
        but: &[],
        caught: ("framework/src/intake.rs", "use tokio::task; fn f() { task::spawn(g()); }"),
    },
    no_unbounded_channel: Rule {
        of: Of::Library,
        never: Never::Words(&[
            "unbounded", "unbounded_channel", "UnboundedSender", "UnboundedReceiver", "SegQueue",
        ]),
        instead: BOUNDED,
        but: &[],
        caught: ("framework/src/service.rs", "use tokio::sync::mpsc::unbounded_channel;"),
    },
    no_unbounded_channel_of_std: Rule {
        of: Of::Library,
        never: Never::Names { of: &["std::sync::mpsc::channel"], except: &[] },
        instead: BOUNDED,
        but: &[],
        caught: ("framework/src/run.rs", "use std::sync::mpsc; fn f() { mpsc::channel(); }"),
    },
    every_queue_says_what_bounds_it: Rule {
        of: Of::Library,
        never: Never::Words(&[
            "VecDeque", "LinkedList", "FuturesUnordered", "FuturesOrdered", "BinaryHeap",
        ]),
        instead: BOUNDED,
        but: QUEUES,
        caught: ("framework/src/service.rs", "struct S { waiting: VecDeque<u8> }"),
    },
}

/// What bounds each queue.
const QUEUES: &[But] = &[
    but("framework/src/queue.rs", "VecDeque", "its limit, which passing is an error"),
    but(
        "framework/src/consume/lane.rs",
        "VecDeque",
        "Limits::in_flight_max records, and the handlers of each",
    ),
    but("framework/src/consume/lane/one.rs", "VecDeque", "the same"),
    but("framework/src/consume/dispatch.rs", "VecDeque", "a run: RUN_MAX jobs of a lane"),
    but(
        "framework/src/consume/dispatch.rs",
        "FuturesUnordered",
        "the runs of one task: Limits::task_lanes_max",
    ),
    but(
        "framework/src/intake/producer.rs",
        "FuturesOrdered",
        "CHUNKS_AHEAD, checked before each push",
    ),
    but("framework/src/journal/writer.rs", "VecDeque", "Options::spare_segments_max"),
    but(
        "framework/src/broker/embedded/consumer.rs",
        "VecDeque",
        "one frame's runs; frames of one read",
    ),
    but("framework/src/broker/embedded/subscribe.rs", "VecDeque", "the consumer's, empty"),
    but(
        "framework/src/broker/embedded/frames.rs",
        "VecDeque",
        "the disk limit; in memory the cache's bytes",
    ),
    but("framework/src/broker/embedded/segments.rs", "VecDeque", "the disk limit"),
    but(
        "framework/src/broker/embedded/topics.rs",
        "VecDeque",
        "the live frames, and so the disk limit",
    ),
    but("framework/src/broker/memory.rs", "VecDeque", "the partitions of a subscription"),
    but("framework/src/broker/memory/consumer.rs", "VecDeque", "the partitions of a subscription"),
    but("framework/src/store/memory.rs", "VecDeque", "the faults that a test injects"),
    but("framework/src/store/outbox.rs", "VecDeque", "Limits::outbox_max open rows; SAMPLES"),
    but("framework/src/store/states.rs", "BinaryHeap", "a page of a scan"),
    but("framework/src/store/sled/rows.rs", "VecDeque", "a page: PAGE_ROWS, PAGE_BYTES"),
];
