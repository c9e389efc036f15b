//! The person's entries in the app: tags, sessions and rest mode.

use std::ops::Range;

use serde_json::json;

use super::life::LifeDay;
use super::noise::Noise;
use super::person::{Document, Person, sample, stamp};
use crate::time::{Day, Instant};

struct Tag {
    at: Instant,
    code: &'static str,
    name: Option<&'static str>,
    comment: &'static str,
}

/// The tags of a day. Alcohol is nearly always tagged.
fn tags(person: &Person, life: &LifeDay) -> Vec<Tag> {
    let mut noise = person.noise(life.day, "tags");
    let weekend = life.free && life.drinks >= 4;
    let mut tags = Vec::new();
    let mut tag = |happened: bool,
                   minute: i64,
                   code: &'static str,
                   name: Option<&'static str>,
                   comment: &'static str| {
        let at = life.at(minute + noise.whole(0, 50)).plus(noise.whole(0, 59));
        let told = noise.chance(0.9);
        if happened && told && at > life.wake && at < person.awake_until(life) {
            tags.push(Tag { at, code, name, comment });
        }
    };
    let mut whim = person.noise(life.day, "whims");
    tag(life.fever > 0.5, 560, "tag_generic_sick", None, "");
    tag(whim.chance(0.08), 610, "tag_generic_fasting", None, "");
    tag(whim.chance(0.05), 620, "tag_generic_nocaffeine", None, "");
    tag(whim.chance(0.04) && life.fever == 0.0, 1010, "custom", Some("sauna"), "two rounds");
    tag(life.drinks > 0, 1180, "tag_generic_alcohol", None, "");
    tag(weekend, 1270, "tag_generic_party", None, "");
    tags
}

pub(super) fn enhanced_tag(person: &Person, day: Day, _: Instant) -> Vec<Document> {
    let Some(life) = person.day(day) else { return Vec::new() };
    let describe = |(ordinal, tag): (usize, Tag)| {
        let lasted = (tag.code == "custom").then(|| tag.at.plus(45 * 60));
        let body = json!({
            "id": person.id("enhanced_tag", day, ordinal),
            "tag_type_code": tag.code,
            "start_time": stamp(tag.at, life.zone),
            "end_time": lasted.map(|end| stamp(end, life.zone)),
            "start_day": day.to_string(),
            "end_day": lasted.map(|_| day.to_string()),
            "comment": tag.comment,
            "custom_name": tag.name,
        });
        Document::new(day, tag.at, tag.at.plus(60), &body)
    };
    tags(person, life).into_iter().enumerate().map(describe).collect()
}

/// The same tags in the old form: local times without an offset.
pub(super) fn tag(person: &Person, day: Day, _: Instant) -> Vec<Document> {
    let Some(life) = person.day(day) else { return Vec::new() };
    let describe = |(ordinal, tag): (usize, Tag)| {
        let local = tag.at.local(life.zone);
        let body = json!({
            "id": person.id("tag", day, ordinal),
            "day": day.to_string(),
            "text": tag.name,
            "timestamp": local.format("%Y-%m-%dT%H:%M:%S").to_string(),
            "tags": [tag.code],
        });
        Document::new(day, tag.at, tag.at.plus(60), &body)
    };
    let old = tags(person, life).into_iter().enumerate();
    old.filter(|(_, tag)| tag.code != "custom").map(describe).collect()
}

/// Session types with their duration in minutes, and whether they measure the heart.
const SESSIONS: [(&str, (i64, i64), bool); 4] = [
    ("breathing", (4, 8), false),
    ("meditation", (10, 25), true),
    ("relaxation", (8, 20), true),
    ("body_status", (10, 13), true),
];

/// A breathing or meditation session.
pub(super) struct Session {
    pub start: Instant,
    /// Seconds.
    pub length: i64,
    kind: &'static str,
    /// Whether the session measures the heart.
    pub heart: bool,
}

impl Session {
    pub fn span(&self) -> Range<Instant> {
        self.start..self.start.plus(self.length)
    }
}

impl Person {
    /// The session of a day, if any. The caller uses the rest of `noise` for its measurements.
    pub fn session(&self, life: &LifeDay, noise: &mut Noise) -> Option<Session> {
        let start = life.at(noise.whole(1255, 1300)).plus(noise.whole(0, 59));
        let &(kind, minutes, heart) = noise.pick(&SESSIONS);
        let session =
            Session { start, length: noise.whole(minutes.0 * 60, minutes.1 * 60), kind, heart };
        let happens = noise.chance(0.1 + 0.15 * life.stress) && life.worn;
        let fits = session.span().end.plus(600) <= self.awake_until(life) && start >= life.wake;
        (happens && fits).then_some(session)
    }
}

pub(super) fn session(person: &Person, day: Day, _: Instant) -> Vec<Document> {
    let Some(life) = person.day(day) else { return Vec::new() };
    let mut noise = person.noise(day, "session");
    let Some(session) = person.session(life, &mut noise) else { return Vec::new() };
    let Session { start, length, kind, heart } = session;
    let end = session.span().end;
    let items = (length / 5 + 1) as usize;
    let mut pulse = life.pulse + 16.0;
    let mut beats = Vec::new();
    let mut intervals = Vec::new();
    for item in 0..items {
        pulse += (life.pulse + 7.0 - pulse) * 0.012 + noise.normal(0.15);
        beats.push((item >= 4).then(|| (pulse * 10.0).round() / 10.0));
        intervals.push(
            (item >= 12 && item + 9 < items)
                .then(|| (life.hrv * 0.75 + noise.normal(1.0)).round().max(5.0)),
        );
    }
    let motion: Vec<_> = (0..items)
        .map(|item| {
            Some(if item < 9 || noise.chance(0.02) { noise.whole(0, 53) as f64 } else { 0.0 })
        })
        .collect();
    let series = |items: &[Option<f64>]| sample(5.0, items, start, life.zone);
    let body = json!({
        "id": person.id("session", day, 0),
        "day": day.to_string(),
        "start_datetime": stamp(start, life.zone),
        "end_datetime": stamp(end, life.zone),
        "type": kind,
        "mood": noise.chance(0.8).then(|| *noise.pick(&["same", "good", "good", "great", "worse"])),
        "heart_rate": heart.then(|| series(&beats)),
        "heart_rate_variability": heart.then(|| series(&intervals)),
        "motion_count": series(&motion),
    });
    vec![Document::new(day, start, end.plus(120), &body)]
}

/// Rest mode starts with a fever and ends after it. It has no end while the fever lasts.
///
/// Sometimes the person switches it on by mistake, and off at once.
pub(super) fn rest_mode_period(person: &Person, day: Day, now: Instant) -> Vec<Document> {
    let Some(life) = person.day(day) else { return Vec::new() };
    let feverish = |life: &LifeDay| life.fever > 0.4;
    let by_mistake = person.noise(day, "rest mode").chance(0.004);
    let begins = feverish(life) && !person.life.day(day.plus(-1)).is_some_and(feverish);
    if !begins && !by_mistake {
        return Vec::new();
    }
    let start = life.at(642).plus(17);
    let end = if begins {
        (1..30)
            .filter_map(|later| person.life.day(day.plus(later)))
            .find(|later| !feverish(later))
            .map(|well| (well.at(571), well.zone))
    } else {
        Some((start, life.zone))
    };
    let end = end.filter(|(end, _)| *end <= now);
    let episode = json!({ "tags": ["tag_generic_sick"], "timestamp": stamp(start, life.zone) });
    let body = json!({
        "id": person.id("rest_mode_period", day, 0),
        "start_day": day.to_string(),
        "start_time": stamp(start, life.zone),
        "end_day": end.map(|(end, zone)| end.day(zone).to_string()),
        "end_time": end.map(|(end, zone)| stamp(end, zone)),
        "episodes": if begins { vec![episode] } else { Vec::new() },
    });
    vec![Document::new(day, start, start, &body)]
}
