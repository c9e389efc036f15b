use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use arrow::array::AsArray;
use tokio::task::JoinHandle;

use super::*;
use crate::time::Day;

/// Returns an empty store with every table of the bundled catalogue.
fn store() -> (Store, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(
        &folder.path().join("oura.db"),
        Arc::new(Catalog::bundled()),
        Tz::named("Europe/Vienna"),
    )
    .unwrap();
    (store, folder)
}

fn context() -> QueryContext {
    let day = |day| {
        Day::new(2026, 3, day).unwrap().midnight(Tz::named("Europe/Vienna")).seconds() * 1_000
    };
    QueryContext {
        from_ms: day(1),
        to_ms: day(8),
        interval: Duration::from_secs(3_600),
        max_data_points: 100,
    }
}

fn sql(raw_sql: &str) -> SqlQuery {
    SqlQuery { raw_sql: raw_sql.to_owned(), ..SqlQuery::default() }
}

/// A query that never ends.
const ENDLESS: &str =
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n";

/// Returns an engine over `read` with the bundled catalogue.
fn with_reader(
    read: impl Fn(&TokenizedSql, &[Scalar], &ReadLimits) -> ReadResult + Send + Sync + 'static,
    limits: Limits,
) -> Engine {
    let catalog = Arc::new(Catalog::bundled());
    Engine::with(Arc::new(read), move || Arc::clone(&catalog), Tz::UTC, limits)
}

fn batch() -> ColumnBatch {
    ColumnBatch { columns: Vec::new(), rows: 0, truncation: None, charge: Default::default() }
}

#[tokio::test]
async fn a_result_has_the_executed_sql_and_the_gaps_to_fill() {
    let (store, _folder) = store();
    let engine = Engine::new(store.clone(), store.zone(), Limits::default());
    let result = engine
        .run(
            &sql("SELECT $__timeGroup(time, '1d', previous), avg(bpm) FROM heartrate GROUP BY 1"),
            &context(),
        )
        .await
        .unwrap();
    assert_eq!(
        result.executed_sql,
        "SELECT ((time) - (((time) % 86400) + 86400) % 86400) AS \"time\", avg(bpm) \
         FROM heartrate GROUP BY 1"
    );
    let times = result.fill.unwrap().times;
    assert_eq!(times[1] - times[0], 86_400);
    assert_eq!(result.batch.columns.len(), 2);
}

#[tokio::test]
async fn a_limit_is_a_notice() {
    let (store, _folder) = store();
    let engine =
        Engine::new(store.clone(), store.zone(), Limits { max_rows: 1_000, ..Limits::default() });
    let long = sql("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) \
         SELECT i FROM n LIMIT 12345");
    let result = engine.run(&long, &context()).await.unwrap();
    assert_eq!(
        result.notices,
        ["The first 1,000 of 12,345 rows are shown. Narrow the time range or aggregate."]
    );
}

#[tokio::test]
async fn each_mistake_has_a_code_a_status_a_message_and_a_hint() {
    let (store, _folder) = store();
    let engine = Engine::new(store.clone(), store.zone(), Limits::default());
    let mut table = String::new();
    for statement in [
        "",
        "DROP TABLE sleep",
        "SELECT 1; SELECT 2",
        "SELECT avg(averge_hrv)\nFROM sleep",
        "SELECT * FROM daily_slep",
        "SELECT medain(1)",
        "SELECT time,\nFROM sleep",
        "SELECT $__timeFliter(time)",
        "SELECT $__timeGroup(time, 'soon')",
        "SELECT * FROM meta",
        "WITH a AS (SELECT 1) DELETE FROM sleep",
        "SELECT ?1",
        "SELECT json('{')",
        "SELECT printf('%1000000000d', 1)",
    ] {
        let error = engine.run(&sql(statement), &context()).await.expect_err(statement);
        table += &format!(
            "{statement}\n  {} {}: {error}\n  {}\n",
            error.status(),
            error.code(),
            error.hint()
        );
    }
    insta::assert_snapshot!(table);
}

#[tokio::test]
async fn a_query_over_the_time_limit_is_stopped() {
    let (store, _folder) = store();
    let engine = Engine::new(
        store.clone(),
        store.zone(),
        Limits { timeout: Duration::from_millis(20), ..Limits::default() },
    );
    let error = engine.run(&sql(ENDLESS), &context()).await.unwrap_err();
    assert_eq!(
        (error.code(), error.to_string().as_str()),
        ("timeout", "The query was stopped after 0.02 s")
    );
}

#[tokio::test]
async fn a_dropped_query_is_cancelled() {
    let (started_sender, started) = tokio::sync::oneshot::channel();
    let (stopped_sender, stopped) = mpsc::channel();
    let started_sender = std::sync::Mutex::new(Some(started_sender));
    let read = move |_: &TokenizedSql, _: &[Scalar], limits: &ReadLimits| {
        if let Some(sender) = started_sender.lock().unwrap().take() {
            sender.send(()).unwrap();
        }
        while !limits.cancelled.load(Ordering::Relaxed) {
            std::thread::yield_now();
        }
        stopped_sender.send(()).unwrap();
        Err(ReadError::Cancelled)
    };
    let query = spawn(&with_reader(read, Limits::default()), sql("SELECT 1"));
    started.await.unwrap();
    query.abort();
    tokio::task::spawn_blocking(move || stopped.recv().unwrap()).await.unwrap();
}

/// Returns the row count of `query`, on a task of its own.
fn spawn(engine: &Engine, query: SqlQuery) -> JoinHandle<Result<usize, QueryError>> {
    let engine = engine.clone();
    tokio::spawn(async move {
        let result = engine.run(&query, &context()).await?;
        Ok(result.batch.rows)
    })
}

/// Returns `engine` with a short definition of slow, so that tests are fast.
fn impatient(engine: Engine) -> Engine {
    let slow_query = Duration::from_millis(20);
    Engine { slow_query, slow_slot_pause: Duration::from_millis(5), ..engine }
}

#[tokio::test]
async fn slow_queries_leave_a_slot_for_quick_ones() {
    let (store, _folder) = store();
    let limits = Limits { concurrency: 2, ..Limits::default() };
    let engine = impatient(Engine::new(store.clone(), store.zone(), limits));
    let slow = [sql(ENDLESS), sql(ENDLESS)].map(|query| spawn(&engine, query));
    while engine.slots.free() > 0 {
        tokio::task::yield_now().await;
    }
    engine.run(&sql("SELECT 1"), &context()).await.unwrap();
    assert!(slow.iter().all(|query| !query.is_finished()), "the quick query had to wait");
    for query in slow {
        query.abort();
        assert!(query.await.unwrap_err().is_cancelled());
    }
    // The threads stop soon, and free their slots.
    while (engine.slots.free(), engine.slow_slots.free()) != (2, 1) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_slow_query_makes_no_room_for_queries_that_cannot_use_it() {
    let reads = Arc::new(AtomicUsize::new(0));
    let released = Arc::new(AtomicBool::new(false));
    let read = {
        let (reads, released) = (reads.clone(), released.clone());
        move |_: &TokenizedSql, _: &[Scalar], limits: &ReadLimits| {
            reads.fetch_add(1, Ordering::Relaxed);
            while !released.load(Ordering::Relaxed) {
                if limits.cancelled.load(Ordering::Relaxed) {
                    return Err(ReadError::Cancelled);
                }
                std::thread::yield_now();
            }
            Ok(batch())
        }
    };
    let limits = Limits { concurrency: 2, ..Limits::default() };
    let engine = impatient(with_reader(read, limits));
    // One of four moves to the slow slot. For the last one, another makes room and waits for the
    // slow slot.
    let slow: Vec<_> = (0..4).map(|_| spawn(&engine, sql("SELECT 1"))).collect();
    while reads.load(Ordering::Relaxed) < 4 {
        tokio::task::yield_now().await;
    }
    tokio::time::sleep(engine.slow_query * 5).await;
    assert!(engine.slots.free() < 2, "all queries made room");
    released.store(true, Ordering::Relaxed);
    for query in slow {
        assert_eq!(query.await.unwrap().unwrap(), 0);
    }
}

#[tokio::test]
async fn a_slow_query_that_made_room_restarts() {
    let reads = Arc::new(AtomicUsize::new(0));
    let released = Arc::new(AtomicBool::new(false));
    let read = {
        let reads = reads.clone();
        let released = released.clone();
        move |statement: &TokenizedSql, _: &[Scalar], limits: &ReadLimits| {
            reads.fetch_add(1, Ordering::Relaxed);
            while statement.text().contains("slow") && !released.load(Ordering::Relaxed) {
                if limits.cancelled.load(Ordering::Relaxed) {
                    return Err(ReadError::Cancelled);
                }
                std::thread::yield_now();
            }
            Ok(batch())
        }
    };
    let limits = Limits { concurrency: 2, ..Limits::default() };
    let engine = impatient(with_reader(read, limits));
    let slow: Vec<_> = (0..5).map(|_| spawn(&engine, sql("SELECT 'slow'"))).collect();
    while engine.waiting() < 3 {
        tokio::task::yield_now().await;
    }
    // One of the five moves to the slow slot, the others make room one after another.
    engine.run(&sql("SELECT 1"), &context()).await.unwrap();
    assert!(slow.iter().all(|query| !query.is_finished()), "the quick query had to wait");
    released.store(true, Ordering::Relaxed);
    for query in slow {
        assert_eq!(query.await.unwrap().unwrap(), 0);
    }
    assert!(reads.load(Ordering::Relaxed) > 6, "no slow query restarted");
    assert_eq!(engine.waiting(), 0);
    // A thread frees its slot after its answer.
    while (engine.slots.free(), engine.slow_slots.free()) != (2, 1) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_statement_too_long_with_its_macros_is_rejected() {
    let (store, _folder) = store();
    let engine = Engine::new(store.clone(), store.zone(), Limits::default());
    for (text, nested) in [(1_000, 8), (4 << 20, 0)] {
        let statement = format!(
            "SELECT {}'{}'{}",
            "$__timeGroup(".repeat(nested),
            "x".repeat(text),
            ", '1s')".repeat(nested)
        );
        let error = engine.run(&sql(&statement), &context()).await.unwrap_err();
        assert!(error.to_string().contains("longer than 128 KiB"), "{error}");
    }
}

#[tokio::test]
async fn a_query_beyond_the_queue_is_rejected_and_the_rest_run() {
    let (release, wait) = mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let read = move |_: &TokenizedSql, _: &[Scalar], _: &ReadLimits| {
        wait.lock().unwrap().recv().unwrap();
        Ok(batch())
    };
    let engine = with_reader(read, Limits { concurrency: 1, ..Limits::default() });
    // On a busy machine, a slow query would free its slot for a queued one.
    let engine = Engine { slow_query: Duration::from_secs(600), ..engine };
    let queries: Vec<_> = (0..MAX_WAITING + 2).map(|_| spawn(&engine, sql("SELECT 1"))).collect();
    while engine.waiting() < MAX_WAITING {
        tokio::task::yield_now().await;
    }
    for _ in 0..=MAX_WAITING {
        release.send(()).unwrap();
    }
    let mut busy = 0;
    for query in queries {
        busy += usize::from(matches!(query.await.unwrap(), Err(QueryError::Busy)));
    }
    assert_eq!(busy, 1);
}

#[tokio::test]
async fn every_published_table_and_view_is_readable() {
    let (store, _folder) = store();
    let engine = Engine::new(store.clone(), store.zone(), Limits::default());
    let published = store.inspector().published().unwrap();
    assert!(
        ["sleep", "samples", "nights", "days", "coverage", "baselines"]
            .iter()
            .all(|name| published.iter().any(|known| known == name))
    );
    for name in published {
        for columns in ["*", "count(*)"] {
            let result =
                engine.run(&sql(&format!("SELECT {columns} FROM {name}")), &context()).await;
            assert!(result.is_ok(), "{name}: {}", result.unwrap_err());
        }
    }
}

#[tokio::test]
async fn every_example_of_a_function_runs() {
    let (store, _folder) = store();
    let engine = Engine::new(store.clone(), store.zone(), Limits::default());
    for function in crate::store::FUNCTIONS {
        let statement = if function.example.starts_with("SELECT") {
            function.example.to_owned()
        } else {
            format!("SELECT {}", function.example)
        };
        let result = engine.run(&sql(&statement), &context()).await;
        assert!(result.is_ok(), "{statement}: {}", result.unwrap_err());
        assert!(
            function.example.contains(&format!("{}(", function.name))
                && function.usage.starts_with(function.name),
            "{}",
            function.name
        );
    }
}

#[tokio::test]
async fn a_time_range_uses_an_index_in_every_table_and_view() {
    /// Queries that read a whole table: views with windows need all days before a day, and raw
    /// documents and samples have no index by day alone.
    const READ_WHOLE: [&str; 15] = [
        "causes WHERE $__dayFilter(day)",
        "oura_raw_documents WHERE $__dayFilter(day)",
        "outcomes WHERE $__dayFilter(day)",
        "samples WHERE $__dayFilter(day)",
        "signs WHERE $__dayFilter(day)",
        "signs WHERE $__timeFilter(time)",
        "sleep_debt WHERE $__dayFilter(day)",
        "sleep_debt WHERE $__timeFilter(time)",
        "sleep_timing WHERE $__dayFilter(day)",
        "sleep_timing WHERE $__timeFilter(time)",
        "tag_days WHERE $__dayFilter(day)",
        "training_load WHERE $__dayFilter(day)",
        "training_load WHERE $__timeFilter(time)",
        "workout_load WHERE $__dayFilter(day)",
        "workout_load WHERE $__timeFilter(time)",
    ];
    let (store, _folder) = store();
    let engine = Engine::new(store.clone(), store.zone(), Limits::default());
    let mut searched = 0;
    let mut read_whole = Vec::new();
    for table in store.inspector().published().unwrap() {
        for filter in ["$__dayFilter(day)", "$__timeFilter(time)"] {
            let filtered = format!("{table} WHERE {filter}");
            let explain = sql(&format!("EXPLAIN QUERY PLAN SELECT * FROM {filtered}"));
            // Most tables have only one of the two columns.
            let Ok(plan) = engine.run(&explain, &context()).await else { continue };
            let steps = plan.batch.columns.iter().find(|column| column.name == "detail").unwrap();
            // `collections` always has two dozen rows.
            let scans = steps
                .values
                .as_string::<i32>()
                .iter()
                .flatten()
                .any(|step| step.starts_with("SCAN") && step != "SCAN collections");
            if scans {
                read_whole.push(filtered);
            } else {
                searched += 1;
            }
        }
    }
    assert_eq!(read_whole, READ_WHOLE);
    assert!(searched > 40, "{searched}");
}

/// Rows with the numbers from 1 to `count`.
fn numbers(count: u64) -> SqlQuery {
    sql(&format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT {count})
         SELECT i FROM n"
    ))
}

/// Counts the rows of a stream on a blocking thread.
async fn count(rows: RowStream) -> std::io::Result<usize> {
    let count = || rows.map(|batch| Ok(batch?.rows)).sum();
    tokio::task::spawn_blocking(count).await.unwrap()
}

#[tokio::test]
async fn stream_has_all_rows_beyond_the_limits() {
    let (store, _folder) = store();
    let limits = Limits { max_rows: 10, max_bytes: 10, ..Limits::default() };
    let engine = Engine::new(store.clone(), store.zone(), limits);
    for rows in [0, 1, 16 << 10, 100_000] {
        let stream = engine.stream(&numbers(rows), &context(), Batches::Untyped).await.unwrap();
        assert!(stream.head.batch.truncation.is_none() && !stream.head.executed_sql.is_empty());
        assert_eq!(count(stream).await.unwrap(), rows as usize);
    }
    let error =
        engine.stream(&sql("SELECT absent"), &context(), Batches::Untyped).await.err().unwrap();
    assert_eq!(error.code(), "unknown_name");
}

#[tokio::test]
async fn stream_that_fails_later_ends_with_the_error() {
    let (store, _folder) = store();
    let engine = Engine::new(store.clone(), store.zone(), Limits::default());
    let failing = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 50000)
                   SELECT iif(i < 40000, i, json('{')) FROM n";
    let stream = engine.stream(&sql(failing), &context(), Batches::Untyped).await.unwrap();
    let error = count(stream).await.unwrap_err();
    assert!(error.to_string().contains("malformed JSON"), "{error}");
}

#[tokio::test]
async fn long_streams_leave_a_slot_for_quick_queries() {
    let (store, _folder) = store();
    let limits = Limits { concurrency: 2, ..Limits::default() };
    let engine = Engine::new(store.clone(), store.zone(), limits);
    let long = numbers(u64::MAX >> 1);
    let first = engine.stream(&long, &context(), Batches::Untyped).await.unwrap();
    // The second one needs the only slow slot as well.
    let second = tokio::spawn({
        let (engine, long) = (engine.clone(), long.clone());
        async move { engine.stream(&long, &context(), Batches::Untyped).await.map(|_| ()) }
    });
    engine.run(&sql("SELECT 1"), &context()).await.unwrap();
    assert!(!second.is_finished());
    drop(first);
    second.await.unwrap().unwrap();
    // Dropped streams stop their statements, which free their slots.
    while (engine.slots.free(), engine.slow_slots.free()) != (2, 1) {
        tokio::task::yield_now().await;
    }
}
