//! The rules, by what they keep.

mod arrows;
mod effects;
mod project;
mod text;
