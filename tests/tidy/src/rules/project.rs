//! What the project's files have and have not, whatever their language.

use crate::rule::{Never, Of, Rule, but, rules};

rules! {
    no_file_names_a_machine: Rule {
        of: Of::Files,
        never: Never::Text(MACHINES),
        instead: "name it relative to the project, make it a temporary directory, or take it as \
                  an argument",
        but: &[
            but(".ci/run", MACHINES[3], "the log of real events, beside the CI's checkout"),
        ],
        caught: ("docs/guide.md", concat!("Look into /", "root/.cargo.")),
    },
    every_example_is_a_crate_with_a_readme: Rule {
        of: Of::Files,
        never: Never::ExampleWithout(&["Cargo.toml", "README.md"]),
        instead: "an example is a folder to copy: a crate of its own, whose README.md says what it \
                  shows",
        but: &[],
        caught: ("examples/lonely/src/main.rs", "fn main() {}"),
    },
    only_the_library_is_published: Rule {
        of: Of::Files,
        never: Never::ManifestsWithout { under: &["tests/", "examples/"], text: "publish = false" },
        instead: "say so in its [package]: `cargo publish --workspace` would publish it",
        but: &[],
        caught: ("examples/hello/Cargo.toml", "[package]\nname = \"hello\""),
    },
    every_crate_has_the_lints: Rule {
        of: Of::Files,
        never: Never::ManifestsWithout {
            under: &["framework/", "macros/", "tests/", "examples/"],
            text: "[lints]\nworkspace = true",
        },
        instead: "give it the workspace's lints: [lints] workspace = true",
        but: &[],
        caught: ("examples/hello/Cargo.toml", "[package]\nname = \"hello\""),
    },
}

/// Written so that this file does not have them.
const MACHINES: &[&str] =
    &[concat!("/", "work"), concat!("/", "root"), concat!("/", "home"), concat!("shared", "/")];
