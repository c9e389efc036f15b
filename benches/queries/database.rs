//! Ten years of a synthetic person in one file, made once by the product itself.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, LazyLock};

use ringside::catalog::Catalog;
use ringside::query::{Engine, Limits};
use ringside::store::Store;
use ringside::time::Tz;

/// The home of the demo's person.
pub const ZONE: Tz = Tz::Europe__Vienna;

const DAYS: &str = "3650";

pub struct Database {
    pub store: Store,
    pub catalog: Arc<Catalog>,
    pub engine: Engine,
    /// The last instant with a heart rate, in seconds: where the panels' time ranges end.
    pub end: i64,
}

/// The database, made by `gpx_oura demo` if there is none yet.
pub static DATABASE: LazyLock<Database> = LazyLock::new(|| {
    let path = path();
    if !path.exists() {
        make(path.ancestors().nth(3).expect("it lies in a folder of folders"));
    }
    let catalog = Arc::new(Catalog::bundled());
    let store = Store::open(&path, catalog.clone(), ZONE).expect("the database opens");
    if store.is_outdated().expect("the database is readable") {
        store.writer().rebuild().expect("the database derives");
    }
    let end = bare(&path)
        .query_row("SELECT max(time) FROM heartrate", [], |row| row.get(0))
        .expect("there are heart rates");
    let engine = Engine::new(store.clone(), ZONE, Limits::default());
    Database { store, catalog, engine, end }
});

/// `target/bench-data/1/oura/oura.db`; `tests/host` measures the same file.
fn path() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("bench-data").join("1/oura/oura.db")
}

fn make(folder: &Path) {
    let demo = Command::new(env!("CARGO_BIN_EXE_gpx_oura"))
        .args(["demo", "--days", DAYS, "--repeat", "1", "--data-dir"])
        .arg(folder)
        .status()
        .expect("the program starts");
    assert!(demo.success(), "the demo failed");
}

/// A connection as a program without guard opens it.
pub fn bare(path: &Path) -> rusqlite::Connection {
    rusqlite::Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY)
        .expect("the database opens")
}
