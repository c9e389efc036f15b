//! `demo`: the whole product with a synthetic person.
//!
//! It logs in through the resource routes and imports a history. Then it starts the plugin as
//! Grafana does, and runs the dashboard's queries over Grafana's protocol.

mod folder;
mod grafana;

use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use axum::body::{Body, to_bytes};
use axum::http::Request;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::Failure;
use super::dashboard::{DASHBOARDS, OVERVIEW, Target, targets, title};
use super::output::stdout;
use super::progress::follow;
use crate::api::{self, Caller, Role};
use crate::datasource::{DataSource, DataSourceKey, DataSources, Environment, Settings, Status};
use crate::format::grouped;
use crate::oura::{Origins, Secret};
use crate::plugin::host::{CallContext, Host, PanelQuery};
use crate::simulator::{self, Config, Simulator};
use crate::time::{Clock, Tz};

#[derive(clap::Args, Debug)]
pub struct Args {
    /// The data folder. Data of an earlier demo in it is deleted, other files are kept
    #[arg(long, default_value = "demo-data")]
    data_dir: PathBuf,
    /// Days of history
    #[arg(long, default_value_t = 3 * 365)]
    days: u32,
    /// Seed for the synthetic person
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Runs of each query
    #[arg(long, default_value_t = 15)]
    repeat: u32,
    /// An installed Grafana, to start with demo data and all dashboards: its folder or program
    #[arg(long, value_name = "PATH", conflicts_with_all = ["days", "seed", "repeat"])]
    grafana: Option<PathBuf>,
    /// The folder with Grafana's conf/ and public/ [default: found from the path of --grafana]
    #[arg(long, value_name = "PATH", requires = "grafana")]
    grafana_home: Option<PathBuf>,
    /// The port of Grafana
    #[arg(long, default_value_t = 3000, requires = "grafana")]
    port: u16,
}

/// The synthetic person's time zone.
const ZONE: &str = "Europe/Vienna";
/// The width of a panel on a common screen.
const PANEL_PIXELS: i64 = 1000;

pub async fn run(args: Args) -> Result<(), Failure> {
    let start = Instant::now();
    folder::prepare(&args.data_dir)?;
    if let Some(path) = &args.grafana {
        let home = args.grafana_home.as_deref();
        return grafana::run(path, home, args.port, &args.data_dir).await;
    }
    let clock = Clock::system();
    let first_day = clock.now().day(Tz::named(ZONE)).plus(1 - i64::from(args.days));
    let config = Config::new(args.seed, first_day, clock.clone());
    let settings = Settings {
        client_id: config.client_id.clone(),
        timezone: ZONE.to_owned(),
        ..Settings::default()
    };
    let secret = Secret::new(config.client_secret.clone());
    let simulator = Simulator::start(config, ([127, 0, 0, 1], 0).into()).await?;
    eprintln!("Simulated Oura API at {}", simulator.origin());

    let environment =
        Environment { clock, ..Environment::at(&args.data_dir, Origins::at(&simulator.origin()))? };
    let key = DataSourceKey::single();
    let datasources = DataSources::open(environment.clone())?;
    let datasource = datasources.datasource(&key, &settings, &secret).await?;
    log_in(&datasource, &environment.http).await?;
    let loading = Instant::now();
    let run = datasource.status()?.sync.run.unwrap_or_default();
    let progress = follow(&datasource, run).await?;
    let status = datasource.status()?;
    print_collections(&status, &count_days(&datasource).await?)?;
    let seconds = loading.elapsed().as_secs_f64();
    writeln!(
        stdout(),
        "\n{} documents and rows in {seconds:.1} s: {} a second",
        grouped(progress.documents),
        grouped((progress.documents as f64 / seconds) as u64)
    )?;
    let database = datasource.database();
    drop(datasource);
    datasources.shutdown().await;
    drop(datasources);

    let datasource = CallContext {
        org: key.org(),
        uid: key.uid().to_owned(),
        json_data: serde_json::to_value(&settings)?,
        client_secret: secret,
        login: "demo".to_owned(),
        role: "Viewer".to_owned(),
    };
    run_dashboard_queries(&args, &simulator, &datasource).await?;

    let size = std::fs::metadata(&database)?.len();
    writeln!(stdout(), "\nDatabase   {} ({:.1} MB)", database.display(), size as f64 / 1e6)?;
    // The program as it was called: it may not be on the path.
    let program = std::env::args().next().unwrap_or_else(|| "gpx_oura".to_owned());
    let data_dir = args.data_dir.display();
    writeln!(
        stdout(),
        "Try        {program} query --data-dir {data_dir} \
         \"SELECT * FROM nights ORDER BY day DESC LIMIT 7\""
    )?;
    if let Some(peak) = peak_memory() {
        writeln!(stdout(), "Memory     {:.0} MB peak, including the simulator", peak as f64 / 1e6)?;
    }
    writeln!(stdout(), "Time       {:.1} s", start.elapsed().as_secs_f64())?;
    Ok(())
}

/// Logs in as a user does in a browser: *Connect*, *Allow*, and back.
async fn log_in(datasource: &DataSource, http: &reqwest::Client) -> Result<(), Failure> {
    let redirect = "http://localhost:3000/connections/datasources/edit/oura";
    let started = call(datasource, "/oauth/start", json!({"redirectUri": redirect})).await?;
    let authorize_url = started["authorizeUrl"].as_str().ok_or("the login returned no address")?;
    let (code, state) = simulator::consent(http, authorize_url).await?;
    let finished =
        call(datasource, "/oauth/callback", json!({"code": code, "state": state})).await?;
    eprintln!("Logged in: {}", finished["state"].as_str().unwrap_or_default());
    Ok(())
}

/// Sends one change through the resource routes.
async fn call(datasource: &DataSource, path: &str, body: Value) -> Result<Value, Failure> {
    let request = Request::post(path)
        .header("Content-Type", "application/json")
        .extension(Caller { user: "demo".to_owned(), role: Role::Admin })
        .body(Body::from(body.to_string()))?;
    let answer = api::router(datasource.clone()).oneshot(request).await?;
    let succeeded = answer.status().is_success();
    let body: Value = serde_json::from_slice(&to_bytes(answer.into_body(), 1 << 20).await?)?;
    if succeeded { Ok(body) } else { Err(describe_error(&body).into()) }
}

/// The message and the hint of an error response.
fn describe_error(body: &Value) -> String {
    let message = body["error"]["message"].as_str().unwrap_or("the request failed");
    match body["error"]["hint"].as_str() {
        None | Some("") => message.to_owned(),
        Some(hint) => format!("{message}. {hint}"),
    }
}

/// Returns the number of days with data of each collection.
async fn count_days(datasource: &DataSource) -> Result<HashMap<String, u64>, Failure> {
    let sql = "SELECT collection, count(*) FROM coverage WHERE documents > 0 GROUP BY collection";
    let answer = call(datasource, "/sql", json!({ "sql": sql })).await?;
    Ok(serde_json::from_value::<Vec<(String, u64)>>(answer["rows"].clone())?.into_iter().collect())
}

fn print_collections(status: &Status, days: &HashMap<String, u64>) -> Result<(), Failure> {
    writeln!(
        stdout(),
        "\n{:<26} {:>10}  {:>6}  {:<10}  {:<10}  state",
        "collection",
        "documents",
        "days",
        "first day",
        "last day"
    )?;
    for collection in &status.collections {
        let day = |day: Option<crate::time::Day>| day.map_or(String::new(), |day| day.to_string());
        writeln!(
            stdout(),
            "{:<26} {:>10}  {:>6}  {:<10}  {:<10}  {}",
            collection.name,
            grouped(collection.documents),
            days.get(&collection.name).map_or(String::new(), |days| grouped(*days)),
            day(collection.first_day),
            day(collection.last_day),
            collection.reason.as_deref().unwrap_or(collection.state.as_str()),
        )?;
    }
    Ok(())
}

/// Starts this program as a plugin and runs the dashboard's queries, for 90 days and for all time.
async fn run_dashboard_queries(
    args: &Args,
    simulator: &Simulator,
    datasource: &CallContext,
) -> Result<(), Failure> {
    let data_dir = std::path::absolute(&args.data_dir)?;
    let environment = [
        ("GF_PLUGIN_DATA_DIR".to_owned(), text(&data_dir)?),
        ("GF_PLUGIN_OURA_URL".to_owned(), simulator.origin().to_string()),
        ("GF_PLUGIN_LOG_LEVEL".to_owned(), "error".to_owned()),
    ];
    let binary = std::env::current_exe()?;
    let launching = Instant::now();
    let host = Host::launch(&binary, &environment).await?;
    writeln!(
        stdout(),
        "\nPlugin started as by Grafana, ready after {:.0} ms",
        launching.elapsed().as_secs_f64() * 1e3
    )?;
    for (range, days) in [("the last 90 days", 90), ("everything", i64::from(args.days))] {
        writeln!(
            stdout(),
            "\nThe overview's queries over gRPC, {range}, {} times each\n",
            args.repeat
        )?;
        writeln!(stdout(), "{:<44} {:>7}  {:>10}  {:>10}", "panel", "rows", "median ms", "p95 ms")?;
        for target in targets(OVERVIEW)? {
            let timing = measure(&host, datasource, &target, days, args.repeat).await?;
            writeln!(
                stdout(),
                "{:<44} {:>7}  {:>10.2}  {:>10.2}",
                timing.name,
                grouped(timing.rows as u64),
                timing.quantile(0.5),
                timing.quantile(0.95)
            )?;
        }
    }
    writeln!(stdout(), "\nEvery dashboard's queries over gRPC, the last 90 days, once each\n")?;
    writeln!(stdout(), "{:<20} {:>7}  {:>10}  slowest", "dashboard", "queries", "sum ms")?;
    for dashboard in DASHBOARDS {
        let mut timings = Vec::new();
        for target in targets(dashboard)? {
            timings.push(measure(&host, datasource, &target, 90, 1).await?);
        }
        timings.sort_by(|one, other| one.times.cmp(&other.times));
        let sum: f64 = timings.iter().map(|timing| timing.quantile(0.5)).sum();
        let slowest = timings.last().map_or("", |timing| &timing.name);
        let name = title(dashboard)?;
        writeln!(stdout(), "{name:<20} {:>7}  {sum:>10.1}  {slowest}", timings.len())?;
    }
    host.shutdown().await?;
    Ok(())
}

/// The duration of one query, and the number of rows in its response.
struct Timing {
    name: String,
    rows: usize,
    /// In ascending order.
    times: Vec<Duration>,
}

impl Timing {
    /// Returns a quantile of the durations in milliseconds.
    fn quantile(&self, quantile: f64) -> f64 {
        let index = ((self.times.len() - 1) as f64 * quantile).round() as usize;
        self.times[index].as_secs_f64() * 1e3
    }
}

async fn measure(
    host: &Host,
    datasource: &CallContext,
    target: &Target,
    days: i64,
    repeat: u32,
) -> Result<Timing, Failure> {
    let now = Clock::system().now().seconds() * 1000;
    let range = Duration::from_secs(days.unsigned_abs() * 86_400);
    let query = PanelQuery {
        ref_id: target.query["refId"].as_str().unwrap_or("A").to_owned(),
        json: target.query.clone(),
        from_ms: now - range.as_millis() as i64,
        to_ms: now,
        interval_ms: range.as_millis() as i64 / PANEL_PIXELS,
        max_data_points: PANEL_PIXELS,
    };
    let mut rows = 0;
    let mut times = Vec::new();
    for _ in 0..repeat.max(1) {
        let start = Instant::now();
        let mut answers = host.query(datasource, std::slice::from_ref(&query)).await?;
        times.push(start.elapsed());
        let answer =
            answers.remove(&query.ref_id).ok_or("the plugin returned no response for a query")?;
        if let Some(error) = answer.error {
            return Err(format!("{}: {error}", target.panel).into());
        }
        rows = answer.frames.iter().map(|frame| frame.rows()).sum();
    }
    times.sort_unstable();
    // The refId of an annotation's query is the annotation's name.
    let letter = if query.ref_id == target.panel { "annotation" } else { &query.ref_id };
    let name: String = format!("{} {letter}", target.panel).chars().take(44).collect();
    Ok(Timing { name, rows, times })
}

fn text(path: &Path) -> Result<String, Failure> {
    Ok(path.to_str().ok_or("the data folder's name is not UTF-8")?.to_owned())
}

/// Returns the peak memory of this process in bytes. Only known on Linux.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_includes_its_hint() {
        let refusal = json!({
            "error": {"code": "x", "message": "the door is locked", "hint": "Turn the key."},
        });
        assert_eq!(describe_error(&refusal), "the door is locked. Turn the key.");
        assert_eq!(
            describe_error(&json!({"error": {"message": "the door is locked", "hint": ""}})),
            "the door is locked"
        );
    }
}
