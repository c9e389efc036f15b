//! Units, sentinels and descriptions of fields by their flattened names, and what digits in strings stand for.
//!
//! Unit ids are Grafana's (`packages/grafana-data/src/valueFormats/categories.ts`); `suffix:` is its form for all others.

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

/// Shared by most collections.
pub(super) const COMMON: &[Field] = &[
    Field::plain("id", "Oura's identifier; stays the same when the document is revised"),
    Field::plain(
        "timestamp",
        "Moment that Oura files the document under; for a summary of a day use time",
    ),
    Field::plain("producer_timestamp", "When the ring or the app made the row, where Oura tells"),
];

pub(super) const ACTIVITY: &[Field] = &[
    Field::measured("active_calories", KILOCALORIES, "Energy spent on activity"),
    Field::measured("average_met_minutes", MET, "Mean intensity over the day"),
    Field::plain("class_5_min", "Intensity class of every five minutes from 4:00"),
    Field::plain(
        "contributors_meet_daily_targets",
        "How regularly the daily target was met lately, 1 to 100",
    )
    .absent_as(0),
    Field::plain("contributors_move_every_hour", "How well long sitting was avoided, 1 to 100")
        .absent_as(0),
    Field::plain("contributors_recovery_time", "Enough easy days between hard ones, 1 to 100")
        .absent_as(0),
    Field::plain("contributors_stay_active", "How little of the day was spent inactive, 1 to 100")
        .absent_as(0),
    Field::plain(
        "contributors_training_frequency",
        "How often there was training lately, 1 to 100",
    )
    .absent_as(0),
    Field::plain("contributors_training_volume", "How much training there was lately, 1 to 100")
        .absent_as(0),
    Field::measured(
        "equivalent_walking_distance",
        METRES,
        "Walking distance that would cost the same energy",
    ),
    Field::measured(
        "high_activity_met_minutes",
        MET_MINUTES,
        "Intensity times minutes at high intensity",
    ),
    Field::measured("high_activity_time", SECONDS, "Time at high intensity"),
    Field::plain("inactivity_alerts", "Reminders to move"),
    Field::measured(
        "low_activity_met_minutes",
        MET_MINUTES,
        "Intensity times minutes at low intensity",
    ),
    Field::measured("low_activity_time", SECONDS, "Time at low intensity"),
    Field::measured(
        "medium_activity_met_minutes",
        MET_MINUTES,
        "Intensity times minutes at medium intensity",
    ),
    Field::measured("medium_activity_time", SECONDS, "Time at medium intensity"),
    Field::measured("met", MET, "Intensity, minute by minute"),
    Field::measured("meters_to_target", METRES, "Distance left to the target; negative beyond it"),
    Field::measured("non_wear_time", SECONDS, "Time without the ring"),
    Field::measured("resting_time", SECONDS, "Time at rest, sleep and naps included"),
    Field::plain("score", "Activity score, 1 to 100"),
    Field::measured("sedentary_met_minutes", MET_MINUTES, "Intensity times minutes of sitting"),
    Field::measured("sedentary_time", SECONDS, "Time sitting or standing still"),
    Field::plain("steps", "Steps taken"),
    Field::measured("target_calories", KILOCALORIES, "Active energy aimed at"),
    Field::measured("target_meters", METRES, "Walking distance aimed at"),
    Field::measured(
        "total_calories",
        KILOCALORIES,
        "Energy spent over the whole day, rest included",
    ),
];

pub(super) const CARDIOVASCULAR: &[Field] = &[
    Field::measured(
        "pulse_wave_velocity",
        METRES_PER_SECOND,
        "Speed of the pulse along the arteries; higher is stiffer",
    ),
    Field::measured("vascular_age", YEARS, "Estimated age of the arteries"),
];

/// Of `daily_readiness`, and of `readiness` within a period of sleep.
pub(super) const READINESS: &[Field] = &[
    Field::plain(
        "contributors_activity_balance",
        "Activity of the last weeks against the usual, 1 to 100",
    )
    .absent_as(0),
    Field::plain("contributors_body_temperature", "Body temperature against the usual, 1 to 100")
        .absent_as(0),
    Field::plain(
        "contributors_hrv_balance",
        "Heart rate variability of late against the usual, 1 to 100",
    )
    .absent_as(0),
    Field::plain("contributors_previous_day_activity", "Activity of the day before, 1 to 100")
        .absent_as(0),
    Field::plain("contributors_previous_night", "Sleep of the last night, 1 to 100").absent_as(0),
    Field::plain(
        "contributors_recovery_index",
        "How early in the night the heart rate came to rest, 1 to 100",
    )
    .absent_as(0),
    Field::plain(
        "contributors_resting_heart_rate",
        "Resting heart rate against the usual, 1 to 100",
    )
    .absent_as(0),
    Field::plain(
        "contributors_sleep_balance",
        "Sleep of the last weeks against the need, 1 to 100",
    )
    .absent_as(0),
    Field::plain("contributors_sleep_regularity", "How regular bedtimes have been, 1 to 100")
        .absent_as(0),
    Field::plain("score", "Readiness score, 1 to 100"),
    Field::measured(
        "temperature_deviation",
        CELSIUS,
        "Skin temperature against the person's own baseline",
    ),
    Field::measured("temperature_trend_deviation", CELSIUS, "The same, smoothed over several days"),
];

pub(super) const RESILIENCE: &[Field] = &[
    Field::plain("contributors_daytime_recovery", "Recovery by day, 0 to 100"),
    Field::plain("contributors_sleep_recovery", "Recovery by sleep, 0 to 100"),
    Field::plain("contributors_stress", "Stress by day, 0 to 100; higher is less"),
    Field::plain("level", "limited, adequate, solid, strong or exceptional"),
];

/// Of `daily_sleep`.
pub(super) const SCORED_SLEEP: &[Field] = &[
    Field::plain("contributors_deep_sleep", "Amount of deep sleep, 1 to 100").absent_as(0),
    Field::plain("contributors_efficiency", "Share of the time in bed that was slept, 1 to 100")
        .absent_as(0),
    Field::plain("contributors_latency", "Time it took to fall asleep, 1 to 100").absent_as(0),
    Field::plain("contributors_rem_sleep", "Amount of REM sleep, 1 to 100").absent_as(0),
    Field::plain("contributors_restfulness", "How undisturbed the sleep was, 1 to 100")
        .absent_as(0),
    Field::plain(
        "contributors_timing",
        "How well the middle of the sleep lay in the night, 1 to 100",
    )
    .absent_as(0),
    Field::plain("contributors_total_sleep", "Amount of sleep, 1 to 100").absent_as(0),
    Field::plain("score", "Sleep score, 1 to 100"),
];

pub(super) const SPO2: &[Field] = &[
    Field::plain(
        "breathing_disturbance_index",
        "How often blood oxygen dropped in the night, 0 to 100",
    ),
    Field::measured(
        "spo2_percentage_average",
        PERCENT,
        "Mean blood oxygen saturation of the night",
    ),
];

pub(super) const STRESS: &[Field] = &[
    Field::plain("day_summary", "restored, normal or stressful"),
    Field::measured("recovery_high", SECONDS, "Time in high recovery"),
    Field::measured("stress_high", SECONDS, "Time in high stress"),
];

pub(super) const ENHANCED_TAG: &[Field] = &[
    Field::plain("comment", "What the person wrote about it"),
    Field::plain("custom_name", "The person's own name for it, where tag_type_code is custom"),
    Field::plain("end_day", "Day of the end"),
    Field::plain("end_time", "End; null for a single moment"),
    Field::plain("start_day", "Day of the start"),
    Field::plain("start_time", "Start"),
    Field::plain("tag_type_code", "Kind of tag, such as tag_generic_party, or custom"),
];

pub(super) const HEART_RATE: &[Field] = &[
    Field::measured("bpm", BEATS_PER_MINUTE, "Heart rate"),
    Field::plain("source", "awake, rest, sleep, workout, session or live"),
];

pub(super) const INTERBEAT: &[Field] = &[
    Field::measured("ibi", MILLISECONDS, "Time since the last beat"),
    Field::plain("validity", "Code for how far the value can be trusted"),
];

pub(super) const PERSONAL: &[Field] = &[
    Field::measured("age", YEARS, "Age"),
    Field::plain("biological_sex", "As entered in the app"),
    Field::plain("email", "Address of the account"),
    Field::measured("height", METRES, "Height"),
    Field::measured("weight", KILOGRAMS, "Weight"),
];

pub(super) const REST_MODE: &[Field] = &[
    Field::plain("end_day", "Last day"),
    Field::plain("end_time", "End; null while it lasts"),
    Field::plain("episodes", "Tags given during the period, each with its moment"),
    Field::plain("start_day", "First day"),
    Field::plain("start_time", "Start"),
];

pub(super) const BATTERY: &[Field] = &[
    Field::plain("charging", "Whether the ring was charging"),
    Field::plain("in_charger", "Whether the ring was on its charger"),
    Field::measured("level", PERCENT, "Charge of the battery"),
];

pub(super) const RING: &[Field] = &[
    Field::plain("color", "Finish"),
    Field::plain("design", "Shape"),
    Field::plain("firmware_version", "Version of its software"),
    Field::plain("hardware_type", "Generation: gen2, gen3, gen4, or5"),
    // 1970-01-01 stands for an unknown date.
    Field::plain("set_up_at", "When it was set up").absent_as(0),
    Field::plain("size", "US ring size"),
];

pub(super) const SESSION: &[Field] = &[
    Field::plain("end_datetime", "End"),
    Field::measured("heart_rate", BEATS_PER_MINUTE, "Heart rate during the session"),
    Field::measured(
        "heart_rate_variability",
        MILLISECONDS,
        "Heart rate variability (RMSSD) during the session",
    ),
    Field::plain("mood", "How the person felt afterwards: bad, worse, same, good or great"),
    Field::plain("motion_count", "Movements per interval"),
    Field::plain("start_datetime", "Start"),
    Field::plain("type", "breathing, meditation, nap, relaxation, rest or body_status"),
];

pub(super) const SLEEP: &[Field] = &[
    Field::plain(
        "app_sleep_phase_5_min",
        "Sleep stage of every five minutes as the app draws it; to be dropped by Oura",
    ),
    Field::measured("average_breath", BREATHS_PER_MINUTE, "Mean breathing rate"),
    Field::measured(
        "average_heart_rate",
        BEATS_PER_MINUTE,
        "Mean heart rate, from half-minute values",
    ),
    Field::measured("average_hrv", MILLISECONDS, "Mean heart rate variability (RMSSD)"),
    Field::measured("awake_time", SECONDS, "Time awake in bed"),
    Field::plain("bedtime_end", "Getting up"),
    Field::plain("bedtime_start", "Going to bed"),
    Field::measured("deep_sleep_duration", SECONDS, "Time in deep sleep"),
    Field::measured("efficiency", PERCENT, "Share of the time in bed that was slept"),
    Field::measured("heart_rate", BEATS_PER_MINUTE, "Heart rate, every five minutes"),
    Field::measured("hrv", MILLISECONDS, "Heart rate variability (RMSSD), every five minutes"),
    Field::measured("latency", SECONDS, "Time it took to fall asleep"),
    Field::measured("light_sleep_duration", SECONDS, "Time in light sleep"),
    Field::plain("low_battery_alert", "Whether the ring ran low during the night"),
    Field::measured(
        "lowest_heart_rate",
        BEATS_PER_MINUTE,
        "Lowest heart rate, from half-minute values",
    )
    .absent_as(255),
    Field::plain("movement_30_sec", "Movement class of every half minute"),
    Field::plain("period", "Number of the period within its day"),
    Field::plain("readiness_score_delta", "What this period did to the readiness score, in points"),
    Field::measured("rem_sleep_duration", SECONDS, "Time in REM sleep"),
    Field::plain("restless_periods", "Times of tossing and turning"),
    Field::plain("ring_id", "The ring that recorded it; null since version 1.43"),
    Field::plain("sleep_algorithm_version", "Algorithm that staged the sleep"),
    Field::plain("sleep_analysis_reason", "What made Oura analyse or revise the period"),
    Field::plain("sleep_phase_30_sec", "Sleep stage of every half minute"),
    Field::plain("sleep_phase_5_min", "Sleep stage of every five minutes"),
    Field::plain("sleep_score_delta", "What this period did to the sleep score, in points"),
    Field::measured("time_in_bed", SECONDS, "From going to bed to getting up"),
    Field::measured("total_sleep_duration", SECONDS, "Time asleep: deep, light and REM"),
    Field::plain(
        "type",
        "long_sleep (over three hours), sleep, late_nap, rest (rejected by the person) or deleted",
    ),
];

pub(super) const SLEEP_TIME: &[Field] = &[
    Field::measured("optimal_bedtime_day_tz", SECONDS, "Offset of the day's time zone from UTC"),
    Field::measured(
        "optimal_bedtime_end_offset",
        SECONDS,
        "End of the window, from midnight; negative is the evening before",
    ),
    Field::measured(
        "optimal_bedtime_start_offset",
        SECONDS,
        "Start of the window, from midnight; negative is the evening before",
    ),
    Field::plain("recommendation", "What to change, such as earlier_bedtime"),
    Field::plain("status", "Whether there were enough good nights for a recommendation"),
];

pub(super) const TAG: &[Field] = &[
    Field::plain("tags", "Codes of the tags"),
    Field::plain("text", "What the person wrote"),
    Field::plain("timestamp", "Moment of the tag"),
];

pub(super) const VO2_MAX: &[Field] =
    &[Field::measured("vo2_max", OXYGEN_UPTAKE, "Estimated maximal oxygen uptake")];

pub(super) const WORKOUT: &[Field] = &[
    Field::plain("activity", "Kind of sport, such as walking"),
    Field::measured("calories", KILOCALORIES, "Energy spent"),
    Field::measured("distance", METRES, "Distance covered, where known"),
    Field::plain("end_datetime", "End"),
    Field::plain("intensity", "easy, moderate or hard"),
    Field::plain("label", "The person's own name for it"),
    Field::plain(
        "source",
        "How Oura came to know: manual, autodetected, confirmed or from a heart rate recording",
    ),
    Field::plain("start_datetime", "Start"),
];

const STAGES: &[(u8, &str)] = &[(1, "deep"), (2, "light"), (3, "rem"), (4, "awake")];

/// By the field's own name.
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
