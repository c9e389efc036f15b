//! Lists, ranges, pages and single documents.

use serde_json::Value;

use super::{Reader, config, day};
use crate::simulator::Config;
use crate::simulator::collections::COLLECTIONS;
use crate::time::Tz;

#[tokio::test]
async fn every_collection_responds_in_its_format() {
    let reader = Reader::of(config()).await;
    for collection in &COLLECTIONS {
        let body = reader.json(collection.name).await;
        match collection.name {
            "personal_info" => assert!(
                body["age"].is_i64() && body["email"].is_string() && body.get("data").is_none()
            ),
            name => assert!(body["data"].is_array() && body["next_token"].is_null(), "{name}"),
        }
    }
    for name in ["vo2_max", "interbeat_interval", "blood_glucose"] {
        assert_eq!(reader.get(name).await.status(), 404);
    }
}

#[tokio::test]
async fn range_ends_are_inclusive_or_exclusive_by_collection() {
    let reader = Reader::of(config()).await;
    let both = ["2025-03-10", "2025-03-11"];
    for (name, days) in
        [("daily_readiness", &both[..]), ("daily_stress", &both), ("daily_activity", &both[..1])]
    {
        assert_eq!(
            reader.days(&format!("{name}?start_date=2025-03-10&end_date=2025-03-11")).await,
            days,
            "{name}"
        );
    }
    let nights = reader.days("sleep?start_date=2025-03-10&end_date=2025-03-11").await;
    assert!(!nights.is_empty() && nights.iter().all(|night| night == both[0]), "{nights:?}");
    // An end with a time of day takes its day in.
    assert_eq!(
        reader.days("daily_activity?start_date=2025-03-10&end_date=2025-03-11T23:59:59").await,
        both
    );
}

#[tokio::test]
async fn workouts_are_filtered_by_utc_start() {
    let reader = Reader::of(config()).await;
    let mut local_day_differs = 0;
    for first in day("2026-06-01").through(day("2026-06-30")) {
        let page =
            reader.json(&format!("workout?start_date={first}&end_date={}", first.plus(1))).await;
        for workout in page["data"].as_array().unwrap() {
            let start =
                chrono::DateTime::parse_from_rfc3339(workout["start_datetime"].as_str().unwrap())
                    .unwrap();
            assert_eq!(start.to_utc().date_naive(), first.date());
            local_day_differs += usize::from(workout["day"] != first.to_string());
        }
    }
    assert!(local_day_differs > 0);
}

#[tokio::test]
async fn joined_pages_contain_all_documents() {
    let reader = Reader::of(config()).await;
    let (from, to) = (day("2026-02-01"), day("2026-02-09"));
    let range =
        format!("start_datetime={from}T00:00:00Z&end_datetime={}T00:00:00%2B00:00", to.plus(1));
    for beside in ["", range.as_str()] {
        let mut rows: Vec<Value> = Vec::new();
        let mut query = range.clone();
        loop {
            let page = reader.json(&format!("heartrate?{query}")).await;
            rows.extend_from_slice(page["data"].as_array().unwrap());
            let Some(token) = page["next_token"].as_str() else { break };
            assert_eq!(page["data"].as_array().unwrap().len(), 1000);
            query = format!("{beside}&next_token={token}");
        }
        assert_eq!(rows, reader.simulator.truth("heartrate", from, to));
        assert!(rows.len() > 8_000, "{}", rows.len());
    }
    let three_years =
        reader.json("daily_readiness?start_date=2020-01-01&end_date=2026-11-20").await;
    assert!(three_years["next_token"].is_string());
    assert_eq!(reader.get("sleep?next_token=garbage").await.status(), 400);
}

#[tokio::test]
async fn row_ranges_are_datetimes_of_at_most_thirty_days() {
    let reader = Reader::of(config()).await;
    for name in ["heartrate", "ring_battery_level"] {
        let long = reader
            .get(&format!(
                "{name}?start_datetime=2026-01-01T00:00:00Z&end_datetime=2026-02-02T00:00:00Z"
            ))
            .await;
        assert_eq!(long.status(), 400);
        assert!(
            long.json::<Value>().await.unwrap()["detail"].as_str().unwrap().contains("30 days")
        );
        // Dates mean nothing here: the last day is answered.
        let ignored =
            reader.json(&format!("{name}?start_date=2025-01-01&end_date=2025-01-02")).await;
        assert!(
            ignored["data"]
                .as_array()
                .unwrap()
                .iter()
                .all(|row| row["timestamp"].as_str().unwrap() > "2026-11-19T12"),
            "{name}"
        );
        assert!(
            ignored["data"][0].get("timestamp_unix").is_none()
                && ignored["data"][0]["producer_timestamp"].is_string()
        );
        assert_eq!(
            reader.json(&format!("{name}?latest=true")).await["data"].as_array().unwrap().len(),
            1
        );
    }
}

#[tokio::test]
async fn invalid_dates_are_rejected_by_name() {
    let reader = Reader::of(config()).await;
    let garbage = reader.get("sleep?start_date=yesterday&end_date=2026-01-01").await;
    assert_eq!(garbage.status(), 422);
    assert_eq!(garbage.json::<Value>().await.unwrap()["detail"][0]["loc"][1], "start_date");
    assert_eq!(reader.get("sleep?start_date=2026-02-01&end_date=2026-01-01").await.status(), 422);
}

#[tokio::test]
async fn documents_are_found_by_id() {
    let reader = Reader::of(config()).await;
    for collection in
        COLLECTIONS.iter().filter(|c| c.has_documents() && c.name != "daily_cardiovascular_age")
    {
        let known = reader.simulator.truth(collection.name, day("2025-01-01"), day("2026-01-01"));
        let one = known.last().unwrap_or_else(|| panic!("a year without {}", collection.name));
        let path = format!("{}/{}", collection.name, one["id"].as_str().unwrap());
        assert_eq!(&reader.json(&path).await, one);
        assert_eq!(reader.get(&format!("{}/not-existing", collection.name)).await.status(), 404);
    }
}

#[tokio::test]
async fn missing_and_expired_tokens_are_rejected() {
    let mut reader = Reader::of(Config { token_lifetime: 0, ..config() }).await;
    assert_eq!(reader.get("sleep").await.status(), 401);
    reader.token = "nonsense".to_owned();
    assert_eq!(reader.get("personal_info").await.status(), 401);
}

#[tokio::test]
async fn rate_limit_response_contains_the_wait() {
    let reader = Reader::of(Config { rate_limit: Some((2, 300)), ..config() }).await;
    for status in [200, 200, 429] {
        let response = reader.get("personal_info").await;
        assert_eq!(response.status(), status);
        assert_eq!(header(&response, "retry-after"), (status == 429).then_some("300"));
        let reset = super::at(super::NOW).plus(300).seconds().to_string();
        for (name, value) in
            [("limit", "2"), ("window", "300"), ("reset", &reset), ("tier", "token")]
        {
            assert_eq!(
                header(&response, &format!("x-ratelimit-{name}")),
                (status == 429).then_some(value),
                "{name}"
            );
        }
    }
}

fn header<'a>(response: &'a reqwest::Response, name: &str) -> Option<&'a str> {
    response.headers().get(name).map(|value| value.to_str().unwrap())
}

#[tokio::test]
async fn errors_have_a_trace_id() {
    let reader = Reader::of(config()).await;
    let traces = [reader.get("nothing").await, reader.get("sleep?next_token=garbage").await].map(
        |response| {
            assert!(response.status().as_u16() >= 400);
            header(&response, "x-trace-id").unwrap().to_owned()
        },
    );
    assert_ne!(traces[0], traces[1]);
    assert_eq!(header(&reader.get("personal_info").await, "x-trace-id"), None);
}

#[tokio::test]
async fn offline_days_arrive_when_the_phone_reconnects() {
    let today = super::at(super::NOW).day(Tz::UTC);
    let asked = format!("daily_readiness?start_date={}&end_date={today}", today.plus(-20));
    let all = Reader::of(config()).await.days(&asked).await;
    for (from, to, speaks_again) in
        [(-10, -1, true), (-9, 0, false), (-4, 5, false), (1, 10, false)]
    {
        let (from, to) = (today.plus(from), today.plus(to));
        let reader = Reader::of(Config { phone_offline: vec![(from, to)], ..config() }).await;
        let answered = reader.days(&asked).await;
        let expected: Vec<_> =
            all.iter().filter(|day| speaks_again || **day < from.to_string()).cloned().collect();
        assert_eq!(answered, expected, "{from} to {to}");
        assert_eq!(
            reader.simulator.truth("daily_readiness", today.plus(-20), today).len(),
            answered.len(),
            "{from} to {to}"
        );
    }
    assert!(all.len() > 15);
}
