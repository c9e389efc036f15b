//! Exports over HTTP and with the command line: the same rows in every format.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use ringside::datasource::DataSources;
use ringside::time::Clock;
use serde_json::{Value, json};

use super::python;
use crate::common::serve::{ADMIN_TOKEN, READ_TOKEN, Server, data_folder};
use crate::common::world::{World, connect};
use crate::common::{database, select};

/// Runs `gpx_oura export`. Returns standard error of a failure.
fn export(folder: &Path, to: &Path, arguments: &[&str]) -> Result<(), String> {
    let output = Command::new(env!("CARGO_BIN_EXE_gpx_oura"))
        .arg("export")
        .arg("--data-dir")
        .arg(folder)
        .arg(to)
        .args(arguments)
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() { Ok(()) } else { Err(error) }
}

/// The number of rows, and the sum of each numeric column, of Parquet bytes.
fn sums(parquet: Vec<u8>) -> (usize, BTreeMap<String, f64>) {
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(parquet)).unwrap();
    let mut rows = 0;
    let mut sums = BTreeMap::new();
    for batch in reader.build().unwrap().map(Result::unwrap) {
        rows += batch.num_rows();
        for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
            let sum: f64 = match column.data_type() {
                DataType::Int64 => {
                    let values = column.as_primitive::<Int64Type>();
                    values.iter().flatten().map(|value| value as f64).sum()
                }
                DataType::Float64 => column.as_primitive::<Float64Type>().iter().flatten().sum(),
                _ => continue,
            };
            *sums.entry(field.name().clone()).or_default() += sum;
        }
    }
    (rows, sums)
}

/// The sum of a column in the database.
fn stored_sum(folder: &Path, table: &str, column: &str) -> f64 {
    let sql = format!("SELECT total(\"{column}\") FROM \"{table}\"");
    select(&database(folder), &sql)[0][0].as_f64().unwrap()
}

#[test]
fn parquet_has_the_counts_and_sums_of_every_table() {
    let folder = data_folder();
    let to = folder.path().join("parquet");
    // Views use functions of the program, which this test lacks. Their rows are in the manifest.
    export(folder.path(), &to, &["--format", "parquet"]).unwrap();
    let manifest: Value =
        serde_json::from_slice(&std::fs::read(to.join("export.json")).unwrap()).unwrap();
    let tables =
        select(&database(folder.path()), "SELECT name FROM sqlite_schema WHERE type = 'table'");
    let is_table = |name: &str| tables.iter().any(|row| row[0] == name);
    let mut compared = 0;
    for (table, count) in manifest["rows"].as_object().unwrap() {
        let (rows, sums) = sums(std::fs::read(to.join(format!("{table}.parquet"))).unwrap());
        assert_eq!(json!(rows), *count, "{table}");
        if !is_table(table) {
            continue;
        }
        let stored = select(&database(folder.path()), &format!("SELECT count(*) FROM \"{table}\""));
        assert_eq!(json!(rows), stored[0][0], "{table}");
        for (column, sum) in sums {
            let stored = stored_sum(folder.path(), table, &column);
            assert!(
                (sum - stored).abs() <= 1e-9 * stored.abs(),
                "{table}.{column}: {sum} {stored}"
            );
            compared += 1;
        }
    }
    assert!(compared > 100, "compared only {compared} columns");
    assert!(manifest["rows"]["heartrate"].as_u64().unwrap() > 500);
    assert!(manifest["rows"]["nights"].as_u64().unwrap() >= 3);
}

#[test]
fn months_are_partitions_and_since_selects_changed_documents() {
    let folder = data_folder();
    let to = folder.path().join("months");
    export(folder.path(), &to, &["--format", "parquet", "--partition", "month"]).unwrap();
    let months: Vec<_> = std::fs::read_dir(to.join("heartrate"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(
        !months.is_empty() && months.iter().all(|name| name.starts_with("month=20")),
        "{months:?}"
    );
    let rows: usize = months
        .iter()
        .map(|month| {
            sums(std::fs::read(to.join("heartrate").join(month).join("data.parquet")).unwrap()).0
        })
        .sum();
    let stored = select(&database(folder.path()), "SELECT count(*) FROM heartrate");
    assert_eq!(json!(rows), stored[0][0]);

    // An old document that changed today is part of an export since today, the others are not.
    let writer = rusqlite::Connection::open(database(folder.path())).unwrap();
    let changed = "UPDATE oura_raw_documents SET changed_at = 4070908800 WHERE document =
                   (SELECT min(document) FROM oura_raw_documents WHERE resource = 'sleep')";
    assert_eq!(writer.execute(changed, []).unwrap(), 1);
    drop(writer);
    let to = folder.path().join("changes");
    export(folder.path(), &to, &["--format", "parquet", "--since", "2098-12-01"]).unwrap();
    let count = |table: &str| sums(std::fs::read(to.join(format!("{table}.parquet"))).unwrap()).0;
    assert_eq!((count("sleep"), count("oura_raw_documents"), count("heartrate")), (1, 1, 0));

    for (arguments, error) in [
        (&["--partition", "month"][..], "--format parquet"),
        (&["--since", "2026-01-01"], "--format csv or parquet"),
        (&["--format", "parquet", "--since", "soon"], "soon"),
    ] {
        let found = export(folder.path(), &folder.path().join("new"), arguments).unwrap_err();
        assert!(found.contains(error), "{arguments:?}: {found}");
    }
    assert!(!folder.path().join("new").exists());
    assert!(export(folder.path(), &to, &[]).unwrap_err().contains("already exists"));
}

#[tokio::test]
async fn tables_are_downloaded_as_csv_and_parquet() {
    let folder = data_folder();
    let server = Server::start(folder.path(), &[]).await;
    let get = async |path: &str| server.get(path, ADMIN_TOKEN).await;
    let parquet = get("/api/export?format=parquet&table=nights").await;
    assert_eq!(
        parquet.header("content-disposition"),
        Some("attachment; filename=\"nights.parquet\"")
    );
    assert_eq!(parquet.headers.get_all("content-type").iter().count(), 1);
    let (rows, sums) = sums(parquet.body);
    let csv = get("/api/export?format=csv&table=nights").await;
    assert_eq!(csv.text().lines().count(), rows + 1);
    assert!(sums["total_sleep_duration"] > 0.0, "{sums:?}");
    let later = get("/api/export?format=csv&table=nights&since=2999-01-01").await;
    assert!(later.text().lines().count() <= 1 + rows);

    for (path, status, code) in [
        ("?format=xml", 400, "bad_parameters"),
        ("?format=csv", 400, "bad_parameters"),
        ("?table=nights", 400, "bad_parameters"),
        ("?format=csv&table=nothing", 400, "unknown_name"),
        ("?format=csv&table=meta", 403, "refused"),
        ("?format=csv&table=%22%3B%20DROP%20TABLE%20sleep", 400, "unknown_name"),
        ("?format=csv&table=../../etc/passwd", 400, "unknown_name"),
        ("?format=csv&table=nights&since=soon", 400, "bad_parameters"),
    ] {
        let answer = get(&format!("/api/export{path}")).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{path}");
    }
    assert_eq!(server.get("/api/export?format=csv&table=days", READ_TOKEN).await.status, 403);
}

/// Runs the Python examples' libraries on an export, if they are installed.
#[test]
fn duckdb_pandas_and_polars_read_the_same_counts_and_sums() {
    if !python::is_available() {
        return;
    }
    let folder = data_folder();
    let to = folder.path().join("parquet");
    export(folder.path(), &to, &["--format", "parquet"]).unwrap();
    let script = "
import duckdb, json, pandas, pathlib, polars, sys
tables = {}
for path in pathlib.Path(sys.argv[1]).glob('*.parquet'):
    table, frame = polars.read_parquet(path), pandas.read_parquet(path)
    columns = [name for name, kind in table.schema.items() if kind.is_numeric()]
    sums = ''.join(f', CAST(coalesce(sum(\"{name}\"), 0) AS DOUBLE)' for name in columns)
    tables[path.stem] = [columns, [
        list(duckdb.sql(f\"SELECT count(*){sums} FROM '{path}'\").fetchall()[0]),
        [len(frame)] + [float(frame[name].sum()) for name in columns],
        [table.height] + [float(table[name].sum()) for name in columns]]]
print(json.dumps(tables))";
    let output = Command::new("python3").args(["-c", script]).arg(&to).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // The names of the numeric columns, and for each library the rows and the sums.
    type Read = (Vec<String>, [Vec<f64>; 3]);
    let read: BTreeMap<String, Read> = serde_json::from_slice(&output.stdout).unwrap();
    let manifest: Value =
        serde_json::from_slice(&std::fs::read(to.join("export.json")).unwrap()).unwrap();
    assert_eq!(read.len(), manifest["rows"].as_object().unwrap().len());
    let mut compared = 0;
    for (table, (columns, libraries)) in read {
        let (rows, sums) = sums(std::fs::read(to.join(format!("{table}.parquet"))).unwrap());
        // A table without rows has no sums.
        assert!(sums.keys().all(|column| columns.contains(column)), "{table}: {columns:?}");
        for (library, values) in ["duckdb", "pandas", "polars"].iter().zip(libraries) {
            assert_eq!(values[0], rows as f64, "{table} in {library}");
            for (column, sum) in columns.iter().zip(&values[1..]) {
                let stored = sums.get(column).copied().unwrap_or_default();
                let is_equal = (sum - stored).abs() <= 1e-9 * stored.abs();
                assert!(is_equal, "{table}.{column} in {library}: {sum} {stored}");
                compared += 1;
            }
        }
    }
    assert!(compared > 300, "compared only {compared} sums");
}

/// Each copy has one state: the documents of whole windows, each with its row.
#[tokio::test(flavor = "multi_thread")]
async fn copies_during_a_sync_are_consistent() {
    let oura = World::new(200, Clock::system()).await;
    let folder = tempfile::tempdir().unwrap();
    let datasources = DataSources::open(oura.environment(folder.path())).unwrap();
    let datasource = oura.datasource(&datasources).await;
    connect(&datasource, "ann").await.unwrap();
    let mut states = BTreeSet::new();
    let mut is_finished = false;
    while !is_finished {
        is_finished = datasource.progress().borrow().finished;
        let copy = folder.path().join("copy.db");
        datasource.export_sqlite(copy.clone()).await.unwrap();
        assert_eq!(select(&copy, "PRAGMA integrity_check"), [[json!("ok")]]);
        let mut state = Vec::new();
        for table in ["sleep", "daily_sleep", "daily_activity", "workout"] {
            let documents = format!(
                "SELECT count(*) FROM oura_raw_documents WHERE resource = '{table}'
                 AND deleted_at IS NULL"
            );
            let rows = format!("SELECT count(*) FROM {table}");
            let [documents, rows] = [documents, rows].map(|sql| select(&copy, &sql)[0][0].clone());
            assert_eq!(documents, rows, "{table}");
            state.push(rows.as_i64().unwrap());
        }
        states.insert(state);
        std::fs::remove_file(copy).unwrap();
    }
    datasources.shutdown().await;
    assert!(states.len() > 2, "only the states {states:?}");
}
