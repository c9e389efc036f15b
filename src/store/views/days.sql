CREATE VIEW days AS
-- One row per day. Of several documents of a day, daily_activity shows the one with the most steps.
-- The others show the first one by id that has a value. On nearly all days there is no second
-- document, which the search for a better one reads from the index. Sorting is slower.
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
       -- The cast declares a type, so that comparisons with text work as for other columns.
       CAST((SELECT count(*) FROM enhanced_tag AS tag WHERE tag.day = calendar.day) AS INTEGER) AS tags,
       main_sleep.total_sleep_duration, main_sleep.efficiency, main_sleep.average_hrv,
       main_sleep.average_heart_rate, main_sleep.lowest_heart_rate, main_sleep.average_breath
FROM calendar
LEFT JOIN daily_readiness ON daily_readiness.day = calendar.day AND NOT EXISTS (
    SELECT 1 FROM daily_readiness AS better
    WHERE better.day = calendar.day AND better.document <> daily_readiness.document
      AND (better.score IS NULL, coalesce(better.id, ''), better.document)
        < (daily_readiness.score IS NULL, coalesce(daily_readiness.id, ''),
           daily_readiness.document))
LEFT JOIN daily_sleep ON daily_sleep.day = calendar.day AND NOT EXISTS (
    SELECT 1 FROM daily_sleep AS better
    WHERE better.day = calendar.day AND better.document <> daily_sleep.document
      AND (better.score IS NULL, coalesce(better.id, ''), better.document)
        < (daily_sleep.score IS NULL, coalesce(daily_sleep.id, ''),
           daily_sleep.document))
LEFT JOIN daily_activity ON daily_activity.day = calendar.day AND NOT EXISTS (
    SELECT 1 FROM daily_activity AS better
    WHERE better.day = calendar.day AND better.document <> daily_activity.document
      AND (-coalesce(better.steps, -1), coalesce(better.id, ''), better.document)
        < (-coalesce(daily_activity.steps, -1), coalesce(daily_activity.id, ''),
           daily_activity.document))
LEFT JOIN daily_stress ON daily_stress.day = calendar.day AND NOT EXISTS (
    SELECT 1 FROM daily_stress AS better
    WHERE better.day = calendar.day AND better.document <> daily_stress.document
      AND (better.stress_high IS NULL, coalesce(better.id, ''), better.document)
        < (daily_stress.stress_high IS NULL, coalesce(daily_stress.id, ''),
           daily_stress.document))
LEFT JOIN daily_spo2 ON daily_spo2.day = calendar.day AND NOT EXISTS (
    SELECT 1 FROM daily_spo2 AS better
    WHERE better.day = calendar.day AND better.document <> daily_spo2.document
      AND (better.spo2_percentage_average IS NULL, coalesce(better.id, ''), better.document)
        < (daily_spo2.spo2_percentage_average IS NULL, coalesce(daily_spo2.id, ''),
           daily_spo2.document))
LEFT JOIN daily_resilience ON daily_resilience.day = calendar.day AND NOT EXISTS (
    SELECT 1 FROM daily_resilience AS better
    WHERE better.day = calendar.day AND better.document <> daily_resilience.document
      AND (better.level IS NULL, coalesce(better.id, ''), better.document)
        < (daily_resilience.level IS NULL, coalesce(daily_resilience.id, ''),
           daily_resilience.document))
LEFT JOIN daily_cardiovascular_age ON daily_cardiovascular_age.day = calendar.day AND NOT EXISTS (
    SELECT 1 FROM daily_cardiovascular_age AS better
    WHERE better.day = calendar.day AND better.document <> daily_cardiovascular_age.document
      AND (better.vascular_age IS NULL, coalesce(better.id, ''), better.document)
        < (daily_cardiovascular_age.vascular_age IS NULL, coalesce(daily_cardiovascular_age.id, ''),
           daily_cardiovascular_age.document))
LEFT JOIN main_sleep ON main_sleep.day = calendar.day
WHERE coalesce(daily_readiness.document, daily_sleep.document, daily_activity.document,
               daily_stress.document, daily_spo2.document, daily_resilience.document,
               daily_cardiovascular_age.document, main_sleep.document) IS NOT NULL
