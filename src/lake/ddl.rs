//! The statements that register the tables of a lake in an engine.

use std::fmt::Write;

use super::Lake;
use super::error::LakeError;
use super::log::Log;

/// An engine that reads Delta tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// DuckDB with its extension `delta`.
    Duckdb,
    /// Apache Spark with Delta Lake.
    Spark,
    /// Trino with its connector `delta_lake`.
    Trino,
    /// ClickHouse.
    Clickhouse,
    /// Amazon Athena.
    Athena,
    /// Google BigQuery with BigLake.
    Bigquery,
}

impl Lake {
    /// Returns the statements that register all tables of the lake in `engine`.
    pub async fn ddl(&self, engine: Engine) -> Result<String, LakeError> {
        let mut tables = Vec::new();
        for name in self.table_names().await? {
            let log = Log::new(&self.storage, &name);
            let snapshot = log.read().await?;
            if snapshot.version.is_some() {
                tables.push(name);
            }
        }
        Ok(ddl(engine, self.place(), &tables))
    }
}

/// Returns the statements for tables at `place`.
fn ddl(engine: Engine, place: &str, tables: &[String]) -> String {
    let mut text = introduction(engine, place);
    for table in tables {
        let at = location(engine, place, table);
        let statement = match engine {
            Engine::Duckdb => {
                format!("CREATE OR REPLACE VIEW {table} AS SELECT * FROM delta_scan('{at}');")
            }
            Engine::Spark => {
                format!("CREATE TABLE IF NOT EXISTS ringside.{table} USING DELTA LOCATION '{at}';")
            }
            Engine::Trino => format!(
                "CALL lake.system.register_table(schema_name => 'ringside', \
                 table_name => '{table}', table_location => '{at}');"
            ),
            Engine::Clickhouse => {
                let kind = if place.starts_with("s3://") { "DeltaLake" } else { "DeltaLakeLocal" };
                format!("CREATE TABLE IF NOT EXISTS ringside.{table} ENGINE = {kind}('{at}');")
            }
            Engine::Athena => format!(
                "CREATE EXTERNAL TABLE ringside.{table} LOCATION '{at}' \
                 TBLPROPERTIES ('table_type' = 'DELTA');"
            ),
            Engine::Bigquery => format!(
                "CREATE EXTERNAL TABLE ringside.{table} WITH CONNECTION `PROJECT.REGION.NAME`\n  \
                 OPTIONS (format = 'DELTA_LAKE', uris = ['{at}']);"
            ),
        };
        let _ = writeln!(text, "{statement}");
    }
    text
}

/// The address of a table in the form that the engine reads.
fn location(engine: Engine, place: &str, table: &str) -> String {
    match (engine, place.strip_prefix("s3://")) {
        (Engine::Spark, Some(rest)) => format!("s3a://{rest}/{table}"),
        (Engine::Clickhouse, Some(rest)) => match rest.split_once('/') {
            Some((bucket, prefix)) => {
                format!("https://{bucket}.s3.amazonaws.com/{prefix}/{table}/")
            }
            None => format!("https://{rest}.s3.amazonaws.com/{table}/"),
        },
        (Engine::Athena, Some(_)) => format!("{place}/{table}/"),
        _ => format!("{place}/{table}"),
    }
}

/// The statements before the tables.
fn introduction(engine: Engine, place: &str) -> String {
    let is_s3 = place.starts_with("s3://");
    match engine {
        Engine::Duckdb if is_s3 => "INSTALL delta; LOAD delta;\n\
             CREATE SECRET (TYPE s3, PROVIDER credential_chain);\n"
            .to_owned(),
        Engine::Duckdb => "INSTALL delta; LOAD delta;\n".to_owned(),
        Engine::Spark => "CREATE DATABASE IF NOT EXISTS ringside;\n".to_owned(),
        Engine::Trino => "-- A catalog named lake with connector.name=delta_lake and\n\
             -- delta.register-table-procedure.enabled=true\n\
             CREATE SCHEMA IF NOT EXISTS lake.ringside;\n"
            .to_owned(),
        Engine::Clickhouse => "CREATE DATABASE IF NOT EXISTS ringside;\n".to_owned(),
        Engine::Athena => "CREATE DATABASE IF NOT EXISTS ringside;\n".to_owned(),
        Engine::Bigquery => "CREATE SCHEMA IF NOT EXISTS ringside;\n".to_owned(),
    }
}
