//! The wearer's clock: dates and times of instants (Unix seconds) where the wearer was.
//!
//! Documents carry the wearer's offset from UTC at their start. Between two documents, the wearer
//! keeps the offset of the earlier one. If that offset was the one of the data source's zone, the
//! wearer was at home and follows the zone through its daylight saving.

use std::sync::Arc;

use chrono::{DateTime, FixedOffset, Timelike};
use parking_lot::Mutex;
use rusqlite::functions::Context;
use rusqlite::{Connection, Result};

use super::FLAGS;
use super::local::instant;
use crate::sql::quote_identifier;
use crate::time::{Instant, Tz};

/// The tables of documents that start at an instant with the wearer's offset from UTC.
const OFFSET_TABLES: [&str; 5] = ["sleep", "workout", "session", "enhanced_tag", "tag"];

/// The wearer's offsets from UTC over time. Clones share one history.
#[derive(Clone)]
pub(in crate::store) struct WallClock {
    zone: Tz,
    history: Arc<Mutex<History>>,
}

impl WallClock {
    /// A clock without documents, which shows the time in `zone`.
    pub fn new(zone: Tz) -> WallClock {
        WallClock { zone, history: Arc::default() }
    }

    /// Whether the function with this name needs [`WallClock::load`] first.
    pub fn is_read_by(function: &str) -> bool {
        function.get(..5).is_some_and(|prefix| prefix.eq_ignore_ascii_case("wall_"))
    }

    /// Reads the offsets of all documents in those of `tables` that have any.
    pub fn load(&self, connection: &Connection, tables: &[String]) -> Result<()> {
        let mut documents: Vec<(Instant, i32)> = Vec::new();
        for table in OFFSET_TABLES.iter().filter(|name| tables.iter().any(|table| table == *name)) {
            let mut statement = connection.prepare(&format!(
                "SELECT time, utc_offset FROM {} WHERE time IS NOT NULL AND utc_offset IS NOT NULL",
                quote_identifier(table)
            ))?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                documents.push((Instant(row.get(0)?), row.get(1)?));
            }
        }
        *self.history.lock() = History::of(documents, self.zone);
        Ok(())
    }

    /// Registers the functions of this clock.
    pub fn register(&self, connection: &Connection) -> Result<()> {
        let clock = self.clone();
        connection.create_scalar_function("wall_day", 1, FLAGS, move |context| {
            Ok(clock.time_of(context).map(|time| time.date_naive().to_string()))
        })?;
        let clock = self.clone();
        connection.create_scalar_function("wall_hour", 1, FLAGS, move |context| {
            Ok(clock.time_of(context).map(|time| time.hour()))
        })?;
        let clock = self.clone();
        connection.create_scalar_function("wall_clock", 1, FLAGS, move |context| {
            Ok(clock.time_of(context).map(|time| time.num_seconds_from_midnight()))
        })
    }

    /// The wearer's date and time at the instant in the first argument.
    fn time_of(&self, context: &Context<'_>) -> Option<DateTime<FixedOffset>> {
        let at = instant(context)?;
        let offset = match self.history.lock().place_at(at) {
            Place::Home => self.zone.offset_at(at),
            Place::Away(seconds) => FixedOffset::east_opt(seconds)?,
        };
        Some(at.utc().with_timezone(&offset))
    }
}

/// Where the wearer was, as far as the clock shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Somewhere with the time of the data source's zone.
    Home,
    /// Somewhere with this offset from UTC in seconds.
    Away(i32),
}

/// The changes of the wearer's place, by time.
#[derive(Debug, Default)]
struct History(Vec<(Instant, Place)>);

impl History {
    /// Sorts the documents' starts and offsets. Of documents that start together, the one with the
    /// largest offset counts.
    fn of(mut documents: Vec<(Instant, i32)>, zone: Tz) -> History {
        documents.sort_unstable();
        let mut changes: Vec<(Instant, Place)> = Vec::new();
        for (start, seconds) in documents {
            let is_home = zone.offset_at(start).local_minus_utc() == seconds;
            let place = if is_home { Place::Home } else { Place::Away(seconds) };
            match changes.last_mut() {
                Some((_, last)) if *last == place => {}
                Some((since, last)) if *since == start => *last = place,
                _ => changes.push((start, place)),
            }
        }
        History(changes)
    }

    /// The place of the newest document that starts at `at` or before. Of the first document, if
    /// none does.
    fn place_at(&self, at: Instant) -> Place {
        let after = self.0.partition_point(|(since, _)| *since <= at);
        self.0.get(after.saturating_sub(1)).map_or(Place::Home, |(_, place)| *place)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::*;
    use crate::time::Day;

    /// A wearer's stay: the zone and its length in hours.
    type Stay = (Tz, i64);

    static ZONES: LazyLock<[Tz; 7]> = LazyLock::new(|| {
        [
            Tz::named("Europe/Vienna"),
            Tz::named("America/New_York"),
            Tz::named("Asia/Kathmandu"),
            Tz::named("America/St_Johns"),
            Tz::named("Pacific/Kiritimati"),
            Tz::named("Australia/Lord_Howe"),
            Tz::named("Pacific/Apia"),
        ]
    });

    fn stays() -> impl Strategy<Value = Vec<Stay>> {
        let zone = (0..ZONES.len()).prop_map(|index| ZONES[index]);
        prop::collection::vec((zone, 1i64..2_000), 1..8)
    }

    fn connection(clock: &WallClock, documents: &[(i64, i32)]) -> Connection {
        crate::store::prepare_sqlite().unwrap();
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(
                "CREATE TABLE workout (time TIMESTAMP, utc_offset INTEGER);
                 CREATE TABLE sleep (time TIMESTAMP, utc_offset INTEGER);
                 INSERT INTO sleep VALUES (NULL, 3600), (1790000000, NULL)",
            )
            .unwrap();
        for (index, document) in documents.iter().enumerate() {
            let table = ["sleep", "workout"][index % 2];
            connection.execute(&format!("INSERT INTO {table} VALUES (?1, ?2)"), *document).unwrap();
        }
        clock.register(&connection).unwrap();
        clock.load(&connection, &["sleep".to_owned(), "workout".to_owned()]).unwrap();
        connection
    }

    fn shown(connection: &Connection, at: i64) -> (String, u32, u32) {
        connection
            .query_row("SELECT wall_day(?1), wall_hour(?1), wall_clock(?1)", [at], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .unwrap()
    }

    fn expected(zone: Tz, at: i64) -> (String, u32, u32) {
        let local = Instant(at).local(zone);
        (local.format("%Y-%m-%d").to_string(), local.hour(), local.num_seconds_from_midnight())
    }

    proptest! {
        #[test]
        fn clock_at_a_documents_start_is_the_wearers(
            first_day in 0i64..4_000, home in 0..ZONES.len(), stays in stays(),
        ) {
            let mut at = Day::new(2016, 1, 1).unwrap().plus(first_day).midnight(Tz::UTC).0;
            let mut documents = Vec::new();
            for (zone, hours) in stays {
                for hour in (0..hours).step_by(97) {
                    documents.push((at + hour * 3_600, zone));
                }
                at += hours * 3_600 + 1;
            }
            let stored: Vec<(i64, i32)> = documents
                .iter()
                .map(|(at, zone)| (*at, zone.offset_at(Instant(*at)).local_minus_utc()))
                .collect();
            let connection = connection(&WallClock::new(ZONES[home]), &stored);
            for (at, zone) in documents {
                prop_assert_eq!(shown(&connection, at), expected(zone, at));
            }
        }

        #[test]
        fn wearer_at_home_follows_daylight_saving_between_documents(
            first_day in 0i64..4_000,
            home in 0..ZONES.len(),
            hours in prop::collection::vec(0i64..400, 1..50),
        ) {
            let home = ZONES[home];
            let first = Day::new(2016, 1, 1).unwrap().plus(first_day).midnight(Tz::UTC);
            let offset = home.offset_at(first).local_minus_utc();
            let connection = connection(&WallClock::new(home), &[(first.0, offset)]);
            for at in hours.iter().map(|hours| first.0 + (hours - 100) * 3_600) {
                prop_assert_eq!(shown(&connection, at), expected(home, at));
            }
        }
    }

    #[test]
    fn wearer_keeps_the_offset_of_the_last_document_abroad() {
        let tokyo = 9 * 3_600;
        // 2026-11-01T23:00:00+09:00, in Vienna 15:00 of the same day.
        let bedtime = 1_793_541_600;
        let connection =
            connection(&WallClock::new(Tz::named("Europe/Vienna")), &[(bedtime, tokyo)]);
        assert_eq!(shown(&connection, bedtime), ("2026-11-01".to_owned(), 23, 82_800));
        assert_eq!(shown(&connection, bedtime + 7 * 3_600), ("2026-11-02".to_owned(), 6, 21_600));
        // Before the first document, its place is the best guess.
        assert_eq!(shown(&connection, bedtime - 3_600).1, 22);
    }

    #[test]
    fn clock_without_documents_is_the_zones() {
        let connection = connection(&WallClock::new(Tz::named("Europe/Vienna")), &[]);
        assert_eq!(
            shown(&connection, 1_790_000_000),
            expected(Tz::named("Europe/Vienna"), 1_790_000_000)
        );
        let null: Option<String> =
            connection.query_row("SELECT wall_day('text')", [], |row| row.get(0)).unwrap();
        assert_eq!(null, None);
    }
}
