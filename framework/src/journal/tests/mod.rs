//! Tests of the journal: one small claim a file section, and random histories on a model of a disk.

mod claims;
