use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;
use crate::Store;
use crate::tests::{env, open};

const SECRET: &str = "sk-very-secret";

async fn filled(dir: &Path) -> Store {
    let store = open(dir);
    let vault = store.vault();
    vault.put("provider/openai", SecretString::from(SECRET)).await.expect("put");
    vault.put("provider/groq", SecretString::from("other")).await.expect("put");
    store
}

async fn secret(store: &Store, name: &str) -> Result<Option<String>, Told> {
    let secret = store.vault().get(name).await?;
    Ok(secret.map(|secret| secret.expose_secret().to_owned()))
}

async fn check(store: &Store) {
    assert_eq!(secret(store, "provider/openai").await, Ok(Some(SECRET.into())));
    assert_eq!(secret(store, "provider/groq").await, Ok(Some("other".into())));
}

fn rows(store: &Store) -> Vec<(String, Vec<u8>)> {
    let rows = store.parts().engine.view(|txn| {
        let table = txn.open_table(VAULT)?;
        table
            .iter()?
            .map(|row| {
                let (name, row) = row?;
                Ok((name.value().to_owned(), row.value().to_vec()))
            })
            .collect()
    });
    rows.expect("read")
}

async fn set_row(store: &Store, name: &str, row: Vec<u8>) {
    let name = name.to_owned();
    let done = store.parts().writer.submit(Need::Room, 0, move |tables| {
        tables.vault.insert(name.as_str(), row.as_slice())?;
        Ok(Ok(()))
    });
    done.await.expect("written");
}

#[tokio::test]
async fn secrets_come_back_and_are_nowhere_in_the_clear() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = filled(dir.path()).await;
    check(&store).await;
    assert_eq!(secret(&store, "provider/none").await, Ok(None));
    assert_eq!(
        store.vault().names().await,
        Ok(vec!["provider/groq".to_owned(), "provider/openai".to_owned()])
    );
    store.close().await;
    let file = std::fs::read(dir.path().join(paths::DATABASE)).expect("read");
    let found = file.windows(SECRET.len()).any(|window| window == SECRET.as_bytes());
    assert!(!found, "the secret is in the file");
    let mode = std::fs::metadata(dir.path().join(paths::KEY)).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let store = open(dir.path());
    check(&store).await;
    assert_eq!(store.vault().remove("provider/groq").await, Ok(true));
    assert_eq!(store.vault().remove("provider/groq").await, Ok(false));
    assert_eq!(secret(&store, "provider/groq").await, Ok(None));
}

#[tokio::test]
async fn the_same_secret_is_never_the_same_row() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path());
    store.vault().put("a", SecretString::from(SECRET)).await.expect("put");
    let first = rows(&store);
    store.vault().put("a", SecretString::from(SECRET)).await.expect("put");
    assert_ne!(first, rows(&store));
}

#[tokio::test]
async fn a_store_without_secrets_has_no_key() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path());
    assert_eq!(secret(&store, "provider/openai").await, Ok(None));
    assert!(!dir.path().join(paths::KEY).exists());
}

#[tokio::test]
async fn a_changed_or_moved_ciphertext_is_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = filled(dir.path()).await;
    let rows = rows(&store);
    let (name, row) = &rows[1];
    for at in (0..row.len()).step_by(5) {
        let mut changed = row.clone();
        changed[at] ^= 1;
        set_row(&store, name, changed).await;
        assert!(secret(&store, name).await.is_err(), "byte {at}");
    }
    for length in 0..row.len() {
        set_row(&store, name, row[..length].to_vec()).await;
        assert!(secret(&store, name).await.is_err(), "{length} bytes");
    }
    // Another secret's row is no answer, although the key fits.
    set_row(&store, name, rows[0].1.clone()).await;
    assert!(secret(&store, name).await.is_err());
}

/// What a person is told whose key is gone.
fn is_told(error: &Told) {
    assert_eq!(error.code, Code::Denied, "{error}");
    assert!(error.hint.as_ref().is_some_and(|hint| hint.contains("login")), "{error:?}");
}

#[tokio::test]
async fn without_the_old_key_one_can_log_in_again() {
    for other_key in [false, true] {
        let dir = tempfile::tempdir().expect("a folder");
        filled(dir.path()).await.close().await;
        let path = dir.path().join(paths::KEY);
        let old = std::fs::read(&path).expect("read");
        std::fs::remove_file(&path).expect("removed");
        if other_key {
            Key::generate().expect("a key").create(&path).expect("written");
        }
        let there = std::fs::read(&path).ok();
        let store = open(dir.path());
        is_told(&secret(&store, "provider/openai").await.expect_err("the key is gone"));
        is_told(&store.vault().rotate().await.expect_err("the key is gone"));
        let problems = store.journal().check().await.expect("checked").problems;
        assert_eq!(problems.len(), 1, "{problems:?}");
        // The names are still known, so that a person knows what to give anew.
        assert_eq!(store.vault().names().await.expect("read").len(), 2);

        store.vault().put("provider/openai", SecretString::from("new")).await.expect("put");
        assert_eq!(secret(&store, "provider/openai").await, Ok(Some("new".into())));
        is_told(&secret(&store, "provider/groq").await.expect_err("the key is gone"));
        is_told(&store.vault().rotate().await.expect_err("one secret would be lost"));
        let now = std::fs::read(&path).expect("read");
        assert!(there.is_none_or(|there| there == now), "a key that was there is there still");
        store.close().await;

        // Whoever finds the old key reads the old secrets again.
        std::fs::write(&path, old).expect("written");
        let store = open(dir.path());
        assert_eq!(secret(&store, "provider/groq").await, Ok(Some("other".into())));
        store.close().await;
        std::fs::write(&path, now).expect("written");
        let store = open(dir.path());
        store.vault().put("provider/groq", SecretString::from("new")).await.expect("put");
        assert_eq!(store.vault().rotate().await, Ok(2));
        assert_eq!(store.journal().check().await.expect("checked").problems, Vec::<String>::new());
    }
}

#[tokio::test]
async fn making_the_first_key_may_be_cut_off() {
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::write(dir.path().join(paths::NEW_KEY), "abcd").expect("written");
    let store = filled(dir.path()).await;
    check(&store).await;
    assert!(!dir.path().join(paths::NEW_KEY).exists());
    store.close().await;
    // The same after a restore without the key.
    std::fs::rename(dir.path().join(paths::KEY), dir.path().join("elsewhere")).expect("moved");
    std::fs::write(dir.path().join(paths::NEW_KEY), "abcd").expect("written");
    let store = filled(dir.path()).await;
    check(&store).await;
}

#[tokio::test]
async fn a_key_file_that_others_may_read_is_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    filled(dir.path()).await.close().await;
    let path = dir.path().join(paths::KEY);
    for mode in [0o640, 0o604, 0o660, 0o666] {
        std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).expect("set");
        let store = open(dir.path());
        let error = secret(&store, "provider/openai").await.expect_err("refused");
        assert_eq!(error.code, Code::Denied);
        assert!(error.message.contains("may be read by others"), "{error}");
        store.close().await;
    }
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).expect("set");
    let elsewhere = dir.path().join("elsewhere");
    std::fs::rename(&path, &elsewhere).expect("moved");
    symlink(&elsewhere, &path).expect("linked");
    let error = secret(&open(dir.path()), "provider/openai").await.expect_err("refused");
    assert!(error.message.contains("is a symbolic link"), "{error}");
}

#[tokio::test]
async fn a_key_file_without_a_key_is_refused_and_never_shown() {
    let dir = tempfile::tempdir().expect("a folder");
    filled(dir.path()).await.close().await;
    let path = dir.path().join(paths::KEY);
    for text in ["", "abc", &"g".repeat(64), &"0".repeat(65)] {
        std::fs::write(&path, text).expect("written");
        let error = secret(&open(dir.path()), "provider/openai").await.expect_err("refused");
        assert!(error.message.contains("holds no vault key"), "{error}");
        assert!(text.is_empty() || !error.message.contains(text));
    }
}

#[tokio::test]
async fn a_new_key_takes_the_place_of_the_old_one() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = filled(dir.path()).await;
    let old = std::fs::read(dir.path().join(paths::KEY)).expect("read");
    let before = rows(&store);
    assert_eq!(store.vault().rotate().await, Ok(2));
    check(&store).await;
    let new = std::fs::read(dir.path().join(paths::KEY)).expect("read");
    assert_ne!(old, new);
    assert!(!dir.path().join(paths::NEW_KEY).exists());
    assert!(before.iter().zip(rows(&store)).all(|(old, new)| old.1 != new.1));
    store.close().await;
    check(&open(dir.path())).await;
}

/// Where changing the key may be cut off.
#[derive(Clone, Copy, Debug)]
enum CutOff {
    NewKeyHalfWritten,
    NewKeyWritten,
    Committed,
}

#[tokio::test]
async fn changing_the_key_may_be_cut_off_anywhere() {
    for cut_off in [CutOff::NewKeyHalfWritten, CutOff::NewKeyWritten, CutOff::Committed] {
        let dir = tempfile::tempdir().expect("a folder");
        let store = filled(dir.path()).await;
        let (path, new_path) = (dir.path().join(paths::KEY), dir.path().join(paths::NEW_KEY));
        match cut_off {
            CutOff::NewKeyHalfWritten => std::fs::write(&new_path, "abcd").expect("written"),
            CutOff::NewKeyWritten => {
                Key::generate().expect("a key").create(&new_path).expect("written");
            }
            CutOff::Committed => {
                // The rename that follows the commit did not happen.
                let old = std::fs::read(&path).expect("read");
                store.vault().rotate().await.expect("rotated");
                std::fs::rename(&path, &new_path).expect("moved");
                std::fs::write(&path, old).expect("written");
                std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).expect("set");
            }
        }
        store.close().await;
        let store = Store::open(dir.path(), env()).expect("opens");
        check(&store).await;
        assert!(!new_path.exists(), "{cut_off:?}");
        assert_eq!(store.vault().rotate().await, Ok(2), "{cut_off:?}");
        check(&store).await;
    }
}

#[tokio::test]
async fn a_dropped_change_of_the_key_loses_no_secret() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = filled(dir.path()).await;
    for polls in 0..6 {
        let vault = store.vault();
        let mut rotation = Box::pin(vault.rotate());
        for _ in 0..polls {
            let once = std::future::poll_fn(|cx| {
                std::task::Poll::Ready(rotation.as_mut().poll(cx).is_ready())
            });
            if once.await {
                break;
            }
        }
        drop(rotation);
        check(&store).await;
    }
    store.close().await;
    check(&open(dir.path())).await;
}
