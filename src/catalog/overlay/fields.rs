//! Units, sentinels and descriptions of fields by their flattened names, and the meanings of digit
//! codes.
//!
//! Descriptions appear in the query editor: noun phrases without a final full stop. Unit IDs are
//! Grafana's (`packages/grafana-data/src/valueFormats/categories.ts`). Grafana's prefix `suffix:`
//! covers all other units.

use super::super::Unit;
use super::Field;

const SECONDS: Unit = Unit("s");
const MILLISECONDS: Unit = Unit("ms");
const METRES: Unit = Unit("lengthm");
const METRES_PER_SECOND: Unit = Unit("velocityms");
const KILOGRAMS: Unit = Unit("masskg");
const CELSIUS: Unit = Unit("celsius");
const PERCENT: Unit = Unit("percent");
const YEARS: Unit = Unit("suffix:years");
const KILOCALORIES: Unit = Unit("suffix:kcal");
const BEATS_PER_MINUTE: Unit = Unit("suffix:bpm");
const BREATHS_PER_MINUTE: Unit = Unit("suffix:/min");
const MET: Unit = Unit("suffix:MET");
const MET_MINUTES: Unit = Unit("suffix:MET·min");
const OXYGEN_UPTAKE: Unit = Unit("suffix:ml/kg/min");

/// Fields of most collections.
pub(super) const COMMON: &[Field] = &[
    Field::plain("id", "Oura's document ID, unchanged by revisions"),
    Field::plain(
        "timestamp",
        "Time that Oura files the document under. Use time for daily summaries",
    ),
    Field::plain(
        "producer_timestamp",
        "Time of the measurement in the ring or the app, if Oura reports it",
    ),
];

pub(super) const ACTIVITY: &[Field] = &[
    Field::measured("active_calories", KILOCALORIES, "Active energy expenditure"),
    Field::measured("average_met_minutes", MET, "Mean intensity of the day"),
    Field::plain("class_5_min", "Intensity class per 5 minutes, from 4:00"),
    Field::plain(
        "contributors_meet_daily_targets",
        "Contribution of recently met daily targets, 1 to 100",
    )
    .with_sentinel(0),
    Field::plain("contributors_move_every_hour", "Contribution of hourly movement, 1 to 100")
        .with_sentinel(0),
    Field::plain(
        "contributors_recovery_time",
        "Contribution of easy days between hard days, 1 to 100",
    )
    .with_sentinel(0),
    Field::plain("contributors_stay_active", "Contribution of low inactivity, 1 to 100")
        .with_sentinel(0),
    Field::plain(
        "contributors_training_frequency",
        "Contribution of recent training frequency, 1 to 100",
    )
    .with_sentinel(0),
    Field::plain(
        "contributors_training_volume",
        "Contribution of recent training volume, 1 to 100",
    )
    .with_sentinel(0),
    Field::measured(
        "equivalent_walking_distance",
        METRES,
        "Walking distance with the same energy expenditure",
    ),
    Field::measured(
        "high_activity_met_minutes",
        MET_MINUTES,
        "High-intensity activity, intensity × duration",
    ),
    Field::measured("high_activity_time", SECONDS, "Time in high-intensity activity"),
    Field::plain("inactivity_alerts", "Reminders to move"),
    Field::measured(
        "low_activity_met_minutes",
        MET_MINUTES,
        "Low-intensity activity, intensity × duration",
    ),
    Field::measured("low_activity_time", SECONDS, "Time in low-intensity activity"),
    Field::measured(
        "medium_activity_met_minutes",
        MET_MINUTES,
        "Medium-intensity activity, intensity × duration",
    ),
    Field::measured("medium_activity_time", SECONDS, "Time in medium-intensity activity"),
    Field::measured("met", MET, "Intensity per minute"),
    Field::measured(
        "meters_to_target",
        METRES,
        "Remaining distance to the target, negative after it is reached",
    ),
    Field::measured("non_wear_time", SECONDS, "Time without the ring"),
    Field::measured("resting_time", SECONDS, "Resting time, including sleep and naps"),
    Field::plain("score", "Activity score, 1 to 100"),
    Field::measured("sedentary_met_minutes", MET_MINUTES, "Sedentary time, intensity × duration"),
    Field::measured("sedentary_time", SECONDS, "Sedentary time"),
    Field::plain("steps", "Step count"),
    Field::measured("target_calories", KILOCALORIES, "Target for active energy expenditure"),
    Field::measured("target_meters", METRES, "Target for walking distance"),
    Field::measured("total_calories", KILOCALORIES, "Total energy expenditure, including rest"),
];

pub(super) const CARDIOVASCULAR: &[Field] = &[
    Field::measured(
        "pulse_wave_velocity",
        METRES_PER_SECOND,
        "Pulse wave velocity, the speed along the arteries. Higher values mean stiffer arteries",
    ),
    Field::measured("vascular_age", YEARS, "Estimated vascular age"),
];

/// Fields of `daily_readiness`, and of `readiness` in a sleep period.
pub(super) const READINESS: &[Field] = &[
    Field::plain(
        "contributors_activity_balance",
        "Contribution of recent activity compared to usual, 1 to 100",
    )
    .with_sentinel(0),
    Field::plain(
        "contributors_body_temperature",
        "Contribution of body temperature compared to usual, 1 to 100",
    )
    .with_sentinel(0),
    Field::plain(
        "contributors_hrv_balance",
        "Contribution of recent heart rate variability compared to usual, 1 to 100",
    )
    .with_sentinel(0),
    Field::plain(
        "contributors_previous_day_activity",
        "Contribution of the previous day's activity, 1 to 100",
    )
    .with_sentinel(0),
    Field::plain(
        "contributors_previous_night",
        "Contribution of the previous night's sleep, 1 to 100",
    )
    .with_sentinel(0),
    Field::plain(
        "contributors_recovery_index",
        "Contribution of an early resting heart rate at night, 1 to 100",
    )
    .with_sentinel(0),
    Field::plain(
        "contributors_resting_heart_rate",
        "Contribution of resting heart rate compared to usual, 1 to 100",
    )
    .with_sentinel(0),
    Field::plain(
        "contributors_sleep_balance",
        "Contribution of recent sleep compared to sleep need, 1 to 100",
    )
    .with_sentinel(0),
    Field::plain("contributors_sleep_regularity", "Contribution of regular bedtimes, 1 to 100")
        .with_sentinel(0),
    Field::plain("score", "Readiness score, 1 to 100"),
    Field::measured(
        "temperature_deviation",
        CELSIUS,
        "Deviation of skin temperature from the personal baseline",
    ),
    Field::measured(
        "temperature_trend_deviation",
        CELSIUS,
        "Smoothed deviation of skin temperature from the personal baseline, over several days",
    ),
];

pub(super) const RESILIENCE: &[Field] = &[
    Field::plain("contributors_daytime_recovery", "Contribution of daytime recovery, 0 to 100"),
    Field::plain("contributors_sleep_recovery", "Contribution of sleep recovery, 0 to 100"),
    Field::plain(
        "contributors_stress",
        "Contribution of daytime stress, 0 to 100. Higher values mean less stress",
    ),
    Field::plain("level", "Resilience level: limited, adequate, solid, strong or exceptional"),
];

/// Fields of `daily_sleep`.
pub(super) const SCORED_SLEEP: &[Field] = &[
    Field::plain("contributors_deep_sleep", "Contribution of deep sleep, 1 to 100")
        .with_sentinel(0),
    Field::plain("contributors_efficiency", "Contribution of sleep efficiency, 1 to 100")
        .with_sentinel(0),
    Field::plain("contributors_latency", "Contribution of the time to fall asleep, 1 to 100")
        .with_sentinel(0),
    Field::plain("contributors_rem_sleep", "Contribution of REM sleep, 1 to 100").with_sentinel(0),
    Field::plain("contributors_restfulness", "Contribution of undisturbed sleep, 1 to 100")
        .with_sentinel(0),
    Field::plain("contributors_timing", "Contribution of sleep timing, 1 to 100").with_sentinel(0),
    Field::plain("contributors_total_sleep", "Contribution of total sleep, 1 to 100")
        .with_sentinel(0),
    Field::plain("score", "Sleep score, 1 to 100"),
];

pub(super) const SPO2: &[Field] = &[
    Field::plain(
        "breathing_disturbance_index",
        "Frequency of blood oxygen drops during the night, 0 to 100",
    ),
    Field::measured(
        "spo2_percentage_average",
        PERCENT,
        "Mean blood oxygen saturation during the night",
    ),
];

pub(super) const STRESS: &[Field] = &[
    Field::plain("day_summary", "Summary of the day: restored, normal or stressful"),
    Field::measured("recovery_high", SECONDS, "Time with high recovery"),
    Field::measured("stress_high", SECONDS, "Time with high stress"),
];

pub(super) const ENHANCED_TAG: &[Field] = &[
    Field::plain("comment", "Comment of the person"),
    Field::plain("custom_name", "Custom name, if tag_type_code is custom"),
    Field::plain("end_day", "End day"),
    Field::plain("end_time", "End time, null for a single point in time"),
    Field::plain("start_day", "Start day"),
    Field::plain("start_time", "Start time"),
    Field::plain("tag_type_code", "Tag type, for example tag_generic_party, or custom"),
];

pub(super) const HEART_RATE: &[Field] = &[
    Field::measured("bpm", BEATS_PER_MINUTE, "Heart rate"),
    Field::plain(
        "source",
        "Situation of the measurement: awake, rest, sleep, workout, session or live",
    ),
];

pub(super) const INTERBEAT: &[Field] = &[
    Field::measured("ibi", MILLISECONDS, "Time since the previous beat"),
    Field::plain("validity", "Reliability code of the value"),
];

pub(super) const PERSONAL: &[Field] = &[
    Field::measured("age", YEARS, "Age"),
    Field::plain("biological_sex", "Biological sex, as entered in the app"),
    Field::plain("email", "Email address of the account"),
    Field::measured("height", METRES, "Height"),
    Field::measured("weight", KILOGRAMS, "Weight"),
];

pub(super) const REST_MODE: &[Field] = &[
    Field::plain("end_day", "Last day of the period"),
    Field::plain("end_time", "End time, null during the period"),
    Field::plain("episodes", "Tags during the period, each with its time"),
    Field::plain("start_day", "First day of the period"),
    Field::plain("start_time", "Start time"),
];

pub(super) const BATTERY: &[Field] = &[
    Field::plain("charging", "True while the ring charges"),
    Field::plain("in_charger", "True while the ring is on its charger"),
    Field::measured("level", PERCENT, "Battery charge"),
];

pub(super) const RING: &[Field] = &[
    Field::plain("color", "Color of the ring"),
    Field::plain("design", "Design of the ring"),
    Field::plain("firmware_version", "Firmware version of the ring"),
    Field::plain("hardware_type", "Hardware generation: gen2, gen3, gen4 or or5"),
    // Oura writes 1970-01-01 for an unknown date.
    Field::plain("set_up_at", "Time of the setup").with_sentinel(0),
    Field::plain("size", "Ring size (US)"),
];

pub(super) const SESSION: &[Field] = &[
    Field::plain("end_datetime", "End time"),
    Field::measured("heart_rate", BEATS_PER_MINUTE, "Heart rate during the session"),
    Field::measured(
        "heart_rate_variability",
        MILLISECONDS,
        "Heart rate variability (RMSSD) during the session",
    ),
    Field::plain("mood", "Mood after the session: bad, worse, same, good or great"),
    Field::plain("motion_count", "Number of movements per interval"),
    Field::plain("start_datetime", "Start time"),
    Field::plain(
        "type",
        "Session type: breathing, meditation, nap, relaxation, rest or body_status",
    ),
];

pub(super) const SLEEP: &[Field] = &[
    Field::plain(
        "app_sleep_phase_5_min",
        "Sleep stage per 5 minutes, as shown in the app. Deprecated by Oura",
    ),
    Field::measured("average_breath", BREATHS_PER_MINUTE, "Mean breathing rate"),
    Field::measured(
        "average_heart_rate",
        BEATS_PER_MINUTE,
        "Mean heart rate, from 30-second values",
    ),
    Field::measured("average_hrv", MILLISECONDS, "Mean heart rate variability (RMSSD)"),
    Field::measured("awake_time", SECONDS, "Time awake in bed"),
    Field::plain("bedtime_end", "End of the time in bed"),
    Field::plain("bedtime_start", "Start of the time in bed"),
    Field::measured("deep_sleep_duration", SECONDS, "Time in deep sleep"),
    Field::measured(
        "efficiency",
        PERCENT,
        "Sleep efficiency: time asleep as a share of the time in bed",
    ),
    Field::measured("heart_rate", BEATS_PER_MINUTE, "Heart rate per 5 minutes"),
    Field::measured("hrv", MILLISECONDS, "Heart rate variability (RMSSD) per 5 minutes"),
    Field::measured("latency", SECONDS, "Time to fall asleep"),
    Field::measured("light_sleep_duration", SECONDS, "Time in light sleep"),
    Field::plain("low_battery_alert", "True if the battery ran low during the night"),
    Field::measured(
        "lowest_heart_rate",
        BEATS_PER_MINUTE,
        "Lowest heart rate, from 30-second values",
    )
    .with_sentinel(255),
    Field::plain("movement_30_sec", "Movement class per 30 seconds"),
    Field::plain("period", "Sequence number of the period within its day"),
    Field::plain(
        "readiness_score_delta",
        "Effect of this period on the readiness score, in points",
    ),
    Field::measured("rem_sleep_duration", SECONDS, "Time in REM sleep"),
    Field::plain("restless_periods", "Number of restless periods"),
    Field::plain("ring_id", "ID of the recording ring, null since API version 1.43"),
    Field::plain("sleep_algorithm_version", "Version of the sleep staging algorithm"),
    Field::plain("sleep_analysis_reason", "Reason for the analysis or revision"),
    Field::plain("sleep_phase_30_sec", "Sleep stage per 30 seconds"),
    Field::plain("sleep_phase_5_min", "Sleep stage per 5 minutes"),
    Field::plain("sleep_score_delta", "Effect of this period on the sleep score, in points"),
    Field::measured("time_in_bed", SECONDS, "Total time in bed"),
    Field::measured("total_sleep_duration", SECONDS, "Time asleep: deep, light and REM sleep"),
    Field::plain(
        "type",
        "Period type: long_sleep (over 3 hours), sleep, late_nap, rest (rejected by the person) or \
         deleted",
    ),
];

pub(super) const SLEEP_TIME: &[Field] = &[
    Field::measured("optimal_bedtime_day_tz", SECONDS, "UTC offset of the day's time zone"),
    Field::measured(
        "optimal_bedtime_end_offset",
        SECONDS,
        "End of the recommended window, relative to midnight. Negative before midnight",
    ),
    Field::measured(
        "optimal_bedtime_start_offset",
        SECONDS,
        "Start of the recommended window, relative to midnight. Negative before midnight",
    ),
    Field::plain("recommendation", "Recommended change, for example earlier_bedtime"),
    Field::plain("status", "Status of the recommendation, for example not_enough_nights"),
];

pub(super) const TAG: &[Field] = &[
    Field::plain("tags", "Tag codes"),
    Field::plain("text", "Text of the person"),
    Field::plain("timestamp", "Time of the tag"),
];

pub(super) const VO2_MAX: &[Field] =
    &[Field::measured("vo2_max", OXYGEN_UPTAKE, "Estimated maximal oxygen uptake")];

pub(super) const WORKOUT: &[Field] = &[
    Field::plain("activity", "Sport, for example walking"),
    Field::measured("calories", KILOCALORIES, "Energy expenditure"),
    Field::measured("distance", METRES, "Distance, if known"),
    Field::plain("end_datetime", "End time"),
    Field::plain("intensity", "Intensity: easy, moderate or hard"),
    Field::plain("label", "Custom name of the workout"),
    Field::plain(
        "source",
        "Origin of the workout: manual, autodetected, confirmed or workout_heart_rate",
    ),
    Field::plain("start_datetime", "Start time"),
];

const STAGES: &[(u8, &str)] = &[(1, "deep"), (2, "light"), (3, "rem"), (4, "awake")];

/// Digit codes by the field's own name.
pub(super) const CODES: &[(&str, &[(u8, &str)])] = &[
    ("app_sleep_phase_5_min", STAGES),
    (
        "class_5_min",
        &[(0, "non_wear"), (1, "rest"), (2, "inactive"), (3, "low"), (4, "medium"), (5, "high")],
    ),
    ("movement_30_sec", &[(1, "still"), (2, "restless"), (3, "tossing"), (4, "active")]),
    ("sleep_phase_30_sec", STAGES),
    ("sleep_phase_5_min", STAGES),
];
