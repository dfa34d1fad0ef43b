//! What a store is not opened with: each refusal says where and what to do, and changes nothing.

use std::fs;
use std::path::{Path, PathBuf};

use super::conformance::{in_dir, small};
use super::cuts::copy;
use crate::store::{Batch, OpenStore, Renames, StoreError};
use crate::testing::store_conformance::catalog;
use crate::testing::store_conformance::model::{Model, Random};

/// A store with several checkpoints and several segments behind the last one.
async fn filled(dir: &Path) -> Model {
    let mut random = Random::from_environment();
    let mut model = Model::default();
    let mut open = in_dir(dir, ()).open().await;
    for id in 1..60 {
        let batch = Batch { id, ..model.batch(&mut random) };
        let durable = open.store.commit(&batch).await.unwrap();
        model.apply(&batch, &durable);
    }
    open.store.close().await.unwrap();
    model.restart();
    model
}

async fn refusal(dir: &Path, service: &str) -> StoreError {
    match Box::new(small(dir)).open(service.into()).await {
        Ok(_) => panic!("it was opened"),
        Err(error) => error,
    }
}

fn names(error: &StoreError, dir: &Path, remedy: &str) {
    let text = error.to_string();
    assert!(text.contains(&*dir.to_string_lossy()), "{text:?} says where");
    assert!(text.contains(remedy), "{text:?} says {remedy:?}");
}

fn segments(dir: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(dir.join("journal")).unwrap().map(|entry| entry.unwrap().path());
    let mut segments: Vec<_> =
        files.filter(|path| path.to_string_lossy().contains("segment-")).collect();
    segments.sort();
    segments
}

/// A segment's number.
fn number(segment: &Path) -> u64 {
    let name = segment.file_name().unwrap().to_str().unwrap();
    name.strip_prefix("segment-").unwrap().parse().unwrap()
}

/// What is done to a file or directory.
enum Harm {
    Gone,
    Emptied,
    Written(&'static [u8]),
    Cut(u64),
}

fn remove(path: &Path) {
    match path.is_dir() {
        true => fs::remove_dir_all(path).unwrap(),
        false => fs::remove_file(path).unwrap(),
    }
}

impl Harm {
    fn do_to(&self, path: &Path) {
        let cut = |length| {
            fs::File::options().write(true).open(path).unwrap().set_len(length).unwrap();
        };
        match self {
            Harm::Gone => remove(path),
            Harm::Emptied if path.is_dir() => {
                remove(path);
                fs::create_dir(path).unwrap();
            }
            Harm::Emptied => cut(0),
            Harm::Written(bytes) => fs::write(path, bytes).unwrap(),
            Harm::Cut(length) => cut(*length),
        }
    }
}

/// Harms files of a copy: it must be refused, more than once, and be whole with them put back.
async fn is_refused(dir: &Path, model: &Model, remedy: &str, harms: &[(&Path, Harm)]) {
    let harmed = dir.parent().unwrap().join("harmed");
    copy(dir, &harmed);
    harms.iter().for_each(|(path, harm)| harm.do_to(&harmed.join(path)));
    for _ in 0..2 {
        names(&refusal(&harmed, "shop").await, &harmed, remedy);
    }
    for (path, _) in harms {
        if harmed.join(path).exists() {
            remove(&harmed.join(path));
        }
        match dir.join(path).is_dir() {
            true => copy(&dir.join(path), &harmed.join(path)),
            false => drop(fs::copy(dir.join(path), harmed.join(path)).unwrap()),
        }
    }
    model.check(&in_dir(&harmed, ()).open().await).await;
    fs::remove_dir_all(harmed).unwrap();
}

#[tokio::test]
async fn a_harmed_store_is_refused_with_place_and_remedy() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("store");
    let model = filled(&dir).await;
    let tail = segments(&dir).pop().unwrap();
    let tail = tail.strip_prefix(&dir).unwrap();
    let format = Path::new("FORMAT");
    let older = Harm::Written(b"endwise store, format 1\nservice shop\n");
    let cut = Harm::Written(b"endwise store, format 2\nservice shop\n");
    let cases: [(&Path, Harm, &str); 10] = [
        (format, Harm::Gone, "move the directory away"),
        (format, older, "use the version that wrote it"),
        (format, cut, "restore it"),
        (format, Harm::Emptied, "restore it"),
        (format, Harm::Written(&[0xff, 0xfe]), "FORMAT"),
        (Path::new("journal"), Harm::Gone, "restore"),
        (tail, Harm::Gone, "restore"),
        (tail, Harm::Cut(5_000), "restore"),
        (Path::new("sled"), Harm::Gone, "restore"),
        (Path::new("sled/db"), Harm::Emptied, "restore"),
    ];
    for (path, harm, remedy) in cases {
        println!("{}", path.display());
        is_refused(&dir, &model, remedy, &[(path, harm)]).await;
    }
    // Without FORMAT and frames it would look half made, were it not for the checkpoint.
    let harms = [(format, Harm::Gone), (Path::new("journal"), Harm::Emptied)];
    is_refused(&dir, &model, "backup", &harms).await;
}

#[tokio::test]
async fn an_older_base_or_journal_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let (dir, older) = (home.path().join("store"), home.path().join("older"));
    filled(&dir).await;
    copy(&dir, &older);
    filled(&home.path().join("another")).await;
    // Goes on until the segments that the older copy ends with were dropped, and those behind
    // them, with records that the older checkpoint cannot have.
    let mut random = Random::from_environment();
    let (mut model, mut open) = (Model::default(), in_dir(&dir, ()).open().await);
    let last = number(&segments(&older).pop().unwrap());
    for id in 1.. {
        if number(&segments(&dir)[0]) > last + 1 {
            break;
        }
        // What the model expects is another matter: this only moves on.
        let batch = Batch { id, ..model.batch(&mut random) };
        open.store.commit(&Batch { confirmed: Vec::new(), ..batch }).await.unwrap();
        assert!(id < 5_000);
    }
    open.store.close().await.unwrap();
    drop(open.reader);
    // An older checkpoint under a newer journal: what lies between is lost.
    let mixed = home.path().join("mixed");
    copy(&dir, &mixed);
    fs::remove_dir_all(mixed.join("sled")).unwrap();
    copy(&older.join("sled"), &mixed.join("sled"));
    let error = refusal(&mixed, "shop").await;
    names(&error, &mixed, "restore the whole data directory");
    let says = ["lost records", "the file is missing"];
    assert!(says.iter().any(|says| error.to_string().contains(says)), "{error}");
    // An older journal under a newer checkpoint.
    let mixed = home.path().join("mixed-too");
    copy(&dir, &mixed);
    fs::remove_dir_all(mixed.join("journal")).unwrap();
    copy(&older.join("journal"), &mixed.join("journal"));
    names(&refusal(&mixed, "shop").await, &mixed, "restore");
    // Another store's journal.
    fs::remove_dir_all(mixed.join("journal")).unwrap();
    copy(&home.path().join("another/journal"), &mixed.join("journal"));
    let store = fs::read_to_string(dir.join("FORMAT")).unwrap().replace("store ", "store f");
    fs::write(mixed.join("FORMAT"), store).unwrap();
    refusal(&mixed, "shop").await;
}

#[tokio::test]
async fn another_services_store_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("store");
    let model = filled(&dir).await;
    let error = refusal(&dir, "bank").await;
    names(&error, &dir, "directory of its own");
    assert!(error.to_string().contains("shop") && error.to_string().contains("bank"), "{error}");
    model.check(&in_dir(&dir, ()).open().await).await;
}

#[tokio::test]
async fn a_store_that_was_half_made_is_made_anew() {
    let home = tempfile::tempdir().unwrap();
    let made = home.path().join("made");
    drop(in_dir(&made, ()).open().await);
    // A store without a frame: its app was not written down yet.
    let fresh = home.path().join("fresh");
    let opened = Box::new(small(&fresh)).open("shop".into()).await.unwrap();
    drop(opened);
    let steps: [(&str, &[(&str, Harm)]); 5] = [
        ("nothing but the directory", &[("journal", Harm::Gone), ("sled", Harm::Gone)]),
        ("the store's checkpoint, is missing", &[("sled", Harm::Gone)]),
        ("half a base", &[("sled/db", Harm::Written(b"half"))]),
        ("no HEAD", &[("journal/HEAD", Harm::Gone)]),
        ("all but FORMAT", &[("FORMAT.tmp", Harm::Written(b"endwise store, for"))]),
    ];
    for (what, harms) in steps {
        let half = home.path().join("half");
        copy(&fresh, &half);
        fs::remove_file(half.join("FORMAT")).unwrap();
        harms.iter().for_each(|(path, harm)| harm.do_to(&half.join(path)));
        let open = in_dir(&half, ()).open_as(catalog(), Renames::default()).await;
        let mut open = open.unwrap_or_else(|error| panic!("{what}: {error}"));
        let durable = open.commit(vec![crate::testing::store_conformance::accepted()]).await;
        assert_eq!(durable.verdicts.len(), 1, "{what}");
        drop(open);
        fs::remove_dir_all(&half).unwrap();
    }
}
