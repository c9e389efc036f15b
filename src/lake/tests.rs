//! Publishing into a folder: the same rows as in the databases after every change.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::{Date32Type, TimestampMicrosecondType};
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, Encoding};
use serde_json::{Value, json};

use super::log::Log;
use super::*;
use crate::catalog::Catalog;
use crate::store::{QueuedWindow, Store, Window, WindowReason};
use crate::time::{Day, Instant, Tz};

/// A data folder with databases, and a folder for a lake.
struct Place {
    folder: tempfile::TempDir,
    catalog: Arc<Catalog>,
    people: Vec<Person>,
}

impl Place {
    fn new(keys: &[&str]) -> Place {
        let folder = tempfile::tempdir().unwrap();
        let catalog = Arc::new(Catalog::bundled());
        let people: Vec<Person> = keys
            .iter()
            .map(|key| Person {
                key: (*key).to_owned(),
                database: folder.path().join("data").join(key).join("oura.db"),
            })
            .collect();
        let place = Place { folder, catalog, people };
        for person in &place.people {
            drop(place.store(&person.key));
        }
        place
    }

    /// A place with data of each person.
    fn filled(keys: &[&str]) -> Place {
        let place = Place::new(keys);
        for person in &place.people {
            fill(&place.store(&person.key));
        }
        place
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn lake_folder(&self) -> PathBuf {
        self.folder.path().join("lake")
    }

    fn store(&self, key: &str) -> Store {
        let path = self.data().join(key).join("oura.db");
        Store::open(&path, Arc::clone(&self.catalog), Tz::named("Europe/Berlin")).unwrap()
    }

    async fn lake(&self) -> Lake {
        let owner = Owner::create(&self.data()).unwrap();
        Lake::create(self.lake_folder().to_str().unwrap(), owner).await.unwrap().0
    }

    async fn publish(&self) -> Published {
        self.lake().await.publish(&self.people, &self.catalog, true).await.unwrap()
    }

    /// Asserts that the lake has exactly the rows of the databases. Returns their number.
    async fn assert_equal(&self) -> usize {
        let verdict = self.lake().await.check(&self.people, &self.catalog).await.unwrap();
        assert!(verdict.differences.is_empty(), "{:#?}", verdict.differences);
        assert!(verdict.skipped.is_empty(), "{:#?}", verdict.skipped);
        verdict.rows
    }

    /// The data files of a table.
    fn files(&self, table: &str) -> BTreeSet<PathBuf> {
        let mut found = BTreeSet::new();
        let mut folders = vec![self.lake_folder().join(table)];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "parquet") {
                    found.insert(path);
                }
            }
        }
        found
    }
}

fn day(text: &str) -> Day {
    text.parse().unwrap()
}

fn now() -> Instant {
    day("2026-11-24").midnight(Tz::UTC)
}

/// Stores `documents` as the complete response to a window.
fn put(store: &Store, collection: &str, from: &str, to: &str, documents: &[Value]) {
    let window = Window {
        collection: collection.to_owned(),
        from: day(from),
        to: day(to),
        reason: WindowReason::History,
    };
    store.writer().enqueue(std::slice::from_ref(&window), now()).unwrap();
    let waiting = store.writer().waiting().unwrap();
    let queued: &QueuedWindow = waiting.iter().find(|queued| queued.window == window).unwrap();
    let documents: Vec<Box<[u8]>> =
        documents.iter().map(|document| document.to_string().into_bytes().into()).collect();
    let settled = |arrivals: &crate::store::Arrivals| arrivals.today.plus(-7);
    store.writer().put_window(queued, &documents, now(), settled).unwrap();
}

fn readiness(id: &str, day: &str, score: i64) -> Value {
    json!({"id": id, "day": day, "score": score, "timestamp": format!("{day}T00:00:00+00:00"),
           "contributors": {"hrv_balance": 80}, "temperature_deviation": -0.1})
}

fn night(id: &str, day: &str, start: &str, hrv: &[f64]) -> Value {
    json!({"id": id, "day": day, "bedtime_start": start, "bedtime_end": start,
           "type": "long_sleep", "time_in_bed": 3600, "total_sleep_duration": 3000, "period": 0,
           "low_battery_alert": false,
           "hrv": {"interval": 300.0, "items": hrv, "timestamp": start}})
}

fn beat(time: &str, bpm: i64) -> Value {
    json!({"timestamp": time, "bpm": bpm, "source": "awake"})
}

/// Two months of documents, samples and rows.
fn fill(store: &Store) {
    put(
        store,
        "daily_readiness",
        "2026-01-01",
        "2026-02-28",
        &[readiness("a", "2026-01-05", 70), readiness("b", "2026-02-05", 71)],
    );
    put(
        store,
        "sleep",
        "2026-01-01",
        "2026-02-28",
        &[
            night("n1", "2026-01-05", "2026-01-04T23:00:00+01:00", &[50.0, 51.0]),
            // The night of the first of February has samples in January.
            night("n2", "2026-02-01", "2026-01-31T23:50:00+01:00", &[60.0, 61.0, 62.0]),
        ],
    );
    put(
        store,
        "heartrate",
        "2026-01-01",
        "2026-01-28",
        // By the wearer's clock, the first one is in the new year.
        &[beat("2025-12-31T23:30:00+00:00", 60), beat("2026-01-05T12:00:00+00:00", 61)],
    );
}

#[tokio::test]
async fn lake_has_the_rows_of_every_database() {
    let place = Place::filled(&["1/ann", "1/ben", "home/1/eve"]);
    let published = place.publish().await;
    assert!(published.skipped.is_empty(), "{:?}", published.skipped);
    // Of each person: documents, samples, rows, days and nights.
    assert_eq!(place.assert_equal().await, 3 * (2 + 2 + 5 + 2 + 3 + 2));
    let again = place.publish().await;
    assert_eq!((again.commits, again.files), (0, 0), "nothing has changed");
}

#[tokio::test]
async fn changes_replace_only_the_files_of_their_months() {
    let place = Place::new(&["1/ann", "1/ben"]);
    let ann = place.store("1/ann");
    fill(&ann);
    fill(&place.store("1/ben"));
    place.publish().await;
    let before = place.files("daily_readiness");

    // A revision, a deletion, a document that moves to another month, and a late row.
    put(
        &ann,
        "daily_readiness",
        "2026-02-01",
        "2026-02-28",
        &[readiness("b", "2026-02-05", 90), readiness("c", "2026-02-06", 50)],
    );
    place.publish().await;
    let after = place.files("daily_readiness");
    assert_eq!(after.difference(&before).count(), 1, "only February of one shard is new");
    place.assert_equal().await;

    put(&ann, "sleep", "2026-01-01", "2026-01-31", &[]);
    put(&ann, "daily_readiness", "2026-02-01", "2026-02-28", &[readiness("a", "2026-02-07", 1)]);
    put(
        &ann,
        "heartrate",
        "2026-01-01",
        "2026-01-28",
        &[beat("2026-01-05T12:00:00+00:00", 99), beat("2026-01-06T12:00:00+00:00", 62)],
    );
    place.publish().await;
    place.assert_equal().await;

    ann.delete_all().unwrap();
    drop(ann);
    place.publish().await;
    let rows = place.assert_equal().await;
    assert_eq!(rows, 2 + 2 + 5 + 2 + 3 + 2, "only the other person is left");
}

#[tokio::test]
async fn rebuilt_tables_replace_everything() {
    let place = Place::new(&["1/ann"]);
    let store = place.store("1/ann");
    fill(&store);
    place.publish().await;
    store.writer().rebuild().unwrap();
    let published = place.publish().await;
    assert!(published.commits > 0);
    place.assert_equal().await;
}

#[tokio::test]
async fn two_publishers_at_once_publish_each_row_once() {
    let place = Place::filled(&["1/ann", "1/ben", "1/eve"]);
    let (one, other) = (place.lake().await, place.lake().await);
    let (first, second) = tokio::join!(
        one.publish(&place.people, &place.catalog, true),
        other.publish(&place.people, &place.catalog, true)
    );
    first.unwrap();
    second.unwrap();
    place.assert_equal().await;
}

#[tokio::test]
async fn forgotten_person_leaves_no_rows_and_no_files() {
    let place = Place::filled(&["1/ann", "1/ben"]);
    place.publish().await;
    let mut lake = place.lake().await;
    let name = lake.owner().pseudonym("1/ann").name;
    assert!(contains(&place.lake_folder(), &name));
    lake.forget("1/ann").await.unwrap();
    assert!(!contains(&place.lake_folder(), &name), "a data file contains the pseudonym");
    let published = place.publish().await;
    assert_eq!(published.skipped.len(), 1);
    assert!(!contains(&place.lake_folder(), &name));

    let mut lake = place.lake().await;
    lake.readmit("1/ann").unwrap();
    place.publish().await;
    place.assert_equal().await;
    assert!(contains(&place.lake_folder(), &name));
}

#[tokio::test]
async fn withdrawal_during_a_publication_removes_the_person() {
    for is_first in [true, false] {
        let place = Place::filled(&["1/ann", "1/ben"]);
        if !is_first {
            place.publish().await;
        }
        let publisher = place.lake().await;
        let inventory = publisher.inventory(&place.people, &place.catalog, true).await.unwrap();
        let mut lake = place.lake().await;
        lake.forget("1/ann").await.unwrap();
        publisher.publish_inventory(inventory).await.unwrap();
        let name = |key| lake.owner().pseudonym(key).name;
        assert!(!contains(&place.lake_folder(), &name("1/ann")), "first: {is_first}");
        assert!(contains(&place.lake_folder(), &name("1/ben")), "first: {is_first}");
    }
}

#[tokio::test]
async fn publication_finishes_an_interrupted_withdrawal() {
    for people in [&["1/ann", "1/ben"][..], &["1/ann"]] {
        let place = Place::filled(people);
        place.publish().await;
        let mut lake = place.lake().await;
        lake.owner.set_withdrawn("1/ann", true).unwrap();
        let name = lake.owner().pseudonym("1/ann").name;
        assert!(contains(&place.lake_folder(), &name));
        place.publish().await;
        assert!(!contains(&place.lake_folder(), &name), "{people:?}");
    }
}

#[tokio::test]
async fn only_existing_files_are_counted_as_deleted() {
    let place = Place::filled(&["1/ann"]);
    place.publish().await;
    let mut lake = place.lake().await;
    assert!(lake.forget("1/ann").await.unwrap() > 0);
    assert_eq!(lake.forget("1/ann").await.unwrap(), 0);
}

#[tokio::test]
async fn publication_deletes_the_files_of_an_interrupted_withdrawal() {
    let place = Place::filled(&["1/ann", "1/ben"]);
    place.publish().await;
    let mut lake = place.lake().await;
    let pseudonym = lake.owner.pseudonym("1/ann");
    lake.owner.set_withdrawn("1/ann", true).unwrap();
    // Killed between the commits and the deletion of the files.
    let clock = lake.storage.clock().await.unwrap();
    for table in lake.table_names().await.unwrap() {
        let log = Log::new(&lake.storage, &table);
        let snapshot = log.read().await.unwrap();
        assert!(lake.remove_rows(&log, &snapshot, &pseudonym, &clock).await.unwrap());
    }
    assert!(contains(&place.lake_folder(), &pseudonym.name));
    place.publish().await;
    assert!(!contains(&place.lake_folder(), &pseudonym.name));
}

#[tokio::test]
async fn withdrawal_after_the_last_look_of_a_publication_removes_the_person() {
    let place = Place::filled(&["1/ann", "1/ben"]);
    let publisher = place.lake().await;
    let mut inventory = publisher.inventory(&place.people, &place.catalog, true).await.unwrap();
    let tables = std::mem::take(&mut inventory.tables);
    let clock = publisher.storage.clock().await.unwrap();
    let mut published = Published::default();
    for table in &tables {
        let sources = &inventory.sources;
        publisher.publish_table(table, sources, &clock, &mut published).await.unwrap();
    }
    let name = publisher.owner.pseudonym("1/ann").name;
    // `forget` found no table: it ended before the commits.
    place.lake().await.owner.set_withdrawn("1/ann", true).unwrap();
    assert!(contains(&place.lake_folder(), &name));
    publisher.publish_inventory(inventory).await.unwrap();
    assert!(!contains(&place.lake_folder(), &name));
}

#[tokio::test]
async fn lost_commit_deletes_its_files() {
    let mut place = Place::new(&["1/ann"]);
    let lake = place.lake().await;
    let pseudonym = lake.owner.pseudonym("1/ann");
    // The files of a shard have the rows of all its people.
    let is_neighbour = |key: &String| lake.owner.pseudonym(key).shard == pseudonym.shard;
    let key = (0..).map(|number| format!("1/{number}")).find(is_neighbour).unwrap();
    let database = place.data().join(&key).join("oura.db");
    place.people.push(Person { key, database });
    for person in &place.people {
        fill(&place.store(&person.key));
    }
    place.publish().await;
    let clock = lake.storage.clock().await.unwrap();
    let mut lost = 0;
    for table in lake.table_names().await.unwrap() {
        let log = Log::new(&lake.storage, &table);
        let snapshot = log.read().await.unwrap();
        assert!(lake.remove_rows(&log, &snapshot, &pseudonym, &clock).await.unwrap());
        let files = place.files(&table);
        lost += usize::from(!lake.remove_rows(&log, &snapshot, &pseudonym, &clock).await.unwrap());
        assert_eq!(place.files(&table), files);
    }
    assert!(lost > 5, "{lost}");
}

#[test]
fn simultaneous_withdrawals_are_all_stored() {
    let folder = tempfile::tempdir().unwrap();
    let owner = || Owner::create(folder.path()).unwrap();
    owner();
    std::thread::scope(|scope| {
        for number in 0..8 {
            scope.spawn(move || owner().set_withdrawn(&format!("1/{number}"), true).unwrap());
        }
    });
    let stored = owner();
    assert!((0..8).all(|number| stored.is_withdrawn(&format!("1/{number}"))));
}

/// Whether a data file below `folder` contains a person's rows.
fn contains(folder: &Path, person: &str) -> bool {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if name.starts_with("part-") {
                let file = std::fs::read(&path).unwrap();
                let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(file));
                for batch in reader.unwrap().build().unwrap() {
                    let batch = batch.unwrap();
                    let people = batch.column_by_name("person").unwrap().as_string::<i32>();
                    if people.iter().flatten().any(|found| found == person) {
                        return true;
                    }
                }
            }
        }
    }
    false
}

#[tokio::test]
async fn interrupted_publication_leaves_no_row_twice() {
    let place = Place::filled(&["1/ann"]);
    place.publish().await;
    // Files of a publication that was killed before its commit.
    let orphan = place.lake_folder().join("sleep/month=2026-01/shard=0/part-killed.parquet");
    std::fs::create_dir_all(orphan.parent().unwrap()).unwrap();
    let some = place.files("sleep").into_iter().next().unwrap();
    std::fs::copy(some, &orphan).unwrap();
    let strange = orphan.with_file_name("notes.parquet");
    std::fs::copy(&orphan, &strange).unwrap();
    place.assert_equal().await;
    let written = std::fs::metadata(&orphan).unwrap().modified().unwrap();
    let day_ago = written - std::time::Duration::from_secs(90_000);
    for file in [&orphan, &strange] {
        std::fs::File::options().write(true).open(file).unwrap().set_modified(day_ago).unwrap();
    }
    assert_eq!(place.lake().await.vacuum().await.unwrap(), 1);
    assert!(!orphan.exists() && strange.exists());
    place.assert_equal().await;
}

#[tokio::test]
async fn wrong_places_are_explained() {
    let place = Place::new(&["1/ann"]);
    let other = tempfile::tempdir().unwrap();
    place.lake().await;
    let lake = place.lake_folder().to_str().unwrap().to_owned();
    let owner = || Owner::open(&place.data()).unwrap();

    let error = |result: Result<Lake, LakeError>| result.err().unwrap().to_string();
    let other_salt = error(Lake::open(&lake, Owner::create(other.path()).unwrap()).await);
    assert!(
        other_salt.contains("another salt") && other_salt.contains("lake.json"),
        "{other_salt}"
    );

    std::fs::write(other.path().join("photo.jpg"), "x").unwrap();
    let occupied =
        error(Lake::create(other.path().to_str().unwrap(), owner()).await.map(|it| it.0));
    assert!(occupied.contains("other files") && occupied.contains("empty"), "{occupied}");

    let missing = error(Lake::open(other.path().to_str().unwrap(), owner()).await);
    assert!(missing.contains("lake init"), "{missing}");
    let unknown = error(Lake::open("ftp://host/lake", owner()).await);
    assert!(unknown.contains("s3://bucket/prefix"), "{unknown}");

    let manifest = place.lake_folder().join(MANIFEST);
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, text.replace("\"format\": 1", "\"format\": 2")).unwrap();
    let newer = error(Lake::open(&lake, owner()).await);
    assert!(newer.contains("format 2") && newer.contains("Update"), "{newer}");
}

#[tokio::test]
async fn identifying_columns_stay_out() {
    let place = Place::new(&["1/ann"]);
    let store = place.store("1/ann");
    let person = json!({"id": "oura-user", "age": 40, "weight": 70.0, "height": 1.7,
                        "biological_sex": "female", "email": "ann@example.com"});
    put(&store, "personal_info", "2026-11-24", "2026-11-24", &[person]);
    place.publish().await;
    let log = log::Log::new(&place.lake().await.storage, "personal_info");
    let snapshot = log.read().await.unwrap();
    let schema = snapshot.meta_data.unwrap().schema_string;
    assert!(schema.contains("biological_sex"), "{schema}");
    assert!(!schema.contains("email") && !schema.contains("\"id\""), "{schema}");
    assert_eq!(snapshot.files.len(), 1);
    place.assert_equal().await;
}

/// A day passes for the removed files of a table, by the times in its log.
fn pass_a_day(place: &Place, table: &str) {
    let log = place.lake_folder().join(table).join("_delta_log");
    for entry in std::fs::read_dir(log).unwrap() {
        let path = entry.unwrap().path();
        let lines = std::fs::read_to_string(&path).unwrap();
        let lines = lines.lines().map(|line| {
            let mut action: log::Action = serde_json::from_str(line).unwrap();
            for time in action.remove.iter_mut().filter_map(|it| it.deletion_timestamp.as_mut()) {
                *time -= 25 * 3600 * 1000;
            }
            serde_json::to_string(&action).unwrap() + "\n"
        });
        let lines: String = lines.collect();
        std::fs::write(&path, lines).unwrap();
    }
}

/// The publisher's own clock decides nothing: each file stays for a day by the clock of the storage.
#[tokio::test]
async fn clock_that_is_off_deletes_nothing_too_early_or_too_late() {
    for days_off in [-400, -2, 0, 2, 400] {
        let place = Place::new(&["1/ann"]);
        let ann = place.store("1/ann");
        fill(&ann);
        let mut lake = place.lake().await;
        lake.clock = Clock::starting_at(Clock::system().now().plus(days_off * 86_400), 1.0);
        lake.publish(&place.people, &place.catalog, true).await.unwrap();
        let before = place.files("sleep");
        put(&ann, "sleep", "2026-01-01", "2026-01-31", &[]);
        lake.publish(&place.people, &place.catalog, true).await.unwrap();
        assert_eq!(lake.vacuum().await.unwrap(), 0, "{days_off}");
        assert!(before.is_subset(&place.files("sleep")), "{days_off}");
        pass_a_day(&place, "sleep");
        assert_eq!(lake.vacuum().await.unwrap(), 1, "{days_off}");
        place.assert_equal().await;
    }
}

/// The person, the time and the day of each row of a file. Its columns are compressed as the lake
/// promises.
fn compressed_rows(path: &Path) -> Vec<(String, Instant, Day)> {
    let content = Bytes::from(std::fs::read(path).unwrap());
    let reader = ParquetRecordBatchReaderBuilder::try_new(content).unwrap();
    for column in reader.metadata().row_groups().iter().flat_map(|group| group.columns()) {
        let name = format!("{}: {}", path.display(), column.column_path());
        assert!(matches!(column.compression(), Compression::ZSTD(_)), "{name}");
        let has_differences = column.encodings().any(|it| it == Encoding::DELTA_BINARY_PACKED);
        assert!(has_differences || column.column_path().string() != "time", "{name}");
    }
    let mut rows = Vec::new();
    for batch in reader.build().unwrap() {
        let batch = batch.unwrap();
        let people = batch.column_by_name("person").unwrap().as_string::<i32>();
        let times = batch.column_by_name("time").unwrap();
        let times = times.as_primitive::<TimestampMicrosecondType>();
        let days = batch.column_by_name("day").unwrap().as_primitive::<Date32Type>();
        for ((person, time), number) in people.iter().zip(times).zip(days) {
            let time = Instant(time.unwrap() / 1_000_000);
            let day = day("1970-01-01").plus(number.unwrap().into());
            rows.push((person.unwrap().to_owned(), time, day));
        }
    }
    rows
}

#[tokio::test]
async fn files_have_a_month_and_a_shard_sorted_by_person_and_time() {
    let mut place = Place::new(&["1/ann"]);
    // A person who shares the shard, and others.
    let owner = &place.lake().await.owner;
    let shard = owner.pseudonym("1/ann").shard;
    let keys = |in_shard: bool| {
        let keys = (0..).map(|number| format!("1/{number}"));
        keys.filter(move |key| (owner.pseudonym(key).shard == shard) == in_shard)
    };
    for key in keys(true).take(1).chain(keys(false).take(3)) {
        let database = place.data().join(&key).join("oura.db");
        place.people.push(Person { key, database });
    }
    for person in &place.people {
        fill(&place.store(&person.key));
    }
    place.publish().await;
    let mut shared = 0;
    for table in ["heartrate", "samples", "sleep", "daily_readiness", "days", "nights"] {
        let files = place.files(table);
        assert!(!files.is_empty(), "{table}");
        for path in files {
            let rows = compressed_rows(&path);
            let by_person_and_time =
                |(person, time, _): &(String, Instant, Day)| (person.clone(), *time);
            assert!(rows.is_sorted_by_key(by_person_and_time), "{path:?}");
            for (person, time, day) in &rows {
                let day = if table == "samples" { time.day(Tz::UTC) } else { *day };
                let shard = u8::from_str_radix(&person[..2], 16).unwrap() % SHARDS;
                let partition = format!("month={}/shard={shard}/", &day.to_string()[..7]);
                assert!(path.to_string_lossy().contains(&partition), "{path:?} has {day}");
            }
            let people: BTreeSet<&String> = rows.iter().map(|(person, ..)| person).collect();
            shared += usize::from(people.len() > 1);
        }
    }
    assert!(shared > 0, "no file has two people");
}
