//! The macros of endwise; use them through the framework's prelude.
