//! Time zones of the IANA database.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use chrono::{FixedOffset, NaiveDateTime};
use jiff::Timestamp;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone, TimeZoneDatabase};
use parking_lot::Mutex;

use super::Instant;

/// A time zone of the IANA database: a name and the rules of its offset from UTC.
///
/// The rules are a part of the program, so that a history has the same days on each machine.
#[derive(Clone, Copy)]
pub struct Tz(&'static Zone);

/// [`Tz::offsets`] lists the offsets from 2015 to before 2038.
const FIRST: Instant = Instant(1_420_070_400);
const END: Instant = Instant(2_145_916_800);

/// The referent of a [`Tz`]. There is one for each zone in use.
struct Zone {
    name: &'static str,
    rules: TimeZone,
}

static UTC: Zone = Zone { name: "UTC", rules: TimeZone::UTC };

/// The zones that the program has used, except UTC. They stay until it ends.
static ZONES: Mutex<BTreeMap<&'static str, Tz>> = Mutex::new(BTreeMap::new());

/// The database contains no zone of this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown time zone {0:?}: use a name of the IANA database, such as Europe/Vienna")]
pub struct UnknownZone(String);

impl Tz {
    /// Coordinated Universal Time.
    pub const UTC: Tz = Tz(&UTC);

    /// Returns the zone of a name that the database is known to contain.
    ///
    /// # Panics
    ///
    /// If the database contains no zone of this name.
    pub fn named(name: &'static str) -> Tz {
        name.parse().expect("the name is in the IANA database")
    }

    /// The names of all zones.
    pub fn names() -> Vec<String> {
        TimeZoneDatabase::bundled().available().map(|name| name.to_string()).collect()
    }

    /// The name, such as `Europe/Vienna`.
    pub fn name(self) -> &'static str {
        self.0.name
    }

    /// Returns the offset from UTC at an instant.
    pub fn offset_at(self, at: Instant) -> FixedOffset {
        let offset = self.0.rules.to_offset(timestamp(at));
        FixedOffset::east_opt(offset.seconds()).expect("an offset is shorter than a day")
    }

    /// The offsets from UTC in the years 2015, of the first ring, to 2037: each with the instant from
    /// which it applies.
    pub fn offsets(self) -> impl Iterator<Item = (Instant, FixedOffset)> {
        let changes = self.0.rules.following(timestamp(FIRST)).map(|change| change.timestamp());
        let changes = changes.map(|at| Instant(at.as_second())).take_while(|at| *at < END);
        std::iter::once(FIRST).chain(changes).map(move |at| (at, self.offset_at(at)))
    }

    /// Returns the first instant when clocks in the zone show the local time `shown`, or the end of
    /// the gap that skips it.
    pub(super) fn first_instant(self, shown: NaiveDateTime) -> Instant {
        let shown = Instant(shown.and_utc().timestamp());
        let before = |offset: Offset| shown.plus(-i64::from(offset.seconds()));
        let civil = Offset::UTC.to_datetime(timestamp(shown));
        match self.0.rules.to_ambiguous_timestamp(civil).offset() {
            AmbiguousOffset::Unambiguous { offset }
            | AmbiguousOffset::Fold { before: offset, .. } => before(offset),
            // With the offset of after the gap, the instant is before the gap, which ends where the
            // offset changes.
            AmbiguousOffset::Gap { after: offset, .. } => {
                let earlier = before(offset);
                let change = self.0.rules.following(timestamp(earlier)).next();
                change.map_or(earlier, |change| Instant(change.timestamp().as_second()))
            }
        }
    }
}

impl FromStr for Tz {
    type Err = UnknownZone;

    /// Finds the zone of a name, in any case.
    fn from_str(name: &str) -> Result<Tz, UnknownZone> {
        let unknown = || UnknownZone(name.to_owned());
        let rules = TimeZoneDatabase::bundled().get(name).map_err(|_| unknown())?;
        let name = rules.iana_name().filter(|_| !rules.is_unknown()).ok_or_else(unknown)?;
        if name == UTC.name {
            return Ok(Tz::UTC);
        }
        let mut zones = ZONES.lock();
        if let Some(zone) = zones.get(name) {
            return Ok(*zone);
        }
        let name: &'static str = name.to_owned().leak();
        let zone = Tz(Box::leak(Box::new(Zone { name, rules })));
        zones.insert(name, zone);
        Ok(zone)
    }
}

impl PartialEq for Tz {
    fn eq(&self, other: &Tz) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

impl Eq for Tz {}

impl fmt::Display for Tz {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for Tz {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The instant as jiff's type, or the nearest one that it can represent, in the years −9999 to 9999.
fn timestamp(at: Instant) -> Timestamp {
    Timestamp::from_second(at.seconds()).unwrap_or(if at.seconds() < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::time::{Day, Stamp};

    fn shown(text: &str) -> NaiveDateTime {
        NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S").unwrap()
    }

    #[test]
    fn zone_is_found_by_its_name_in_any_case() {
        for (name, expected) in
            [("Europe/Vienna", "Europe/Vienna"), ("europe/VIENNA", "Europe/Vienna"), ("utc", "UTC")]
        {
            let zone: Tz = name.parse().unwrap();
            assert_eq!(zone.name(), expected);
            assert_eq!(zone, Tz::named(expected));
        }
        assert_ne!(Tz::named("Etc/UTC"), Tz::UTC);
        for unknown in ["", "Etc/Unknown", "Europe/Wien", "CEST", "+02:00", "Europe/Vienna "] {
            let error = unknown.parse::<Tz>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("unknown time zone {unknown:?}: ")), "{error}");
        }
    }

    #[test]
    fn rules_are_those_of_this_year() {
        // Winter time in Vancouver ended in 2026.
        let winter = Stamp::parse("2026-12-24T12:00:00Z", Tz::UTC).unwrap().at;
        assert_eq!(Tz::named("America/Vancouver").offset_at(winter).to_string(), "-07:00");
        assert_eq!(Tz::named("Europe/Vienna").offset_at(winter).to_string(), "+01:00");
    }

    #[test]
    fn local_time_in_a_gap_or_twice_is_one_instant() {
        for (zone, local, expected) in [
            ("Europe/Vienna", "2026-03-29T01:59:59", "2026-03-29T00:59:59Z"),
            ("Europe/Vienna", "2026-03-29T02:00:00", "2026-03-29T01:00:00Z"),
            ("Europe/Vienna", "2026-03-29T02:59:59", "2026-03-29T01:00:00Z"),
            ("Europe/Vienna", "2026-03-29T03:00:00", "2026-03-29T01:00:00Z"),
            ("Europe/Vienna", "2026-10-25T02:30:00", "2026-10-25T00:30:00Z"),
            ("Australia/Lord_Howe", "2026-10-04T02:15:00", "2026-10-03T15:30:00Z"),
            // A whole day.
            ("Pacific/Apia", "2011-12-30T12:00:00", "2011-12-30T10:00:00Z"),
        ] {
            let at = Tz::named(zone).first_instant(shown(local));
            assert_eq!(at.to_string(), expected, "{local} in {zone}");
        }
    }

    #[test]
    fn offsets_begin_in_2015_and_list_every_change() {
        let listed = |zone| -> Vec<_> {
            let zone = Tz::named(zone);
            zone.offsets().map(|(at, offset)| format!("{at} {offset}")).collect()
        };
        assert_eq!(listed("UTC"), ["2015-01-01T00:00:00Z +00:00"]);
        let vienna = listed("Europe/Vienna");
        assert_eq!(vienna.len(), 1 + 2 * 23);
        assert_eq!(
            [&vienna[0], &vienna[1], &vienna[46]],
            [
                "2015-01-01T00:00:00Z +01:00",
                "2015-03-29T01:00:00Z +02:00",
                "2037-10-25T01:00:00Z +01:00"
            ]
        );
    }

    proptest! {
        #[test]
        fn local_time_of_an_instant_is_read_as_that_instant(
            name in prop::sample::select(Tz::names()), seconds in 0..2_145_916_800i64,
        ) {
            let zone: Tz = name.parse().unwrap();
            let at = Instant(seconds);
            let read = zone.first_instant(at.local(zone).naive_local());
            // Local time that occurs twice is its first occurrence, at most a day earlier.
            prop_assert!(read == at || (-86_400..0).contains(&(read.seconds() - at.seconds())));
            prop_assert_eq!(read.local(zone).naive_local(), at.local(zone).naive_local());
        }

        #[test]
        fn any_instant_and_any_local_time_has_an_offset(
            name in prop::sample::select(Tz::names()), seconds: i64, day: u32,
        ) {
            let zone: Tz = name.parse().unwrap();
            prop_assert!(zone.offset_at(Instant(seconds)).local_minus_utc().abs() < 86_400);
            let _ = Instant(seconds).day(zone).midnight(zone);
            let _ = Day::new(2000, 1, 1).unwrap().plus(day.into()).midnight(zone);
        }
    }
}
