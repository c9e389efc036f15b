CREATE VIEW days AS
-- One row per day. Of several documents of a day, daily_activity shows the one with the most steps.
-- The others show the first one by id that has a value.
SELECT calendar.day AS day, calendar.time AS time,
       daily_readiness.score AS readiness_score, daily_sleep.score AS sleep_score,
       daily_activity.score AS activity_score,
       daily_readiness.temperature_deviation, daily_readiness.temperature_trend_deviation,
       steps, active_calories, total_calories, equivalent_walking_distance, high_activity_time,
       medium_activity_time, low_activity_time, sedentary_time, resting_time,
       stress_high, recovery_high, daily_stress.day_summary AS stress_summary,
       daily_spo2.spo2_percentage_average AS spo2_average, breathing_disturbance_index,
       daily_resilience.level AS resilience_level, vascular_age, pulse_wave_velocity,
       (SELECT newest.vo2_max FROM vo2_max AS newest WHERE newest.day = calendar.day
        ORDER BY newest.time DESC, newest.vo2_max IS NULL, newest.id, newest.document LIMIT 1) AS vo2_max,
       main_sleep.total_sleep_duration, main_sleep.efficiency, main_sleep.average_hrv,
       main_sleep.average_heart_rate, main_sleep.lowest_heart_rate, main_sleep.average_breath
FROM calendar
LEFT JOIN daily_readiness ON daily_readiness.document = (
    SELECT one.document FROM daily_readiness AS one WHERE one.day = calendar.day
    ORDER BY one.score IS NULL, one.id, one.document LIMIT 1)
LEFT JOIN daily_sleep ON daily_sleep.document = (
    SELECT one.document FROM daily_sleep AS one WHERE one.day = calendar.day
    ORDER BY one.score IS NULL, one.id, one.document LIMIT 1)
LEFT JOIN daily_activity ON daily_activity.document = (
    SELECT one.document FROM daily_activity AS one WHERE one.day = calendar.day
    ORDER BY one.steps DESC, one.id, one.document LIMIT 1)
LEFT JOIN daily_stress ON daily_stress.document = (
    SELECT one.document FROM daily_stress AS one WHERE one.day = calendar.day
    ORDER BY one.stress_high IS NULL, one.id, one.document LIMIT 1)
LEFT JOIN daily_spo2 ON daily_spo2.document = (
    SELECT one.document FROM daily_spo2 AS one WHERE one.day = calendar.day
    ORDER BY one.spo2_percentage_average IS NULL, one.id, one.document LIMIT 1)
LEFT JOIN daily_resilience ON daily_resilience.document = (
    SELECT one.document FROM daily_resilience AS one WHERE one.day = calendar.day
    ORDER BY one.level IS NULL, one.id, one.document LIMIT 1)
LEFT JOIN daily_cardiovascular_age ON daily_cardiovascular_age.document = (
    SELECT one.document FROM daily_cardiovascular_age AS one WHERE one.day = calendar.day
    ORDER BY one.vascular_age IS NULL, one.id, one.document LIMIT 1)
LEFT JOIN main_sleep ON main_sleep.day = calendar.day
WHERE coalesce(daily_readiness.document, daily_sleep.document, daily_activity.document,
               daily_stress.document, daily_spo2.document, daily_resilience.document,
               daily_cardiovascular_age.document, main_sleep.document) IS NOT NULL
