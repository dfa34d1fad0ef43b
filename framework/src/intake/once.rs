//! Messages that are sent once under an id.

use std::time::Duration;

use xxhash_rust::xxh3::xxh3_128;

use super::IntakeError;
use crate::envelope::digest::put;
use crate::limits::Limits;
use crate::outcome::Send as Message;
use crate::store::{ID_BYTES_MAX, Once};

/// How long ids are remembered, and how many.
#[derive(Clone, Copy, Debug)]
pub(super) struct Remembering {
    age_max: Duration,
    ids_max: u64,
}

impl Remembering {
    pub(super) fn of(limits: &Limits) -> Self {
        Remembering { age_max: limits.ids_age_max, ids_max: limits.ids_max }
    }
}

/// What a message is known by that is sent under an id.
pub(super) fn once(
    source: &str,
    id: &str,
    message: &Message,
    remembering: Remembering,
) -> Result<Once, IntakeError> {
    if id.len() > ID_BYTES_MAX {
        return Err(IntakeError::Id { bytes: id.len(), max: ID_BYTES_MAX });
    }
    let keep_ms = u64::try_from(remembering.age_max.as_millis()).unwrap_or(u64::MAX);
    let ids_max = remembering.ids_max;
    Ok(Once { source: source.into(), id: id.into(), digest: digest(message), keep_ms, ids_max })
}

/// XXH3-128 over what a message says, each part with its length.
fn digest(message: &Message) -> u128 {
    let key = message.key.as_deref();
    let mut said = vec![key.is_some().into()];
    let parts: [&[u8]; 4] = [
        message.topic.as_bytes(),
        message.type_name.as_bytes(),
        key.unwrap_or_default().as_bytes(),
        &message.body,
    ];
    parts.iter().for_each(|part| put(&mut said, part));
    xxh3_128(&said)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outgoing::Outgoing;
    use crate::prelude::*;

    #[derive(Message, Serialize, Deserialize)]
    #[message(key = name)]
    struct Note {
        name: String,
        text: String,
    }

    #[test]
    fn what_a_message_says_counts_and_its_headers_do_not() {
        let note =
            |name: &str, text: &str| Outgoing::new(Note { name: name.into(), text: text.into() });
        let of = |outgoing: Outgoing<Note>| digest(&outgoing.encode(None, None).unwrap());
        let one = of(note("a", "b"));
        assert_eq!(of(note("a", "b").header("trace", "7")), one);
        for other in [note("a", "c"), note("b", "b"), note("a", "b").to("elsewhere")] {
            assert_ne!(of(other), one);
        }
    }

    #[test]
    fn an_id_has_its_limit() {
        let message = Outgoing::new(Note { name: "a".into(), text: "b".into() });
        let message = message.encode(None, None).unwrap();
        let remembering = Remembering::of(&Limits::default());
        let most = "i".repeat(ID_BYTES_MAX);
        assert!(once("http", &most, &message, remembering).is_ok());
        let error = once("http", &(most + "i"), &message, remembering).unwrap_err();
        assert!(matches!(error, IntakeError::Id { bytes: 401, max: 400 }), "{error}");
    }
}
