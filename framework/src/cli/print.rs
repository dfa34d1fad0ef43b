//! What is printed, in colours on a terminal alone (and not with `NO_COLOR`).

use std::io::{ErrorKind, Write};

use clap::builder::styling::{AnsiColor, Style};
use serde::Serialize;

use super::Trouble;

pub(super) const HEAD: Style = Style::new().bold();
pub(super) const GOOD: Style = AnsiColor::Green.on_default();
pub(super) const BAD: Style = AnsiColor::Red.on_default();
pub(super) const DIM: Style = Style::new().dimmed();

/// Text in a style.
pub(super) fn styled(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// What goes to the standard output, once it is complete, and what is said below it.
#[derive(Debug, Default)]
pub(super) struct Printed {
    text: String,
    below: Vec<String>,
}

impl Printed {
    pub(super) fn line(&mut self, line: impl AsRef<str>) {
        self.text.push_str(line.as_ref());
        self.text.push('\n');
    }

    /// Something that is said beside the answer, once that is printed.
    pub(super) fn below(&mut self, note: String) {
        self.below.push(note);
    }

    #[cfg(test)]
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// `name   text`, the names of one width.
    pub(super) fn field(&mut self, name: &str, text: &str) {
        self.line(format!("  {name:<12}  {text}"));
    }

    pub(super) fn json(&mut self, value: &impl Serialize) -> Result<(), Trouble> {
        self.line(serde_json::to_string_pretty(value).map_err(Trouble::failed)?);
        Ok(())
    }

    /// Prints it. Who reads it may have seen enough, as in `endwise … | head`: that is no error.
    pub(super) fn flush(&self) -> Result<(), Trouble> {
        let mut out = anstream::stdout().lock();
        match out.write_all(self.text.as_bytes()).and_then(|()| out.flush()) {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => {
                return Err(Trouble::Failed(format!("the answer cannot be printed: {error}")));
            }
            _ => {}
        }
        drop(out);
        self.below.iter().for_each(|text| note(text));
        Ok(())
    }
}

/// Something that is said beside the answer.
pub(super) fn note(text: &str) {
    say(text);
}

/// Why it did not work.
pub(super) fn error(text: &str) {
    say(&format!("{} {text}", styled(BAD, "error:")));
}

fn say(text: &str) {
    // Where nobody listens, the exit code says it all the same.
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}
