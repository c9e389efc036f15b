//! Names of metrics and what they stand for: a number in a typed table, in a view, or in a series of samples.

use crate::catalog::{Catalog, Collection, Column, Kind, Series, Storage};
use crate::query::QueryError;
use crate::query::nearest::nearest_whole;
use crate::store::Origin;

/// Something that can be drawn over time.
#[derive(Clone, Debug)]
pub struct Metric<'a> {
    /// `sleep.average_hrv`.
    pub name: String,
    /// The table or view that has it, and whose columns filters may name.
    pub table: &'a str,
    pub(super) place: Place<'a>,
    /// Yes or no, drawn as 1 or 0.
    pub(super) is_boolean: bool,
    /// The catalogue's column or series whose unit and description it has.
    pub origin: Option<Origin>,
    pub unit: Option<&'static str>,
    pub description: &'static str,
}

/// Where the values of a metric lie.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place<'a> {
    /// A column of a table or view with a `day`.
    Daily(&'a str),
    /// A column of a table that has a `time` alone.
    Timed(&'a str),
    /// The samples of this series.
    Samples(&'a str),
}

/// A view's columns: those with another name where they come from say which, as `table.column`; those of a view without a unit nothing.
struct View {
    name: &'static str,
    /// The table that columns come from unless they say otherwise.
    of: &'static str,
    numbers: &'static [(&'static str, &'static str)],
    /// What filters may name beside the numbers.
    others: &'static [&'static str],
}

const VIEWS: [View; 2] = [
    View {
        name: "nights",
        of: "sleep",
        numbers: &[
            ("total_sleep_duration", "total_sleep_duration"),
            ("deep_sleep_duration", "deep_sleep_duration"),
            ("rem_sleep_duration", "rem_sleep_duration"),
            ("light_sleep_duration", "light_sleep_duration"),
            ("awake_time", "awake_time"),
            ("time_in_bed", "time_in_bed"),
            ("efficiency", "efficiency"),
            ("latency", "latency"),
            ("restless_periods", "restless_periods"),
            ("average_heart_rate", "average_heart_rate"),
            ("lowest_heart_rate", "lowest_heart_rate"),
            ("average_hrv", "average_hrv"),
            ("average_breath", "average_breath"),
            ("readiness_score", "readiness_score"),
            ("temperature_deviation", "readiness_temperature_deviation"),
            ("naps", ""),
            ("nap_duration", "total_sleep_duration"),
        ],
        others: &["day", "time", "bedtime_start", "bedtime_end"],
    },
    View {
        name: "days",
        of: "daily_activity",
        numbers: &[
            ("readiness_score", "daily_readiness.score"),
            ("sleep_score", "daily_sleep.score"),
            ("activity_score", "score"),
            ("temperature_deviation", "daily_readiness.temperature_deviation"),
            ("temperature_trend_deviation", "daily_readiness.temperature_trend_deviation"),
            ("steps", "steps"),
            ("active_calories", "active_calories"),
            ("total_calories", "total_calories"),
            ("equivalent_walking_distance", "equivalent_walking_distance"),
            ("high_activity_time", "high_activity_time"),
            ("medium_activity_time", "medium_activity_time"),
            ("low_activity_time", "low_activity_time"),
            ("sedentary_time", "sedentary_time"),
            ("resting_time", "resting_time"),
            ("stress_high", "daily_stress.stress_high"),
            ("recovery_high", "daily_stress.recovery_high"),
            ("spo2_average", "daily_spo2.spo2_percentage_average"),
            ("breathing_disturbance_index", "daily_spo2.breathing_disturbance_index"),
            ("vascular_age", "daily_cardiovascular_age.vascular_age"),
            ("pulse_wave_velocity", "daily_cardiovascular_age.pulse_wave_velocity"),
            ("vo2_max", "vo2_max.vo2_max"),
            ("total_sleep_duration", "sleep.total_sleep_duration"),
            ("efficiency", "sleep.efficiency"),
            ("average_hrv", "sleep.average_hrv"),
            ("average_heart_rate", "sleep.average_heart_rate"),
            ("lowest_heart_rate", "sleep.lowest_heart_rate"),
            ("average_breath", "sleep.average_breath"),
        ],
        others: &["day", "time", "stress_summary", "resilience_level"],
    },
];

/// Every metric there is: the views' first, then by collection.
pub fn metrics(catalog: &Catalog) -> Vec<Metric<'_>> {
    let of_views = VIEWS.iter().flat_map(|view| {
        view.numbers.iter().map(|(name, origin)| of_view(view, name, origin, catalog))
    });
    let of_collections = catalog.collections.iter().flat_map(|collection| {
        let columns = collection
            .columns
            .iter()
            .filter(|column| is_measured(column))
            .map(|column| of_column(collection, column));
        columns.chain(collection.series.iter().map(|series| of_series(collection, series)))
    });
    of_views.chain(of_collections).collect()
}

/// Where `column` of `table`, which may be a view, comes from.
pub fn origin_of(table: &str, column: &str, catalog: &Catalog) -> Option<Origin> {
    let view = VIEWS.iter().find(|view| view.name.eq_ignore_ascii_case(table));
    let (table, column) = match view {
        Some(view) => {
            let (_, origin) =
                view.numbers.iter().find(|(name, _)| name.eq_ignore_ascii_case(column))?;
            origin.split_once('.').unwrap_or((view.of, origin))
        }
        None => (table, column),
    };
    let collection = catalog.get(table)?;
    let column = collection.columns.iter().find(|known| known.name.eq_ignore_ascii_case(column))?;
    Some(Origin { table: collection.table.clone(), column: column.name.clone() })
}

/// The metric of this name.
pub(super) fn find<'a>(known: &'a [Metric<'a>], name: &str) -> Result<&'a Metric<'a>, QueryError> {
    let names = || known.iter().map(|metric| &metric.name);
    known.iter().find(|metric| metric.name == name).ok_or_else(|| {
        // Perhaps only the table is missing.
        let columns: Vec<String> = names()
            .filter(|known| known.rsplit('.').next() == Some(name))
            .take(3)
            .cloned()
            .collect();
        let nearest = if columns.is_empty() { nearest_whole(name, names()) } else { columns };
        QueryError::Unknown { kind: "metric", name: name.to_owned(), position: None, nearest }
    })
}

impl Metric<'_> {
    /// The columns that filters may name.
    pub(super) fn filterable<'c>(&self, catalog: &'c Catalog) -> Vec<&'c str> {
        let numbers = |view: &'static View| view.numbers.iter().map(|(name, _)| *name);
        if let Some(view) = VIEWS.iter().find(|view| view.name == self.table) {
            return view.others.iter().copied().chain(numbers(view)).collect();
        }
        let Some(collection) = catalog.get(self.table) else { return Vec::new() };
        let fixed: &[&str] = if collection.storage == Storage::Rows {
            &["time"]
        } else {
            &["time", "day", "utc_offset"]
        };
        let start = (collection.storage == Storage::Rows)
            .then(|| collection.time.start.first().copied())
            .flatten();
        let own = collection
            .columns
            .iter()
            .map(|column| column.name.as_str())
            .filter(|name| Some(*name) != start);
        fixed.iter().copied().chain(own).collect()
    }

    /// A few words for a legend: the description up to its first aside.
    pub fn title(&self) -> String {
        let words = self.description.split([',', ';', ':', '(']).next().unwrap_or_default().trim();
        if words.is_empty() { self.name.clone() } else { words.to_owned() }
    }
}

/// Numbers and yes or no (0 or 1), which can be averaged and counted.
fn is_measured(column: &Column) -> bool {
    matches!(column.kind, Kind::Integer | Kind::Real | Kind::Boolean)
}

fn of_view<'a>(
    view: &'static View,
    name: &'static str,
    origin: &'static str,
    catalog: &'a Catalog,
) -> Metric<'a> {
    let (table, column) = origin.split_once('.').unwrap_or((view.of, origin));
    let known = catalog
        .get(table)
        .and_then(|collection| collection.columns.iter().find(|known| known.name == column));
    // A nap's duration has the unit of a night's, not its description.
    let same = known.filter(|_| name != "nap_duration");
    Metric {
        name: format!("{}.{name}", view.name),
        table: view.name,
        place: Place::Daily(name),
        is_boolean: known.is_some_and(|known| known.kind == Kind::Boolean),
        origin: known.map(|known| Origin { table: table.to_owned(), column: known.name.clone() }),
        unit: known.and_then(|known| known.unit).map(|unit| unit.0),
        description: match (same, name) {
            (Some(known), _) => known.description,
            (None, "naps") => "Naps of the day",
            (None, "nap_duration") => "Time asleep in naps",
            (None, _) => "",
        },
    }
}

fn of_column<'a>(collection: &'a Collection, column: &'a Column) -> Metric<'a> {
    let place = match collection.storage {
        Storage::Documents => Place::Daily(&column.name),
        Storage::Rows => Place::Timed(&column.name),
    };
    Metric {
        name: format!("{}.{}", collection.table, column.name),
        table: &collection.table,
        place,
        is_boolean: column.kind == Kind::Boolean,
        origin: Some(Origin { table: collection.table.clone(), column: column.name.clone() }),
        unit: column.unit.map(|unit| unit.0),
        description: column.description,
    }
}

fn of_series<'a>(collection: &'a Collection, series: &'a Series) -> Metric<'a> {
    let field = series.name.split_once('.').map_or(series.name.as_str(), |(_, field)| field);
    Metric {
        name: series.name.clone(),
        table: &collection.table,
        place: Place::Samples(&series.name),
        is_boolean: false,
        origin: Some(Origin { table: collection.table.clone(), column: field.to_owned() }),
        unit: series.unit.map(|unit| unit.0),
        description: series.description,
    }
}
