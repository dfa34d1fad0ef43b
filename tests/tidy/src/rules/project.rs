//! What the project's files have and have not, whatever their language.

use crate::rule::{Never, Of, Rule, but, rules};

rules! {
    no_file_names_a_machine: Rule {
        of: Of::Files,
        never: Never::Text(MACHINES),
        instead: "name it relative to the project, make it a temporary directory, or take it as \
                  an argument",
        but: &[
            but(".ci/run", MACHINES[3], "the log of real events that the CI has beside the checkout"),
        ],
        caught: ("docs/guide.md", concat!("Look into /", "root/.cargo.")),
    },
    every_example_is_a_crate_with_a_readme: Rule {
        of: Of::Files,
        never: Never::ExampleWithout(&["Cargo.toml", "README.md"]),
        instead: "an example is a folder to copy: a crate of its own, with what it shows in README.md",
        but: &[],
        caught: ("examples/lonely/src/main.rs", "fn main() {}"),
    },
}

/// Written so that this file does not have them.
const MACHINES: &[&str] =
    &[concat!("/", "work"), concat!("/", "root"), concat!("/", "home"), concat!("shared", "/")];
