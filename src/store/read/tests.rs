use std::time::Duration;

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Int64Type, TimeUnit, TimestampNanosecondType};
use rusqlite::Connection;

use super::*;
use crate::store::prepare_sqlite;

const CLOSED: &[&str] = &["meta"];

/// A small file like the store's: published tables, and a view over an inner table.
struct File {
    readers: ReaderPool,
    path: PathBuf,
    _folder: tempfile::TempDir,
}

fn file() -> File {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("oura.db");
    prepare_sqlite().unwrap();
    let writer = Connection::open(&path).unwrap();
    writer
        .execute_batch(
            "PRAGMA journal_mode = WAL;
             CREATE TABLE sleep (document INTEGER PRIMARY KEY, time TIMESTAMP, day DATE,
                                 average_hrv INTEGER, efficiency REAL, main BOOLEAN,
                                 bedtime_start TIMESTAMP, type TEXT);
             INSERT INTO sleep
             VALUES (1, 1700000000, '2023-11-14', 40, 91.5, 1, 1700000300, 'long_sleep'),
                    (2, 1700086400, '2023-11-15', NULL, 88, 0, NULL, NULL);
             CREATE TABLE heartrate (time TIMESTAMP, bpm INTEGER, source TEXT);
             CREATE INDEX heartrate_time ON heartrate (time);
             CREATE TABLE samples_data (series INTEGER, time TIMESTAMP, value REAL);
             INSERT INTO samples_data VALUES (1, 1700000000, 55.0);
             CREATE VIEW samples AS SELECT time, value FROM samples_data;
             CREATE TABLE meta (key TEXT, value TEXT);
             INSERT INTO meta VALUES ('fingerprint', 'secret')",
        )
        .unwrap();
    File {
        readers: ReaderPool::new(&path, 2, CLOSED, Tz::named("Europe/Vienna")),
        path,
        _folder: folder,
    }
}

fn limits() -> ReadLimits {
    ReadLimits {
        deadline: Instant::now() + Duration::from_secs(60),
        max_rows: 1_000,
        max_bytes: 1 << 20,
        max_memory: 256 << 20,
        tables: None,
        cancelled: Arc::default(),
    }
}

impl File {
    fn read(&self, sql: &str) -> Result<ColumnBatch, ReadError> {
        self.read_within(sql, &[], &limits())
    }

    fn read_within(
        &self,
        sql: &str,
        params: &[Scalar],
        limits: &ReadLimits,
    ) -> Result<ColumnBatch, ReadError> {
        self.readers.read(&TokenizedSql::new(sql), params, limits)
    }

    fn error(&self, sql: &str) -> String {
        self.read(sql).map(|batch| batch.rows).expect_err(sql).to_string()
    }

    fn kinds(&self, sql: &str) -> Vec<DataType> {
        self.read(sql)
            .unwrap()
            .columns
            .iter()
            .map(|column| column.values.data_type().clone())
            .collect()
    }
}

#[test]
fn inner_tables_are_readable_and_their_names_reusable() {
    let file = file();
    for sql in [
        "SELECT value AS samples_data FROM samples",
        "SELECT 'samples_data', value FROM samples",
        "WITH samples_data AS (SELECT * FROM samples) SELECT count(*) FROM samples_data",
        "WITH samples AS (SELECT * FROM samples_data) SELECT * FROM samples",
    ] {
        assert_eq!(
            file.read(sql).map(|batch| batch.rows).map_err(|error| error.to_string()),
            Ok(1),
            "{sql}"
        );
    }
}

const TIME: DataType = DataType::Timestamp(TimeUnit::Nanosecond, None);

#[test]
fn declared_types_apply_to_empty_results() {
    let file = file();
    let all = [
        DataType::Int64,
        TIME,
        DataType::Utf8,
        DataType::Int64,
        DataType::Float64,
        DataType::Boolean,
        TIME,
        DataType::Utf8,
    ];
    assert_eq!(file.kinds("SELECT * FROM sleep"), all);
    assert_eq!(file.kinds("SELECT * FROM sleep WHERE 0"), all);
}

#[test]
fn undeclared_columns_take_the_narrowest_type() {
    let kind =
        |values: &str| file().kinds(&format!("SELECT column1 FROM (VALUES {values})")).remove(0);
    assert_eq!(kind("(NULL), (1), (2)"), DataType::Int64);
    assert_eq!(kind("(1), (2.5), (NULL)"), DataType::Float64);
    assert_eq!(kind("(1), (2.5), ('x')"), DataType::Utf8);
    assert_eq!(kind("(x'00ff')"), DataType::Utf8);
    assert_eq!(kind("(NULL)"), DataType::Float64);
}

#[test]
fn widening_keeps_earlier_values() {
    let batch =
        file().read("SELECT column1 FROM (VALUES (NULL), (1), (2.5), ('x'), (x'00ff'))").unwrap();
    let values: Vec<_> = batch.columns[0].values.as_string::<i32>().iter().collect();
    assert_eq!(
        values,
        [None, Some("1.0"), Some("2.5"), Some("x"), Some("x'00ff'")]
            .map(|value| value.map(|text| text.trim_end_matches(".0")))
    );
}

#[test]
fn columns_named_time_accept_any_epoch_unit() {
    let file = file();
    let instant = 1_700_000_000_000_000_000;
    for value in [
        "1700000000",
        "1700000000.0",
        "1700000000000",
        "1700000000000000",
        "1700000000000000000",
        "'2023-11-14T23:13:20+01:00'",
    ] {
        let batch = file.read(&format!("SELECT {value} AS Time")).unwrap();
        assert_eq!(
            batch.columns[0].values.as_primitive::<TimestampNanosecondType>().value(0),
            instant,
            "{value}"
        );
    }
    assert_eq!(file.kinds("SELECT 300 AS time"), [TIME], "Grafana reserves the lower case");
    assert_eq!(file.kinds("SELECT 300 AS Time"), [DataType::Int64]);
    let day = file.read("SELECT day AS time FROM sleep LIMIT 1").unwrap();
    assert_eq!(
        day.columns[0].values.as_primitive::<TimestampNanosecondType>().value(0),
        1_699_916_400_000_000_000
    );
    assert_eq!(file.kinds("SELECT 'noon' AS time"), [DataType::Utf8]);
}

#[test]
fn names_may_repeat_and_views_keep_origins() {
    let batch = file()
        .read("SELECT average_hrv AS hrv, average_hrv + 1 AS hrv, value FROM sleep, samples")
        .unwrap();
    let names: Vec<_> =
        batch.columns.iter().map(|column| (column.name.as_str(), column.origin.clone())).collect();
    let origin = |table: &str, column: &str| {
        Some(Origin { table: table.to_owned(), column: column.to_owned() })
    };
    assert_eq!(
        names,
        [
            ("hrv", origin("sleep", "average_hrv")),
            ("hrv", None),
            ("value", origin("samples_data", "value"))
        ]
    );
}

#[test]
fn parameters_are_bound_in_order_and_counted() {
    let file = file();
    let batch = file
        .read_within(
            "SELECT ?2 + ?1, ?3, ?4",
            &[Scalar::Integer(1), Scalar::Integer(2), "x".into(), Scalar::Null],
            &limits(),
        )
        .unwrap();
    assert_eq!(batch.columns[0].values.as_primitive::<Int64Type>().value(0), 3);
    let error = file.read_within("SELECT ?1", &[], &limits()).unwrap_err().to_string();
    assert_eq!(error, "The statement has 1 parameters, but 0 values were given");
}

/// Full-text search, R-trees, statistics of pages and others are part of the bundled SQLite.
#[test]
fn modules_of_sqlite_are_out_of_reach() {
    let file = file();
    let modules: Vec<String> = Connection::open(&file.path)
        .unwrap()
        .prepare("SELECT name FROM pragma_module_list ORDER BY 1")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert!(modules.iter().any(|name| name == "fts5"), "{modules:?}");
    let allowed = ["json_each", "json_tree"];
    for name in modules.iter().filter(|name| !allowed.contains(&name.as_str())) {
        for sql in [
            format!("SELECT * FROM {name}"),
            format!("SELECT * FROM {name}('x')"),
            format!("CREATE VIRTUAL TABLE temp.x USING {name}(y)"),
        ] {
            assert!(file.read_within(&sql, &[], &limits()).is_err(), "{sql}");
        }
    }
}

#[test]
fn forbidden_statements_are_refused_by_name() {
    let file = file();
    let cases = [
        ("INSERT INTO sleep (document) VALUES (9)", "INSERT is not allowed: queries can only read"),
        ("UPDATE sleep SET day = ''", "UPDATE is not allowed: queries can only read"),
        ("DELETE FROM sleep", "DELETE is not allowed: queries can only read"),
        ("WITH a AS (SELECT 1) DELETE FROM sleep", "DELETE is not allowed: queries can only read"),
        ("DROP TABLE sleep", "DELETE is not allowed: queries can only read"),
        ("CREATE TEMP TABLE t (a)", "INSERT is not allowed: queries can only read"),
        ("ATTACH '/etc/passwd' AS p", "ATTACH is not allowed: queries can only read"),
        ("PRAGMA query_only = OFF", "PRAGMA is not allowed: queries can only read"),
        ("PRAGMA table_list", "PRAGMA is not allowed: queries can only read"),
        ("BEGIN", "a transaction is not allowed: queries can only read"),
        ("VACUUM INTO '/tmp/copy.db'", "the statement returns no rows"),
        ("SELECT zeroblob(1000000)", "Queries cannot call function zeroblob()"),
        ("SELECT load_extension('x')", "Queries cannot call function load_extension()"),
        ("SELECT fts3_tokenizer('simple')", "Queries cannot call function fts3_tokenizer()"),
        (
            "SELECT sqlite_compileoption_get(1)",
            "Queries cannot call function sqlite_compileoption_get()",
        ),
        ("SELECT readfile('/etc/passwd')", "no such function: readfile"),
        ("SELECT writefile('/tmp/x', 'y')", "no such function: writefile"),
        ("SELECT * FROM sqlite_schema", "Queries cannot read table sqlite_master"),
        ("SELECT count(*) FROM sqlite_schema", "Queries cannot read table sqlite_schema"),
        ("SELECT * FROM pragma_table_info('sleep')", "Queries cannot read table pragma_table_info"),
        (
            "SELECT count(*) FROM pragma_database_list",
            "Queries cannot read table pragma_database_list",
        ),
        ("SELECT * FROM dbstat", "Queries cannot read table dbstat"),
        ("SELECT * FROM meta", "Queries cannot read table meta"),
        ("SELECT count(*) FROM \"Meta\"", "Queries cannot read table meta"),
        ("SELECT 1 WHERE EXISTS (SELECT 1 FROM main.meta)", "Queries cannot read table meta"),
        (
            "WITH samples AS (SELECT * FROM meta) SELECT * FROM samples",
            "Queries cannot read table meta",
        ),
        ("SELECT value FROM samples WHERE value IN meta", "Queries cannot read table meta"),
        // SQLite reads such parentheses, with any content, as part of a parameter's name.
        ("SELECT $a(--), * FROM meta", "Queries cannot read table meta"),
        ("SELECT @a('), * FROM meta WHERE ''<@b(')", "Queries cannot read table meta"),
        ("SELECT 1 FROM \u{feff}meta", "Queries cannot read table meta"),
        ("SELECT 1; SELECT 2", "more than one statement"),
        ("-- nothing", "no statement found"),
        ("SELECT average_hvr FROM sleep", "no such column: average_hvr"),
        ("SELECT * FROM slep", "no such table: slep"),
        ("SELECT FROM sleep", "near \"FROM\": syntax error"),
        ("SELECT json('{')", "malformed JSON"),
        (
            "SELECT printf('%1000000000d', 1)",
            "the statement, or a text or blob in it, is too large",
        ),
    ];
    for (sql, message) in cases {
        assert_eq!(file.error(sql), message, "{sql}");
    }
    assert_eq!(file.read("SELECT * FROM sleep").unwrap().rows, 2);
}

#[test]
fn allowed_statements_run() {
    let file = file();
    for (sql, rows) in [
        ("SELECT * FROM samples", 1),
        ("SELECT count(*) FROM samples", 1),
        ("SELECT value AS \"of samples_data\" FROM samples -- not samples_data", 1),
        ("WITH a AS (SELECT 1), b AS (SELECT * FROM a) SELECT count(*) FROM b", 1),
        (
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10) \
             SELECT * FROM n",
            10,
        ),
        ("SELECT value FROM json_each('[1, 2, 3]')", 3),
        (
            "SELECT row_number() OVER (ORDER BY time), lag(average_hrv) OVER (ORDER BY time) \
             FROM sleep",
            2,
        ),
        ("VALUES (1), (2)", 2),
        ("EXPLAIN QUERY PLAN SELECT * FROM heartrate WHERE time BETWEEN 1 AND 2", 1),
        ("SELECT date(time, 'unixepoch'), strftime('%H', time, 'unixepoch') FROM sleep -- done", 2),
        ("SELECT avg(average_hrv) FROM sleep UNION ALL SELECT 1", 2),
    ] {
        assert_eq!(file.read(sql).map_err(|error| error.to_string()).unwrap().rows, rows, "{sql}");
    }
}

#[test]
fn new_tables_are_found_by_open_connections() {
    let file = file();
    assert!(file.read("SELECT 1").is_ok());
    Connection::open(&file.path)
        .unwrap()
        .execute_batch("CREATE TABLE daily_sleep (score INTEGER)")
        .unwrap();
    assert_eq!(file.read("SELECT score FROM daily_sleep").unwrap().rows, 0);
}

const ENDLESS: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) ";

#[test]
fn endless_statements_stop_at_deadline_or_cancellation() {
    let file = file();
    let endless = format!("{ENDLESS} SELECT max(i) FROM n");
    let passed = ReadLimits { deadline: Instant::now(), ..limits() };
    assert!(matches!(file.read_within(&endless, &[], &passed), Err(ReadError::Timeout)));
    let cancelled = ReadLimits { cancelled: Arc::new(AtomicBool::new(true)), ..limits() };
    assert!(matches!(file.read_within(&endless, &[], &cancelled), Err(ReadError::Cancelled)));
    assert_eq!(file.read("SELECT 1").unwrap().rows, 1, "the connection is still usable");
}

#[test]
fn endless_sorting_is_stopped_by_the_memory_limit() {
    let error =
        file().error(&format!("{ENDLESS} SELECT i, printf('%0200000d', i) FROM n ORDER BY 2"));
    assert!(MEMORY.contains(&&*error), "{error}");
}

/// A million and a half rows take 57 MB if they are sorted at once. In pieces, between which SQLite
/// looks at the limits, most of them are in a file in memory, which takes a quarter of that.
#[test]
fn rows_are_sorted_in_pieces() {
    let file = file();
    let limits = ReadLimits { max_memory: 44 << 20, ..limits() };
    let sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1500000) \
               SELECT count(*) FROM (SELECT 1 FROM n GROUP BY i * 7919 % 2000003)";
    let batch = file.read_within(sql, &[], &limits).unwrap();
    assert_eq!(batch.columns[0].values.as_primitive::<Int64Type>().value(0), 1_500_000);
}

/// A statement's own limit, and that of the process.
const MEMORY: [&str; 2] = [
    "it needs more memory than the limit query_max_memory",
    "other queries use the memory for queries",
];

/// `expression` with `x` for an inner SELECT of itself, `depth` levels deep.
fn nested(expression: &str, depth: usize) -> String {
    (0..depth).fold("SELECT 1 AS x FROM sleep".to_owned(), |inner, _| {
        format!("SELECT {expression} AS x FROM ({inner})")
    })
}

#[test]
fn memory_is_limited_in_every_phase() {
    let file = file();
    let long = "printf('%.*c', 250000, 'a')";
    for sql in [
        // While the statement is prepared: each level doubles the expression.
        nested("x+x", 26),
        nested("max(x, x, x)", 18),
        // In rows that are sorted, grouped, made distinct, or collected.
        format!("{ENDLESS} SELECT i || {long} AS x FROM n ORDER BY 1"),
        format!("{ENDLESS} SELECT DISTINCT i || {long} AS x FROM n LIMIT -1 OFFSET 100000"),
        format!("{ENDLESS} SELECT count(*) FROM n GROUP BY i || {long}"),
        format!("{ENDLESS} SELECT median(i) FROM n"),
        format!(
            "WITH a AS MATERIALIZED ({ENDLESS} SELECT i || {long} AS x FROM n) SELECT count(*) FROM a"
        ),
    ] {
        // Other tests use the memory of the process, too.
        assert!(MEMORY.contains(&&*file.error(&sql)), "{}", &sql[..sql.len().min(200)]);
    }
}

#[test]
fn json_pretty_is_limited() {
    let list = "'[' || replace(printf('%.*c', 100000, 'a'), 'a', '1,') || '1]'";
    let error =
        file().error(&format!("SELECT length(json_pretty({list}, printf('%.*c', 250000, 'a')))"));
    assert!(MEMORY.contains(&&*error) || error.contains("too large"), "{error}");
}

#[test]
fn large_statements_do_not_stop_a_neighbour() {
    let file = file();
    let greedy = format!("{ENDLESS} SELECT i, printf('%0200000d', i) FROM n ORDER BY 2");
    std::thread::scope(|threads| {
        let neighbours: Vec<_> = (0..6).map(|_| threads.spawn(|| file.error(&greedy))).collect();
        while !neighbours.iter().all(|neighbour| neighbour.is_finished()) {
            assert_eq!(file.read("SELECT * FROM sleep ORDER BY time").unwrap().rows, 2);
        }
        for neighbour in neighbours {
            let error = neighbour.join().unwrap();
            assert!(MEMORY.contains(&&*error), "{error}");
        }
    });
}

#[test]
fn row_of_calls_without_a_jump_stops_at_the_deadline() {
    let file = file();
    let calls = |call: &str| {
        let mut calls = vec![call.to_owned(); 3_600];
        while calls.len() > 1 {
            calls = calls.chunks(60).map(|calls| format!("max({})", calls.join(","))).collect();
        }
        calls.remove(0)
    };
    let pattern = format!("%{}b", "a".repeat(190));
    for call in [
        "t LIKE p",
        "t GLOB '*aaaaaaaaaaaaaab'",
        "trim(t, p)",
        "instr(t, p)",
        "lower(t)",
        "substr(t, -9)",
        "length(t)",
        "soundex(t)",
        "t + 1",
        "t = p COLLATE NOCASE",
    ] {
        let begun = Instant::now();
        let deadline = ReadLimits { deadline: begun + Duration::from_millis(100), ..limits() };
        let sql = format!(
            "SELECT {} FROM (SELECT printf('%.*c', 250000, '1') AS t, '{pattern}' AS p LIMIT 1)",
            calls(call)
        );
        let error = file.read_within(&sql, &[], &deadline).unwrap_err();
        let is_stopped = matches!(error, ReadError::Timeout | ReadError::TooLarge(_));
        assert!(is_stopped, "{call}: {error}");
        assert!(begun.elapsed() < Duration::from_secs(10), "{call}: {:?}", begun.elapsed());
    }
}

#[test]
fn functions_stop_at_the_deadline() {
    let long = "printf('%.*c', 200000, 'a')";
    let half = "printf('%.*c', 100000, 'a')";
    let file = file();
    for expression in [
        format!("instr({long}, {half} || 'b')"),
        format!("replace({long}, {half} || 'b', '')"),
        format!("length(trim({long} || 'b', {long}))"),
        format!("length(hex(CAST({half} AS BLOB)))"),
        format!("{long} LIKE '%a%a%a%a%a%b'"),
        format!("{long} GLOB '*a*a*a*a*a*b'"),
    ] {
        let begun = Instant::now();
        let deadline = ReadLimits { deadline: begun + Duration::from_millis(300), ..limits() };
        let error = file
            .read_within(&format!("{ENDLESS} SELECT sum({expression}) FROM n"), &[], &deadline)
            .unwrap_err();
        assert!(matches!(error, ReadError::Timeout), "{expression}: {error}");
        // The watchdog checks every thousand instructions. In this slow build, these take seconds.
        assert!(begun.elapsed() < Duration::from_secs(60), "{expression} does not end");
    }
    let error = file.error(&format!("SELECT replace({long}, 'a', {half})"));
    assert_eq!(error, "the statement, or a text or blob in it, is too large");
}

#[test]
fn full_window_statistics_are_computed_once() {
    let window = "OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)";
    let sql = format!(
        "{ENDLESS} SELECT max(m) \
         FROM (SELECT clock_mean(i) {window} AS m FROM (SELECT i FROM n LIMIT 50000))"
    );
    assert_eq!(
        file()
            .read_within(&sql, &[], &limits())
            .map(|batch| batch.rows)
            .map_err(|error| error.to_string()),
        Ok(1)
    );
}

#[test]
fn rows_beyond_the_byte_limit_are_refused() {
    let columns = vec!["printf('%.*c', 250000, 'a')"; 300].join(", ");
    assert_eq!(file().error(&format!("SELECT {columns}")), "one of its rows is too large");
    let medians: Vec<String> = (0..60).map(|number| format!("median(i + {number})")).collect();
    let error =
        file().error(&format!("{ENDLESS} SELECT {} FROM n LIMIT 1000000", medians.join(", ")));
    assert!(MEMORY.contains(&&*error), "{error}");
    assert_eq!(file().read("SELECT upper('a'), mod(7, 3), instr('größe', 'ß')").unwrap().rows, 1);
}

#[test]
fn limits_truncate_and_report_the_total() {
    let file = file();
    let rows = file.read(&format!("{ENDLESS} SELECT i FROM n")).unwrap();
    let cut = rows.truncation.unwrap();
    assert_eq!((rows.rows, cut.limit, cut.is_exact), (1_000, Limit::Rows(1_000), false));
    assert!(cut.total_rows > 10_000, "{cut:?}");
    let few =
        file.read("SELECT value FROM json_each('[1,2,3]'), (VALUES (1), (2)) LIMIT 5").unwrap();
    assert_eq!((few.rows, few.truncation), (5, None));
    let counted = file
        .read_within("VALUES (1), (2), (3)", &[], &ReadLimits { max_rows: 2, ..limits() })
        .unwrap();
    assert_eq!(
        counted.truncation,
        Some(Truncation { limit: Limit::Rows(2), total_rows: 3, is_exact: true })
    );
    let bytes = file.read(&format!("{ENDLESS} SELECT printf('%0200000d', i) FROM n")).unwrap();
    assert_eq!((bytes.rows, bytes.truncation.unwrap().limit), (6, Limit::Bytes(1 << 20)));
    let exactly = file
        .read_within("SELECT * FROM sleep", &[], &ReadLimits { max_rows: 2, ..limits() })
        .unwrap();
    assert_eq!((exactly.rows, exactly.truncation), (2, None));
}

#[test]
fn deep_expressions_are_refused() {
    let error = file().error(&format!("SELECT {}1", "1+".repeat(10_000)));
    assert!(error.contains("Expression tree is too large"), "{error}");
}

#[test]
fn invalid_files_are_reported_as_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("oura.db");
    std::fs::write(&path, "not a database, but long enough to look at".repeat(100)).unwrap();
    let error = ReaderPool::new(&path, 1, CLOSED, Tz::UTC)
        .read(&TokenizedSql::new("SELECT 1"), &[], &limits())
        .unwrap_err();
    assert!(error.to_string().starts_with("the database is damaged"), "{error}");
}

#[test]
fn caller_reads_its_tables_only() {
    let file = file();
    let connection = Connection::open(&file.path).unwrap();
    connection
        .execute_batch(
            "CREATE VIEW nightly AS
             WITH inner AS (SELECT time, value FROM samples_data) SELECT * FROM inner",
        )
        .unwrap();
    let tables = ["samples", "nightly"].map(str::to_owned);
    let limits = ReadLimits { tables: Some(Arc::new(tables.into())), ..limits() };
    let outcome = |sql: &str| match file.read_within(sql, &[], &limits) {
        Ok(_) => "read",
        Err(ReadError::Refused(Refusal::NotListed(_))) => "not listed",
        Err(error) => panic!("{sql}: {error}"),
    };
    for allowed in [
        "SELECT * FROM samples",
        "SELECT count(*) FROM nightly",
        "SELECT max(n.value) FROM NIGHTLY AS n JOIN \"samples\" USING (time)",
        "WITH a AS (SELECT * FROM samples) SELECT value FROM a",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3) SELECT * FROM n",
        "SELECT value FROM json_each('[1]')",
        "SELECT 1",
    ] {
        assert_eq!(outcome(allowed), "read", "{allowed}");
    }
    for denied in [
        "SELECT * FROM samples_data",
        "SELECT count(*) FROM samples_data",
        "SELECT 1 FROM 'samples_data'",
        "SELECT (SELECT max(value) FROM samples_data)",
        "SELECT * FROM samples WHERE value IN (SELECT value FROM samples_data)",
        "SELECT * FROM samples WHERE time IN samples_data",
        "SELECT * FROM samples UNION ALL SELECT time, value FROM samples_data",
        "WITH a AS (SELECT * FROM samples_data) SELECT * FROM a",
        "WITH samples AS (SELECT * FROM samples_data) SELECT * FROM samples",
        "WITH [nightly](t, v) AS NOT MATERIALIZED (SELECT time, value FROM samples_data)
         SELECT * FROM nightly",
        "WITH 'inner' /* */ AS MATERIALIZED (SELECT * FROM samples_data) SELECT * FROM \"inner\"",
        "SELECT * FROM (WITH samples_data AS (SELECT 1) SELECT * FROM samples_data), samples_data",
        "WITH x AS (WITH samples_data AS (SELECT 1) SELECT * FROM samples_data),
         y AS (SELECT * FROM samples_data) SELECT * FROM y",
    ] {
        assert_eq!(outcome(denied), "not listed", "{denied}");
    }
}

/// Rows with the numbers from 1 to `count` in the column `i`.
fn numbers(count: usize, columns: &str) -> String {
    format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT {count})
         SELECT {columns} FROM n"
    )
}

#[test]
fn batches_have_all_rows_and_the_types_of_the_first() {
    let file = file();
    // `Time` is a time until it turns out not to be one, and `v` has texts in the last rows only.
    let columns = "i, 1700000000 + i AS Time, iif(i < 40000, i, 'x') AS v, NULL AS missing";
    let mut rows = Vec::new();
    let mut types = Vec::new();
    let mut sum = 0;
    let few_rows = ReadLimits { max_rows: 1, max_bytes: 1, ..limits() };
    file.readers
        .read_batches(
            &TokenizedSql::new(numbers(50_000, columns)),
            &[],
            &few_rows,
            Batches::Untyped,
            &mut |batch, is_last| {
                rows.push((batch.rows, is_last));
                sum += batch.columns[0]
                    .values
                    .as_primitive::<Int64Type>()
                    .iter()
                    .flatten()
                    .sum::<i64>();
                let kinds: Vec<_> =
                    batch.columns.iter().map(|column| column.values.data_type().clone()).collect();
                types.push(kinds);
                true
            },
        )
        .unwrap();
    let last = 50_000 - 3 * (16 << 10);
    let size = 16 << 10;
    assert_eq!(rows, [(size, false), (size, false), (size, false), (last, true)]);
    assert_eq!(sum, 50_000 * 50_001 / 2);
    let kinds = |text| [DataType::Int64, TIME, text, DataType::Float64];
    assert_eq!(types[0], kinds(DataType::Int64));
    assert_eq!(types[2..], [kinds(DataType::Utf8), kinds(DataType::Utf8)]);
}

/// A file with 50,000 heart rates. `bpm` is an expression of the row's number `i`.
fn with_heart_rates(bpm: &str) -> File {
    let file = file();
    let writer = Connection::open(&file.path).unwrap();
    let rows = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 50000)
         INSERT INTO heartrate SELECT 1700000000 + i, {bpm}, 'awake' FROM n"
    );
    writer.execute_batch(&rows).unwrap();
    file
}

impl File {
    /// Returns the heart rates and `more_columns` in `batches`.
    fn heart_rates(
        &self,
        more_columns: &str,
        limits: &ReadLimits,
        batches: Batches,
    ) -> Result<Vec<ColumnBatch>, ReadError> {
        let sql = format!("SELECT time, bpm, source{more_columns} FROM heartrate");
        let mut received = Vec::new();
        let sink = &mut |batch, _| {
            received.push(batch);
            true
        };
        self.readers.read_batches(&TokenizedSql::new(sql), &[], limits, batches, sink)?;
        Ok(received)
    }
}

fn total_rows(batches: &[ColumnBatch]) -> usize {
    batches.iter().map(|batch| batch.rows).sum()
}

#[test]
fn typed_batches_have_the_types_of_the_first_one_and_all_rows() {
    let file = with_heart_rates("60");
    let few_rows = ReadLimits { max_rows: 10, max_bytes: 10, ..limits() };
    let batches = file.heart_rates("", &few_rows, Batches::Typed).unwrap();
    assert_eq!((batches.len(), total_rows(&batches)), (4, 50_000));
    for batch in &batches {
        let types: Vec<_> =
            batch.columns.iter().map(|column| column.values.data_type().clone()).collect();
        assert_eq!(types, [TIME, DataType::Int64, DataType::Utf8]);
        assert!(batch.truncation.is_none());
    }
}

#[test]
fn limits_cut_off_a_later_batch() {
    // A row has 8 + 8 + 9 bytes.
    let file = with_heart_rates("60");
    let rows = ReadLimits { max_rows: 40_000, max_bytes: usize::MAX, ..limits() };
    let bytes = ReadLimits { max_rows: usize::MAX, max_bytes: 40_000 * 25, ..limits() };
    for limits in [rows, bytes] {
        let batches = file.heart_rates("", &limits, Batches::TypedWithinLimits).unwrap();
        assert_eq!(total_rows(&batches), 40_000);
        let [None, None, Some(cut)] =
            batches.iter().map(|batch| batch.truncation).collect::<Vec<_>>()[..]
        else {
            panic!("{limits:?}")
        };
        assert_eq!((cut.total_rows, cut.is_exact), (50_000, true));
    }
}

#[test]
fn types_that_the_values_decide_come_in_one_batch() {
    let file = with_heart_rates("60");
    let limits = ReadLimits { max_rows: 40_000, max_bytes: usize::MAX, ..limits() };
    for batching in [Batches::Typed, Batches::TypedWithinLimits] {
        // The text after the second batch makes all values texts.
        let expression = ", iif(time < 1700035000, 1, 'x') AS v";
        let batches = file.heart_rates(expression, &limits, batching).unwrap();
        assert_eq!((batches.len(), total_rows(&batches)), (1, 40_000));
        assert_eq!(batches[0].columns[3].values.data_type(), &DataType::Utf8);
        assert_eq!(batches[0].truncation.unwrap().total_rows, 50_000);
    }
}

/// Oura may send a fraction for a column of integers.
#[test]
fn fraction_in_a_column_of_integers_is_a_number_in_every_batch() {
    for (fraction_at, breaks) in [(10, false), (40_000, true)] {
        let file = with_heart_rates(&format!("iif(i = {fraction_at}, 72.5, 60)"));
        let read = || file.heart_rates("", &limits(), Batches::Typed);
        if breaks {
            let error = read().unwrap_err().to_string();
            assert!(error.starts_with("column \"bpm\" has values of several types"), "{error}");
        }
        // From the first batch, or in one batch: the limits above cut it off.
        for batch in read().unwrap() {
            let kind = batch.columns[1].values.data_type();
            assert!(*kind == DataType::Float64 || batch.truncation.is_some(), "{kind}");
        }
        let all = ReadLimits { max_rows: usize::MAX, max_bytes: usize::MAX, ..limits() };
        let batches = file.heart_rates("", &all, Batches::Typed).unwrap();
        assert_eq!((total_rows(&batches), batches.len()), (50_000, if breaks { 1 } else { 4 }));
        for batch in batches {
            assert_eq!(batch.columns[1].values.data_type(), &DataType::Float64);
        }
    }
}

#[test]
fn waiting_for_the_receiver_does_not_count_as_time_of_the_statement() {
    let file = file();
    let statement = TokenizedSql::new(numbers(40_000, "i"));
    let deadline = Instant::now() + Duration::from_secs(2);
    let mut batches = 0;
    let limits = ReadLimits { deadline, ..limits() };
    let batching = Batches::Untyped;
    let read = file.readers.read_batches(&statement, &[], &limits, batching, &mut |_, _| {
        batches += 1;
        // The receiver is away until the deadline has passed.
        while Instant::now() <= deadline {
            std::thread::yield_now();
        }
        true
    });
    assert_eq!((read.is_ok(), batches), (true, 3));
}

#[test]
fn receiver_that_is_gone_stops_the_statement() {
    let file = file();
    let mut batches = 0;
    let statement = TokenizedSql::new(numbers(usize::MAX >> 1, "i"));
    let batching = Batches::Untyped;
    let read = file.readers.read_batches(&statement, &[], &limits(), batching, &mut |_, _| {
        batches += 1;
        batches < 2
    });
    assert!(matches!(read, Err(ReadError::Cancelled)), "{read:?}");
    assert_eq!(batches, 2);
}
