//! Odd documents of every collection through the real executor.
//!
//! Each case takes a week of good documents, mutates a few of each collection, and stores them by two
//! syncs. Then every document is there under its identity, the others are as in a store without
//! odd documents, and every view and every query of the overview dashboard answers. `ODD_CASES` sets
//! the number of cases.

mod kinds;
mod mutation;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use axum::extract::{Path as Segment, Query, State};
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use ringside::catalog::{Catalog, Collection, Kind, Storage, parse_document};
use ringside::cli::dashboard::{OVERVIEW, Target, targets};
use ringside::datasource::DataSourceKey;
use ringside::oura::Secret;
use ringside::plugin::host::{CallContext, Host, PanelQuery};
use ringside::simulator::{Config, Simulator};
use ringside::store::{RunEnd, Store};
use ringside::sync::Executor;
use ringside::time::{Clock, Instant, Stamp, Tz};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use self::mutation::{KINDS, Odd, mutate};
use crate::common::{at, day, env_or, executor, rows, seeded_rng, sync};

/// The cases of an ordinary run. They apply every kind of mutation to every collection.
const CASES: u64 = 9;
/// The mutations of a collection in one case.
const MUTATIONS: usize = 2;
const FIRST_DAY: &str = "2026-06-08";
const LAST_DAY: &str = "2026-06-14";

fn now() -> Instant {
    at("2026-06-15T09:00:00Z")
}

/// Documents of every collection, as their bytes, in the order of the response.
type Served = BTreeMap<String, Vec<Vec<u8>>>;

fn served(documents: &[Value]) -> Vec<Vec<u8>> {
    documents.iter().map(|document| document.to_string().into_bytes()).collect()
}

/// A server of documents in pages.
struct Oura {
    served: Served,
    page: usize,
    /// The `next_token` of the last page.
    last_token: &'static str,
}

async fn list(
    State(oura): State<Arc<Oura>>,
    Segment(name): Segment<String>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Vec<u8> {
    let documents = oura.served.get(&name).map_or(&[][..], Vec::as_slice);
    if name == "personal_info" {
        return documents[0].clone();
    }
    let from: usize = query.get("next_token").and_then(|token| token.parse().ok()).unwrap_or(0);
    let to = (from + oura.page).min(documents.len());
    let token = if to < documents.len() { format!("\"{to}\"") } else { oura.last_token.to_owned() };
    let mut body = b"{\"data\":[".to_vec();
    body.extend(documents[from..to].join(&b','));
    body.extend(format!("],\"next_token\":{token}}}").into_bytes());
    body
}

async fn serve(oura: Oura) -> url::Url {
    let router = axum::Router::new()
        .route("/v2/usercollection/:name", axum::routing::get(list))
        .with_state(Arc::new(oura));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    origin
}

/// A store in `folder` after one sync of `served`, and its executor.
async fn stored(folder: &Path, oura: Oura) -> Executor {
    let origin = serve(oura).await;
    let clock = Clock::starting_at(now(), 0.0);
    let executor = executor(folder, &origin, "token", clock, Some(day(FIRST_DAY)));
    let (end, progress) = sync(&executor).await;
    assert_eq!((end, progress.failure), (RunEnd::Done, None));
    executor
}

/// The typed row, the samples and the revision of each document by its id. Rows have their key as
/// id.
fn contents(store: &Store, collection: &Collection) -> Contents {
    let table = &collection.table;
    let names: Vec<String> = rows(store, &format!("SELECT name FROM pragma_table_info('{table}')"))
        .into_iter()
        .map(|row| row[0].as_str().unwrap().to_owned())
        .filter(|name| name != "document")
        .collect();
    let columns: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    let (id, from) = match collection.storage {
        Storage::Documents => (
            "document_id".to_owned(),
            format!(
                "(SELECT raw.document_id, typed.* FROM \"{table}\" AS typed
                      JOIN oura_raw_documents AS raw USING (document))"
            ),
        ),
        Storage::Rows => {
            let key = if table == "heartrate" { ", source" } else { "" };
            (format!("concat_ws('|', time, subsecond{key})"), format!("\"{table}\""))
        }
    };
    let mut contents = BTreeMap::new();
    for row in rows(store, &format!("SELECT {id}, {} FROM {from}", columns.join(", "))) {
        let id = row[0].as_str().unwrap().to_owned();
        contents.insert(id, names.iter().cloned().zip(row.into_iter().skip(1)).collect());
    }
    let samples = format!(
        "SELECT raw.document_id, series, json_array(count(*), total(value), min(time), max(time))
         FROM samples JOIN oura_raw_documents AS raw USING (document)
         WHERE raw.resource = '{}' GROUP BY 1, 2",
        collection.name
    );
    for row in rows(store, &samples) {
        let document: &mut BTreeMap<String, Value> =
            contents.get_mut(row[0].as_str().unwrap()).expect("samples have a typed row");
        document.insert(row[1].as_str().unwrap().to_owned(), row[2].clone());
    }
    contents
}

/// The columns and series of documents, by id and name.
type Contents = BTreeMap<String, BTreeMap<String, Value>>;

/// Everything that derives from the raw documents.
fn derived(store: &Store) -> Vec<(String, Contents)> {
    let catalog = store.catalog();
    catalog.collections.iter().map(|one| (one.name.clone(), contents(store, one))).collect()
}

/// One collection of a case: its good documents with the odd ones among them.
struct Case<'a> {
    collection: &'a Collection,
    odd: Vec<Odd>,
    served: Vec<Vec<u8>>,
    /// The ids that no odd document has or had.
    neighbours: BTreeSet<String>,
}

impl Case<'_> {
    /// Mutates documents by the next kinds of the rotation: all kinds in nine cases.
    fn new<'a>(
        collection: &'a Collection,
        good: &[Value],
        number: u64,
        random: &mut StdRng,
    ) -> Case<'a> {
        let mut served: Vec<Vec<u8>> =
            good.iter().map(|document| document.to_string().into_bytes()).collect();
        let mut odd: Vec<Odd> = Vec::new();
        let mut touched = BTreeSet::new();
        let kinds = KINDS.iter().cycle().skip(number as usize * MUTATIONS % KINDS.len());
        let mut kinds: Vec<&'static str> = kinds.take(MUTATIONS).copied().collect();
        // A single document takes only the first one.
        kinds.shuffle(random);
        for kind in kinds {
            let untouched: Vec<usize> =
                (0..good.len()).filter(|place| !touched.contains(place)).collect();
            let Some(&place) = untouched.choose(random) else { break };
            let Some(mutated) = mutate(kind, &good[place], collection, random) else { continue };
            touched.insert(place);
            // A copy comes after the original, and replaces it if it has the same id.
            match mutated.is_copy {
                true => served.push(mutated.bytes.clone()),
                false => served[place] = mutated.bytes.clone(),
            }
            odd.push(mutated);
        }
        let neighbours = (0..good.len()).filter(|place| !touched.contains(place));
        let mut neighbours: BTreeSet<String> =
            neighbours.map(|place| identity(collection, &good[place])).collect();
        // A document without an id can move to the day of a neighbour, which is numbered then.
        for odd in odd.iter().filter(|_| collection.storage == Storage::Documents) {
            let value = parse_document(&odd.bytes).value;
            if let Ok(reading) = collection.read(&value, Tz::named("Europe/Vienna")) {
                neighbours.remove(&reading.id);
            }
        }
        Case { collection, odd, served, neighbours }
    }

    /// Every odd document is stored: under its id, and with its bytes.
    fn assert_kept(&self, store: &Store, good: &Contents) {
        let name = &self.collection.name;
        let raw = rows(
            store,
            &format!(
                "SELECT document_id, CAST(coalesce(original, payload) AS BLOB), hash, fault
                 FROM oura_raw_documents WHERE resource = '{name}' AND deleted_at IS NULL"
            ),
        );
        let found = contents(store, self.collection);
        for odd in &self.odd {
            let context = &odd.description;
            let bytes = hex(&odd.bytes);
            let digest = hex(&Sha256::digest(&odd.bytes));
            let mut stored =
                raw.iter().filter(|row| row[1] == bytes.as_str() || row[2] == digest.as_str());
            let is_superseded = odd.id.as_ref().is_some_and(|id| {
                self.odd
                    .iter()
                    .any(|other| other.id.as_ref() == Some(id) && other.bytes != odd.bytes)
            });
            if self.collection.storage == Storage::Rows {
                // A mutated key is another row.
                let is_held = || match &odd.id {
                    Some(id) => found.get(id).is_some_and(|row| holds(row, &odd.bytes)),
                    None => found
                        .iter()
                        .any(|(id, row)| !good.contains_key(id) && holds(row, &odd.bytes)),
                };
                assert!(
                    stored.next().is_some() || is_superseded || is_held(),
                    "{name}: lost: {context}"
                );
                continue;
            }
            let stored = stored.next();
            assert!(stored.is_some() || is_superseded, "{name}: lost: {context}");
            let Some((id, stored)) = odd.id.as_ref().zip(stored) else { continue };
            let stored_id = stored[0].as_str().unwrap();
            let is_numbered = stored_id.starts_with(&format!("{id}#")) && self.is_shared(id);
            assert!(stored_id == id || is_numbered, "{name}: {stored_id} of {id}: {context}");
            let fault = stored[3].as_str().unwrap_or_default();
            let Some((expected, typed)) = good.get(id).zip(found.get(stored_id)) else { continue };
            if fault == "too_long" {
                continue;
            }
            for (column, value) in expected {
                if !odd.touches(self.collection, column) {
                    assert_eq!(typed.get(column), Some(value), "{name}.{column}: {context}");
                }
            }
        }
    }

    /// Whether several odd documents without an id have the same day, from which `id` comes.
    fn is_shared(&self, id: &str) -> bool {
        let sharing = self.odd.iter().filter(|odd| {
            let value = parse_document(&odd.bytes).value;
            let reading = self.collection.read(&value, Tz::named("Europe/Vienna"));
            reading.is_ok_and(|reading| reading.is_id_derived && reading.id == id)
        });
        sharing.count() > 1
    }

    /// The documents that are not odd have the same values as without the odd ones.
    fn assert_neighbours(&self, store: &Store, good: &Contents) {
        let found = contents(store, self.collection);
        for id in &self.neighbours {
            assert_eq!(
                found.get(id),
                good.get(id),
                "{}: the neighbour {id} of {:?}",
                self.collection.name,
                self.odd.iter().map(|odd| &odd.description).collect::<Vec<_>>()
            );
        }
    }
}

/// Whether the columns of a row, or its `extra`, hold every value of a document.
fn holds(row: &BTreeMap<String, Value>, document: &[u8]) -> bool {
    let extra = row["extra"].as_str().map_or(Value::Null, |json| json.parse().unwrap());
    let fields: Value = serde_json::from_slice(document).unwrap();
    fields.as_object().unwrap().iter().all(|(name, value)| {
        let cell = row.get(name).unwrap_or(&Value::Null);
        let number = value.as_str().and_then(|text| text.trim().parse::<f64>().ok());
        let instant =
            value.as_str().and_then(|text| Stamp::parse(text, Tz::named("Europe/Vienna")).ok());
        let number = number.or(value.as_f64()).or(value.as_bool().map(f64::from));
        ["timestamp", "timestamp_unix"].contains(&name.as_str())
            || value.is_null()
            || cell == value
            || number.is_some() && cell.as_f64() == number
            || instant.is_some_and(|instant| {
                instant.subsecond == 0 && *cell == json!(instant.at.seconds())
            })
            || cell
                .as_str()
                .is_some_and(|cell| cell.parse().is_ok_and(|cell: Value| cell == *value))
            || extra[name] == *value
    })
}

/// The id under which a good document or row is stored.
fn identity(collection: &Collection, document: &Value) -> String {
    if collection.storage == Storage::Documents {
        return collection.read(document, Tz::named("Europe/Vienna")).unwrap().id;
    }
    let time = at(document["timestamp"].as_str().unwrap()).seconds();
    match document["source"].as_str().filter(|_| collection.name == "heartrate") {
        Some(source) => format!("{time}|0|{source}"),
        None => format!("{time}|0"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The numeric columns contain numbers, a day has one row, and faults are counted.
fn assert_sound(store: &Store) {
    for collection in &store.catalog().collections {
        for column in &collection.columns {
            if matches!(column.kind, Kind::Integer | Kind::Real | Kind::Boolean | Kind::Instant) {
                let texts = format!(
                    "SELECT count(*) FROM \"{}\" WHERE typeof(\"{}\") NOT IN
                     ('integer', 'real', 'null')",
                    collection.table, column.name
                );
                assert_eq!(rows(store, &texts), [[json!(0)]], "{}", column.name);
            }
        }
    }
    for (context, sql) in [
        ("days", "SELECT day FROM days GROUP BY day HAVING count(*) > 1"),
        ("nights", "SELECT day FROM nights GROUP BY day HAVING count(*) > 1"),
        ("sleep_times", "SELECT day FROM sleep_times GROUP BY day HAVING count(*) > 1"),
        ("coverage", "SELECT day FROM coverage GROUP BY collection, day HAVING count(*) > 1"),
        (
            "calendar",
            "SELECT day FROM calendar WHERE day NOT BETWEEN '2026-06-01' AND '2026-06-15'",
        ),
        ("payloads", "SELECT document_id FROM oura_raw_documents WHERE NOT json_valid(payload)"),
        (
            "faults",
            "SELECT name FROM collections WHERE faulty <>
                 (SELECT count(*) FROM oura_raw_documents
                  WHERE resource = name AND fault IS NOT NULL AND deleted_at IS NULL)",
        ),
        ("states", "SELECT name, reason FROM collections WHERE state <> 'ok'"),
        ("last days", "SELECT name, last_day FROM collections WHERE last_day > '2026-06-18'"),
    ] {
        assert_eq!(rows(store, sql), Vec::<Vec<Value>>::new(), "{context}");
    }
}

/// Every table, every view and every query of the overview dashboard answers.
async fn assert_answers(host: &Host, key: &DataSourceKey, names: &[String]) {
    let datasource = CallContext {
        org: key.org(),
        uid: key.uid().to_owned(),
        json_data: json!({"timezone": "Europe/Vienna"}),
        client_secret: Secret::default(),
        login: "viewer".to_owned(),
        role: "Viewer".to_owned(),
    };
    let tables = names.iter().map(|name| {
        (name.clone(), json!({"rawSql": format!("SELECT * FROM \"{name}\""), "format": "table"}))
    });
    let payloads = json!({
        "rawSql": "SELECT json_extract(payload, '$.id') FROM oura_raw_documents",
        "format": "table"
    });
    let panels = targets(OVERVIEW).unwrap().into_iter();
    let panels = panels.map(|Target { panel, query }| (panel, query));
    let all = tables.chain([("payloads".to_owned(), payloads)]).chain(panels);
    let (titles, queries): (Vec<String>, Vec<PanelQuery>) = all
        .enumerate()
        .map(|(number, (title, json))| {
            let query = PanelQuery {
                ref_id: format!("Q{number}"),
                json,
                from_ms: day(FIRST_DAY).midnight(Tz::UTC).seconds() * 1000,
                to_ms: now().seconds() * 1000,
                interval_ms: 3_600_000,
                max_data_points: 1000,
            };
            (title, query)
        })
        .unzip();
    let mut outcomes = host.query(&datasource, &queries).await.unwrap();
    for (title, query) in titles.iter().zip(&queries) {
        let outcome = outcomes.remove(&query.ref_id).unwrap();
        assert_eq!(outcome.error, None, "{title}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn odd_documents_are_kept_and_spoil_nothing() {
    let (seed, mut random) = seeded_rng();
    let cases = env_or("ODD_CASES", CASES);
    let catalog = Catalog::bundled();
    let config = Config::new(17, day("2026-05-01"), Clock::starting_at(now(), 0.0));
    let simulator = Simulator::start(config, ([127, 0, 0, 1], 0).into()).await.unwrap();
    let good: BTreeMap<String, Vec<Value>> = catalog
        .collections
        .iter()
        .map(|one| (one.name.clone(), simulator.truth(&one.name, day(FIRST_DAY), day(LAST_DAY))))
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let untouched = Oura {
        served: good.iter().map(|(name, all)| (name.clone(), served(all))).collect(),
        page: 1000,
        last_token: "null",
    };
    let reference: BTreeMap<_, _> =
        derived(&stored(folder.path(), untouched).await.store).into_iter().collect();

    let data_dir = tempfile::tempdir().unwrap();
    let environment =
        [("GF_PLUGIN_DATA_DIR".to_owned(), data_dir.path().to_str().unwrap().to_owned())];
    let host = Host::launch(Path::new(env!("CARGO_BIN_EXE_gpx_oura")), &environment).await.unwrap();
    let mut kinds = BTreeMap::<&str, BTreeMap<&str, u64>>::new();
    for number in 0..cases {
        println!("case {number} of seed {seed}");
        let mutated: Vec<Case> = catalog
            .collections
            .iter()
            .filter(|one| !good[&one.name].is_empty())
            .map(|one| Case::new(one, &good[&one.name], number, &mut random))
            .collect();
        for case in &mutated {
            for odd in &case.odd {
                let collections = kinds.entry(odd.kind).or_default();
                *collections.entry(case.collection.name.as_str()).or_default() += 1;
            }
        }
        let oura = Oura {
            served: mutated
                .iter()
                .map(|case| (case.collection.name.clone(), case.served.clone()))
                .collect(),
            page: random.random_range(3..2000),
            last_token: ["null", "\"\"", "false"].choose(&mut random).unwrap(),
        };
        let key = DataSourceKey::new(1, &format!("odd{number}")).unwrap();
        let executor = stored(&key.folder(data_dir.path()), oura).await;
        let store = &executor.store;
        let check = |store: &Store| {
            for case in &mutated {
                let reference = &reference[&case.collection.name];
                case.assert_kept(store, reference);
                case.assert_neighbours(store, reference);
            }
            assert_sound(store);
        };
        check(store);

        // Nothing changes with another sync, and nothing with a rebuild.
        let before = derived(store);
        assert_eq!(sync(&executor).await.0, RunEnd::Done);
        let changed = "SELECT sum(changed) FROM sync_runs WHERE run > 1";
        assert_eq!(rows(store, changed), [[json!(0)]], "the second sync changed documents");
        store.writer().rebuild().unwrap();
        assert_eq!(derived(store), before, "after a rebuild");
        check(store);

        let names = "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')
                     AND name NOT LIKE 'sqlite%' AND name NOT LIKE '%\\_data' ESCAPE '\\'
                     AND name NOT IN ('meta', 'changed_months', 'sync_windows', 'charge',
                                      'main_sleep')";
        let names: Vec<String> =
            rows(store, names).iter().map(|row| row[0].as_str().unwrap().to_owned()).collect();
        drop(executor);
        assert_answers(&host, &key, &names).await;
    }
    host.shutdown().await.unwrap();
    for (kind, collections) in &kinds {
        let mutations: u64 = collections.values().sum();
        println!("{kind}: {mutations} mutations in {} collections", collections.len());
    }
    assert!(cases < CASES || KINDS.iter().all(|kind| kinds.contains_key(kind)), "{kinds:?}");
}
