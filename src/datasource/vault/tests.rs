use std::sync::Barrier;

use proptest::prelude::*;
use rusqlite::Connection;
use tempfile::TempDir;

use super::seal::KEY_LENGTH;
use super::*;

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn key_of(uid: &str) -> DataSourceKey {
    DataSourceKey::new(1, uid).unwrap()
}

fn operator(text: &str) -> Option<Secret> {
    Some(Secret::new(text))
}

/// Opens the database without a key.
fn raw_database(folder: &TempDir) -> Connection {
    Connection::open(folder.path().join(DATABASE)).unwrap()
}

#[test]
fn entries_survive_a_restart() {
    let folder = folder();
    let vault = Vault::open(folder.path(), None).unwrap();
    vault.put(&key_of("a"), Purpose::Grant, "", b"pair").unwrap();
    vault.put(&key_of("a"), Purpose::Grant, "", b"newer pair").unwrap();
    drop(vault);
    let vault = Vault::open(folder.path(), None).unwrap();
    assert_eq!(
        vault.get(&key_of("a"), Purpose::Grant, "").unwrap().as_deref(),
        Some(&b"newer pair"[..])
    );
    assert_eq!(vault.get(&key_of("b"), Purpose::Grant, "").unwrap(), None);
    assert_eq!(vault.get(&key_of("a"), Purpose::DataSource, "").unwrap(), None);
    assert_eq!(vault.keys(Purpose::Grant).unwrap(), [key_of("a")]);
    vault.delete(&key_of("a"), Purpose::Grant, "").unwrap();
    assert_eq!(vault.keys(Purpose::Grant).unwrap(), []);
}

/// The layout, names and seals of version 0.1.0. An independent implementation of the cipher made
/// the sealed bytes, with a key of 32 bytes 7.
const VERSION_0_1_0: &str = "
    PRAGMA application_id = 1382504052;
    PRAGMA user_version = 1;
    CREATE TABLE entries (
        datasource TEXT NOT NULL,
        purpose    TEXT NOT NULL,
        name       TEXT NOT NULL,
        key_id     BLOB NOT NULL,
        sealed     BLOB NOT NULL,
        expires_at INTEGER,
        PRIMARY KEY (datasource, purpose, name)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO entries (datasource, purpose, name, key_id, sealed) VALUES
        ('1/oura', 'account', 'settings', x'eba1ea5d672d0450',
         CAST(x'010101010101010101010101010101010101010101010101' ||
         x'c2117739a0828aecd0960baccfc0f90349c2075dfdca1d25' AS BLOB)),
        ('1/oura', 'grant', 'oura', x'eba1ea5d672d0450',
         CAST(x'020202020202020202020202020202020202020202020202' ||
         x'aad0698e45eb639a9bb829f52c523e740b3d7d1c' AS BLOB)),
        ('1/oura', 'login', 'state', x'eba1ea5d672d0450',
         CAST(x'030303030303030303030303030303030303030303030303' ||
         x'e8692c721b7207cbab1996d1ef02200adeee2fd3e3' AS BLOB));";

#[test]
fn vault_of_version_0_1_0_is_readable() {
    let folder = folder();
    fs::write(folder.path().join(KEY_FILE), [7; 32]).unwrap();
    raw_database(&folder).execute_batch(VERSION_0_1_0).unwrap();
    let vault = Vault::open(folder.path(), None).unwrap();
    for (purpose, name, value) in [
        (Purpose::DataSource, "settings", "settings"),
        (Purpose::Grant, "oura", "pair"),
        (Purpose::Login, "state", "login"),
    ] {
        let stored = vault.get(&key_of("oura"), purpose, name).unwrap().unwrap();
        assert_eq!(stored, value.as_bytes(), "{purpose:?}");
    }
}

#[test]
fn files_contain_no_plain_secret() {
    let folder = folder();
    let vault = Vault::open(folder.path(), None).unwrap();
    vault.put(&key_of("a"), Purpose::DataSource, "", b"planted-secret").unwrap();
    for file in fs::read_dir(folder.path()).unwrap() {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(14).any(|window| window == b"planted-secret"));
    }
}

#[cfg(unix)]
#[test]
fn files_are_private_to_their_owner() {
    use std::os::unix::fs::PermissionsExt;
    let parent = folder();
    let folder = parent.path().join("data");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    drop(Vault::open(&folder, None).unwrap());
    assert_eq!(mode(&folder), 0o700);
    fs::set_permissions(folder.join(DATABASE), fs::Permissions::from_mode(0o644)).unwrap();
    let vault = Vault::open(&folder, None).unwrap();
    vault.put(&key_of("a"), Purpose::Grant, "", b"pair").unwrap();
    for file in fs::read_dir(&folder).unwrap() {
        let path = file.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{path:?}");
    }
}

#[test]
fn entry_of_another_key_can_be_replaced() {
    let folder = folder();
    let key = key_of("a");
    Vault::open(folder.path(), operator("one").as_ref())
        .unwrap()
        .put(&key, Purpose::Grant, "", b"pair")
        .unwrap();
    let vault = Vault::open(folder.path(), operator("two").as_ref()).unwrap();
    assert!(matches!(vault.get(&key, Purpose::Grant, ""), Err(VaultError::WrongKey)));
    assert!(matches!(vault.remove(&key, Purpose::Grant, ""), Err(VaultError::WrongKey)));
    let first = Vault::open(folder.path(), operator("one").as_ref()).unwrap();
    assert_eq!(
        first.get(&key, Purpose::Grant, "").unwrap().as_deref(),
        Some(&b"pair"[..]),
        "a failed removal keeps the entry"
    );
    vault.put(&key, Purpose::Grant, "", b"new pair").unwrap();
    assert_eq!(vault.get(&key, Purpose::Grant, "").unwrap().as_deref(), Some(&b"new pair"[..]));
}

#[test]
fn modified_row_does_not_open() {
    let folder = folder();
    let key = key_of("a");
    let vault = Vault::open(folder.path(), None).unwrap();
    let other_end = "substr(sealed, 1, length(sealed) - 1)
                     || iif(substr(sealed, -1) = x'00', x'01', x'00')";
    for change in [other_end, "substr(sealed, 1, length(sealed) - 1)", "x''", "x'00' || sealed"] {
        vault.put(&key, Purpose::Grant, "", b"pair").unwrap();
        raw_database(&folder)
            .execute(&format!("UPDATE entries SET sealed = CAST({change} AS BLOB)"), [])
            .unwrap();
        assert!(
            matches!(vault.get(&key, Purpose::Grant, ""), Err(VaultError::Tampered)),
            "{change}"
        );
    }
}

#[test]
fn moved_row_does_not_open() {
    let folder = folder();
    let vault = Vault::open(folder.path(), None).unwrap();
    let addresses = [
        (key_of("a"), Purpose::Grant, "one"),
        (DataSourceKey::new(2, "a").unwrap(), Purpose::Grant, "one"),
        (key_of("b"), Purpose::Grant, "one"),
        (key_of("a"), Purpose::DataSource, "one"),
        (key_of("a"), Purpose::Grant, "two"),
    ];
    for (index, (key, purpose, name)) in addresses.iter().enumerate().skip(1) {
        vault.put(&addresses[0].0, Purpose::Grant, "one", b"mine").unwrap();
        vault.put(key, *purpose, name, b"theirs").unwrap();
        raw_database(&folder)
            .execute(
                "UPDATE entries SET sealed = (
                     SELECT sealed FROM entries
                     WHERE datasource = '1/a' AND purpose = 'grant' AND name = 'one')
                 WHERE datasource = ?1 AND purpose = ?2 AND name = ?3",
                params![key.to_string(), purpose.as_str(), name],
            )
            .unwrap();
        assert!(
            matches!(vault.get(key, *purpose, name), Err(VaultError::Tampered)),
            "case {index}"
        );
    }
}

#[test]
fn concurrent_removals_return_an_entry_once() {
    let folder = folder();
    let key = key_of("a");
    for _ in 0..20 {
        // One vault for each of two processes.
        let vaults =
            [Vault::open(folder.path(), None).unwrap(), Vault::open(folder.path(), None).unwrap()];
        vaults[0].put(&key, Purpose::Login, "state", b"login").unwrap();
        let start = Barrier::new(2);
        let values = std::thread::scope(|scope| {
            let removals = vaults.each_ref().map(|vault| {
                scope.spawn(|| {
                    start.wait();
                    vault.remove(&key, Purpose::Login, "state").unwrap()
                })
            });
            removals.map(|removal| removal.join().unwrap())
        });
        assert_eq!(values.iter().flatten().count(), 1);
    }
}

#[test]
fn concurrent_processes_create_one_key() {
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
        one.put(&key_of("a"), Purpose::Grant, "", b"pair").unwrap();
        assert_eq!(
            two.get(&key_of("a"), Purpose::Grant, "").unwrap().as_deref(),
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
fn operator_key_replaces_the_key_file() {
    let folder = folder();
    let key = key_of("a");
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
fn unreadable_entry_does_not_stop_a_rotation() {
    let folder = folder();
    let vault = Vault::open(folder.path(), None).unwrap();
    vault.put(&key_of("a"), Purpose::Grant, "", b"pair").unwrap();
    vault.put(&key_of("b"), Purpose::Grant, "", b"pair").unwrap();
    raw_database(&folder)
        .execute("UPDATE entries SET sealed = x'00' WHERE datasource = '1/b'", [])
        .unwrap();
    drop(vault);
    let vault = Vault::open(folder.path(), operator("one").as_ref()).unwrap();
    assert_eq!(vault.get(&key_of("a"), Purpose::Grant, "").unwrap().as_deref(), Some(&b"pair"[..]));
    assert!(matches!(vault.get(&key_of("b"), Purpose::Grant, ""), Err(VaultError::WrongKey)));
}

#[test]
fn only_expired_entries_are_deleted() {
    let folder = folder();
    let key = key_of("a");
    let vault = Vault::open(folder.path(), None).unwrap();
    vault.put(&key, Purpose::Grant, "", b"pair").unwrap();
    vault.put_until(&key, Purpose::Login, "old", b"login", Instant(99)).unwrap();
    vault.put_until(&key, Purpose::Login, "new", b"login", Instant(101)).unwrap();
    assert_eq!(vault.delete_expired(Instant(100)).unwrap(), 1);
    assert!(vault.get(&key, Purpose::Login, "new").unwrap().is_some());
    assert!(vault.get(&key, Purpose::Grant, "").unwrap().is_some());
}

#[test]
fn foreign_and_damaged_files_are_rejected() {
    let text = folder();
    fs::write(
        text.path().join(DATABASE),
        "this text is long enough for the header of a database".repeat(20),
    )
    .unwrap();
    let error = Vault::open(text.path(), None).err().unwrap();
    assert!(matches!(error, VaultError::NotAVault { path } if path.is_absolute()));

    let foreign = folder();
    raw_database(&foreign).execute_batch("CREATE TABLE dashboards (id)").unwrap();
    assert!(matches!(Vault::open(foreign.path(), None), Err(VaultError::NotAVault { .. })));

    let newer = folder();
    drop(Vault::open(newer.path(), None).unwrap());
    raw_database(&newer).pragma_update(None, "user_version", 2).unwrap();
    assert!(matches!(
        Vault::open(newer.path(), None),
        Err(VaultError::NewerVersion { found: 2, known: 1, .. })
    ));

    let half_key = folder();
    fs::write(half_key.path().join(KEY_FILE), "half").unwrap();
    assert!(matches!(Vault::open(half_key.path(), None), Err(VaultError::NotAKey { .. })));
}

#[test]
fn error_names_an_unusable_folder() {
    let folder = folder();
    fs::write(folder.path().join("file"), "").unwrap();
    let error = Vault::open(&folder.path().join("file/data"), None).err().unwrap();
    assert!(matches!(&error, VaultError::NotWritable { .. }));
    assert!(error.to_string().contains("file/data"), "{error}");
}

#[test]
fn full_disk_keeps_the_previous_entry() {
    let folder = folder();
    let key = key_of("a");
    let vault = Vault::open(folder.path(), None).unwrap();
    vault.put(&key, Purpose::Grant, "", b"pair").unwrap();
    // SQLite's page limit causes the same error as a full disk.
    vault.state().connection.pragma_update(None, "max_page_count", 1).unwrap();
    assert!(matches!(
        vault.put(&key, Purpose::Grant, "", &[0; 100_000]),
        Err(VaultError::DiskFull { .. })
    ));
    assert_eq!(vault.get(&key, Purpose::Grant, "").unwrap().as_deref(), Some(&b"pair"[..]));
}

#[test]
fn entries_of_a_hashed_operator_key_are_carried_over() {
    let folder = tempfile::tempdir().unwrap();
    let key = DataSourceKey::single();
    let text = Secret::new("a key of the operator");
    let vault = Vault::open(folder.path(), Some(&text)).unwrap();
    vault.state().sealer = Sealer::from_hashed_operator_key(&text);
    vault.put(&key, Purpose::Grant, "", b"pair").unwrap();
    drop(vault);
    for _ in 0..2 {
        let vault = Vault::open(folder.path(), Some(&text)).unwrap();
        assert_eq!(vault.get(&key, Purpose::Grant, "").unwrap().as_deref(), Some(&b"pair"[..]));
        let hashed = Sealer::from_hashed_operator_key(&text);
        assert_ne!(vault.state().sealer.key_id(), hashed.key_id());
    }
    let other = tempfile::tempdir().unwrap();
    let vault = Vault::open(folder.path(), Some(&text)).unwrap();
    let second = Vault::open(other.path(), Some(&text)).unwrap();
    assert_ne!(vault.state().sealer.key_id(), second.state().sealer.key_id(), "salts differ");
}

#[test]
fn short_keys_are_rejected() {
    assert!(check_key_length(&Secret::new("x".repeat(15))).is_err());
    assert!(check_key_length(&Secret::new("ä".repeat(16))).is_ok());
}

#[cfg(unix)]
#[test]
fn links_are_not_followed() {
    for name in [DATABASE, KEY_FILE] {
        let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let target = elsewhere.path().join("target");
        for exists in [false, true] {
            if exists {
                std::fs::write(&target, [7; KEY_LENGTH]).unwrap();
            }
            let link = folder.path().join(name);
            let _ = std::fs::remove_file(&link);
            std::os::unix::fs::symlink(&target, link).unwrap();
            let opened = Vault::open(folder.path(), None);
            assert!(matches!(opened, Err(VaultError::Link { .. })), "{name}");
            assert_eq!(target.exists(), exists, "{name}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn values_open_only_at_their_own_address(
        value: Vec<u8>,
        name in "\\PC{0,20}",
        other in "\\PC{0,20}",
    ) {
        let sealer = Sealer::new([7; KEY_LENGTH]);
        let address = Address { datasource: "1/a", purpose: "grant", name: &name };
        let sealed = sealer.seal(&address, &value).unwrap();
        prop_assert_eq!(sealer.open(&address, &sealed).unwrap(), value);
        let elsewhere = Address { name: &other, ..address };
        prop_assert_eq!(sealer.open(&elsewhere, &sealed).is_ok(), name == other);
    }
}
