//! Each form of a return value.

use super::*;

fn note(text: &str) -> Note {
    Note { text: text.into() }
}

/// The texts of the notes that a handler sends when it is given `text`.
async fn texts(handlers: Handlers, text: &str) -> Vec<String> {
    let service = service(handlers, &Dependencies::default());
    let outcome = service.oneshot(delivery(&note(text), vec![])).await.unwrap();
    let body = |body: Value| body["text"].as_str().unwrap().to_owned();
    sent(&outcome).into_iter().map(|(.., json)| body(json)).collect()
}

#[tokio::test]
async fn nothing() {
    #[handler]
    async fn silent(_: Note) {}
    assert!(texts(handlers![silent], "a").await.is_empty());

    #[handler]
    async fn unit(_: Note) -> () {}
    assert!(texts(handlers![unit], "a").await.is_empty());
}

#[tokio::test]
async fn a_message_an_option_several() {
    #[handler]
    async fn one(n: Note) -> Note {
        n
    }
    assert_eq!(texts(handlers![one], "a").await, ["a"]);

    #[handler]
    async fn maybe(n: Note) -> Option<Note> {
        (n.text != "no").then_some(n)
    }
    assert_eq!(texts(handlers![maybe], "yes").await, ["yes"]);
    assert!(texts(handlers![maybe], "no").await.is_empty());

    #[handler]
    async fn letters(n: Note) -> Vec<Note> {
        n.text.chars().map(|c| note(&c.to_string())).collect()
    }
    assert_eq!(texts(handlers![letters], "abc").await, ["a", "b", "c"]);

    #[handler]
    async fn pair(n: Note) -> [Note; 2] {
        [note("first"), n]
    }
    assert_eq!(texts(handlers![pair], "a").await, ["first", "a"]);
}

#[tokio::test]
async fn tuples_to_twelve_and_nested() {
    #[handler]
    async fn nested(n: Note) -> (Option<Note>, Vec<(Note, ())>, [Note; 1]) {
        (Some(note("1")), vec![(note("2"), ()), (note("3"), ())], [n])
    }
    assert_eq!(texts(handlers![nested], "4").await, ["1", "2", "3", "4"]);

    type Twelve = (Note, (), (), (), (), (), (), (), (), (), (), Note);
    #[handler]
    async fn twelve(n: Note) -> Twelve {
        (n, (), (), (), (), (), (), (), (), (), (), note("l"))
    }
    assert_eq!(texts(handlers![twelve], "a").await, ["a", "l"]);
}

#[tokio::test]
async fn results_of_any_error() {
    #[derive(Debug, thiserror::Error)]
    #[error("refused")]
    struct Refused;

    #[handler]
    async fn of_domain(n: Note) -> Result<Note, Refused> {
        if n.text == "no" { Err(Refused) } else { Ok(n) }
    }
    #[handler]
    async fn of_anyhow(n: Note) -> anyhow::Result<(Note, Option<Note>)> {
        anyhow::ensure!(n.text != "no", "refused");
        Ok((n, None))
    }
    #[handler]
    async fn of_ours(n: Note) -> crate::Result<()> {
        if n.text == "no" {
            Err("refused")?
        }
        Ok(())
    }
    #[handler]
    async fn of_marked(n: Note) -> Result<(), crate::error::Permanent> {
        if n.text == "no" { Err(Refused).permanent() } else { Ok(()) }
    }
    assert_eq!(texts(handlers![of_domain], "yes").await, ["yes"]);
    assert_eq!(texts(handlers![of_anyhow], "yes").await, ["yes"]);
    let all = handlers![of_domain, of_anyhow, of_ours, of_marked];
    for entry in all.into_entries() {
        let service = entry.build(&Dependencies::default(), &Layers::default()).unwrap();
        let error = service.oneshot(delivery(&note("no"), vec![])).await.unwrap_err();
        assert_eq!(error.to_string(), "refused");
        assert_eq!(crate::error::is_permanent(&*error), entry.spec().name == "of_marked");
    }
}

#[tokio::test]
async fn outgoing_says_where_and_with_what() {
    #[handler]
    async fn elsewhere(d: Deposit) -> (Outgoing<Deposit>, Outgoing<Note>) {
        (d.to("audits"), note("n").header("tenant", "south").header("b", "2"))
    }
    let service = service(handlers![elsewhere], &Dependencies::default());
    let outcome = service.oneshot(delivery(&deposit_of(5), vec![])).await.unwrap();
    let [deposit, note] = outcome.sends() else { panic!("{outcome:?}") };
    assert_eq!((&*deposit.topic, deposit.key.as_deref()), ("audits", Some("a-1")));
    assert!(deposit.headers.is_empty());
    assert_eq!((&*note.topic, note.key.as_deref()), ("note", None));
    assert_eq!(note.headers.iter().collect::<Vec<_>>(), [("tenant", "south"), ("b", "2")]);
}

#[tokio::test]
async fn what_cannot_be_sent_fails_the_delivery() {
    #[derive(Message, Serialize, Deserialize)]
    struct Strange {
        map: BTreeMap<(u8, u8), u8>,
    }
    #[handler]
    async fn strange(_: Note, outbox: &mut Outbox) -> Note {
        outbox.send(Strange { map: [((1, 2), 3)].into() });
        note("never sent")
    }
    #[handler]
    async fn long(n: Note) -> Outgoing<Note> {
        n.header(&"x".repeat(256), "")
    }
    #[handler]
    async fn reserved(n: Note) -> Outgoing<Note> {
        n.header("ce_subject", "another key")
    }
    #[handler]
    async fn large(_: Note) -> Note {
        note(&"x".repeat(crate::outgoing::BODY_BYTES_MAX))
    }
    let says = ["`Strange`", "cannot be sent", "`ce_subject` cannot be sent", "bytes of JSON"];
    let entries = handlers![strange, long, reserved, large].into_entries();
    for (entry, says) in entries.iter().zip(says) {
        let service = entry.build(&Dependencies::default(), &Layers::default()).unwrap();
        let error = service.oneshot(delivery(&note("a"), vec![])).await.unwrap_err();
        let error = error.downcast::<crate::outgoing::SendError>().unwrap();
        assert!(error.to_string().contains(says), "{error}");
    }
}

#[tokio::test]
async fn a_type_of_ones_own_can_be_returned() {
    enum Answer {
        Both(Note, Note),
    }
    impl crate::outgoing::Sends for Answer {
        fn send_to(self, outbox: &mut Outbox) {
            let Answer::Both(first, second) = self;
            outbox.send((first, second));
        }
    }
    #[handler]
    async fn answer(n: Note) -> Result<Answer> {
        Ok(Answer::Both(n, note("b")))
    }
    assert_eq!(texts(handlers![answer], "a").await, ["a", "b"]);
}

#[tokio::test]
async fn a_function_need_not_be_async() {
    #[handler]
    fn at_once(n: Note) -> impl crate::outgoing::Sends {
        Some(n)
    }
    assert_eq!(texts(handlers![at_once], "a").await, ["a"]);
}
