//! The collections of `/v2/usercollection/`: their documents, scopes and ranges.

use super::person::{Document, Person};
use super::{activity, daily, heartrate, moments, ring, sleep};
use crate::time::{Day, Instant, Tz};

/// A collection.
pub(super) struct Collection {
    pub name: &'static str,
    pub range: Range,
    /// The scope that a token needs. `None` if any token may read the collection.
    pub scope: Option<&'static str>,
    /// Generates the documents of a day at an instant, in order.
    documents: fn(&Person, Day, Instant) -> Vec<Document>,
}

/// The meaning of a request's range. Measured at Oura, because the documentation does not say.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Range {
    /// From `start_date` to `end_date` by `day`. The end is included.
    DaysThrough,
    /// From `start_date` to `end_date` by `day`. The end is excluded.
    DaysBefore,
    /// From `start_date` to `end_date` by the UTC date of the start, although `day` is local. The
    /// end is excluded.
    UtcStart,
    /// From `start_datetime` to `end_datetime`, at most 30 days.
    Datetimes,
    /// No range. Requests return all documents.
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
    /// The collection with this name.
    pub fn named(name: &str) -> Option<&'static Collection> {
        COLLECTIONS.iter().find(|collection| collection.name == name)
    }

    /// The documents of `day` that exist at `now`, in order.
    pub fn on(&self, person: &Person, day: Day, now: Instant) -> Vec<Document> {
        // All documents except rings arrive through the phone.
        let now = if self.range == All { now } else { person.last_upload(now) };
        let mut documents = (self.documents)(person, day, now);
        if let Some(until) = person.offline_until(day).filter(|_| self.range != All) {
            documents.iter_mut().for_each(|document| document.since = document.since.max(until));
        }
        documents.retain(|document| {
            document.since <= now && document.until.is_none_or(|until| now < until)
        });
        documents
    }

    /// Whether documents have an id and can be requested individually.
    pub fn has_documents(&self) -> bool {
        !matches!(self.range, Datetimes | Single)
    }
}

/// The resolved range of a request.
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

    /// The days that may have documents in the range.
    ///
    /// A day's documents start on the evening before, and its zone may differ from UTC by half a
    /// day.
    fn days(self) -> (Day, Day) {
        match self {
            Window::Days(first, last) => (first, last),
            Window::Instants(from, before) => {
                (from.day(Tz::UTC).plus(-2), before.day(Tz::UTC).plus(2))
            }
        }
    }
}

/// The start of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    pub day: Day,
    /// Number of the day's documents on earlier pages.
    pub skip: usize,
}

/// Returns at most `size` documents of `window`, oldest first, and the start of the next page.
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
    let start = cursor.unwrap_or(Cursor { day: first, skip: 0 });
    let mut page = Vec::new();
    for day in start.day.max(first).through(last) {
        let skip = if day == start.day { start.skip } else { 0 };
        let documents = collection.on(person, day, now);
        let mut wanted =
            documents.into_iter().filter(|document| window.contains(document)).skip(skip);
        page.extend(wanted.by_ref().take(size - page.len()));
        if wanted.next().is_some() {
            let taken = page.iter().rev().take_while(|document| document.day == day).count();
            let before = if day == start.day { start.skip } else { 0 };
            return (page, Some(Cursor { day, skip: before + taken }));
        }
    }
    (page, None)
}
