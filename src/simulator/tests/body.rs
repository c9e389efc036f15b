//! Tests of the person's documents: their consistency, and causes with their effects.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde_json::Value;

use super::{clock, day};
use crate::simulator::collections::{COLLECTIONS, Window, page};
use crate::simulator::life::LifeDay;
use crate::simulator::person::Person;
use crate::time::{Day, Instant, Stamp, Tz};

static PERSON: LazyLock<Person> = LazyLock::new(|| Person::new(7, day("2023-11-20")));

fn now() -> Instant {
    clock(super::NOW).now()
}

/// All documents of a collection in two years.
fn all(name: &str) -> Vec<Value> {
    known(&PERSON, name, day("2024-11-01"), day("2026-10-31"), now())
}

fn known(person: &Person, name: &str, from: Day, to: Day, now: Instant) -> Vec<Value> {
    let collection = COLLECTIONS.iter().find(|collection| collection.name == name).unwrap();
    let window = Window::Days(from, to);
    page(person, collection, window, None, usize::MAX, now)
        .0
        .iter()
        .map(|d| serde_json::from_str(&d.text).unwrap())
        .collect()
}

fn int(document: &Value, field: &str) -> i64 {
    document[field].as_i64().unwrap_or_else(|| panic!("{field} in {document}"))
}

fn text<'a>(document: &'a Value, field: &str) -> &'a str {
    document[field].as_str().unwrap_or_else(|| panic!("{field} in {document}"))
}

fn at(document: &Value, field: &str) -> i64 {
    Stamp::parse(text(document, field), Tz::UTC).unwrap().at.seconds()
}

fn mean(values: impl IntoIterator<Item = f64>) -> f64 {
    let values: Vec<f64> = values.into_iter().collect();
    assert!(values.len() >= 5, "{} values are too few to mean anything", values.len());
    values.iter().sum::<f64>() / values.len() as f64
}

/// Each day with a recorded night, and the day before.
fn nights() -> impl Iterator<Item = (&'static LifeDay, &'static LifeDay)> {
    let days = day("2023-12-15").through(day("2026-11-01"));
    days.filter_map(|day| Some((PERSON.life.day(day.plus(-1))?, PERSON.night(day)?)))
}

#[test]
fn parts_of_a_night_add_up() {
    let sleep = all("sleep");
    for night in &sleep {
        let slept = int(night, "deep_sleep_duration")
            + int(night, "light_sleep_duration")
            + int(night, "rem_sleep_duration");
        let in_bed = int(night, "time_in_bed");
        assert_eq!(slept, int(night, "total_sleep_duration"));
        assert_eq!(slept + int(night, "awake_time"), in_bed);
        assert_eq!(at(night, "bedtime_end") - at(night, "bedtime_start"), in_bed);
        assert!(
            ["deep_sleep_duration", "light_sleep_duration", "rem_sleep_duration"]
                .iter()
                .all(|f| int(night, f) % 30 == 0)
        );
        assert_eq!(text(night, "sleep_phase_30_sec").len() as i64, (in_bed + 29) / 30);
        for series in ["heart_rate", "hrv"].iter().filter(|series| night[series].is_object()) {
            assert_eq!(at(&night[series], "timestamp"), at(night, "bedtime_start"));
        }
    }
    assert!(
        sleep.windows(2).all(|pair| at(&pair[0], "bedtime_end") <= at(&pair[1], "bedtime_start"))
    );
    let main: Vec<_> = sleep.iter().filter(|night| night["type"] == "long_sleep").collect();
    let share = |field: &str| {
        mean(
            main.iter()
                .map(|night| int(night, field) as f64 / int(night, "total_sleep_duration") as f64),
        )
    };
    assert!(
        (0.12..0.21).contains(&share("deep_sleep_duration"))
            && (0.17..0.25).contains(&share("rem_sleep_duration"))
    );
    assert!(main.iter().all(|night| night["average_breath"].as_f64().unwrap() % 0.125 == 0.0));
    assert!(
        main.iter().any(|night| night["hrv"]["items"].as_array().unwrap().contains(&Value::Null))
    );
}

#[test]
fn night_series_have_the_measured_length_differences() {
    let mut off = BTreeMap::<(&str, i64), usize>::new();
    let sleep = all("sleep");
    for night in &sleep {
        let in_bed = int(night, "time_in_bed");
        let items =
            |series: &str| night[series]["items"].as_array().map(|items| items.len() as i64);
        let lengths = [
            ("movement_30_sec", Some(text(night, "movement_30_sec").len() as i64), 30),
            ("sleep_phase_5_min", Some(text(night, "sleep_phase_5_min").len() as i64), 300),
            ("hrv", items("hrv"), 300),
        ];
        assert_eq!(items("hrv"), items("heart_rate"));
        for (name, length, interval) in lengths {
            let Some(length) = length else { continue };
            *off.entry((name, length - (in_bed + interval - 1) / interval)).or_default() += 1;
        }
    }
    let seen: Vec<(&str, i64)> = off.keys().copied().collect();
    let measured = [
        ("hrv", -1),
        ("hrv", 0),
        ("movement_30_sec", -1),
        ("movement_30_sec", 0),
        ("movement_30_sec", 1),
        ("sleep_phase_5_min", -1),
        ("sleep_phase_5_min", 0),
    ];
    assert_eq!(seen, measured);
    assert!(
        off[&("sleep_phase_5_min", -1)] * 10 < sleep.len() && off[&("hrv", -1)] > off[&("hrv", 0)],
        "{off:?}"
    );
}

#[test]
fn days_have_several_sleep_periods_some_false() {
    let sleep = all("sleep");
    let types: BTreeSet<_> = sleep.iter().map(|night| text(night, "type")).collect();
    assert_eq!(types, BTreeSet::from(["deleted", "late_nap", "long_sleep", "rest", "sleep"]));
    let mut by_day = BTreeMap::<_, Vec<_>>::new();
    sleep.iter().for_each(|night| by_day.entry(text(night, "day")).or_default().push(night));
    assert!(by_day.values().any(|nights| nights.len() >= 3));
    for nights in by_day.values() {
        assert!(
            nights.iter().enumerate().all(|(period, night)| int(night, "period") == period as i64)
        );
    }
    let long = |nights: &&Vec<&Value>| {
        nights.iter().filter(|night| night["type"] == "long_sleep").count() == 2
    };
    assert!(by_day.values().any(|nights| long(&nights)));
    let sentinel: Vec<_> = sleep.iter().filter(|night| night["lowest_heart_rate"] == 255).collect();
    assert!(sentinel.len() > sleep.len() / 6);
    for night in sentinel {
        assert!(
            night["hrv"].is_null()
                && night["average_hrv"].is_null()
                && night["readiness"]["temperature_deviation"].is_null()
        );
        assert_eq!(night["readiness"]["contributors"]["resting_heart_rate"], 0);
    }
}

#[test]
fn activity_covers_the_day_with_plausible_sums() {
    let activity = all("daily_activity");
    for day in &activity {
        let times =
            ["high", "medium", "low"].map(|level| int(day, &format!("{level}_activity_time")));
        let rest = ["sedentary_time", "resting_time", "non_wear_time"].map(|field| int(day, field));
        assert_eq!(times.iter().chain(&rest).sum::<i64>(), 86_400);
        assert_eq!(
            (text(day, "class_5_min").len(), day["met"]["items"].as_array().unwrap().len()),
            (288, 1440)
        );
        assert!(text(day, "timestamp").contains("T04:00:00"));
        assert_eq!(
            int(day, "meters_to_target"),
            int(day, "target_meters") - int(day, "equivalent_walking_distance")
        );
    }
    let worn: Vec<_> = activity.iter().filter(|day| day["score"].is_i64()).collect();
    assert!(worn.len() < activity.len(), "no day without the ring");
    let of = |field: &str| mean(worn.iter().map(|day| int(day, field) as f64));
    let (steps, active, total) = (of("steps"), of("active_calories"), of("total_calories"));
    assert!((6_000.0..14_000.0).contains(&steps), "{steps} steps");
    assert!(
        (300.0..1_000.0).contains(&active) && (2_000.0..3_200.0).contains(&total),
        "{active} of {total} kcal"
    );
    assert!((9_000.0..24_000.0).contains(&of("low_activity_time")), "{}", of("low_activity_time"));
    assert!((75.0..92.0).contains(&of("score")), "{}", of("score"));
}

#[test]
fn heart_rate_rows_are_ordered_and_dense_in_workouts() {
    let rows = |first: &str, last: &str| {
        let window = Window::Instants(day(first).midnight(Tz::UTC), day(last).midnight(Tz::UTC));
        let collection =
            COLLECTIONS.iter().find(|collection| collection.name == "heartrate").unwrap();
        page(&PERSON, collection, window, None, usize::MAX, now()).0
    };
    let year = rows("2025-10-01", "2026-10-01");
    assert!((1_000..1_600).contains(&(year.len() / 365)), "{} rows a day", year.len() / 365);
    assert!(year.windows(2).all(|pair| pair[0].at <= pair[1].at));
    let mut twice = 0;
    for pair in year.windows(2).filter(|pair| pair[0].at == pair[1].at) {
        let [first, second] =
            [&pair[0], &pair[1]].map(|row| serde_json::from_str::<Value>(&row.text).unwrap());
        assert_ne!(first["source"], second["source"]);
        twice += 1;
    }
    assert!(twice > 20);
    let rows: Vec<Value> =
        year.iter().step_by(7).map(|row| serde_json::from_str(&row.text).unwrap()).collect();
    assert!(rows.iter().all(|row| (38..=203).contains(&int(row, "bpm"))));
    let sources: BTreeSet<_> = rows.iter().map(|row| text(row, "source")).collect();
    assert_eq!(sources, BTreeSet::from(["awake", "live", "rest", "session", "sleep", "workout"]));
    let rare = rows.iter().filter(|row| ["live", "session"].contains(&text(row, "source"))).count();
    assert!(rare * 20 < rows.len(), "{rare} of {}", rows.len());
    assert!(rows.iter().any(|row| text(row, "timestamp").ends_with(".000Z")));
    assert!(rows.iter().any(|row| text(row, "timestamp").ends_with("+00:00")));
}

#[test]
fn session_rows_are_within_the_session() {
    let sessions: Vec<(i64, i64)> = all("session")
        .iter()
        .map(|session| (at(session, "start_datetime"), at(session, "end_datetime")))
        .collect();
    let mut seen = 0;
    for row in rows_between("2026-06-01", "2026-09-01", now())
        .iter()
        .filter(|row| row["source"] == "session")
    {
        let moment = at(row, "timestamp");
        assert!(sessions.iter().any(|(start, end)| (*start..*end).contains(&moment)), "{row}");
        seen += 1;
    }
    assert!(seen > 100, "{seen}");
}

#[test]
fn only_recent_rows_have_a_producer_timestamp() {
    for (first, last, named) in
        [("2025-03-01", "2025-03-10", false), ("2026-03-01", "2026-03-10", true)]
    {
        let rows = rows_between(first, last, now());
        assert!(
            rows.len() > 3000
                && rows.iter().all(|row| row.get("producer_timestamp").is_some() == named),
            "{first}"
        );
        assert!(rows.iter().all(|row| row.get("timestamp_unix").is_none()));
        let battery = known(&PERSON, "ring_battery_level", day(first), day(last), now());
        assert!(
            battery.iter().all(|row| row.get("producer_timestamp").is_some() == named),
            "{first}"
        );
    }
}

#[test]
fn some_heart_rates_arrive_after_newer_ones() {
    let key = |row: &Value| (text(row, "timestamp").to_owned(), text(row, "source").to_owned());
    let mut late = 0;
    for morning in day("2026-03-01").through(day("2026-04-10")) {
        let seen = morning.midnight(Tz::UTC).plus(20 * 3600);
        let [then, later] = [0, 7 * 3600].map(|wait| {
            rows_between(
                &morning.plus(-1).to_string(),
                &morning.plus(1).to_string(),
                seen.plus(wait),
            )
        });
        let known: BTreeSet<_> = then.iter().map(key).collect();
        let Some(youngest) = then.iter().map(|row| at(row, "timestamp")).max() else { continue };
        late += later
            .iter()
            .filter(|row| at(row, "timestamp") < youngest && !known.contains(&key(row)))
            .count();
        assert!(known.is_subset(&later.iter().map(key).collect()), "nothing goes away");
    }
    assert!(late > 100, "{late}");
}

/// Heart rate rows of `[first, last)` in UTC at `now`.
fn rows_between(first: &str, last: &str, now: Instant) -> Vec<Value> {
    let window = Window::Instants(day(first).midnight(Tz::UTC), day(last).midnight(Tz::UTC));
    let collection = COLLECTIONS.iter().find(|collection| collection.name == "heartrate").unwrap();
    page(&PERSON, collection, window, None, usize::MAX, now)
        .0
        .iter()
        .map(|row| serde_json::from_str(&row.text).unwrap())
        .collect()
}

#[test]
fn alcohol_lowers_hrv_and_raises_the_pulse() {
    let tagged: BTreeSet<_> = all("enhanced_tag")
        .iter()
        .filter(|tag| tag["tag_type_code"] == "tag_generic_alcohol")
        .map(|tag| text(tag, "start_day").to_owned())
        .collect();
    let sleep = all("sleep");
    let figure = |field: &'static str, after: bool| {
        let main = sleep
            .iter()
            .filter(|night| night["type"] == "long_sleep" && night["average_hrv"].is_i64());
        let evening = |night: &Value| day(text(night, "day")).plus(-1).to_string();
        mean(
            main.filter(|night| tagged.contains(&evening(night)) == after)
                .map(|night| int(night, field) as f64),
        )
    };
    assert!(figure("average_hrv", true) < 0.85 * figure("average_hrv", false));
    assert!(figure("lowest_heart_rate", true) > 3.0 + figure("lowest_heart_rate", false));
}

#[test]
fn hard_workouts_lower_the_next_readiness() {
    let readiness = |hard: bool| {
        let sober = nights().filter(|(before, life)| {
            before.drinks == 0 && life.fever == 0.0 && before.fever == 0.0
        });
        mean(
            sober
                .filter(|(before, _)| (before.load > 0.9) == hard)
                .map(|(_, life)| PERSON.readiness(life).score),
        )
    };
    assert!(
        readiness(true) + 5.0 < readiness(false),
        "{} against {}",
        readiness(true),
        readiness(false)
    );
}

#[test]
fn fever_affects_temperature_readiness_and_rest_mode() {
    let readiness = known(&PERSON, "daily_readiness", PERSON.first_day, day("2026-11-20"), now());
    let ill = |document: &&Value| PERSON.life.day(day(text(document, "day"))).unwrap().fever > 0.6;
    let deviation = |document: &Value| document["temperature_deviation"].as_f64().unwrap();
    assert!(mean(readiness.iter().filter(ill).map(deviation)) > 0.7);
    assert!(mean(readiness.iter().filter(|d| !ill(d)).map(deviation)).abs() < 0.15);
    let score = |document: &Value| int(document, "score") as f64;
    assert!(
        mean(readiness.iter().filter(ill).map(score)) + 8.0
            < mean(readiness.iter().filter(|d| !ill(d)).map(score))
    );
    let rest = known(&PERSON, "rest_mode_period", PERSON.first_day, day("2026-11-20"), now());
    assert!(rest.iter().any(|period| text(period, "end_day") > text(period, "start_day")
        && !period["episodes"].as_array().unwrap().is_empty()));
}

#[test]
fn life_has_seasons_weekends_and_a_move() {
    let load = |summer: bool| {
        mean(nights().filter(|(_, life)| (life.season > 0.5) == summer).map(|(_, life)| life.load))
    };
    assert!(load(true) > 1.1 * load(false));
    let bedtime =
        |life: &LifeDay| (life.bedtime.seconds() - life.day.midnight(life.zone).seconds()) as f64;
    let free = |free: bool| {
        mean(nights().filter(|(_, life)| life.free == free).map(|(_, life)| bedtime(life)))
    };
    assert!(free(true) > free(false) + 1800.0);
    let zones: BTreeSet<_> = nights().map(|(_, life)| life.zone.name()).collect();
    assert_eq!(
        zones,
        BTreeSet::from(["America/New_York", "Asia/Tokyo", "Europe/Lisbon", "Europe/Vienna"])
    );
    let gap = day("2023-12-01").through(day("2026-11-01")).collect::<Vec<_>>();
    assert!(
        gap.windows(3).any(|days| days
            .iter()
            .all(|&day| PERSON.life.day(day).is_some_and(|life| !life.worn))),
        "never without the ring"
    );
}

#[test]
fn days_do_not_depend_on_the_ring_setup() {
    let later = Person::new(7, day("2025-06-01"));
    for name in ["sleep", "daily_activity", "workout", "daily_readiness"] {
        let month =
            |person: &Person| known(person, name, day("2026-02-01"), day("2026-02-28"), now());
        assert_eq!(month(&PERSON), month(&later), "{name}");
        assert_ne!(month(&PERSON), month(&Person::new(8, day("2025-06-01"))), "{name}");
    }
    assert!(known(&later, "sleep", day("2020-01-01"), day("2025-05-31"), now()).is_empty());
}

#[test]
fn document_ids_are_unique() {
    for collection in
        COLLECTIONS.iter().filter(|c| c.has_documents() && c.name != "daily_cardiovascular_age")
    {
        let documents = all(collection.name);
        let ids: BTreeSet<_> = documents.iter().map(|document| text(document, "id")).collect();
        assert_eq!(ids.len(), documents.len(), "{}", collection.name);
    }
}

#[test]
fn recent_documents_change_and_settle_after_two_days() {
    let mut changed = BTreeMap::<&str, usize>::new();
    let mut vanished = 0;
    for evening in day("2026-01-10").through(day("2026-03-01")) {
        let seen = |name: &str, later: i64| -> BTreeMap<String, Value> {
            let on = clock(&format!("{}T23:30:00-05:00", evening.plus(later))).now();
            let documents = known(&PERSON, name, evening.plus(-1), evening, on);
            documents
                .into_iter()
                .map(|document| (text(&document, "id").to_owned(), document))
                .collect()
        };
        for name in ["sleep", "daily_readiness", "daily_activity", "workout"] {
            let (first, second) = (seen(name, 0), seen(name, 1));
            let differing = first
                .iter()
                .filter(|(id, document)| second.get(*id).is_some_and(|other| other != *document))
                .count();
            *changed.entry(name).or_default() += differing;
            vanished += first.keys().filter(|id| !second.contains_key(*id)).count();
            assert_eq!(seen(name, 2), seen(name, 40), "{name} of {evening}");
        }
    }
    assert!(
        ["sleep", "daily_readiness", "daily_activity"].iter().all(|name| changed[name] > 10),
        "{changed:?}"
    );
    assert!(vanished > 0);
}

/// The documents of a person with a phone that was offline for ten days, and of a person with a
/// phone that never was. `later` is the number of days since the phone went offline.
fn offline_and_online(name: &str, later: i64) -> [Vec<Value>; 2] {
    let (from, to) = (day("2026-02-05"), day("2026-02-14"));
    let offline = Person { phone_offline: vec![(from, to)], ..Person::new(7, day("2023-11-20")) };
    let on = clock(&format!("{}T10:00:00-05:00", from.plus(later))).now();
    [&offline, &*PERSON].map(|person| known(person, name, from.plus(-5), to.plus(5), on))
}

#[test]
fn offline_days_arrive_together_and_then_look_normal() {
    for name in
        COLLECTIONS.iter().map(|collection| collection.name).filter(|name| *name != "personal_info")
    {
        let [silent, spoken] = offline_and_online(name, -1);
        assert_eq!(silent, spoken, "{name}: the days to come say nothing yet");
        let [silent, _] = offline_and_online(name, 9);
        let within = |document: &&Value| {
            let days = ["day", "start_day"].iter().find_map(|field| document[field].as_str());
            days.is_some_and(|day| ("2026-02-05".."2026-02-15").contains(&day))
        };
        assert_eq!(silent.iter().find(within), None, "{name}: on the last of the days");
        for later in [10, 11, 12, 60] {
            let [silent, spoken] = offline_and_online(name, later);
            assert_eq!(silent, spoken, "{name}: {later} days after the first");
        }
    }
    let [silent, spoken] = offline_and_online("daily_readiness", 9);
    assert_eq!(spoken.len(), silent.len() + 10);
    let [silent, spoken] = offline_and_online("heartrate", 9);
    assert!(silent.len() + 8_000 < spoken.len(), "{} {}", silent.len(), spoken.len());
}

#[test]
fn today_ends_at_the_current_time() {
    let today = |name: &str, time: &str| {
        let day = day("2026-02-17");
        known(&PERSON, name, day, day, clock(&format!("{day}T{time}-05:00")).now())
    };
    assert!(
        today("daily_readiness", "04:30:00").is_empty()
            && today("sleep", "04:30:00").iter().all(|s| s["type"] != "long_sleep")
    );
    assert_eq!(today("daily_readiness", "12:00:00").len(), 1);
    let [morning, evening] =
        ["10:00:00", "20:00:00"].map(|time| today("daily_activity", time).remove(0));
    assert_eq!(morning["id"], evening["id"]);
    assert_eq!(morning["met"]["items"].as_array().unwrap().len(), 6 * 60);
    assert!(int(&morning, "steps") < int(&evening, "steps"));
}

#[test]
fn sleep_periods_never_overlap() {
    for seed in 0..5 {
        let person = Person::new(seed, day("2022-01-01"));
        for (name, begin, end) in [
            ("sleep", "bedtime_start", "bedtime_end"),
            ("workout", "start_datetime", "end_datetime"),
            ("ring_battery_level", "timestamp", "timestamp"),
        ] {
            let documents = known(&person, name, day("2022-01-01"), day("2026-11-20"), now());
            for pair in documents.windows(2) {
                assert!(
                    at(&pair[0], end) <= at(&pair[1], begin),
                    "{name} of seed {seed}: {} {}",
                    pair[0],
                    pair[1]
                );
            }
        }
    }
}
