//! The columns of the views `nights` and `days`, and their origin.

use crate::catalog::Catalog;
use crate::store::Origin;

/// A view with metrics.
pub(super) struct View {
    /// The name of the view.
    pub name: &'static str,
    /// The table of all columns that name no other.
    table: &'static str,
    /// The numeric columns, each with its origin: a column of `table`, or `table.column`. A column
    /// without a unit has an empty origin.
    columns: &'static [(&'static str, &'static str)],
    /// Further columns that filters can name.
    filter_columns: &'static [&'static str],
}

/// A numeric column of a view.
pub(super) struct ViewColumn {
    /// The name of the column.
    pub name: &'static str,
    /// The table and the column that it comes from. The column is empty if it has no unit.
    pub origin: (&'static str, &'static str),
}

/// All views with metrics.
pub(super) const VIEWS: [View; 2] = [
    View {
        name: "nights",
        table: "sleep",
        columns: &[
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
        filter_columns: &["day", "time", "bedtime_start", "bedtime_end"],
    },
    View {
        name: "days",
        table: "daily_activity",
        columns: &[
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
            ("tags", ""),
            ("total_sleep_duration", "sleep.total_sleep_duration"),
            ("efficiency", "sleep.efficiency"),
            ("average_hrv", "sleep.average_hrv"),
            ("average_heart_rate", "sleep.average_heart_rate"),
            ("lowest_heart_rate", "sleep.lowest_heart_rate"),
            ("average_breath", "sleep.average_breath"),
        ],
        filter_columns: &["day", "time", "stress_summary", "resilience_level"],
    },
];

impl View {
    /// Returns the view with this name.
    pub fn find(name: &str) -> Option<&'static View> {
        VIEWS.iter().find(|view| view.name.eq_ignore_ascii_case(name))
    }

    /// Returns the numeric columns.
    pub fn columns(&self) -> impl Iterator<Item = ViewColumn> {
        self.columns.iter().map(|(name, origin)| ViewColumn {
            name,
            origin: origin.split_once('.').unwrap_or((self.table, origin)),
        })
    }

    /// Returns the names of all columns that filters can name.
    pub fn filter_columns(&self) -> impl Iterator<Item = &'static str> {
        self.filter_columns.iter().copied().chain(self.columns.iter().map(|(name, _)| *name))
    }
}

/// Returns the catalogue's column behind `column` of `table`, which may be a view.
pub fn find_origin(table: &str, column: &str, catalog: &Catalog) -> Option<Origin> {
    let (table, column) = match View::find(table) {
        Some(view) => view.columns().find(|known| known.name.eq_ignore_ascii_case(column))?.origin,
        None => (table, column),
    };
    let collection = catalog.get(table)?;
    let column = collection.columns.iter().find(|known| known.name.eq_ignore_ascii_case(column))?;
    Some(Origin { table: collection.table.clone(), column: column.name.clone() })
}
