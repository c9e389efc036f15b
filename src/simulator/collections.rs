//! The collections of `/v2/usercollection/`: what makes their documents, which scope they need, and what their ranges mean.

use super::person::{Document, Person};
use super::{activity, daily, heartrate, moments, ring, sleep};
use crate::time::{Day, Instant, Tz};

pub(super) struct Collection {
    pub name: &'static str,
    pub range: Range,
    /// What a token needs for it; `None` for what every token may read.
    pub scope: Option<&'static str>,
    /// The documents of one day as they stand at an instant, in order.
    documents: fn(&Person, Day, Instant) -> Vec<Document>,
}

/// What a request's range means: measured, not documented.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Range {
    /// `start_date` … `end_date`, by `day`, the end included.
    DaysThrough,
    /// The same with the end excluded.
    DaysBefore,
    /// `start_date` … `end_date`, the end excluded, by the start's date in UTC, although `day` is local.
    UtcStart,
    /// `start_datetime` … `end_datetime`, at most 30 days.
    Datetimes,
    /// No range: everything there is.
    All,
    /// A single object instead of a list.
    Single,
}

const fn collection(
    name: &'static str,
    range: Range,
    scope: &'static str,
    documents: fn(&Person, Day, Instant) -> Vec<Document>,
) -> Collection {
    Collection { name, range, scope: Some(scope), documents }
}

use Range::{All, Datetimes, DaysBefore, DaysThrough, Single, UtcStart};

pub(super) static COLLECTIONS: [Collection; 19] = [
    collection("daily_activity", DaysBefore, "daily", activity::daily_activity),
    collection(
        "daily_cardiovascular_age",
        DaysThrough,
        "heart_health",
        daily::daily_cardiovascular_age,
    ),
    collection("daily_readiness", DaysThrough, "daily", daily::daily_readiness),
    collection("daily_resilience", DaysThrough, "stress", daily::daily_resilience),
    collection("daily_sleep", DaysThrough, "daily", daily::daily_sleep),
    collection("daily_spo2", DaysThrough, "spo2", daily::daily_spo2),
    collection("daily_stress", DaysThrough, "daily", daily::daily_stress),
    collection("enhanced_tag", DaysThrough, "tag", moments::enhanced_tag),
    collection("heartrate", Datetimes, "heartrate", heartrate::heartrate),
    Collection {
        name: "personal_info",
        range: Single,
        scope: None,
        documents: |_, _, _| Vec::new(),
    },
    collection("rest_mode_period", DaysThrough, "daily", moments::rest_mode_period),
    collection("ring_battery_level", Datetimes, "ring_configuration", ring::ring_battery_level),
    collection("ring_configuration", All, "ring_configuration", ring::ring_configuration),
    collection("session", DaysBefore, "session", moments::session),
    collection("sleep", DaysBefore, "daily", sleep::sleep),
    collection("sleep_time", DaysThrough, "daily", sleep::sleep_time),
    collection("tag", DaysThrough, "tag", moments::tag),
    collection("vO2_max", DaysBefore, "heart_health", daily::vo2_max),
    collection("workout", UtcStart, "workout", activity::workout),
];

impl Collection {
    pub fn named(name: &str) -> Option<&'static Collection> {
        COLLECTIONS.iter().find(|collection| collection.name == name)
    }

    /// What Oura has of `day` at `now`, in order.
    pub fn on(&self, person: &Person, day: Day, now: Instant) -> Vec<Document> {
        let mut documents = (self.documents)(person, day, now);
        // A ring is set up at Oura itself; everything else comes by the phone.
        if let Some(until) = person.silent_until(day).filter(|_| self.range != All) {
            documents.iter_mut().for_each(|document| document.since = document.since.max(until));
        }
        documents.retain(|document| {
            document.since <= now && document.until.is_none_or(|until| now < until)
        });
        documents
    }

    /// Whether documents are known by an identifier and can be asked for one by one.
    pub fn has_documents(&self) -> bool {
        !matches!(self.range, Datetimes | Single)
    }
}

/// What a request asks for, its dates resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Window {
    /// Both ends included.
    Days(Day, Day),
    /// The end excluded.
    Instants(Instant, Instant),
}

impl Window {
    fn contains(self, document: &Document) -> bool {
        match self {
            Window::Days(first, last) => (first..=last).contains(&document.day),
            Window::Instants(from, before) => (from..before).contains(&document.at),
        }
    }

    /// The days whose documents may lie inside: a person's day begins on the evening before and may be half a world off UTC.
    fn days(self) -> (Day, Day) {
        match self {
            Window::Days(first, last) => (first, last),
            Window::Instants(from, before) => {
                (from.day(Tz::UTC).plus(-2), before.day(Tz::UTC).plus(2))
            }
        }
    }
}

/// Where a page begins: a day, and how many of its documents came before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    pub day: Day,
    pub skip: usize,
}

/// Documents of `window`, oldest first, at most `size`, and where the rest begins.
pub(super) fn page(
    person: &Person,
    collection: &Collection,
    window: Window,
    cursor: Option<Cursor>,
    size: usize,
    now: Instant,
) -> (Vec<Document>, Option<Cursor>) {
    let (first, last) = window.days();
    let (first, last) = (first.max(person.first_day), last.min(person.life.today(now).plus(1)));
    let begin = cursor.unwrap_or(Cursor { day: first, skip: 0 });
    let mut page = Vec::new();
    for day in begin.day.max(first).through(last) {
        let skip = if day == begin.day { begin.skip } else { 0 };
        let documents = collection.on(person, day, now);
        let mut wanted =
            documents.into_iter().filter(|document| window.contains(document)).skip(skip);
        page.extend(wanted.by_ref().take(size - page.len()));
        if wanted.next().is_some() {
            let taken = page.iter().rev().take_while(|document| document.day == day).count();
            let before = if day == begin.day { begin.skip } else { 0 };
            return (page, Some(Cursor { day, skip: before + taken }));
        }
    }
    (page, None)
}
