//! The house rules that the compiler and clippy cannot hold. The rules are data, each with a test
//! that it holds and a test that it catches: to add one, add a line to a table in `rules/`.

// The rules.
#[cfg(test)]
mod rules;

// What a rule is, and how it is checked.
#[cfg(test)]
mod check;
#[cfg(test)]
mod rule;

// What is looked at: files → tokens → paths.
#[cfg(test)]
mod names;
#[cfg(test)]
mod source;
#[cfg(test)]
mod tokens;
#[cfg(test)]
mod tree;
