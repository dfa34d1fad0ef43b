//! `endwise states`.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use clap::Subcommand;
use serde::Serialize;

use super::args::{Asked, Paged};
use super::lists::{Shown, list, list_of};
use super::place::{self, Place};
use super::print::{Printed, note};
use super::way::once;
use super::words::plain;
use super::{Came, Command, Trouble};
use crate::admin::ask::states;
use crate::state::STATE_BYTES_MAX;

mod rows;
mod show;

/// Which of them.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: States,
}

#[derive(Debug, Subcommand)]
enum States {
    /// Lists the names of all states, or the keys that have a state of that name
    #[command(after_help = "Example: endwise states list endwise-data/bank account --prefix a")]
    List {
        #[command(flatten)]
        asked: Asked,
        /// The state's name
        name: Option<String>,
        /// Only keys that begin so
        #[arg(long, requires = "name")]
        prefix: Option<String>,
        #[command(flatten)]
        paged: Paged<String>,
    },
    /// Shows a key's state, and what is wrong with it where it cannot be read
    #[command(after_help = "Example: endwise states get endwise-data/bank account ada")]
    Get {
        #[command(flatten)]
        asked: Asked,
        #[command(flatten)]
        which: Which,
        /// Byte for byte as it is stored
        #[arg(long, conflicts_with = "json")]
        raw: bool,
    },
    /// Gives a key a state: JSON from the argument, a file, or the standard input
    #[command(
        after_help = "Example: endwise states set endwise-data/bank account ada '{\"balance\":50}'"
    )]
    Set {
        #[command(flatten)]
        asked: Asked,
        #[command(flatten)]
        which: Which,
        /// The state, as JSON; unless it or --file is given, it is read from the standard input
        #[arg(value_name = "JSON", conflicts_with = "file", allow_hyphen_values = true)]
        state: Option<String>,
        /// A file with it; - is the standard input
        #[arg(long)]
        file: Option<PathBuf>,
        /// For which version of its type it is meant, unless for the service's own
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        type_version: Option<u32>,
        /// Only over this version of the state, as `get` says; 0: only if there is none
        #[arg(long, value_name = "VERSION")]
        expect: Option<u64>,
    },
    /// Takes a key's state away
    #[command(after_help = "Example: endwise states remove endwise-data/bank account ada")]
    Remove {
        #[command(flatten)]
        asked: Asked,
        #[command(flatten)]
        which: Which,
        /// Only this version of the state, as `get` says
        #[arg(long, value_name = "VERSION")]
        expect: Option<u64>,
    },
}

/// A state.
#[derive(Debug, clap::Args)]
struct Which {
    /// The state's name
    name: String,
    /// The key
    key: String,
}

#[async_trait]
impl Command for Args {
    async fn run(self, printed: &mut Printed) -> Result<Came, Trouble> {
        match self.verb {
            States::List { asked, name: None, .. } => {
                let shown = Shown { one: "state", is_filtered: false, lines: rows::names };
                list(&asked, states::Names {}, shown, printed).await
            }
            States::List { asked, name: Some(name), prefix, paged } => {
                let (after, limit) = (paged.after, Some(paged.limit));
                let is_filtered = prefix.is_some() || after.is_some();
                let shown = Shown { one: "key", is_filtered, lines: rows::keys };
                let places = place::services(&asked.dir)?;
                let has_several = places.len() > 1;
                let places = with_state(places, &name).await;
                let question = states::List { name, prefix, after, limit };
                list_of(places, has_several, asked.json, question, shown, printed).await
            }
            States::Get { asked, which, raw } => show::run(&asked, which, raw, printed).await,
            States::Set { asked, which, state, file, type_version, expect } => {
                let json = match (state, file) {
                    (Some(state), _) => state,
                    (None, file) => read(file.as_deref())?,
                };
                let Which { name, key } = which;
                let set = states::Set { name, key, json, type_version, expected: expect };
                let (name, key) = (set.name.clone(), set.key.clone());
                let place = place::service(&asked.dir)?;
                let changed = once(&place, set).await?;
                tell(&asked, &place, (&name, &key), (changed.changed, "set"), printed)
            }
            States::Remove { asked, which: Which { name, key }, expect } => {
                let place = place::service(&asked.dir)?;
                let (of, for_key) = (name.clone(), key.clone());
                let remove = states::Remove { name, key, expected: expect };
                let changed = once(&place, remove).await?;
                tell(&asked, &place, (&of, &for_key), (changed.changed, "removed"), printed)
            }
        }
    }
}

/// Those of several services that have a state of that name, and those that do not say; all, if
/// none has it.
async fn with_state(places: Vec<Place>, name: &str) -> Vec<Place> {
    let (mut with, mut has_it) = (Vec::new(), false);
    if places.len() > 1 {
        for place in &places {
            match once(place, states::Names {}).await {
                Ok(names) if names.items.iter().all(|known| *known.name != *name) => {}
                asked => {
                    has_it |= asked.is_ok();
                    with.push(place.clone());
                }
            }
        }
    }
    if has_it { with } else { places }
}

#[derive(Serialize)]
struct Json<'a> {
    service: &'a str,
    name: &'a str,
    key: &'a str,
    changed: bool,
}

/// Tells what was done with a state, by name and key.
fn tell(
    asked: &Asked,
    place: &Place,
    (name, key): (&str, &str),
    (changed, done): (bool, &str),
    printed: &mut Printed,
) -> Result<Came, Trouble> {
    if asked.json {
        printed.json(&Json { service: &place.service, name, key, changed })?;
    } else if changed {
        printed.line(format!("the state {} of {} is {done}", plain(name), plain(key)));
    } else {
        note(&format!("there is no state {} of {}", plain(name), plain(key)));
    }
    Ok(if changed { Came::Done } else { Came::NothingMatched })
}

/// The state from a file, or from the standard input.
fn read(file: Option<&Path>) -> Result<String, Trouble> {
    let file = file.filter(|file| *file != Path::new("-"));
    let stdin = io::stdin();
    if file.is_none() && stdin.is_terminal() {
        return Err(Trouble::Usage(
            "there is no state: give its JSON as an argument, name a --file, or send it to the \
             standard input"
                .to_owned(),
        ));
    }
    let from = file.map_or_else(|| "the standard input".to_owned(), |f| f.display().to_string());
    let failed = |error: io::Error| Trouble::Failed(format!("cannot read {from}: {error}"));
    let reader: Box<dyn Read> = match file {
        Some(file) => Box::new(File::open(file).map_err(failed)?),
        None => Box::new(stdin),
    };
    let (mut text, most) = (String::new(), 2 * STATE_BYTES_MAX as u64);
    reader.take(most).read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}
