//! One entry for each collection of any API version.
//!
//! The scopes are those that Oura enforces for live accounts. Oura's documents do not mention some
//! of them (`stress`, `ring_configuration`).

use super::super::Recorded::{self, Always, Occasionally, WhileWorn};
use super::super::{Kind, Storage, TimeRule};
use super::fields::{
    ACTIVITY, BATTERY, CARDIOVASCULAR, COMMON, ENHANCED_TAG, HEART_RATE, INTERBEAT, PERSONAL,
    READINESS, RESILIENCE, REST_MODE, RING, SCORED_SLEEP, SESSION, SLEEP, SLEEP_TIME, SPO2, STRESS,
    TAG, VO2_MAX, WORKOUT,
};
use super::{Facts, Field};

/// Daily summaries, at local midnight of their day. Their `timestamp` is ignored.
pub(super) const DAILY: TimeRule = TimeRule { day: &["day"], start: &[], end: &[] };

/// Periods with a start and, in most cases, an end.
const PERIOD: TimeRule = TimeRule {
    day: &["day", "start_day"],
    start: &["bedtime_start", "start_datetime", "start_time", "set_up_at"],
    end: &["bedtime_end", "end_datetime", "end_time"],
};

/// Events at a single point in time.
const POINT: TimeRule = TimeRule { day: &["day"], start: &["timestamp"], end: &[] };

/// The fallback for unknown collections.
pub(super) const ANY: TimeRule = TimeRule {
    day: &["day", "start_day"],
    start: &["bedtime_start", "start_datetime", "start_time", "timestamp", "set_up_at"],
    end: &["bedtime_end", "end_datetime", "end_time"],
};

const fn documents(
    name: &'static str,
    scope: Option<&'static str>,
    recorded: Recorded,
    time: TimeRule,
    description: &'static str,
    fields: &'static [(&'static str, &'static [Field])],
) -> Facts {
    Facts {
        name,
        scope,
        recorded,
        storage: Storage::Documents,
        key: &[],
        time,
        description,
        fields,
        live_only: &[],
    }
}

const fn rows(
    name: &'static str,
    scope: Option<&'static str>,
    recorded: Recorded,
    key: &'static [&'static str],
    description: &'static str,
    fields: &'static [(&'static str, &'static [Field])],
) -> Facts {
    let live_only = &[("producer_timestamp", Kind::Instant)];
    Facts {
        name,
        scope,
        recorded,
        storage: Storage::Rows,
        key,
        time: POINT,
        description,
        fields,
        live_only,
    }
}

pub(super) const COLLECTIONS: &[Facts] = &[
    documents(
        "daily_activity",
        Some("daily"),
        WhileWorn,
        DAILY,
        "Daily activity, from 4:00 to 4:00",
        &[("", ACTIVITY), ("", COMMON)],
    ),
    documents(
        "daily_cardiovascular_age",
        Some("heart_health"),
        WhileWorn,
        DAILY,
        "Daily vascular age, estimated from the pulse wave",
        &[("", CARDIOVASCULAR), ("", COMMON)],
    ),
    documents(
        "daily_readiness",
        Some("daily"),
        WhileWorn,
        DAILY,
        "Daily readiness",
        &[("", READINESS), ("", COMMON)],
    ),
    documents(
        "daily_resilience",
        Some("stress"),
        WhileWorn,
        DAILY,
        "Daily resilience: long-term ability to cope with stress",
        &[("", RESILIENCE), ("", COMMON)],
    ),
    documents(
        "daily_sleep",
        Some("daily"),
        WhileWorn,
        DAILY,
        "Daily sleep score. The sleep periods themselves are in sleep",
        &[("", SCORED_SLEEP), ("", COMMON)],
    ),
    documents(
        "daily_spo2",
        Some("spo2"),
        WhileWorn,
        DAILY,
        "Daily blood oxygen, measured during the night",
        &[("", SPO2), ("", COMMON)],
    ),
    documents(
        "daily_stress",
        Some("daily"),
        WhileWorn,
        DAILY,
        "Daily time with high stress and with high recovery",
        &[("", STRESS), ("", COMMON)],
    ),
    documents(
        "enhanced_tag",
        Some("tag"),
        Occasionally,
        PERIOD,
        "Tags that the person entered, with their times",
        &[("", ENHANCED_TAG), ("", COMMON)],
    ),
    rows(
        "heartrate",
        Some("heartrate"),
        WhileWorn,
        &["timestamp", "source"],
        "Heart rate, one row per measurement",
        &[("", HEART_RATE), ("", COMMON)],
    ),
    rows(
        "interbeat_interval",
        None,
        Occasionally,
        &["timestamp", "ibi"],
        "Time between heartbeats. Only in API version 1.29",
        &[("", INTERBEAT), ("", COMMON)],
    ),
    documents(
        "personal_info",
        Some("personal"),
        Occasionally,
        ANY,
        "Age, sex, height and weight of the person",
        &[("", PERSONAL), ("", COMMON)],
    ),
    documents(
        "rest_mode_period",
        Some("daily"),
        Occasionally,
        PERIOD,
        "Rest mode periods",
        &[("", REST_MODE), ("", COMMON)],
    ),
    rows(
        "ring_battery_level",
        Some("ring_configuration"),
        Always,
        &["timestamp"],
        "Battery charge of the ring",
        &[("", BATTERY), ("", COMMON)],
    ),
    documents(
        "ring_configuration",
        Some("ring_configuration"),
        Occasionally,
        PERIOD,
        "All rings of the person. The one with the latest setup is in use",
        &[("", RING), ("", COMMON)],
    ),
    documents(
        "session",
        Some("session"),
        Occasionally,
        PERIOD,
        "Sessions: breathing, meditation, rest and others",
        &[("", SESSION), ("", COMMON)],
    ),
    documents(
        "sleep",
        Some("daily"),
        WhileWorn,
        PERIOD,
        "Sleep periods, including naps and rejected periods. The longest long_sleep is the night",
        &[("", SLEEP), ("readiness_", READINESS), ("", COMMON)],
    ),
    documents(
        "sleep_time",
        Some("daily"),
        Occasionally,
        DAILY,
        "Daily recommended bedtime",
        &[("", SLEEP_TIME), ("", COMMON)],
    ),
    documents(
        "tag",
        Some("tag"),
        Occasionally,
        POINT,
        "Tags of the old format, replaced by enhanced_tag",
        &[("", TAG), ("", COMMON)],
    ),
    documents(
        "vO2_max",
        Some("heart_health"),
        Occasionally,
        DAILY,
        "Cardio capacity (VO2 max)",
        &[("", VO2_MAX), ("", COMMON)],
    ),
    documents(
        "workout",
        Some("workout"),
        Occasionally,
        PERIOD,
        "Workouts, entered or detected automatically",
        &[("", WORKOUT), ("", COMMON)],
    ),
];
