//! Ten years of a synthetic person in one file. The demo command creates it once.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, LazyLock};

use ringside::catalog::Catalog;
use ringside::query::{Engine, Limits};
use ringside::store::Store;
use ringside::time::Tz;

/// The time zone of the demo's person.
pub const ZONE: &str = "Europe/Vienna";

const DAYS: &str = "3650";

/// The database under measurement.
pub struct Database {
    pub store: Store,
    pub catalog: Arc<Catalog>,
    pub engine: Engine,
    /// The time of the last heart rate in Unix seconds. The panels' time ranges end here.
    pub end: i64,
}

/// The database. `gpx_oura demo` creates it if it does not exist.
pub static DATABASE: LazyLock<Database> = LazyLock::new(|| {
    let path = path();
    if !path.exists() {
        create(path.ancestors().nth(3).expect("the path has three folders"));
    }
    let catalog = Arc::new(Catalog::bundled());
    let store = Store::open(&path, catalog.clone(), Tz::named(ZONE)).expect("the database opens");
    if store.is_outdated().expect("the database is readable") {
        store.writer().rebuild().expect("the rebuild succeeds");
    }
    let end = unguarded(&path)
        .query_row("SELECT max(time) FROM heartrate", [], |row| row.get(0))
        .expect("there are heart rates");
    let engine = Engine::new(store.clone(), Tz::named(ZONE), Limits::default());
    Database { store, catalog, engine, end }
});

/// `target/bench-data/1/oura/oura.db`. `tests/host` measures the same file.
fn path() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("bench-data").join("1/oura/oura.db")
}

fn create(folder: &Path) {
    let demo = Command::new(env!("CARGO_BIN_EXE_gpx_oura"))
        .args(["demo", "--days", DAYS, "--repeat", "1", "--data-dir"])
        .arg(folder)
        .status()
        .expect("the program starts");
    assert!(demo.success(), "the demo failed");
}

/// Opens a connection without the guard.
pub fn unguarded(path: &Path) -> rusqlite::Connection {
    rusqlite::Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY)
        .expect("the database opens")
}
