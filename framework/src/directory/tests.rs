//! Locked, private, and noticed when it is replaced.

use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

const KIND: &str = "endwise test, format 2";

fn made(path: &Path) -> Directory {
    let mut directory = Directory::lock(path.to_owned(), Patience::None).unwrap();
    if directory.format(KIND).unwrap().is_none() {
        directory.write_format(KIND, "a line").unwrap();
    }
    directory
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn it_is_locked_whatever_is_removed_from_it() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("data");
    let directory = made(&path);
    let is_locked = || match Directory::lock(path.clone(), Patience::None) {
        Err(DirectoryError::Locked { dir, by: Holder::ThisProcess }) => dir == path,
        _ => false,
    };
    assert!(is_locked() && Directory::holder(&path) == Some(Holder::ThisProcess));
    for entry in fs::read_dir(&path).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    assert!(is_locked());
    drop(directory);
    assert!([&path, &home.path().join("none")].iter().all(|dir| Directory::holder(dir).is_none()));
    assert!(Directory::lock(path.clone(), Patience::None).is_ok());
}

#[test]
fn who_comes_while_it_is_closing_gets_it() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("data");
    let directory = made(&path);
    std::thread::scope(|scope| {
        let next = scope.spawn(|| Directory::lock(path.clone(), Patience::Some));
        drop(directory);
        assert!(next.join().unwrap().is_ok());
    });
}

#[test]
fn it_is_noticed_when_the_data_are_removed_moved_or_replaced() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("data");
    let is_replaced =
        |directory: &Directory| matches!(directory.check(), Err(DirectoryError::Replaced { .. }));
    let directory = made(&path);
    directory.check().unwrap();

    let away = home.path().join("away");
    fs::rename(&path, &away).unwrap();
    assert!(is_replaced(&directory));
    let second = made(&path);
    assert!(is_replaced(&directory), "another one is in its place");
    second.check().unwrap();

    let format = path.join("FORMAT");
    let copy = fs::read(&format).unwrap();
    fs::remove_file(&format).unwrap();
    assert!(is_replaced(&second));
    fs::write(&format, copy).unwrap();
    assert!(is_replaced(&second), "a copy is another file");
}

#[test]
fn a_link_is_not_followed() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("data");
    drop(made(&path));
    let (format, other) = (path.join("FORMAT"), home.path().join("other"));
    fs::rename(&format, &other).unwrap();
    symlink(&other, &format).unwrap();
    let error = Directory::lock(path.clone(), Patience::None).unwrap_err();
    assert!(matches!(error, DirectoryError::Link { .. }), "{error}");

    fs::remove_file(&format).unwrap();
    fs::write(&other, "precious").unwrap();
    symlink(&other, path.join("FORMAT.tmp")).unwrap();
    drop(made(&path));
    assert_eq!(fs::read_to_string(&other).unwrap(), "precious");
    assert!(!fs::symlink_metadata(&format).unwrap().is_symlink());
}

#[test]
fn what_is_made_and_what_was_there_is_the_owners_alone() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("above/data");
    drop(made(&path));
    assert_eq!(mode(&home.path().join("above")), 0o700);
    assert_eq!((mode(&path), mode(&path.join("FORMAT"))), (0o700, 0o600));

    let (journal, beside) = (path.join("journal"), path.join("beside"));
    fs::create_dir(&journal).unwrap();
    for file in [&journal.join("HEAD"), &beside] {
        fs::write(file, "").unwrap();
        fs::set_permissions(file, fs::Permissions::from_mode(0o664)).unwrap();
    }
    for dir in [&path, &journal] {
        fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
    }
    drop(made(&path));
    assert_eq!((mode(&path), mode(&journal), mode(&journal.join("HEAD"))), (0o700, 0o700, 0o600));
    assert_eq!(mode(&beside), 0o664, "what is not ours stays as it is");

    let strange = home.path().join("strange");
    fs::create_dir(&strange).unwrap();
    fs::set_permissions(&strange, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(strange.join("notes"), "").unwrap();
    drop(Directory::lock(strange.clone(), Patience::None).unwrap());
    assert_eq!(mode(&strange), 0o755, "a directory with somebody's files is his");
}
