//! What the macros accept, and how they explain what they refuse.
//!
//! Each file of `fail` is a mistake, its `.stderr` what the compiler says of it, pinned to the
//! workspace's Rust. After a change write them anew with `TRYBUILD=overwrite cargo test -p
//! endwise-test-macros`, and read each: it must point at the mistake and say what to write.

/// The Rust whose words the expected outputs are.
const RUST: &str = "1.95.";

#[test]
fn mistakes_are_explained_and_the_rest_compiles() {
    let version = std::process::Command::new("rustc").arg("--version").output().unwrap().stdout;
    let version = String::from_utf8(version).unwrap();
    if !version.starts_with(&format!("rustc {RUST}")) {
        assert!(std::env::var("CI").is_err(), "in CI the compiler must be {RUST}x, not {version}");
        eprintln!(
            "NOT RUN: the expected messages are those of Rust {RUST}x, and this is {version}"
        );
        return;
    }
    let cases = trybuild::TestCases::new();
    cases.pass("tests/pass/*.rs");
    cases.compile_fail("tests/fail/*.rs");
}
