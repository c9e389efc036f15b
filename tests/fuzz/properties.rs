//! Properties that hold for every text from an untrusted caller. Each function panics if one is
//! violated.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ringside::catalog::Catalog;
use ringside::query::{Engine, Format, Limits, QueryContext, SqlQuery, expand};
use ringside::store::Store;
use ringside::time::Tz;

/// A text in a table that queries cannot read.
const CANARY: &str = "canary-7f3a91";

/// The time limit of one query.
const TIMEOUT: Duration = Duration::from_millis(300);

/// The memory limit of one query, in bytes.
const MAX_MEMORY: usize = 64 << 20;

/// The time in which a query has to end after its time limit.
const MAX_OVERTIME: Duration = Duration::from_secs(4);

fn context() -> QueryContext {
    QueryContext {
        from_ms: 1_700_000_000_000,
        to_ms: 1_700_604_800_500,
        interval: Duration::from_secs(300),
        max_data_points: 100,
    }
}

/// Expanding returns an error or a text without macros. Text without a dollar stays unchanged.
///
/// A macro that continues a word, as in `heartrate_$__interval`, is an exception: its expansion
/// forms a new word with the text before.
pub fn check_expansion(text: &str) {
    let once = expand(text, &context(), Tz::Europe__Vienna);
    if !text.contains('$') {
        assert_eq!(once.as_deref().ok(), Some(text));
    }
    if let Ok(once) = once
        && !text.match_indices('$').any(|(at, _)| ends_in_word(&text[..at]))
    {
        let again = expand(&once, &context(), Tz::Europe__Vienna);
        assert_eq!(again.as_deref().ok(), Some(once.as_str()), "the result contains macros");
    }
}

fn ends_in_word(text: &str) -> bool {
    text.ends_with(|last: char| last.is_alphanumeric() || last == '_')
}

/// A small database, and an engine that reads it.
pub struct World {
    engine: Engine,
    catalog: Arc<Catalog>,
    database: PathBuf,
    folder: tempfile::TempDir,
    bytes: Vec<u8>,
    runtime: tokio::runtime::Runtime,
}

impl World {
    /// Creates the database in a temporary folder.
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
                 WITH RECURSIVE counter(n) AS
                     (SELECT 0 UNION ALL SELECT n + 1 FROM counter WHERE n < 2000)
                 INSERT INTO heartrate (time, bpm, source)
                 SELECT 1700000000 + 300 * n, 50 + n % 40, 'awake' FROM counter;
                 INSERT INTO daily_sleep (document, time, day, id, score)
                 SELECT n, 1700002800 + 86400 * n, date('2023-11-15', n || ' days'),
                     'id-' || n, 60 + n % 30
                 FROM (SELECT row_number() OVER () AS n FROM heartrate LIMIT 40);
                 PRAGMA wal_checkpoint(TRUNCATE)"
            ))
            .expect("some rows");
        drop(writer);
        let limits = Limits {
            timeout: TIMEOUT,
            max_rows: 500,
            max_bytes: 1 << 20,
            max_memory: MAX_MEMORY,
            concurrency: 1,
        };
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

    /// The query ends in time, and neither its result nor its error contains hidden text.
    pub fn check_query(&self, sql: &str) {
        let started = Instant::now();
        let query = SqlQuery { raw_sql: sql.to_owned(), ..SqlQuery::default() };
        let text = match self.runtime.block_on(self.engine.run(&query, &context())) {
            Ok(result) => {
                assert!(result.batch.rows <= 500, "more rows than the limit");
                for format in [Format::Table, Format::TimeSeries] {
                    // An error is fine: not all results are a series.
                    let _ = ringside::frames::frames(&result, format, "A", &self.catalog);
                }
                format!("{:?}", result.batch)
            }
            Err(error) => format!("{error} {}", error.hint()),
        };
        let elapsed = started.elapsed();
        assert!(elapsed < TIMEOUT + MAX_OVERTIME, "the query took {elapsed:?}");
        assert!(!text.contains(CANARY), "the query returned hidden text");
    }

    /// The database is unchanged, and there are no other files.
    pub fn check_files(&self) {
        assert!(
            std::fs::read(&self.database).expect("the database") == self.bytes,
            "the database changed"
        );
        for file in std::fs::read_dir(self.folder.path()).expect("the folder") {
            let name = file.expect("a file").file_name();
            assert!(name.to_string_lossy().starts_with("oura.db"), "unexpected file {name:?}");
        }
    }
}
