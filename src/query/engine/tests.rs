use std::sync::mpsc;
use std::time::Duration;

use arrow::array::AsArray;

use super::*;
use crate::time::Day;

/// A new, empty store with every table of the bundled catalogue.
fn store() -> (Store, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(
        &folder.path().join("oura.db"),
        Arc::new(Catalog::bundled()),
        Tz::Europe__Vienna,
    )
    .unwrap();
    (store, folder)
}

fn context() -> QueryContext {
    let day = |day| Day::new(2026, 3, day).unwrap().midnight(Tz::Europe__Vienna).seconds() * 1_000;
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

fn batch() -> ColumnBatch {
    ColumnBatch { columns: Vec::new(), rows: 0, truncation: None }
}

#[tokio::test]
async fn an_answer_carries_the_sql_that_was_executed_and_what_to_fill() {
    let (store, _folder) = store();
    let engine = Engine::new(store.clone(), store.zone(), Limits::default());
    let answer = engine
        .run(
            &sql("SELECT $__timeGroup(time, '1d', previous), avg(bpm) FROM heartrate GROUP BY 1"),
            &context(),
        )
        .await
        .unwrap();
    assert_eq!(
        answer.executed_sql,
        "SELECT ((time) - (((time) % 86400) + 86400) % 86400) AS \"time\", avg(bpm) FROM heartrate GROUP BY 1"
    );
    assert_eq!(answer.fill.unwrap().step, 86_400);
    assert_eq!(answer.batch.columns.len(), 2);
}

#[tokio::test]
async fn a_limit_is_a_notice() {
    let (store, _folder) = store();
    let engine =
        Engine::new(store.clone(), store.zone(), Limits { max_rows: 1_000, ..Limits::default() });
    let endless = sql(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n LIMIT 12345",
    );
    let answer = engine.run(&endless, &context()).await.unwrap();
    assert_eq!(
        answer.notices,
        ["The first 1,000 of 12,345 rows are shown. Narrow the time range or aggregate."]
    );
}

#[tokio::test]
async fn each_mistake_has_a_code_a_status_a_message_and_a_remedy() {
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
async fn what_takes_too_long_is_stopped() {
    let (store, _folder) = store();
    let engine = Engine::new(
        store.clone(),
        store.zone(),
        Limits { timeout: Duration::from_millis(20), ..Limits::default() },
    );
    let endless =
        sql("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n");
    let error = engine.run(&endless, &context()).await.unwrap_err();
    assert_eq!(
        (error.code(), error.to_string().as_str()),
        ("timeout", "the query was stopped after 0.02 s")
    );
}

#[tokio::test]
async fn a_query_nobody_waits_for_is_cancelled() {
    let (begun, begins) = tokio::sync::oneshot::channel();
    let (ended, ends) = mpsc::channel();
    let begun = std::sync::Mutex::new(Some(begun));
    let read = move |_: &TokenizedSql, _: &[serde_json::Value], limits: &ReadLimits| {
        begun.lock().unwrap().take().map(|begun| begun.send(()));
        while !limits.cancelled.load(Ordering::Relaxed) {
            std::thread::yield_now();
        }
        ended.send(()).unwrap();
        Err(ReadError::Cancelled)
    };
    let engine = Engine::over(read, || Arc::new(Catalog::bundled()), Tz::UTC, Limits::default());
    let running = tokio::spawn(async move {
        engine.run(&sql("SELECT 1"), &context()).await.map(|answer| answer.batch.rows)
    });
    begins.await.unwrap();
    running.abort();
    tokio::task::spawn_blocking(move || ends.recv().unwrap()).await.unwrap();
}

#[tokio::test]
async fn slow_queries_make_room_for_the_quick_ones_behind_them() {
    let (store, _folder) = store();
    let limits = Limits { concurrency: 2, timeout: Duration::from_secs(8), ..Limits::default() };
    let engine = Engine::new(store.clone(), store.zone(), limits);
    let slow: Vec<_> = (0..2)
        .map(|_| {
            let engine = engine.clone();
            let endless = sql("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n");
            tokio::spawn(async move { engine.run(&endless, &context()).await.map(|answer| answer.batch.rows) })
        })
        .collect();
    while engine.running.available_permits() > 0 {
        tokio::task::yield_now().await;
    }
    let quick = engine.run(&sql("SELECT 1"), &context()).await.unwrap();
    assert!(quick.elapsed < Duration::from_secs(6), "{:?}", quick.elapsed);
    for query in slow {
        assert!(matches!(query.await.unwrap(), Err(QueryError::Timeout(_))));
    }
    assert_eq!((engine.running.available_permits(), engine.long.available_permits()), (2, 1));
}

#[tokio::test]
async fn however_many_are_slow_a_quick_one_has_its_turn_and_one_that_made_room_begins_anew() {
    let reads = Arc::new(AtomicUsize::new(0));
    let counted = reads.clone();
    let read = move |statement: &TokenizedSql, _: &[serde_json::Value], limits: &ReadLimits| {
        counted.fetch_add(1, Ordering::Relaxed);
        let begun = Instant::now();
        while statement.text().contains("slow") && begun.elapsed() < Duration::from_secs(2) {
            if limits.cancelled.load(Ordering::Relaxed) {
                return Err(ReadError::Cancelled);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(batch())
    };
    let engine = Engine::over(
        read,
        || Arc::new(Catalog::bundled()),
        Tz::UTC,
        Limits { concurrency: 2, ..Limits::default() },
    );
    let slow: Vec<_> = (0..5)
        .map(|_| {
            let engine = engine.clone();
            tokio::spawn(async move {
                engine.run(&sql("SELECT 'slow'"), &context()).await.map(|answer| answer.batch.rows)
            })
        })
        .collect();
    while engine.waiting() < 3 {
        tokio::task::yield_now().await;
    }
    // One of the five moves on, one after the other of the rest makes room.
    let quick = engine.run(&sql("SELECT 1"), &context()).await.unwrap();
    assert!(quick.elapsed < Duration::from_secs(6), "{:?}", quick.elapsed);
    for query in slow {
        assert_eq!(query.await.unwrap().unwrap(), 0);
    }
    assert!(reads.load(Ordering::Relaxed) > 6, "none began anew");
    assert_eq!(
        (engine.running.available_permits(), engine.long.available_permits(), engine.waiting()),
        (2, 1, 0)
    );
}

#[tokio::test]
async fn a_statement_that_its_macros_make_long_is_refused_before_it_is_made() {
    let (store, _folder) = store();
    let engine = Engine::new(store.clone(), store.zone(), Limits::default());
    for (text, nested) in [(1_000, 8), (4 << 20, 0)] {
        let statement = format!(
            "SELECT {}'{}'{}",
            "$__timeGroup(".repeat(nested),
            "x".repeat(text),
            ", '1s')".repeat(nested)
        );
        let started = Instant::now();
        let error = engine.run(&sql(&statement), &context()).await.unwrap_err();
        assert!(error.to_string().contains("longer than 128 KiB"), "{error}");
        assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    }
}

#[tokio::test]
async fn more_than_the_line_holds_is_turned_away_and_the_rest_is_served() {
    let (release, wait) = mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let read = move |_: &TokenizedSql, _: &[serde_json::Value], _: &ReadLimits| {
        wait.lock().unwrap().recv().unwrap();
        Ok(batch())
    };
    let engine = Engine::over(
        read,
        || Arc::new(Catalog::bundled()),
        Tz::UTC,
        Limits { concurrency: 1, ..Limits::default() },
    );
    let ask = || {
        let engine = engine.clone();
        tokio::spawn(async move {
            engine.run(&sql("SELECT 1"), &context()).await.map(|answer| answer.batch.rows)
        })
    };
    let asked: Vec<_> = (0..MAX_WAITING + 2).map(|_| ask()).collect();
    while engine.waiting.load(Ordering::Relaxed) < MAX_WAITING {
        tokio::task::yield_now().await;
    }
    (0..=MAX_WAITING).for_each(|_| release.send(()).unwrap());
    let mut busy = 0;
    for query in asked {
        busy += usize::from(matches!(query.await.unwrap(), Err(QueryError::Busy)));
    }
    assert_eq!(busy, 1);
}

#[tokio::test]
async fn every_published_table_and_view_can_be_read_and_counted() {
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
            let answer =
                engine.run(&sql(&format!("SELECT {columns} FROM {name}")), &context()).await;
            assert!(answer.is_ok(), "{name}: {}", answer.unwrap_err());
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
        let answer = engine.run(&sql(&statement), &context()).await;
        assert!(answer.is_ok(), "{statement}: {}", answer.unwrap_err());
        assert!(
            function.example.contains(&format!("{}(", function.name))
                && function.usage.starts_with(function.name),
            "{}",
            function.name
        );
    }
}

#[tokio::test]
async fn a_range_is_searched_by_an_index_in_every_table_and_view() {
    /// Baselines reach back over all days there are; documents and what lies in them are found by collection or time.
    const READ_WHOLE: [&str; 4] = [
        "baselines WHERE $__dayFilter(day)",
        "baselines WHERE $__timeFilter(time)",
        "oura_raw_documents WHERE $__dayFilter(day)",
        "samples WHERE $__dayFilter(day)",
    ];
    let (store, _folder) = store();
    let engine = Engine::new(store.clone(), store.zone(), Limits::default());
    let (mut searched, mut read_whole) = (0, Vec::new());
    for table in store.inspector().published().unwrap() {
        for filter in ["$__dayFilter(day)", "$__timeFilter(time)"] {
            let question = format!("{table} WHERE {filter}");
            // Not every table has both columns.
            let Ok(plan) = engine
                .run(&sql(&format!("EXPLAIN QUERY PLAN SELECT * FROM {question}")), &context())
                .await
            else {
                continue;
            };
            let steps = plan.batch.columns.iter().find(|column| column.name == "detail").unwrap();
            let steps = steps.values.as_string::<i32>();
            // There are two dozen collections, whatever the range.
            if steps
                .iter()
                .flatten()
                .any(|step| step.starts_with("SCAN") && step != "SCAN collections")
            {
                read_whole.push(question);
            } else {
                searched += 1;
            }
        }
    }
    assert_eq!(read_whole, READ_WHOLE);
    assert!(searched > 40, "{searched}");
}
