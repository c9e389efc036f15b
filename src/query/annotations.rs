//! Annotations queries: events as regions with `time`, `timeEnd`, `title`, `text` and `tags`.
//!
//! They become SQL, like metrics queries.

use serde::{Deserialize, Serialize};

use super::error::QueryError;
use super::request::SqlQuery;
use super::suggest::similar_names;
use crate::catalog::Catalog;

/// An annotations query as the editor sends it. Unknown fields belong to Grafana and are ignored.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct AnnotationsQuery {
    /// Names of [`KINDS`]. Empty for all kinds.
    pub kinds: Vec<String>,
}

/// A kind of event.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema), ts(rename = "SchemaAnnotation"))]
pub struct AnnotationKind {
    /// The name in a query.
    pub name: &'static str,
    /// One phrase for the editor.
    pub description: &'static str,
    #[serde(skip)]
    table: &'static str,
    /// The end in SQL. NULL, or before the start, for an event without a duration.
    #[serde(skip)]
    end: &'static str,
    #[serde(skip)]
    title: &'static str,
    #[serde(skip)]
    text: &'static str,
    /// The second tag in SQL. The first is the kind's name.
    #[serde(skip)]
    tag: &'static str,
    /// A condition on the rows in SQL.
    #[serde(skip)]
    condition: &'static str,
}

/// All kinds of annotations.
pub const KINDS: [AnnotationKind; 6] = [
    AnnotationKind {
        name: "workouts",
        description: "Workouts, entered or detected",
        table: "workout",
        end: "end_datetime",
        title: "coalesce(nullif(label, ''), replace(activity, '_', ' '))",
        text: "concat_ws(' · ', hms(end_datetime - time), intensity, \
               CAST(round(calories) AS INTEGER) || ' kcal', round(distance / 1000, 1) || ' km')",
        tag: "activity",
        condition: "TRUE",
    },
    AnnotationKind {
        name: "sessions",
        description: "Breathing, meditation and rest sessions",
        table: "session",
        end: "end_datetime",
        title: "replace(type, '_', ' ')",
        text: "concat_ws(' · ', hms(end_datetime - time), 'felt ' || mood || ' afterwards')",
        tag: "type",
        condition: "TRUE",
    },
    AnnotationKind {
        name: "tags",
        description: "Tags from the Oura app",
        table: "enhanced_tag",
        end: "end_time",
        title: "coalesce(nullif(custom_name, ''), replace(replace(replace(tag_type_code, \
                'tag_generic_', ''), 'tag_', ''), '_', ' '))",
        text: "comment",
        tag: "tag_type_code",
        condition: "TRUE",
    },
    AnnotationKind {
        name: "rest_mode",
        description: "Rest mode periods. An open period ends with the panel",
        table: "rest_mode_period",
        end: "coalesce(end_time, local_midnight(date(end_day, '+1 days')), $__unixEpochTo())",
        title: "'rest mode'",
        text: "concat_ws(' to ', start_day, end_day)",
        tag: "NULL",
        condition: "TRUE",
    },
    AnnotationKind {
        name: "naps",
        description: "Sleep outside of the day's main sleep",
        table: "sleep",
        end: "bedtime_end",
        title: "'nap'",
        text: "hms(total_sleep_duration)",
        tag: "type",
        condition: "coalesce(type, '') NOT IN ('deleted', 'rest') AND total_sleep_duration > 0 \
                    AND document NOT IN (SELECT document FROM nights)",
    },
    AnnotationKind {
        name: "sleep",
        description: "The main sleep of each day",
        table: "sleep",
        end: "bedtime_end",
        title: "'sleep'",
        text: "concat_ws(' · ', hms(total_sleep_duration), \
               CAST(round(efficiency) AS INTEGER) || ' % efficiency', \
               'HRV ' || CAST(round(average_hrv) AS INTEGER) || ' ms')",
        tag: "NULL",
        condition: "document IN (SELECT document FROM nights)",
    },
];

impl AnnotationsQuery {
    /// Returns the SQL for all events that overlap the panel's range, in the order of time.
    pub fn plan(&self, catalog: &Catalog) -> Result<SqlQuery, QueryError> {
        let known: Vec<&AnnotationKind> =
            KINDS.iter().filter(|kind| catalog.get(kind.table).is_some()).collect();
        let kinds = if self.kinds.is_empty() {
            known
        } else {
            let mut chosen: Vec<&AnnotationKind> = Vec::new();
            for name in &self.kinds {
                let kind = find_kind(&known, name)?;
                if !chosen.iter().any(|chosen| chosen.name == kind.name) {
                    chosen.push(kind);
                }
            }
            chosen
        };
        let selects: Vec<_> = kinds.into_iter().map(AnnotationKind::select).collect();
        Ok(SqlQuery {
            raw_sql: format!("{}\nORDER BY 1", selects.join("\nUNION ALL\n")),
            ..SqlQuery::default()
        })
    }
}

fn find_kind<'k>(
    known: &[&'k AnnotationKind],
    name: &str,
) -> Result<&'k AnnotationKind, QueryError> {
    known.iter().copied().find(|kind| kind.name == name).ok_or_else(|| QueryError::Unknown {
        kind: "annotation kind",
        name: name.to_owned(),
        position: None,
        similar: similar_names(name, known.iter().map(|kind| kind.name)),
    })
}

impl AnnotationKind {
    /// Grafana takes the fields of all events from the first one, so no event may lack an end or a
    /// text: a moment ends when it begins.
    fn select(&self) -> String {
        let AnnotationKind { name, table, end, title, text, tag, condition, .. } = self;
        format!(
            "SELECT time AS \"time\", max(time, coalesce({end}, time)) AS \"timeEnd\", \
             coalesce({title}, '') AS title, coalesce({text}, '') AS text, \
             concat_ws(',', '{name}', {tag}) AS tags\n\
             FROM {table}\n\
             WHERE time <= $__timeTo() AND coalesce({end}, time) >= $__timeFrom() AND {condition}"
        )
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, LazyLock};
    use std::time::Duration;

    use arrow::util::display::{ArrayFormatter, FormatOptions};

    use super::*;
    use crate::query::{Engine, Limits, QueryContext};
    use crate::store::Store;
    use crate::time::{Day, Tz};

    static VIENNA: LazyLock<Tz> = LazyLock::new(|| Tz::named("Europe/Vienna"));

    fn at(day: u32, hour: i64) -> i64 {
        Day::new(2026, 3, day).unwrap().midnight(*VIENNA).seconds() + hour * 3_600
    }

    /// Returns a store with one event of each kind on 2026-03-10, and a workout two days before.
    fn store() -> (Store, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let store =
            Store::open(&folder.path().join("oura.db"), Arc::new(Catalog::bundled()), *VIENNA)
                .unwrap();
        let writer = rusqlite::Connection::open(store.path()).unwrap();
        let rows = [
            format!("INSERT INTO calendar (day, time) VALUES ('2026-03-10', {})", at(10, 0)),
            format!(
                "INSERT INTO workout \
                 (document, time, activity, intensity, calories, distance, end_datetime) \
                 VALUES (1, {}, 'cycling', 'hard', 400.4, 20500, {}), \
                 (2, {}, 'walking', 'easy', 90, NULL, {})",
                at(10, 8),
                at(10, 9),
                at(8, 8),
                at(8, 9)
            ),
            format!(
                "INSERT INTO session (document, time, type, mood, end_datetime) \
                 VALUES (3, {}, 'meditation', 'good', {})",
                at(10, 10),
                at(10, 11)
            ),
            format!(
                "INSERT INTO enhanced_tag (document, time, tag_type_code, comment) \
                 VALUES (4, {}, 'tag_generic_late_meal', 'pizza')",
                at(10, 12)
            ),
            format!(
                "INSERT INTO rest_mode_period (document, time, start_day) \
                 VALUES (5, {}, '2026-03-09')",
                at(9, 5)
            ),
            format!(
                "INSERT INTO sleep \
                 (document, time, day, type, total_sleep_duration, efficiency, average_hrv, \
                 bedtime_end) \
                 VALUES (6, {}, '2026-03-10', 'long_sleep', 27000, 91.6, 44, {}), \
                 (7, {}, '2026-03-10', 'late_nap', 1200, 80, NULL, {}), \
                 (8, {}, '2026-03-10', 'rest', 0, 0, NULL, {})",
                at(9, 23),
                at(10, 7),
                at(10, 14),
                at(10, 15),
                at(10, 16),
                at(10, 17)
            ),
        ];
        for row in &rows {
            writer.execute_batch(row).unwrap();
        }
        (store, folder)
    }

    async fn shown(store: &Store, kinds: &[&str]) -> String {
        let engine = Engine::new(store.clone(), store.zone(), Limits::default());
        let query =
            AnnotationsQuery { kinds: kinds.iter().map(|kind| (*kind).to_owned()).collect() }
                .plan(&store.catalog())
                .unwrap();
        let context = QueryContext {
            from_ms: at(10, 0) * 1_000,
            to_ms: at(10, 20) * 1_000,
            interval: Duration::from_secs(60),
            max_data_points: 100,
        };
        let batch = engine.run(&query, &context).await.unwrap().batch;
        let options = FormatOptions::default().with_null("-").with_timestamp_format(Some("%F %R"));
        let columns: Vec<_> = batch
            .columns
            .iter()
            .map(|column| ArrayFormatter::try_new(&column.values, &options).unwrap())
            .collect();
        let row = |row: usize| {
            columns
                .iter()
                .map(|column| column.value(row).to_string())
                .collect::<Vec<_>>()
                .join(" | ")
        };
        let names: Vec<_> = batch.columns.iter().map(|column| column.name.as_str()).collect();
        std::iter::once(names.join(" | "))
            .chain((0..batch.rows).map(row))
            .collect::<Vec<_>>()
            .join("\n")
    }

    #[tokio::test]
    async fn events_that_overlap_the_range_are_returned() {
        let (store, _folder) = store();
        insta::assert_snapshot!(shown(&store, &[]).await);
    }

    #[tokio::test]
    async fn each_kind_can_be_queried_alone() {
        let (store, _folder) = store();
        for (kind, title) in [
            ("workouts", "cycling"),
            ("sessions", "meditation"),
            ("tags", "late meal"),
            ("rest_mode", "rest mode"),
            ("naps", "nap"),
            ("sleep", "sleep"),
        ] {
            let text = shown(&store, &[kind]).await;
            assert!(text.contains(title) && text.contains(kind), "{text}");
        }
    }

    #[tokio::test]
    async fn no_event_lacks_an_end_or_a_text() {
        let (store, _folder) = store();
        rusqlite::Connection::open(store.path())
            .unwrap()
            .execute_batch(&format!(
                "DELETE FROM sleep; DELETE FROM rest_mode_period; DELETE FROM session;
                 INSERT INTO workout (document, time, end_datetime) VALUES (20, {0}, {0} - 600);
                 INSERT INTO session (document, time) VALUES (21, {0});
                 INSERT INTO enhanced_tag (document, time, end_time) VALUES (22, {0}, {0} - 1);
                 INSERT INTO rest_mode_period (document, time, end_time) VALUES (23, {0}, {0} - 1);
                 INSERT INTO sleep (document, time, day, type, total_sleep_duration, bedtime_end)
                     VALUES (24, {0}, '2026-03-10', 'long_sleep', 100, {0} - 100),
                            (25, {0}, '2026-03-10', 'sleep', 90, NULL)",
                at(10, 12)
            ))
            .unwrap();
        let text = shown(&store, &[]).await;
        let rows: Vec<&str> =
            text.lines().filter(|line| line.starts_with("2026-03-10 11")).collect();
        assert_eq!(rows.len(), 7, "{text}");
        for row in rows {
            let cells: Vec<&str> = row.split(" | ").collect();
            assert_eq!(cells[1], cells[0], "{row}");
            assert!(!cells.contains(&"-"), "{row}");
        }
    }

    #[test]
    fn an_unknown_kind_has_a_suggestion() {
        let error = AnnotationsQuery { kinds: vec!["workout".to_owned()] }
            .plan(&Catalog::bundled())
            .unwrap_err();
        assert_eq!(
            format!("{error}. {}", error.hint()),
            "Unknown annotation kind workout. Did you mean workouts?"
        );
    }
}
