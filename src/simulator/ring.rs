//! Rings, their battery level, and the person's profile.

use serde_json::{Value, json};

use super::life::beginning;
use super::person::{Document, Person, WEIGHT, has_producer_timestamp};
use crate::time::{Day, Instant, Tz};

/// Number of days until the person got a newer ring.
const UPGRADE: i64 = 500;

/// All rings, oldest first. The date of the first ring is unknown, as for old rings at Oura.
pub(super) fn ring_configuration(person: &Person, day: Day, _: Instant) -> Vec<Document> {
    let morning = |day: Day| day.midnight(person.life.zone(day)).plus(9 * 3600 + 1717);
    let rings = [
        (person.first_day, Instant(0), "gen3", "heritage", "stealth_black", "2.9.32"),
        (person.first_day, morning(person.first_day), "gen3", "heritage", "stealth_black", "3.0.3"),
        (
            person.first_day.plus(UPGRADE),
            morning(person.first_day.plus(UPGRADE)),
            "gen4",
            "ceramic",
            "tide",
            "1.4.21",
        ),
    ];
    let describe = |(ordinal, (shown, set_up, hardware, design, color, firmware)): (
        usize,
        (Day, Instant, &str, &str, &str, &str),
    )| {
        let body = json!({
            "id": person.id("ring_configuration", shown, ordinal),
            "color": color,
            "design": design,
            "firmware_version": firmware,
            "hardware_type": hardware,
            "set_up_at": set_up.utc().format("%Y-%m-%dT%H:%M:%S+00:00").to_string(),
            "size": 11,
        });
        Document::new(shown, set_up, set_up, &body)
    };
    rings.into_iter().enumerate().map(describe).filter(|ring| ring.day == day).collect()
}

/// `ring_battery_level`: one row every few hours, and every ten minutes in the charger.
pub(super) fn ring_battery_level(person: &Person, day: Day, _: Instant) -> Vec<Document> {
    let Some(life) = person.day(day).filter(|life| life.worn) else { return Vec::new() };
    let mut noise = person.noise(day, "battery");
    let end = person.awake_until(life);
    let charging = person.charging(life);
    let mut level = life.battery;
    let mut at = life.wake.plus(noise.whole(300, 1500));
    let mut rows = Vec::new();
    while at < end {
        let in_charger = charging.as_ref().is_some_and(|charging| charging.contains(&at));
        let full = level >= 99.5;
        let stamp = at.utc().format("%Y-%m-%dT%H:%M:%S.000Z").to_string();
        let mut body = json!({
            "timestamp": stamp,
            "level": level.round().clamp(0.0, 100.0) as i64,
            "charging": if noise.chance(0.05) { Value::Null } else { json!(in_charger && !full) },
            "in_charger": in_charger,
        });
        if has_producer_timestamp(day) {
            body["producer_timestamp"] = stamp.into();
        }
        rows.push(Document::new(day, at, at.plus(900), &body));
        let pause = if in_charger { 600 } else { noise.whole(4500, 11_000) };
        let next = at.plus(pause);
        match &charging {
            Some(charging) if !in_charger && at < charging.start && next > charging.start => {
                at = charging.start.plus(5)
            }
            _ => at = next,
        }
        level = if in_charger {
            (level + 11.0).min(100.0)
        } else {
            (level - pause as f64 / 86_400.0 * 16.0).max(1.0)
        };
    }
    rows
}

/// `personal_info` with the fields that `scopes` allow. The id is always included.
pub(super) fn personal_info(person: &Person, scopes: &[&str], now: Instant) -> Value {
    let mut body = json!({ "id": person.id("personal_info", beginning(), 0) });
    if scopes.contains(&"personal") {
        let years = 1983;
        body["age"] = json!(chrono::Datelike::year(&now.day(Tz::UTC).date()) - years);
        body["weight"] = json!(WEIGHT);
        body["height"] = json!(1.78);
        body["biological_sex"] = json!("male");
    }
    if scopes.contains(&"email") {
        body["email"] = json!("person@example.com");
    }
    body
}
