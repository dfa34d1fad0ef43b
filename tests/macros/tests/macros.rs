//! What the macros accept, and how they explain what they refuse.
//!
//! Each file of `fail` is a mistake, its `.stderr` what the compiler says of it, pinned to the
//! workspace's Rust. After a change write them anew with `TRYBUILD=overwrite cargo test -p
//! endwise-test-macros`, and read each: it must point at the mistake and say what to write.

#[test]
fn mistakes_are_explained_and_the_rest_compiles() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/pass/*.rs");
    cases.compile_fail("tests/fail/*.rs");
}
