//! One entry per collection that any version of the API has had.
//!
//! Scopes are those that live accounts have shown to be enforced; some are in no document (`stress`, `ring_configuration`).

use super::super::Recorded::{self, Always, Occasionally, WhileWorn};
use super::super::{Kind, Storage, TimeRule};
use super::fields::{
    ACTIVITY, BATTERY, CARDIOVASCULAR, COMMON, ENHANCED_TAG, HEART_RATE, INTERBEAT, PERSONAL,
    READINESS, RESILIENCE, REST_MODE, RING, SCORED_SLEEP, SESSION, SLEEP, SLEEP_TIME, SPO2, STRESS,
    TAG, VO2_MAX, WORKOUT,
};
use super::{Facts, Field};

/// A summary of a day: it lies at the day's local midnight, whatever its `timestamp` says.
pub(super) const DAILY: TimeRule = TimeRule { day: &["day"], start: &[], end: &[] };

/// Something with a beginning and mostly an end.
const PERIOD: TimeRule = TimeRule {
    day: &["day", "start_day"],
    start: &["bedtime_start", "start_datetime", "start_time", "set_up_at"],
    end: &["bedtime_end", "end_datetime", "end_time"],
};

/// Something at one moment.
const POINT: TimeRule = TimeRule { day: &["day"], start: &["timestamp"], end: &[] };

/// For collections yet unknown.
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
        "Movement of each day, from 4:00 to 4:00",
        &[("", ACTIVITY), ("", COMMON)],
    ),
    documents(
        "daily_cardiovascular_age",
        Some("heart_health"),
        WhileWorn,
        DAILY,
        "Age of the arteries as estimated from the pulse wave",
        &[("", CARDIOVASCULAR), ("", COMMON)],
    ),
    documents(
        "daily_readiness",
        Some("daily"),
        WhileWorn,
        DAILY,
        "Readiness of each day",
        &[("", READINESS), ("", COMMON)],
    ),
    documents(
        "daily_resilience",
        Some("stress"),
        WhileWorn,
        DAILY,
        "Long-term ability to cope with stress",
        &[("", RESILIENCE), ("", COMMON)],
    ),
    documents(
        "daily_sleep",
        Some("daily"),
        WhileWorn,
        DAILY,
        "Sleep score of each day; the nights themselves are in sleep",
        &[("", SCORED_SLEEP), ("", COMMON)],
    ),
    documents(
        "daily_spo2",
        Some("spo2"),
        WhileWorn,
        DAILY,
        "Blood oxygen during the night of each day",
        &[("", SPO2), ("", COMMON)],
    ),
    documents(
        "daily_stress",
        Some("daily"),
        WhileWorn,
        DAILY,
        "Time stressed and time recovering of each day",
        &[("", STRESS), ("", COMMON)],
    ),
    documents(
        "enhanced_tag",
        Some("tag"),
        Occasionally,
        PERIOD,
        "Tags of the person: what happened, and when",
        &[("", ENHANCED_TAG), ("", COMMON)],
    ),
    rows(
        "heartrate",
        Some("heartrate"),
        WhileWorn,
        &["timestamp", "source"],
        "Heart rate around the clock, one row per measurement",
        &[("", HEART_RATE), ("", COMMON)],
    ),
    rows(
        "interbeat_interval",
        None,
        Occasionally,
        &["timestamp", "ibi"],
        "Time between heart beats; offered by version 1.29 alone",
        &[("", INTERBEAT), ("", COMMON)],
    ),
    documents(
        "personal_info",
        Some("personal"),
        Occasionally,
        ANY,
        "Who wears the ring",
        &[("", PERSONAL), ("", COMMON)],
    ),
    documents(
        "rest_mode_period",
        Some("daily"),
        Occasionally,
        PERIOD,
        "Periods in rest mode",
        &[("", REST_MODE), ("", COMMON)],
    ),
    rows(
        "ring_battery_level",
        Some("ring_configuration"),
        Always,
        &["timestamp"],
        "Charge of the ring's battery",
        &[("", BATTERY), ("", COMMON)],
    ),
    documents(
        "ring_configuration",
        Some("ring_configuration"),
        Occasionally,
        PERIOD,
        "Every ring ever set up; the latest is the current one",
        &[("", RING), ("", COMMON)],
    ),
    documents(
        "session",
        Some("session"),
        Occasionally,
        PERIOD,
        "Guided and unguided sessions: breathing, meditation, rest",
        &[("", SESSION), ("", COMMON)],
    ),
    documents(
        "sleep",
        Some("daily"),
        WhileWorn,
        PERIOD,
        "Every period of sleep, naps and rejected ones included; the longest long_sleep of a day is its night",
        &[("", SLEEP), ("readiness_", READINESS), ("", COMMON)],
    ),
    documents(
        "sleep_time",
        Some("daily"),
        Occasionally,
        DAILY,
        "When to go to bed, as recommended",
        &[("", SLEEP_TIME), ("", COMMON)],
    ),
    documents(
        "tag",
        Some("tag"),
        Occasionally,
        POINT,
        "Tags of the old kind; superseded by enhanced_tag",
        &[("", TAG), ("", COMMON)],
    ),
    documents(
        "vO2_max",
        Some("heart_health"),
        Occasionally,
        DAILY,
        "Cardio capacity",
        &[("", VO2_MAX), ("", COMMON)],
    ),
    documents(
        "workout",
        Some("workout"),
        Occasionally,
        PERIOD,
        "Workouts, entered or detected",
        &[("", WORKOUT), ("", COMMON)],
    ),
];
