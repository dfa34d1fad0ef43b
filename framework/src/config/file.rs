//! The file: where it is, and what it says.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::Config;
use super::environment::{FILE, Variables};
use super::error::{ConfigError, Place};
use super::keys::{self, KEYS, Key, Places, nearest};
use super::value::{Found, Wrong};

/// What the file is called in the current directory.
const NAME: &str = "endwise.toml";

/// A file that was read.
#[derive(Debug)]
pub(super) struct File {
    pub(super) path: PathBuf,
    pub(super) text: String,
}

/// The file that counts, if there is one.
pub(super) fn find(variables: &Variables) -> Result<Option<File>, ConfigError> {
    let named = variables.iter().find(|(name, _)| name == FILE).map(|(_, path)| path);
    let path: PathBuf = named.map_or_else(|| NAME.into(), PathBuf::from);
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(Some(File { path, text })),
        Err(error) if named.is_none() && error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => {
            let hint = if named.is_some() { " (ENDWISE_CONFIG names it)" } else { "" };
            Err(ConfigError::File { path, source, hint })
        }
    }
}

/// A text with the file that it is of.
#[derive(Clone, Copy)]
struct Source<'a> {
    text: &'a str,
    path: Option<&'a Path>,
}

impl Source<'_> {
    /// Where a byte of it stands.
    fn place(&self, at: usize) -> Place {
        let line = 1 + self.text.bytes().take(at).filter(|byte| *byte == b'\n').count();
        match self.path {
            Some(path) => Place::File(path.into(), line),
            None => Place::Line(line),
        }
    }

    /// A value as it is written.
    fn found(&self, value: &Spanned<DeValue<'_>>) -> String {
        let text = self.text.get(value.span()).unwrap_or_default();
        match value.get_ref() {
            DeValue::Table(_) => "a table".into(),
            DeValue::Array(_) => "an array".into(),
            _ => text.chars().take(80).collect(),
        }
    }
}

impl Config {
    /// Sets what a text says; which keys that were.
    pub(super) fn apply_text(
        &mut self,
        text: &str,
        path: Option<&Path>,
    ) -> Result<Places, ConfigError> {
        let mut places = Places::new();
        let source = Source { text, path };
        let table = DeTable::parse(text).map_err(|error| ConfigError::Syntax {
            place: source.place(error.span().map_or(0, |span| span.start)),
            message: error.message().to_owned(),
        })?;
        for (name, value) in table.get_ref().iter() {
            let is_table = keys::tables().any(|table| table == &**name.get_ref());
            match value.get_ref() {
                DeValue::Table(entries) if is_table => {
                    for (key, value) in entries.iter() {
                        places.extend(self.apply_key(source, name.get_ref(), key, value)?);
                    }
                }
                _ => places.extend(self.apply_key(source, "", name, value)?),
            }
        }
        Ok(places)
    }

    fn apply_key(
        &mut self,
        source: Source<'_>,
        table: &str,
        name: &Spanned<DeString<'_>>,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<Option<(String, Place)>, ConfigError> {
        let place = source.place(name.span().start);
        let name = &**name.get_ref();
        let Some(key) = keys::of(table).find(|key| key.name == name) else {
            return Err(unknown(place, table, name));
        };
        (key.set)(self, Found::Toml(value.get_ref())).map_err(|Wrong(allowed)| {
            let found = key.seen(Found::Toml(value.get_ref()), || source.found(value));
            ConfigError::Value { place: place.clone(), key: key.full(), found, allowed }
        })?;
        Ok(Some((key.full(), place)))
    }
}

/// A name that nothing has, in a table or (in "") at the top.
fn unknown(place: Place, table: &str, name: &str) -> ConfigError {
    let (at_top, names) = (table.is_empty(), keys::of(table).map(|key| key.name));
    let (keys, tables): (Vec<&str>, Vec<&str>) = (
        names.collect(),
        match at_top {
            true => keys::tables().filter(|table| !table.is_empty()).collect(),
            false => Vec::new(),
        },
    );
    let near = |of: &[&'static str]| nearest(name, of.iter().copied());
    let elsewhere = || KEYS.iter().find(|key| key.name == name).map(Key::full);
    let near_key = near(&keys).map(|key| format!("{key:?}"));
    let near_table = near(&tables).map(|table| format!("[{table}]"));
    let place_of_it = if at_top { "at the top".into() } else { format!("of [{table}]") };
    ConfigError::Unknown {
        place,
        what: format!("the key {name:?} {place_of_it}"),
        nearest: elsewhere().or(near_key).or(near_table),
        known: keys
            .into_iter()
            .map(str::to_owned)
            .chain(tables.into_iter().map(|table| format!("[{table}]")))
            .collect(),
    }
}
