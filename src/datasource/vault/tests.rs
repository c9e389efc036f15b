use std::sync::Barrier;

use proptest::prelude::*;
use rusqlite::Connection;
use tempfile::TempDir;

use super::*;

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn datasource(uid: &str) -> DataSourceKey {
    DataSourceKey::new(1, uid).unwrap()
}

fn operator(text: &str) -> Option<Secret> {
    Some(Secret::new(text))
}

/// The database as somebody sees it who has the file and no key.
fn bare(folder: &TempDir) -> Connection {
    Connection::open(folder.path().join(DATABASE)).unwrap()
}

#[test]
fn what_was_put_is_there_after_a_restart() {
    let folder = folder();
    let vault = Vault::open(folder.path(), None).unwrap();
    vault.put(&datasource("a"), Purpose::Grant, "", b"pair").unwrap();
    vault.put(&datasource("a"), Purpose::Grant, "", b"newer pair").unwrap();
    drop(vault);
    let vault = Vault::open(folder.path(), None).unwrap();
    assert_eq!(
        vault.get(&datasource("a"), Purpose::Grant, "").unwrap().as_deref(),
        Some(&b"newer pair"[..])
    );
    assert_eq!(vault.get(&datasource("b"), Purpose::Grant, "").unwrap(), None);
    assert_eq!(vault.get(&datasource("a"), Purpose::DataSource, "").unwrap(), None);
    assert_eq!(vault.keys(Purpose::Grant).unwrap(), [datasource("a")]);
    vault.delete(&datasource("a"), Purpose::Grant, "").unwrap();
    assert_eq!(vault.keys(Purpose::Grant).unwrap(), []);
}

#[test]
fn nothing_of_a_secret_is_in_the_files() {
    let folder = folder();
    let vault = Vault::open(folder.path(), None).unwrap();
    vault.put(&datasource("a"), Purpose::DataSource, "", b"planted-secret").unwrap();
    for file in fs::read_dir(folder.path()).unwrap() {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(14).any(|window| window == b"planted-secret"));
    }
}

#[cfg(unix)]
#[test]
fn files_are_for_their_owner_alone_even_if_they_were_not() {
    use std::os::unix::fs::PermissionsExt;
    let parent = folder();
    let folder = parent.path().join("data");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    drop(Vault::open(&folder, None).unwrap());
    assert_eq!(mode(&folder), 0o700);
    fs::set_permissions(folder.join(DATABASE), fs::Permissions::from_mode(0o644)).unwrap();
    let vault = Vault::open(&folder, None).unwrap();
    vault.put(&datasource("a"), Purpose::Grant, "", b"pair").unwrap();
    for file in fs::read_dir(&folder).unwrap() {
        let path = file.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{path:?}");
    }
}

#[test]
fn an_entry_of_another_key_is_told_from_a_changed_one_and_can_be_replaced() {
    let folder = folder();
    let key = datasource("a");
    Vault::open(folder.path(), operator("one").as_ref())
        .unwrap()
        .put(&key, Purpose::Grant, "", b"pair")
        .unwrap();
    let vault = Vault::open(folder.path(), operator("two").as_ref()).unwrap();
    assert!(matches!(vault.get(&key, Purpose::Grant, ""), Err(VaultError::WrongKey)));
    assert!(matches!(vault.take(&key, Purpose::Grant, ""), Err(VaultError::WrongKey)));
    let former = Vault::open(folder.path(), operator("one").as_ref()).unwrap();
    assert_eq!(
        former.get(&key, Purpose::Grant, "").unwrap().as_deref(),
        Some(&b"pair"[..]),
        "a failed take leaves the entry"
    );
    vault.put(&key, Purpose::Grant, "", b"new pair").unwrap();
    assert_eq!(vault.get(&key, Purpose::Grant, "").unwrap().as_deref(), Some(&b"new pair"[..]));
}

#[test]
fn a_row_changed_from_outside_does_not_open() {
    let folder = folder();
    let key = datasource("a");
    let vault = Vault::open(folder.path(), None).unwrap();
    for change in ["substr(sealed, 1, length(sealed) - 1) || x'00'", "x''", "x'00' || sealed"] {
        vault.put(&key, Purpose::Grant, "", b"pair").unwrap();
        bare(&folder)
            .execute(&format!("UPDATE entries SET sealed = CAST({change} AS BLOB)"), [])
            .unwrap();
        assert!(
            matches!(vault.get(&key, Purpose::Grant, ""), Err(VaultError::Tampered)),
            "{change}"
        );
    }
}

#[test]
fn a_row_moved_to_another_place_does_not_open() {
    let folder = folder();
    let vault = Vault::open(folder.path(), None).unwrap();
    let everywhere = [
        (datasource("a"), Purpose::Grant, "one"),
        (DataSourceKey::new(2, "a").unwrap(), Purpose::Grant, "one"),
        (datasource("b"), Purpose::Grant, "one"),
        (datasource("a"), Purpose::DataSource, "one"),
        (datasource("a"), Purpose::Grant, "two"),
    ];
    for (index, (key, purpose, name)) in everywhere.iter().enumerate().skip(1) {
        vault.put(&everywhere[0].0, Purpose::Grant, "one", b"mine").unwrap();
        vault.put(key, *purpose, name, b"theirs").unwrap();
        bare(&folder)
            .execute(
                "UPDATE entries SET sealed = (SELECT sealed FROM entries WHERE datasource = '1/a' AND purpose = 'grant' AND name = 'one')
                 WHERE datasource = ?1 AND purpose = ?2 AND name = ?3",
                params![key.to_string(), purpose.word(), name],
            )
            .unwrap();
        assert!(
            matches!(vault.get(key, *purpose, name), Err(VaultError::Tampered)),
            "case {index}"
        );
    }
}

#[test]
fn of_two_takers_one_gets_it() {
    let folder = folder();
    let key = datasource("a");
    for _ in 0..20 {
        // Two vaults, as two processes would have.
        let vaults =
            [Vault::open(folder.path(), None).unwrap(), Vault::open(folder.path(), None).unwrap()];
        vaults[0].put(&key, Purpose::Login, "state", b"login").unwrap();
        let start = Barrier::new(2);
        let taken = std::thread::scope(|scope| {
            let takers = vaults.each_ref().map(|vault| {
                scope.spawn(|| {
                    start.wait();
                    vault.take(&key, Purpose::Login, "state").unwrap()
                })
            });
            takers.map(|taker| taker.join().unwrap())
        });
        assert_eq!(taken.iter().flatten().count(), 1);
    }
}

#[test]
fn two_processes_that_start_together_agree_on_the_key() {
    for _ in 0..20 {
        let folder = folder();
        let start = Barrier::new(2);
        let open = || {
            start.wait();
            Vault::open(folder.path(), None).unwrap()
        };
        let [one, two] = std::thread::scope(|scope| {
            [scope.spawn(open), scope.spawn(open)].map(|thread| thread.join().unwrap())
        });
        one.put(&datasource("a"), Purpose::Grant, "", b"pair").unwrap();
        assert_eq!(
            two.get(&datasource("a"), Purpose::Grant, "").unwrap().as_deref(),
            Some(&b"pair"[..])
        );
        assert!(
            !fs::read_dir(folder.path()).unwrap().any(|file| file
                .unwrap()
                .file_name()
                .to_string_lossy()
                .starts_with("vault.key."))
        );
    }
}

#[test]
fn a_new_operators_key_takes_over_the_entries_of_the_key_file() {
    let folder = folder();
    let key = datasource("a");
    Vault::open(folder.path(), None).unwrap().put(&key, Purpose::Grant, "", b"pair").unwrap();
    let vault = Vault::open(folder.path(), operator("one").as_ref()).unwrap();
    assert_eq!(vault.get(&key, Purpose::Grant, "").unwrap().as_deref(), Some(&b"pair"[..]));
    assert!(!folder.path().join(KEY_FILE).exists());
    assert_eq!(vault.rotate(&Secret::new("two")).unwrap(), 1);
    assert_eq!(vault.get(&key, Purpose::Grant, "").unwrap().as_deref(), Some(&b"pair"[..]));
    drop(vault);
    let vault = Vault::open(folder.path(), operator("two").as_ref()).unwrap();
    assert_eq!(vault.get(&key, Purpose::Grant, "").unwrap().as_deref(), Some(&b"pair"[..]));
}

#[test]
fn an_entry_that_does_not_open_holds_up_no_rotation() {
    let folder = folder();
    let vault = Vault::open(folder.path(), None).unwrap();
    vault.put(&datasource("a"), Purpose::Grant, "", b"pair").unwrap();
    vault.put(&datasource("b"), Purpose::Grant, "", b"pair").unwrap();
    bare(&folder)
        .execute("UPDATE entries SET sealed = x'00' WHERE datasource = '1/b'", [])
        .unwrap();
    drop(vault);
    let vault = Vault::open(folder.path(), operator("one").as_ref()).unwrap();
    assert_eq!(
        vault.get(&datasource("a"), Purpose::Grant, "").unwrap().as_deref(),
        Some(&b"pair"[..])
    );
    assert!(matches!(vault.get(&datasource("b"), Purpose::Grant, ""), Err(VaultError::WrongKey)));
}

#[test]
fn sweeping_removes_what_has_expired_and_nothing_else() {
    let folder = folder();
    let key = datasource("a");
    let vault = Vault::open(folder.path(), None).unwrap();
    vault.put(&key, Purpose::Grant, "", b"pair").unwrap();
    vault.put_until(&key, Purpose::Login, "old", b"login", Instant(99)).unwrap();
    vault.put_until(&key, Purpose::Login, "new", b"login", Instant(101)).unwrap();
    assert_eq!(vault.sweep(Instant(100)).unwrap(), 1);
    assert!(vault.get(&key, Purpose::Login, "new").unwrap().is_some());
    assert!(vault.get(&key, Purpose::Grant, "").unwrap().is_some());
}

#[test]
fn what_is_no_vault_is_refused_and_left_alone() {
    let text = folder();
    fs::write(
        text.path().join(DATABASE),
        "this is no database, but it is long enough to be read as one".repeat(20),
    )
    .unwrap();
    assert!(
        matches!(Vault::open(text.path(), None), Err(VaultError::NotAVault { path }) if path.is_absolute())
    );

    let foreign = folder();
    bare(&foreign).execute_batch("CREATE TABLE dashboards (id)").unwrap();
    assert!(matches!(Vault::open(foreign.path(), None), Err(VaultError::NotAVault { .. })));

    let newer = folder();
    drop(Vault::open(newer.path(), None).unwrap());
    bare(&newer).pragma_update(None, "user_version", 2).unwrap();
    assert!(matches!(
        Vault::open(newer.path(), None),
        Err(VaultError::NewerVersion { found: 2, known: 1, .. })
    ));

    let half_key = folder();
    fs::write(half_key.path().join(KEY_FILE), "half").unwrap();
    assert!(matches!(Vault::open(half_key.path(), None), Err(VaultError::NotAKey { .. })));
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = folder();
    fs::write(folder.path().join("file"), "").unwrap();
    let error = Vault::open(&folder.path().join("file/data"), None).err().unwrap();
    assert!(matches!(&error, VaultError::NotWritable { .. }));
    assert!(error.to_string().contains("file/data"), "{error}");
}

#[test]
fn a_full_disk_is_told_as_such_and_the_former_entry_stays() {
    let folder = folder();
    let key = datasource("a");
    let vault = Vault::open(folder.path(), None).unwrap();
    vault.put(&key, Purpose::Grant, "", b"pair").unwrap();
    // The engine's own limit fails in the same way as a file system without space.
    vault.state().connection.pragma_update(None, "max_page_count", 1).unwrap();
    assert!(matches!(
        vault.put(&key, Purpose::Grant, "", &[0; 100_000]),
        Err(VaultError::DiskFull { .. })
    ));
    assert_eq!(vault.get(&key, Purpose::Grant, "").unwrap().as_deref(), Some(&b"pair"[..]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_value_comes_back_from_its_own_place_only(value: Vec<u8>, name in "\\PC{0,20}", other in "\\PC{0,20}") {
        let sealer = Sealer::of_operator(&Secret::new("key"));
        let place = Place { datasource: "1/a", purpose: "grant", name: &name };
        let sealed = sealer.seal(&place, &value).unwrap();
        prop_assert_eq!(sealer.open(&place, &sealed).unwrap(), value);
        let elsewhere = Place { name: &other, ..place };
        prop_assert_eq!(sealer.open(&elsewhere, &sealed).is_ok(), name == other);
    }
}
