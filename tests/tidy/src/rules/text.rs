//! What no Rust here has, and how long it is.

use crate::rule::{Never, Of, Rule, but, rules};

rules! {
    nothing_is_unsafe: Rule {
        of: Of::Rust,
        never: Never::Words(&["unsafe"]),
        instead: "find a safe way, or a crate that has one",
        but: &[],
        caught: ("tests/scenarios/src/a.rs", "fn f() { unsafe { g() } }"),
    },
    the_library_never_panics: Rule {
        of: Of::Library,
        never: Never::Macros(&["panic", "unreachable", "assert", "assert_eq", "assert_ne"]),
        instead: "return an error that says who must do what",
        but: &[
            but("macros/src/handler.rs", "unreachable!", "written behind an error of the compiler"),
        ],
        caught: ("framework/src/store.rs", "fn f() { unreachable!() }"),
    },
    the_library_never_unwraps: Rule {
        of: Of::Library,
        never: Never::Calls(&["unwrap", "expect", "unwrap_err", "expect_err"]),
        instead: "return the error with `?`, or say what holds without it (`let else`, `map_or`)",
        but: &[],
        caught: ("framework/src/store.rs", "fn f() { g().unwrap(); }"),
    },
    nothing_is_left_to_do: Rule {
        of: Of::Rust,
        never: Never::Macros(&["todo", "unimplemented", "dbg"]),
        instead: "finish it, or leave it out: the place of what comes later is shape, not a stub",
        but: &[],
        caught: ("tests/scenarios/src/a.rs", "fn f() { todo!() }"),
    },
    no_test_is_ignored: Rule {
        of: Of::Rust,
        never: Never::Attributes(&["ignore"]),
        instead: "make it run everywhere, or delete it; what cannot run says so loudly",
        but: &[],
        caught: ("tests/scenarios/src/a.rs", "#[test] #[ignore] fn f() {}"),
    },
    tests_wait_for_signals: Rule {
        of: Of::Tests,
        never: Never::Words(&["sleep", "sleep_until", "sleep_ms"]),
        instead: "wait for what has to happen first (a reply, a Notify, a watch), never for time",
        but: &[],
        caught: ("tests/scenarios/src/a.rs", "fn f() { tokio::time::sleep(D).await; }"),
    },
    files_are_short: Rule {
        of: Of::Rust,
        never: Never::LinesOver(400),
        instead: "split it by what its parts are; or a line here says why it stays whole",
        but: &[
            but(
                "framework/src/journal/tests/histories.rs",
                "more than 400 lines",
                "a history, what it does and what it is held against are read together",
            ),
        ],
        caught: ("framework/src/store.rs", "fn f() {LONG}"),
    },
    functions_fit_a_screen: Rule {
        of: Of::Rust,
        never: Never::FunctionLinesOver(70),
        instead: "name its parts; or a line here says why it stays whole",
        but: &[],
        caught: ("framework/src/store.rs", "fn f() {LONG}"),
    },
}
