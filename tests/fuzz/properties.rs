//! Properties that hold for every text from an untrusted caller. Each function panics if one is
//! violated.

use std::io::Cursor;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, StringArray, TimestampNanosecondArray,
};
use arrow::ipc::reader::FileReader;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use ringside::api::{self, Caller, Role};
use ringside::catalog::{Catalog, parse_document};
use ringside::datasource::{DataSource, DataSourceKey, DataSources, Environment, Settings};
use ringside::frames::frames;
use ringside::oura::oauth::TokenResponse;
use ringside::oura::{Origins, Secret};
use ringside::query::{Engine, Format, Limits, QueryContext, QueryResult, SqlQuery, expand};
use ringside::store::{ColumnBatch, ResultColumn, Store};
use ringside::time::Tz;
use tower::ServiceExt;

/// A text in a table that queries cannot read.
const CANARY: &str = "canary-7f3a91";

/// The time limit of one query.
const TIMEOUT: Duration = Duration::from_millis(300);

/// The memory limit of one query, in bytes.
const MAX_MEMORY: usize = 64 << 20;

/// The time in which a query has to end after its time limit, on a busy machine. The fuzzer limits
/// the processor's time of every input.
const MAX_OVERTIME: Duration = Duration::from_secs(10);

/// A property of the code that reads untrusted input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Property {
    /// The expansion of macros.
    Macros,
    /// A query: macros, guard, SQLite, frames and JSON.
    Queries,
    /// A specification of Oura's API.
    Specifications,
    /// A document of a collection. The first byte selects the collection.
    Documents,
    /// A resource request: method and path, then the body in further lines.
    Requests,
    /// Rows for the frame encoder.
    Frames,
    /// A token response of Oura.
    Tokens,
}

impl Property {
    /// All properties, by the names of their corpora.
    pub const ALL: [(&str, Property); 7] = [
        ("macros", Property::Macros),
        ("queries", Property::Queries),
        ("specifications", Property::Specifications),
        ("documents", Property::Documents),
        ("requests", Property::Requests),
        ("frames", Property::Frames),
        ("tokens", Property::Tokens),
    ];

    /// Returns the property with this name.
    #[allow(dead_code, reason = "the integration test runs all of them")]
    pub fn of(name: &str) -> Option<Property> {
        Property::ALL.iter().find(|(known, _)| *known == name).map(|(_, property)| *property)
    }

    /// Checks the property for one input.
    pub fn check(self, world: &World, input: &[u8]) {
        let text = String::from_utf8_lossy(input);
        match self {
            Property::Macros => check_expansion(&text),
            Property::Queries => world.check_query(&text),
            Property::Specifications => check_specification(input),
            Property::Documents => world.check_document(input),
            Property::Requests => world.check_request(&text),
            Property::Frames => world.check_frames(input),
            Property::Tokens => check_token_response(input),
        }
    }
}

/// A catalogue has bounded collections and columns, with unique names.
fn check_specification(input: &[u8]) {
    let Ok(catalog) = Catalog::from_openapi(input) else { return };
    assert!(catalog.collections.len() <= 200, "{} collections", catalog.collections.len());
    for collection in &catalog.collections {
        let mut names: Vec<_> =
            collection.columns.iter().map(|column| column.name.to_ascii_lowercase()).collect();
        assert!(names.len() <= 500, "{} columns", names.len());
        names.sort();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count, "a column name occurs twice");
    }
}

/// The secrets of a token response print as `[secret]`, and its lifetime is bounded.
fn check_token_response(input: &[u8]) {
    if let Some(response) = TokenResponse::parse(input) {
        assert!((1..=366 * 86_400).contains(&response.lifetime), "{}", response.lifetime);
        assert!(response.access_token.is_some() || response.refresh_token.is_some());
    }
}

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
    let once = expand(text, &context(), Tz::named("Europe/Vienna"));
    if !text.contains('$') {
        assert_eq!(once.as_deref().ok(), Some(text));
    }
    if let Ok(once) = once
        && !text.match_indices('$').any(|(at, _)| ends_in_word(&text[..at]))
    {
        let again = expand(&once, &context(), Tz::named("Europe/Vienna"));
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
    datasource: DataSource,
    runtime: tokio::runtime::Runtime,
}

impl World {
    /// Creates the database in a temporary folder.
    pub fn new() -> World {
        let folder = tempfile::tempdir().expect("a folder for the database");
        let database = folder.path().join("oura.db");
        let catalog = Arc::new(Catalog::bundled());
        let store = Store::open(&database, catalog.clone(), Tz::named("Europe/Vienna"))
            .expect("a new database");
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
        // A data source without a login, in a folder of its own.
        let data = folder.path().join("data");
        let environment = Environment::at(&data, Origins::oura()).expect("an environment");
        let datasource = runtime.block_on(async {
            let datasources = DataSources::open(environment).expect("a new folder");
            let key = DataSourceKey::single();
            datasources
                .datasource(&key, &Settings::default(), &Secret::default())
                .await
                .expect("a new data source")
        });
        World {
            datasource,
            engine: Engine::new(store, Tz::named("Europe/Vienna"), limits),
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
                    let _ = frames(&result, format, "A", &self.catalog);
                }
                format!("{:?}", result.batch)
            }
            Err(error) => format!("{error} {}", error.hint()),
        };
        let elapsed = started.elapsed();
        assert!(elapsed < TIMEOUT + MAX_OVERTIME, "the query took {elapsed:?}");
        assert!(!text.contains(CANARY), "the query returned hidden text");
    }

    /// The bytes of a document are read or rejected, and its rows fit the columns.
    fn check_document(&self, input: &[u8]) {
        let Some((first, text)) = input.split_first() else { return };
        let document = parse_document(text).value;
        let collections = &self.catalog.collections;
        let collection = &collections[usize::from(*first) % collections.len()];
        // An error is fine: not all documents have a key.
        let _ = collection.read(&document, Tz::named("Europe/Vienna"));
        let cells = collection.cells(&document, Tz::named("Europe/Vienna"));
        assert_eq!(cells.len(), collection.columns.len(), "{}", collection.name);
        collection.extra(&document, &cells);
    }

    /// A request of a reader gets a JSON response without a failure of the program.
    fn check_request(&self, text: &str) {
        let (head, body) = text.split_once('\n').unwrap_or((text, ""));
        let (method, path) = head.split_once(' ').unwrap_or(("GET", head));
        let request = Request::builder()
            .method(method)
            .uri(format!("/{}", path.trim_start_matches('/')))
            .header("Content-Type", "application/json")
            .extension(Caller { user: "viewer".to_owned(), role: Role::Reader })
            .body(Body::from(body.to_owned()));
        let Ok(request) = request else { return };
        let routes = api::router(self.datasource.clone());
        let (status, body) = self.runtime.block_on(async {
            let response = match routes.oneshot(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            };
            let status = response.status().as_u16();
            (status, to_bytes(response.into_body(), 64 << 20).await.expect("a whole body"))
        });
        assert!(status < 500 || status == 503 || status == 504, "status {status}");
        let is_json = serde_json::from_slice::<serde_json::Value>(&body).is_ok();
        assert!(is_json || body.is_empty(), "the response is not JSON");
    }

    /// Rows become frames that Arrow reads, or an error.
    ///
    /// Each byte of the input is a value. The first bytes select number, types and names of the
    /// columns, so that they often form a series.
    fn check_frames(&self, input: &[u8]) {
        const NAMES: [&str; 8] =
            ["time", "value", "metric", "time", "day", "", "\u{202e}", "label"];
        let mut input = input.iter().copied();
        let count = usize::from(input.next().unwrap_or(0) % 6);
        let kinds: Vec<u8> = input.by_ref().take(count).collect();
        let values: Vec<u8> = input.take(4_000).collect();
        let rows = values.len() / kinds.len().max(1);
        let columns = kinds.iter().enumerate().map(|(index, kind)| {
            let cells = (0..rows).map(|row| values[row * kinds.len() + index]);
            let some = |cell: u8| (cell != 0).then_some(cell);
            let values: ArrayRef = match kind % 5 {
                0 => Arc::new(TimestampNanosecondArray::from_iter(
                    cells.map(|cell| some(cell).map(|cell| i64::from(cell) << (cell % 56))),
                )),
                1 => Arc::new(Float64Array::from_iter(cells.map(|cell| {
                    some(cell).map(|cell| if cell == 255 { f64::NAN } else { f64::from(cell) })
                }))),
                2 => Arc::new(Int64Array::from_iter(
                    cells.map(|cell| some(cell).map(|cell| i64::from(cell) << (cell % 60))),
                )),
                3 => Arc::new(BooleanArray::from_iter(
                    cells.map(|cell| some(cell).map(|cell| cell > 127)),
                )),
                _ => Arc::new(StringArray::from_iter(
                    cells.map(|cell| some(cell).map(|cell| char::from(cell).to_string())),
                )),
            };
            let name = NAMES[usize::from(kind >> 5)].to_owned();
            ResultColumn { name, origin: None, is_mixed: false, values }
        });
        let batch = ColumnBatch {
            columns: columns.collect(),
            rows: if kinds.is_empty() { 0 } else { rows },
            truncation: None,
            charge: Default::default(),
        };
        let result = QueryResult::of(batch, "SELECT 1".to_owned());
        for format in [Format::Table, Format::TimeSeries] {
            let Ok(frames) = frames(&result, format, "A", &self.catalog) else { continue };
            for frame in frames {
                let reader = FileReader::try_new(Cursor::new(frame), None).expect("an Arrow file");
                reader.for_each(|batch| drop(batch.expect("a readable batch")));
            }
        }
    }

    /// The database is unchanged, and there are no other files.
    pub fn check_files(&self) {
        assert!(
            std::fs::read(&self.database).expect("the database") == self.bytes,
            "the database changed"
        );
        for file in std::fs::read_dir(self.folder.path()).expect("the folder") {
            let name = file.expect("a file").file_name();
            let is_known = name == "data" || name.to_string_lossy().starts_with("oura.db");
            assert!(is_known, "unexpected file {name:?}");
        }
    }
}
