//! What must hold for every text that a stranger may send. Each function panics where it does not.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ringside::catalog::Catalog;
use ringside::query::{Engine, Format, Limits, QueryContext, SqlQuery, expand};
use ringside::store::Store;
use ringside::time::Tz;

/// Stands in a table that queries must not see.
const CANARY: &str = "canary-7f3a91";
/// How long one query may take, and how much longer it may take to end.
const TIMEOUT: Duration = Duration::from_millis(300);
const PATIENCE: Duration = Duration::from_secs(4);

fn context() -> QueryContext {
    QueryContext {
        from_ms: 1_700_000_000_000,
        to_ms: 1_700_604_800_500,
        interval: Duration::from_secs(300),
        max_data_points: 100,
    }
}

/// Expanding ends, in an error or in text; text without a dollar comes out as it went in; what comes out has nothing left to expand, but
/// for a macro that continues a word, as in `heartrate_$__interval`: what becomes of the two is one word.
pub fn expands(text: &str) {
    let once = expand(text, &context(), Tz::Europe__Vienna);
    if !text.contains('$') {
        assert_eq!(once.as_deref().ok(), Some(text));
    }
    let continues = |(at, _): (usize, &str)| {
        text[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_')
    };
    if let Ok(once) = once
        && !text.match_indices('$').any(continues)
    {
        let again = expand(&once, &context(), Tz::Europe__Vienna);
        assert_eq!(again.as_deref().ok(), Some(once.as_str()), "what comes out is expanded again");
    }
}

/// A small database, and the engine that answers from it.
pub struct World {
    engine: Engine,
    catalog: Arc<Catalog>,
    database: PathBuf,
    folder: tempfile::TempDir,
    bytes: Vec<u8>,
    runtime: tokio::runtime::Runtime,
}

impl World {
    pub fn new() -> World {
        let folder = tempfile::tempdir().expect("a folder for the database");
        let database = folder.path().join("oura.db");
        let catalog = Arc::new(Catalog::bundled());
        let store =
            Store::open(&database, catalog.clone(), Tz::Europe__Vienna).expect("a new database");
        let writer = rusqlite::Connection::open(&database).expect("the same database");
        writer
            .execute_batch(&format!(
                "INSERT INTO meta (name, value) VALUES ('canary', '{CANARY}');
                 WITH RECURSIVE counter(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM counter WHERE n < 2000)
                 INSERT INTO heartrate (time, bpm, source) SELECT 1700000000 + 300 * n, 50 + n % 40, 'awake' FROM counter;
                 INSERT INTO daily_sleep (document, time, day, id, score)
                 SELECT n, 1700002800 + 86400 * n, date('2023-11-15', n || ' days'), 'id-' || n, 60 + n % 30
                 FROM (SELECT row_number() OVER () AS n FROM heartrate LIMIT 40);
                 PRAGMA wal_checkpoint(TRUNCATE)"
            ))
            .expect("some rows");
        drop(writer);
        let limits = Limits { timeout: TIMEOUT, max_rows: 500, max_bytes: 1 << 20, concurrency: 1 };
        let bytes = std::fs::read(&database).expect("the database");
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        World {
            engine: Engine::new(store, Tz::Europe__Vienna, limits),
            catalog,
            database,
            folder,
            bytes,
            runtime,
        }
    }

    /// The query ends in time; nothing is written, no file is made, and nothing hidden is told, neither in an answer nor in an error.
    pub fn answers(&self, sql: &str) {
        let begun = Instant::now();
        let query = SqlQuery { raw_sql: sql.to_owned(), ..SqlQuery::default() };
        let told = match self.runtime.block_on(self.engine.run(&query, &context())) {
            Ok(answer) => {
                assert!(answer.batch.rows <= 500, "more rows than the limit");
                for format in [Format::Table, Format::TimeSeries] {
                    // A shape that is no series is an error that says so.
                    let _ = ringside::frames::frames(&answer, format, "A", &self.catalog);
                }
                format!("{:?}", answer.batch)
            }
            Err(error) => format!("{error} {}", error.hint()),
        };
        assert!(begun.elapsed() < TIMEOUT + PATIENCE, "it took {:?}", begun.elapsed());
        assert!(!told.contains(CANARY), "it told what is hidden");
    }

    /// The files are as they were.
    pub fn is_untouched(&self) {
        assert!(
            std::fs::read(&self.database).expect("the database") == self.bytes,
            "the database has changed"
        );
        let files = std::fs::read_dir(self.folder.path())
            .expect("the folder")
            .map(|file| file.expect("a file").file_name());
        let strange: Vec<_> =
            files.filter(|name| !name.to_string_lossy().starts_with("oura.db")).collect();
        assert!(strange.is_empty(), "{strange:?}");
    }
}
